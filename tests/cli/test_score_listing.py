"""`reiqa score`: what is listed, where it goes, and exit codes; all without TensorFlow."""

import json
import re

import pytest
from PIL import Image


@pytest.fixture(scope="module")
def preset():
    """A shipped one, which onnxruntime scores with."""
    return "content_lite0_biq2021"


@pytest.fixture(scope="module")
def folder(photo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i, (height, width) in enumerate([(90, 120), (64, 64), (72, 64), (200, 300)]):
        Image.fromarray(photo[90 * i : 90 * i + height, :width]).save(folder / f"{i}.png")
    return folder


def _scores(result):
    return {row["photo"]: row["score"] for row in json.loads(result.out)["scores"]}


@pytest.fixture
def alike(photo, tmp_path):
    """Two photos, one of them also smaller; the last by name and the first by score is alone."""
    folder = tmp_path / "alike"
    folder.mkdir()
    crop = Image.fromarray(photo[100:300, 100:400])
    crop.save(folder / "a.png")
    crop.resize((150, 100)).save(folder / "b.png")
    Image.fromarray(photo[:200, 400:700]).save(folder / "c.png")
    return folder


def _names(result):
    return [json.loads(line)["photo"].rsplit("/", 1)[-1] for line in result.out.splitlines()]


def test_the_first_photos_are_the_best_unless_sorted_otherwise(reiqa, preset, folder):
    command = ("score", folder, "--preset", preset, "--format", "jsonl")
    best = _names(reiqa(*command, "--sort", "best"))
    assert _names(reiqa(*command, "--top", 2)) == best[:2]
    assert _names(reiqa(*command, "--top", 2, "--sort", "worst")) == best[:-3:-1]
    assert _names(reiqa(*command, "--top", 90, "--sort", "name")) == sorted(best)
    assert reiqa(*command, "--top", 0).code == 2


def test_photos_below_a_limit_are_listed_and_the_exit_code_says_so(reiqa, preset, folder):
    command = ("score", folder, "--preset", preset)
    scores = sorted(_scores(reiqa(*command, "--format", "json")).values())
    limit = (scores[1] + scores[2]) / 2
    result = reiqa(*command, "--format", "json", "--below", limit)
    assert result.code == 3
    assert sorted(_scores(result).values()) == scores[:2]
    assert "2 photos of 4 below" in reiqa(*command, "--below", limit).out
    result = reiqa(*command, "--below", 0)
    assert (result.code, result.out) == (0, "0 photos of 4 below 0\n")
    result = reiqa(*command, "--below", 40)
    assert result.code == 1
    assert "--below 40: expected a score on the preset's scale, 0 to 1" in result.err


def test_a_photo_that_cannot_be_read_counts_before_one_below_the_limit(
    reiqa, preset, folder, tmp_path
):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    assert reiqa("score", folder, tmp_path, "--preset", preset, "--below", 1).code == 1


def test_of_a_burst_only_the_best_is_listed(reiqa, preset, alike):
    command = ("score", alike, "--preset", preset)
    rows = json.loads(reiqa(*command, "--format", "json").out)["scores"]
    assert [row["group"] for row in rows] == [1, 1, None]
    best = max(rows[:2], key=lambda row: row["score"])
    result = reiqa(*command, "--format", "json", "--best-of-bursts")
    assert json.loads(result.out)["scores"] == [best, rows[2]]
    table = reiqa(*command).out
    assert "best of 2" in table
    assert "2 of 2" in table


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
def test_a_file_holds_what_would_be_printed(reiqa, preset, folder, tmp_path, kind):
    command = ("score", folder, "--preset", preset, "--sort", "worst")
    printed = reiqa(*command, "--format", kind).out
    path = tmp_path / f"scores.{kind}"
    result = reiqa(*command, "--out", path)
    assert (result.code, result.out) == (0, "")
    assert path.read_text() == printed
    assert f"{path}: 4 photos" in result.err
    other = tmp_path / "scores.txt"
    assert reiqa(*command, "--out", other, "--format", kind).code == 0
    assert other.read_text() == printed


def test_a_page_takes_the_place_of_the_table_unless_that_is_asked_for(
    reiqa, preset, folder, tmp_path
):
    path = tmp_path / "page.html"
    result = reiqa("score", folder, "--preset", preset, "--page", path)
    assert (result.code, result.out) == (0, "")
    assert f"{path}: 4 photos" in result.err
    text = path.read_text()
    assert f"<h1>{folder.name}</h1>" in text
    assert text.count("data:image/webp") == 4
    command = ("score", folder, "--preset", preset, "--page", path, "--overwrite")
    assert len(_names(reiqa(*command, "--top", 1, "--format", "jsonl"))) == 1


def test_sidecars_get_the_stars_of_the_words(reiqa, preset, alike):
    rows = json.loads(reiqa("score", alike, "--preset", preset, "--format", "json").out)["scores"]
    before = (alike / "a.png").read_bytes()
    other = alike / "c.png.xmp"
    other.write_text("not XMP")
    result = reiqa("score", alike, "--preset", preset, "--xmp")
    assert (result.code, result.out) == (1, "")
    assert "reiqa: 2 photos rated in sidecars" in result.err
    assert f"{other}: left as it is" in result.err
    stars = ["bad", "poor", "fair", "good", "excellent"].index(rows[0]["word"]) + 1
    assert f'xmp:Rating="{stars}"' in (alike / "a.png.xmp").read_text()
    assert (alike / "a.png").read_bytes() == before
    assert other.read_text() == "not XMP"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--out", "{there}", "--format", "csv"), "exists.*--overwrite"),
        (("--page", "{there}"), "exists.*--overwrite"),
        (("--features", "{there}"), "exists.*--overwrite"),
        (("--out", "{folder}", "--format", "csv"), "a folder of that name exists"),
        (("--out", "scores.xlsx"), r"ends with \.csv, \.json, \.jsonl\. Received: \.xlsx"),
        (("--out", "scores.csv", "--format", "table"), "for the terminal"),
        (("--page", "page.txt"), r"ends with \.html"),
        (("--out", "new.html", "--format", "csv", "--page", "new.html"), "different files"),
        (("--features", "/proc/features.npz"), "cannot be written"),
        (("--preset", "nonsense"), "neither a folder nor the name"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_scored(
    reiqa, folder, tmp_path, monkeypatch, options, reason
):
    there = tmp_path / "there.html"
    there.write_text("mine")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("reiqa_tf.cli.score._open", None)  # never called
    options = [option.format(there=there, folder=folder) for option in options]
    result = reiqa("score", folder, *options)
    assert result.code == 1
    assert re.search(reason, result.err), result.err
    assert result.err.count("\n") == 1
    assert there.read_text() == "mine"
