"""Every database is read from the layout in which it is distributed, and checked."""

import dataclasses
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import openpyxl
import pytest
import scipy.io

from reiqa_tf.data.databases.catalog import DATABASES, DatabaseError, database_named
from reiqa_tf.data.databases.loading import read_database
from reiqa_tf.data.databases.tables import read_matlab_numbers, read_table
from tests.oracles.miniature_databases import MINIATURES, write_version_73

CASES = pathlib.Path(__file__).parents[1] / "cases"

# Numbers of rows and scales, from the databases' papers.
PUBLISHED = {
    "koniq10k": (10_073, (1, 100), False),
    "koniq10k_512x384": (10_073, (1, 100), False),
    "clive": (1_162, (0, 100), False),
    "flive": (39_810, (0, 100), False),
    "spaq": (11_125, (0, 100), False),
    "live": (779, (0, 100), True),
    "csiq": (866, (0, 1), True),
    "tid2013": (3_000, (0, 9), False),
    "kadid10k": (10_125, (1, 5), False),
    "pipal": (23_200, None, False),
    "agiqa3k": (2_982, (0, 5), False),
    "biq2021": (12_000, (0, 1), False),
}


@pytest.fixture(params=MINIATURES)
def miniature(request, tmp_path):
    return MINIATURES[request.param](tmp_path / "unpacked" / request.param)


def test_the_catalog_states_counts_scales_and_directions_as_published():
    stated = {d.name: (d.count, d.score_range, d.lower_is_better) for d in DATABASES}
    assert stated == PUBLISHED


def test_the_catalog_imports_nothing_that_a_help_text_would_wait_for():
    code = (
        "import sys, reiqa_tf.data.databases.catalog\n"
        "print(*sorted({'numpy', 'scipy', 'h5py', 'PIL'} & set(sys.modules)))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == ""


def test_the_folders_of_live_hold_982_photos_of_which_779_are_distorted():
    sizes = database_named("live").options["sizes"]
    assert sum(sizes.values()) == 982
    assert list(sizes) == ["jp2k", "jpeg", "wn", "gblur", "fastfading"]


def test_every_database_is_read_as_it_is_distributed(miniature):
    scored = read_database(miniature.database, miniature.folder)
    assert scored.paths == [str(miniature.folder / _on_disk(miniature, n)) for n in
                              miniature.names]  # fmt: skip
    np.testing.assert_allclose(scored.scores, miniature.scores, atol=1e-5)
    for name in ("groups", "distortions", "levels", "splits"):
        expected, received = getattr(miniature, name), getattr(scored, name)
        assert (received is None) == (expected is None), name
        assert expected is None or list(received) == list(expected), name
    assert scored.score_range == (
        miniature.database.score_range or (min(miniature.scores), max(miniature.scores))
    )


def _on_disk(miniature, name):
    """Where below the folder the photo lies of which a table names the end."""
    (path,) = (
        p for p in miniature.folder.rglob("*") if p.as_posix().lower().endswith("/" + name.lower())
    )
    return path.relative_to(miniature.folder)


def test_tables_and_photos_are_found_however_deep_the_archive_was_unpacked(miniature):
    deeper = miniature.folder.parent / "download" / "release"
    shutil.copytree(miniature.folder, deeper / miniature.folder.name)
    scored = read_database(miniature.database, deeper.parent)
    np.testing.assert_allclose(scored.scores, miniature.scores, atol=1e-5)
    assert all(pathlib.Path(path).is_file() for path in scored.paths)


def test_missing_photos_are_named_and_can_be_gone_without(miniature):
    gone = miniature.folder / _on_disk(miniature, miniature.names[1])
    gone.unlink()
    message = rf"(?i)1 of {len(miniature.names)} photos.*missing: .*{re.escape(gone.name)}"
    with pytest.raises(DatabaseError, match=message):
        read_database(miniature.database, miniature.folder)
    scored = read_database(miniature.database, miniature.folder, partial=True)
    np.testing.assert_allclose(scored.scores, np.delete(miniature.scores, 1), atol=1e-5)


def test_another_number_of_rows_than_published_is_refused(miniature):
    database = dataclasses.replace(miniature.database, count=len(miniature.names) + 1)
    message = f"expected {database.count} scored photos of .*Received: {len(miniature.names)}"
    with pytest.raises(DatabaseError, match=message):
        read_database(database, miniature.folder)
    assert len(read_database(database, miniature.folder, partial=True)) == len(miniature.names)


def test_scores_outside_the_published_range_are_refused(miniature):
    narrow = (min(miniature.scores) - 1e9, min(miniature.scores) - 1e8)
    database = dataclasses.replace(miniature.database, limits=narrow)
    with pytest.raises(DatabaseError, match="expected scores from"):
        read_database(database, miniature.folder)


def test_a_missing_table_is_named(miniature):
    for path in miniature.folder.rglob("*"):
        if path.suffix in (".csv", ".txt", ".xlsx", ".mat"):
            path.unlink()
    with pytest.raises(DatabaseError, match=r"no .*\.(csv|txt|xlsx|mat).* in this folder"):
        read_database(miniature.database, miniature.folder)


@pytest.mark.parametrize("name", ["koniq10k", "spaq", "csiq", "tid2013", "kadid10k"])
def test_scores_that_run_the_wrong_way_are_refused(name, tmp_path):
    miniature = MINIATURES[name](tmp_path / name)
    turned = dataclasses.replace(
        miniature.database, lower_is_better=not miniature.database.lower_is_better
    )
    with pytest.raises(DatabaseError, match="these run the other way"):
        read_database(turned, miniature.folder)


def test_live_with_mirrored_scores_is_refused(tmp_path):
    miniature = MINIATURES["live"](tmp_path / "live")
    table = miniature.folder / "dmos_realigned.mat"
    values = scipy.io.loadmat(table)
    scipy.io.savemat(table, {"dmos_new": 100 - values["dmos_new"], "orgs": values["orgs"]})
    with pytest.raises(DatabaseError, match=r"dmos_realigned\.mat: .*mirrored"):
        read_database(miniature.database, miniature.folder)


def test_koniq_is_read_from_the_table_with_the_official_split_alone(tmp_path):
    miniature = MINIATURES["koniq10k"](tmp_path / "koniq")
    (miniature.folder / "koniq10k_scores_and_distributions.csv").unlink()
    scored = read_database(miniature.database, miniature.folder)
    np.testing.assert_allclose(scored.scores, miniature.scores)
    assert list(scored.splits) == miniature.splits


def test_flive_without_the_tables_of_its_split_has_no_split(tmp_path):
    miniature = MINIATURES["flive"](tmp_path / "flive")
    (miniature.folder / "labels>640.csv").unlink()
    assert read_database(miniature.database, miniature.folder).splits is None


def test_clive_is_read_from_files_of_matlab_7_3_too(tmp_path):
    miniature = MINIATURES["clive"](tmp_path / "clive")
    for name in ("AllImages_release", "AllMOS_release"):
        path = miniature.folder / "Data" / f"{name}.mat"
        values = scipy.io.loadmat(path)[name].ravel()
        texts = [str(v.item()) if isinstance(v, np.ndarray) else float(v) for v in values]
        write_version_73(path, name, texts)
    scored = read_database(miniature.database, miniature.folder)
    np.testing.assert_allclose(scored.scores, miniature.scores)
    assert [pathlib.Path(path).name for path in scored.paths] == miniature.names


def test_an_unknown_database_is_refused_with_the_one_that_was_meant():
    with pytest.raises(DatabaseError, match=r"Did you mean kadid10k\?"):
        read_database("kadid-10k", ".")


@pytest.mark.parametrize(
    ("file", "contents", "message"),
    [
        ("a.csv", "image,quality\nx.png,1\n", "expected the columns image, mos.*image, quality"),
        ("a.csv", "", "expected the columns image, mos. The first line has: nothing"),
        ("a.xlsx", "no workbook", "not an Excel file"),
    ],
)
def test_tables_that_cannot_be_read_are_named(tmp_path, file, contents, message):
    (tmp_path / file).write_text(contents)
    with pytest.raises(DatabaseError, match=rf"{file}: {message}"):
        read_table(tmp_path / file, ("image", "mos"))


def test_a_sheet_that_is_not_there_is_named(tmp_path):
    openpyxl.Workbook().save(tmp_path / "a.xlsx")
    with pytest.raises(DatabaseError, match=r"expected a sheet 'scores'\. It has: Sheet"):
        read_table(tmp_path / "a.xlsx", ("image",), sheet="scores")


def test_a_matlab_file_without_the_variable_or_damaged_is_named(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"x": [1.0]})
    with pytest.raises(DatabaseError, match=r"a\.mat: holds no variable 'mos'"):
        read_matlab_numbers(tmp_path / "a.mat", "mos")
    (tmp_path / "b.mat").write_bytes(b"MATLAB 5.0 damaged" * 20)
    with pytest.raises(DatabaseError, match=r"b\.mat: not a MATLAB file"):
        read_matlab_numbers(tmp_path / "b.mat", "mos")


@pytest.mark.parametrize("cell", ["", "n/a", "inf"])
def test_a_score_that_is_no_number_is_refused_by_its_row(tmp_path, cell):
    miniature = MINIATURES["kadid10k"](tmp_path / "kadid")
    table = miniature.folder / "dmos.csv"
    lines = table.read_text().splitlines()
    words = lines[3].split(",")
    lines[3] = ",".join([*words[:2], cell, words[3]])
    table.write_text("\n".join(lines))
    with pytest.raises(DatabaseError, match=r"dmos\.csv, row 3: expected a number as dmos"):
        read_database(miniature.database, miniature.folder)


def test_a_name_that_does_not_say_its_distortion_is_refused(tmp_path):
    miniature = MINIATURES["tid2013"](tmp_path / "tid")
    table = miniature.folder / "mos_with_names.txt"
    table.write_text(table.read_text().replace("I01_17_2", "I01_25_2"))
    with pytest.raises(DatabaseError, match=r"distortion \(1 to 24\).*I01_25_2"):
        read_database(miniature.database, miniature.folder)


def test_the_documentation_says_of_every_database_what_the_table_says():
    text = (pathlib.Path(__file__).parents[2] / "docs/guides/databases.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == len(DATABASES)
    for row, database in zip(rows, DATABASES, strict=True):
        parts = (database.title, database.paper, f"{database.count:,}", database.files,
                 database.source, database.terms)  # fmt: skip
        assert row.startswith(f"| `{database.name}` |")
        assert all(part in row for part in parts)
        assert ("lower is better" in row) == database.lower_is_better


@pytest.mark.parametrize(
    ("large", "small"),
    [
        ("labels640.csv", "labels=640_padded.csv"),
        ("labels_640.csv", "labels__640_padded.csv"),
        ("labels_640.csv", "labels__640.csv"),
        ("labels%3E640.csv", "labels%3C%3D640.csv"),
        ("Labels>640.CSV", "labels<=640.csv"),
        ("labels640.csv", "labels640_padded.csv"),
    ],
)
def test_the_split_of_flive_is_found_whatever_became_of_the_marks_in_its_names(
    tmp_path, large, small
):
    miniature = MINIATURES["flive"](tmp_path / "flive")
    (miniature.folder / "labels>640.csv").rename(miniature.folder / large)
    (miniature.folder / "labels<=640_padded.csv").rename(miniature.folder / small)
    scored = read_database(miniature.database, miniature.folder)
    assert list(scored.splits) == miniature.splits


def _unpacked(name, folder):
    with zipfile.ZipFile(CASES / name) as archive:
        archive.extractall(folder)
    return folder


def test_flive_is_read_as_its_makers_publish_it(tmp_path):
    folder = _unpacked("flive_makers_names.zip", tmp_path)
    scored = read_database("flive", folder, partial=True)
    assert list(scored.scores) == [70, 50, 40]
    assert list(scored.splits) == ["train", "test", "val"]


@pytest.mark.parametrize("name", ["pipal_macosx.zip", "pipal_lower_case_folder.zip"])
def test_pipal_is_read_from_folders_in_any_case_and_beside_what_macos_adds(tmp_path, name):
    scored = read_database("pipal", _unpacked(name, tmp_path), partial=True)
    assert len(scored) == 8
    assert scored.score_range == (1380, 1500)
    assert set(scored.groups) == {"A0001", "A0184"}


def test_a_database_is_read_whatever_capitals_macos_files_and_links_lie_around(miniature):
    for path in sorted(miniature.folder.rglob("*"), reverse=True):
        changed = path.with_name(path.name.swapcase())
        path.rename(changed)
        if changed.is_file():
            for beside in (changed.parent, miniature.folder / "__MACOSX"):
                beside.mkdir(exist_ok=True)
                (beside / f"._{changed.name}").write_bytes(b"\0\5\x16\7 not a table")
    (miniature.folder / "round").symlink_to(".")
    (miniature.folder / "again").symlink_to(".")
    scored = read_database(miniature.database, miniature.folder)
    assert len(scored) == len(miniature.names)
    if miniature.splits is not None:
        assert list(scored.splits) == list(miniature.splits)
