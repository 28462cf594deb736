"""`reiqa export` and `reiqa verify`: what appears, what it says, and that it is whole."""

import dataclasses
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import reiqa_tf
from reiqa_tf.cli.export import print_comparison
from reiqa_tf.cli.main import main, parse
from reiqa_tf.export import formats, packages, parity
from reiqa_tf.export.comparison import ComparedArtifact, Comparison
from reiqa_tf.export.digests import describe_artifact, find_damage
from reiqa_tf.export.measurements import KerasDifference, Latency, Measurements, RankAgreement
from reiqa_tf.export.saved_model import ServingError
from reiqa_tf.extras import MissingExtraError
from reiqa_tf.files import folder_written_whole
from reiqa_tf.image.reading import ImageError
from reiqa_tf.models.scorer import load_preset, save_preset
from reiqa_tf.runtimes.errors import ManifestError
from reiqa_tf.runtimes.manifest import read_manifest
from tests.small_models import small_scorer

pytestmark = pytest.mark.usefixtures("few_pictures")


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preset") / "small"
    save_preset(small_scorer(quality=None), folder, description="for tests", license="CC0-1.0")
    return folder


@pytest.fixture(scope="module")
def scores(photo, tmp_path_factory):
    """Eight photos with scores, one of which cannot be read."""
    folder = tmp_path_factory.mktemp("scored")
    lines = ["image,mos"]
    for i in range(8):
        Image.fromarray(photo[40 * i :, 60 * i :][:100, :120]).save(folder / f"{i}.jpg")
        lines.append(f"{i}.jpg,{i}")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "scores.csv").write_text("\n".join([*lines, "broken.jpg,3"]) + "\n")
    return folder / "scores.csv"


def run(*arguments):
    return main(parse(["reiqa", *map(str, arguments)]))


@pytest.fixture(scope="module")
def exported(preset, scores, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "artifacts"
    arguments = ("--preset", preset, "--out", folder, "--scores", scores)
    code = run("export", *arguments, "--format", "tflite")
    assert code == 1  # for the photo that cannot be read
    return folder


@pytest.fixture
def copy(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "copy")


def test_the_manifest_says_what_was_measured(exported, preset):
    manifest = read_manifest(exported)
    assert set(manifest["artifacts"]) == {"model.tflite"}
    assert {path.name for path in exported.iterdir()} == {*manifest["artifacts"], "manifest.json"}
    assert list(exported.parent.iterdir()) == [exported]
    weights = json.loads((preset / "metadata.json").read_text())["sha256"]["model.weights.h5"]
    for name, entry in manifest["artifacts"].items():
        assert entry["bytes"] == (exported / name).stat().st_size
        assert entry["contract"]["weights_sha256"] == weights
        assert entry["contract"]["description"] == "for tests"
        assert {"tensorflow", "keras", "numpy", "ai-edge-litert"} <= set(entry["versions"])
        assert 0 < entry["difference"]["mean"] <= entry["difference"]["worst"] < 1e-4
        assert entry["difference"]["pictures"] == 6
        assert entry["srcc"]["photos"] == 8
        assert set(entry["latency"]["milliseconds"]) == {"1", "2"}
        assert min(entry["latency"]["milliseconds"].values()) > 0


def test_the_figures_are_those_of_a_comparison_by_hand(exported, preset, scores):
    from reiqa_tf.runtimes.litert_scorer import LiteRTScorer

    scorer, artifact = load_preset(preset), LiteRTScorer(exported / "model.tflite")
    entry = read_manifest(exported)["artifacts"]["model.tflite"]
    photos = [str(scores.parent / f"{i}.jpg") for i in range(8)]
    # Six of the nine rows, evenly spread; the broken ninth is not among them.
    images = [
        picture.image for picture in parity.cut_pictures([*photos, "gone"], scorer.working_size)
    ]
    gaps = [
        abs(float(artifact.predict(image[None])[0]) - float(scorer(image[None])[0]))
        for image in images
    ]
    assert len({image.shape for image in images}) >= 4
    assert entry["difference"]["worst"] == pytest.approx(max(gaps), abs=1e-6)
    ranks = np.argsort(np.argsort([float(artifact.score(path)) for path in photos]))
    expected = 1 - 6 * np.sum((ranks - np.arange(8)) ** 2) / (8 * 63)
    assert entry["srcc"]["artifact"] == pytest.approx(expected)


def test_what_was_exported_is_verified_with_and_without_the_preset(
    exported, preset, scores, capsys
):
    photos = scores.parent / "*.jpg"
    assert run("verify", exported, "--photos", photos) == 0
    assert "Keras's outputs at the time of the export" in capsys.readouterr().out
    assert run("verify", exported, "--preset", preset) == 0
    assert "compared with Keras\n" in capsys.readouterr().out
    assert run("verify", exported) == 1  # Kodak's photos are not those of the export
    assert "whole, but not compared with Keras" in capsys.readouterr().err


def test_one_python_call_exports_and_one_verifies(preset, scores, tmp_path):
    shown = []

    def progress(items, title, total):
        shown.append((title, total))
        return iter(items)

    made = reiqa_tf.export(preset, tmp_path / "out", formats=["tflite"], progress=progress)
    (artifact,) = made.artifacts
    assert artifact.path == tmp_path / "out" / "model.tflite"
    assert (artifact.format, artifact.precision, artifact.size) == ("tflite", "float32", None)
    assert artifact.byte_count == artifact.path.stat().st_size
    assert made.is_sound
    assert shown == [
        ("making model.tflite, 1 of 1", 1),
        ("Keras at any", 6),
        ("model.tflite on pictures", 6),
    ]
    photos = parity.shipped_photos()  # those of the export; else they would be those of the scores
    checked = reiqa_tf.verify(tmp_path / "out", preset, photos, scores)
    assert checked.artifacts[0].measured.difference == artifact.measured.difference
    assert checked.artifacts[0].measured.srcc.photos == 8
    assert (checked.scored_photos, len(checked.problems)) == (9, 1)
    assert not checked.is_sound
    assert not checked.complaints
    entry = read_manifest(tmp_path / "out")["artifacts"]["model.tflite"]
    assert {key: entry[key] for key in ("difference", "srcc", "latency")} == json.loads(
        json.dumps(artifact.measured.entries())
    )


_ORDERS = (
    "from reiqa_tf import export; import reiqa_tf.export.formats as part",
    "import reiqa_tf.export.formats as part; from reiqa_tf import export",
    "import reiqa_tf; export = reiqa_tf.export; from reiqa_tf.export import formats as part",
)
_IMPORT = """
import sys
for order in sys.argv[1:]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "reiqa_tf"]:
        del sys.modules[name]
    exec(order)
    import reiqa_tf
    assert export is reiqa_tf.export is sys.modules["reiqa_tf.export"], export
    try:
        export("content_lite0_biq2021", "out", formats=["coreml"])
    except part.FormatError as error:
        print(error)
"""


@pytest.mark.slow  # a process that imports TensorFlow
def test_the_package_is_a_function_too_in_whatever_order_it_is_imported():
    result = subprocess.run(
        [sys.executable, "-c", _IMPORT, *_ORDERS], capture_output=True, text=True, check=True
    )
    said = "expected some of saved_model, onnx, tflite. Received: coreml"
    assert result.stdout.count(said) == len(_ORDERS)


def test_naming_the_package_alone_starts_nothing_heavy():
    code = (
        "import sys\nfrom reiqa_tf import export\nassert callable(export)\n"
        "print(*sorted({'tensorflow', 'keras', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""


def test_photos_that_cannot_be_read_are_named_before_anything_is_converted(
    preset, tmp_path, monkeypatch
):
    def write(order, path, size):
        raise AssertionError("converted")

    monkeypatch.setattr(
        formats, "FORMATS", tuple(dataclasses.replace(row, write=write) for row in formats.FORMATS)
    )
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    for chosen in ("saved_model", "onnx"):
        with pytest.raises(ImageError, match=r"broken\.jpg"):
            reiqa_tf.export(
                preset, tmp_path / "out", formats=[chosen], photos=[tmp_path / "broken.jpg"]
            )
    with pytest.raises(ImageError, match="expected one or more paths"):
        reiqa_tf.export(preset, tmp_path / "out", photos=[])


def test_sampled_photos_that_cannot_be_read_end_the_export_of_a_saved_model_in_a_line(
    preset, photo, tmp_path
):
    photos = [tmp_path / f"{i}.jpg" for i in range(16)]  # every other one is sampled
    for i, path in enumerate(photos):
        Image.fromarray(photo[:64, :64]).save(path)
        if i % 2 == 0:
            path.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ServingError, match=r"sampled .* can be read\. Give others \(--photos\)"):
        reiqa_tf.export(preset, tmp_path / "out", formats=["saved_model"], photos=photos)
    assert not (tmp_path / "out").exists()


def test_help_names_every_format_and_precision(capsys):
    with pytest.raises(SystemExit):
        parse(["reiqa", "export", "--help"])
    words = " ".join(capsys.readouterr().out.split())
    listed = re.search(r"out of ([a-z_, ]+), separated by commas", words)
    assert set(listed[1].split(", ")) == set(formats.NAMES)
    assert f"out of {', '.join(formats.PRECISIONS)};" in words


def test_a_preset_with_other_weights_is_refused(exported, tmp_path, capsys):
    save_preset(small_scorer(quality=None, seed=1), tmp_path / "small")
    assert run("verify", exported, "--preset", tmp_path / "small") == 1
    assert "has other weights than the artifacts were made of" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_file_is_named_and_never_opened(copy, damage, capsys):
    path = copy / "model.tflite"
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 1
    {
        "flip": lambda: path.write_bytes(contents),
        "cut": lambda: path.write_bytes(contents[:-100]),
        "remove": path.unlink,
    }[damage]()
    assert run("verify", copy) == 1
    reason = {
        "flip": "damaged or changed; the SHA-256 is another",
        "cut": "damaged or changed; expected",
        "remove": "missing",
    }[damage]
    assert f"{path}: {reason}" in capsys.readouterr().err


def test_a_damaged_manifest_is_refused_whatever_is_wrong_with_it(copy):
    path = copy / "manifest.json"
    whole = json.loads(path.read_text())

    def refused(manifest, message="damaged, or of another version"):
        path.write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
        with pytest.raises(ManifestError, match=message):
            read_manifest(copy)

    refused("{", "not the JSON of a manifest")
    for nonsense in (None, "x", [], {}, -1):
        for key in ("manifest", "artifacts", "reference", "preset"):
            if type(nonsense) is not type(whole[key]) or key in ("manifest", "artifacts"):
                refused({**whole, key: nonsense})
        for key, value in whole["artifacts"]["model.tflite"].items():
            if key in ("format", "precision", "bytes", "sha256", "contract", "tolerance"):
                if type(nonsense) is type(value):
                    continue
                entry = {**whole["artifacts"]["model.tflite"], key: nonsense}
                refused({**whole, "artifacts": {"model.tflite": entry}})
    entry = whole["artifacts"]["model.tflite"]
    refused({**whole, "artifacts": {"../model.tflite": entry}})
    refused({**whole, "artifacts": {"model.tflite": {**entry, "size": [512]}}})
    refused({**whole, "artifacts": {"model.tflite": {**entry, "files": {"a": None}}}})
    path.write_text(json.dumps(whole))
    assert read_manifest(copy) == whole
    path.unlink()
    with pytest.raises(ManifestError, match="missing, so"):
        read_manifest(copy)


def test_a_manifest_that_promises_the_impossible_is_reported(copy, capsys):
    path = copy / "manifest.json"
    manifest = json.loads(path.read_text())
    for change, complaint in [
        ({"precision": "int4"}, "expected one of saved_model"),
        ({"contract": {"outputs": "score,distance"}}, "its entry preset should be"),
    ]:
        entry = {**manifest["artifacts"]["model.tflite"], **change}
        path.write_text(json.dumps({**manifest, "artifacts": {"model.tflite": entry}}))
        assert run("verify", copy) == 1
        assert complaint in capsys.readouterr().err


def test_files_within_a_folder_are_named_one_by_one(tmp_path):
    folder = tmp_path / "saved_model"
    (folder / "quality/7").mkdir(parents=True)
    for name in ("batching.config", "quality/7/saved_model.pb", "quality/7/fingerprint.pb"):
        (folder / name).write_text(name)
    entry = describe_artifact(folder)
    assert find_damage(folder, entry) == []
    (folder / "batching.config").write_text("max_batch_size { value: 1 }")
    (folder / "quality/7/fingerprint.pb").unlink()
    (folder / "quality/8").mkdir()
    (folder / "quality/8/saved_model.pb").write_bytes(b"")
    complaints = find_damage(folder, entry)
    assert [line.split(": ")[0] for line in complaints] == [
        str(folder / "quality/7/fingerprint.pb"),
        str(folder / "quality/8/saved_model.pb"),
        str(folder / "batching.config"),
    ]
    assert describe_artifact(folder)["sha256"] != entry["sha256"]


def test_an_artifact_outside_its_tolerance_is_reported(exported):
    (entry,) = read_manifest(exported)["artifacts"].values()
    row = formats.find_format(entry["format"], entry["precision"])
    assert row.tolerances() == entry["tolerance"]
    difference, ranks = KerasDifference(**entry["difference"]), RankAgreement(**entry["srcc"])
    assert row.complaints(Measurements(difference, ranks)) == []
    difference = dataclasses.replace(difference, worst=2e-4)
    ranks = dataclasses.replace(ranks, change=-0.001)
    complaints = row.complaints(Measurements(difference, ranks))
    assert "0.0002 of the range, more than 0.0001" in complaints[0]
    assert "changes SRCC by -0.001, more than 0.0005" in complaints[1]
    difference = dataclasses.replace(difference, worst=float("nan"))
    assert len(row.complaints(Measurements(difference, ranks))) == 2


def interrupted():
    raise KeyboardInterrupt


def full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("blow", "code", "message"),
    [
        (interrupted, 130, "interrupted"),
        (lambda: signal.raise_signal(signal.SIGTERM), 130, "interrupted"),
        (full, 1, "No space left on device"),
    ],
)
def test_an_export_that_stops_leaves_the_older_one_as_it_was(
    copy, preset, monkeypatch, capsys, blow, code, message
):
    def write(order, path, size):
        path.write_bytes(b"half of")
        blow()

    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    failing = dataclasses.replace(formats.find_format("onnx", "float32"), write=write)
    monkeypatch.setattr(formats, "FORMATS", (failing,))
    assert run("export", "--preset", preset, "--format", "onnx", "--out", copy) == code
    assert message in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert list(copy.parent.iterdir()) == [copy]


def test_a_killed_export_leaves_nothing_under_its_name_and_the_next_one_cleans_up(tmp_path):
    folder = tmp_path / "artifacts"
    code = (
        "import sys, time\n"
        "from reiqa_tf.files import folder_written_whole\n"
        f"with folder_written_whole({str(folder)!r}, mark='manifest.json') as scratch:\n"
        "    (scratch / 'model.onnx').write_bytes(b'half of')\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    process.kill()
    process.communicate()
    assert not folder.exists()
    with folder_written_whole(folder, mark="manifest.json") as scratch:
        assert not any(scratch.iterdir())
        (scratch / "manifest.json").write_text("{}")
    assert [path.name for path in tmp_path.iterdir()] == ["artifacts"]
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]


def test_a_folder_killed_between_old_and_new_is_put_back(tmp_path):
    replaced = tmp_path / ".artifacts.partial/replaced"
    replaced.mkdir(parents=True)
    (replaced / "manifest.json").write_text("older")
    with (
        pytest.raises(KeyboardInterrupt),
        folder_written_whole(tmp_path / "artifacts", mark="manifest.json"),
    ):
        raise KeyboardInterrupt
    assert (tmp_path / "artifacts/manifest.json").read_text() == "older"
    assert [path.name for path in tmp_path.iterdir()] == ["artifacts"]


def test_a_folder_with_other_things_in_it_is_refused(preset, tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert run("export", "--preset", preset, "--format", "tflite", "--out", tmp_path) == 1
    assert "a folder with other things in it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--format", "coreml"), "expected some of saved_model, onnx, tflite"),
        (("--precision", "int4"), "expected some of float32, float16"),
        (("--size", "31"), "expected pixels from 32 up, such as 512 or 384x512"),
        (("--size", "384x"), "expected pixels from 32 up"),
        (
            ("--precision", "full_integer", "--format", "tflite", "--size", "any"),
            "needs a fixed size",
        ),
        (("--format", "saved_model", "--precision", "float16"), "nothing to make in float16"),
        (("--model-version", "0"), "expected 1 or more"),
    ],
)
def test_what_cannot_be_exported_is_refused_before_anything_is_done(
    preset, tmp_path, capsys, arguments, complaint
):
    assert run("export", "--preset", preset, "--out", tmp_path / "out", *arguments) == 1
    assert complaint in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_a_format_whose_packages_are_missing_is_refused_with_the_way_out(
    preset, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(packages.PACKAGES, "onnx", ("a-package-of-tomorrow",))
    assert run("export", "--preset", preset, "--format", "onnx", "--out", tmp_path / "out") == 1
    assert capsys.readouterr().err == (
        "reiqa: the format onnx needs a-package-of-tomorrow: pip install 'reiqa_tf[export]'\n"
    )
    with pytest.raises(MissingExtraError, match="a-package-of-tomorrow"):
        reiqa_tf.export(preset, tmp_path / "out", ["onnx"])
    assert not any(tmp_path.iterdir())


def test_a_shipped_preset_needs_a_place_for_its_exports(capsys):
    assert run("export") == 1
    assert "Say where its exports go: --out DIR" in capsys.readouterr().err


def test_formats_are_made_in_the_precisions_and_sizes_that_they_have():
    chosen = formats.choose_formats(
        ["saved_model", "tflite", "onnx"],
        ["float32", "full_integer"],
        formats.parse_sizes("any,512,384x512"),
    )
    assert [row.path_for(size) for row, size in chosen] == [
        "saved_model",
        "model.onnx",
        "model.tflite",
        "model_512x512.tflite",
        "model_384x512.tflite",
        "model_full_integer_512x512.tflite",
        "model_full_integer_384x512.tflite",
    ]


def test_without_sizes_a_file_is_made_for_any_size_or_else_for_the_working_size():
    chosen = formats.choose_formats(formats.NAMES, formats.PRECISIONS, None, 96)
    assert [row.path_for(size) for row, size in chosen] == [
        "saved_model",
        "model.onnx",
        "model_float16.onnx",
        "model.tflite",
        "model_float16.tflite",
        "model_dynamic_range.tflite",
        "model_full_integer_96x96.tflite",
    ]
    chosen = formats.choose_formats(["tflite"], formats.PRECISIONS, None)
    assert len(chosen) == 3
    assert {size for _, size in chosen} == {None}


def test_the_table_fits_100_columns_and_has_a_verdict(tmp_path, capsys):
    def artifact(name, worst, change, complaints=(), gpu_obstacles=None):
        measured = Measurements(
            KerasDifference(worst, worst, 50) if worst else None,
            RankAgreement(0.7959, 0.7959 + change, change, 300) if change else None,
            Latency({1: 459.3, 2: 289.2}, (512, 512), 10),
        )
        path = tmp_path / name
        return ComparedArtifact(
            path,
            "tflite",
            "float16",
            None,
            48_234_567,
            measured,
            1e-4,
            5e-4,
            complaints,
            gpu_obstacles,
        )

    print_comparison(
        Comparison(
            tmp_path,
            "preset",
            "compared with Keras",
            (
                artifact("model_dynamic_range_512x512.tflite", 2.41e-6, -0.00279, (), ()),
                artifact("model.tflite", 2.41e-6, -0.00279, (), ("CAST", "SHAPE (2 times)")),
                artifact("model.onnx", 0.02414, 0.001, ("too far",)),
                artifact("saved_model", None, None),
            ),
            scored_photos=300,
            problems=(),
        )
    )
    lines = capsys.readouterr().out.splitlines()
    rows = [" ".join(line.split()) for line in lines]
    assert max(len(line.rstrip()) for line in lines[:8]) <= 100
    name = "model_dynamic_range_512x512.tflite"
    assert f"{name} 48.2 2.4e-6 (1e-4) 0.7931 -0.0028 (5e-4) 459 289 pass" in rows
    assert f"{name}: ready for a phone's GPU" in lines
    assert "model.tflite: not ready for a phone's GPU; CAST; SHAPE (2 times)" in lines
    assert "model.onnx 48.2 0.024 (1e-4) 0.7969 +0.0010 (5e-4) 459 289 fail" in rows
    assert "saved_model 48.2 459 289 unknown" in rows


def test_the_shipped_photos_are_cut_into_fifty_different_pictures_of_ten_sizes(monkeypatch):
    photos = parity.shipped_photos()
    pictures = parity.cut_pictures(photos, 512, count=50)
    assert len({picture.image.shape for picture in pictures}) == 10
    assert len({picture.image.tobytes() for picture in pictures}) == 50
    fixed = parity.cut_pictures(photos, size=(64, 80), count=40)
    assert {picture.image.shape for picture in fixed} == {(64, 80, 3)}
    assert len({picture.image.tobytes() for picture in fixed}) == 40


# Random weights spread their scores over the whole range, so that rounding shows more than it does
# in trained ones, whose tolerances the table of formats has.
_LIMITS = {"float32": 1e-4, "float16": 5e-3, "dynamic_range": 0.2, "full_integer": 0.5}


@pytest.mark.slow
def test_every_format_precision_and_size_is_written_measured_and_verified(
    preset, scores, tmp_path, capsys
):
    rows = scores.read_text().replace("broken.jpg,3\n", "")
    (scores.parent / "whole.csv").write_text(rows)
    arguments = ("--scores", scores.parent / "whole.csv", "--size", "any,64x96")
    everything = ("--format", ",".join(formats.NAMES), "--precision", ",".join(formats.PRECISIONS))
    # Few photos have few ranks, and quantised random weights exchange some of them.
    run("export", "--preset", preset, *arguments, *everything)
    folder = preset / "exports"
    manifest = read_manifest(folder)
    assert set(manifest["artifacts"]) == {
        "saved_model",
        "model.onnx",
        "model_float16.onnx",
        *(f"model{precision}.tflite" for precision in ("", "_float16", "_dynamic_range")),
        *(
            f"model{precision}_64x96.tflite"
            for precision in ("", "_float16", "_dynamic_range", "_full_integer")
        ),
    }
    for name, entry in manifest["artifacts"].items():
        assert entry["difference"]["worst"] <= _LIMITS[entry["precision"]], name
        assert entry["srcc"]["photos"] == 8
        if entry["precision"] == "float32":
            assert entry["srcc"]["change"] == 0, name
    capsys.readouterr()
    (folder / "model.onnx").write_bytes(b"")
    assert run("verify", folder, "--preset", preset, "--photos", scores.parent / "?.jpg") == 1
    output = capsys.readouterr()
    assert f"{folder / 'model.onnx'}: damaged or changed; expected" in output.err
    for name in manifest["artifacts"]:
        assert name in output.out


@pytest.mark.slow
def test_encoders_alone_are_compared_by_their_features(tmp_path, capsys):
    save_preset(small_scorer(quality=None, head=None), tmp_path / "bare")
    arguments = ("--preset", tmp_path / "bare", "--format", "saved_model,tflite,onnx")
    assert run("export", *arguments, "--out", tmp_path / "out") == 0
    manifest = read_manifest(tmp_path / "out")
    for entry in manifest["artifacts"].values():
        assert entry["contract"]["outputs"] == "features"
        # A SavedModel is of the very graph that the compiled reference is.
        assert (entry["format"] != "saved_model") <= (entry["difference"]["worst"] > 0)
        assert entry["difference"]["worst"] < 1e-4
        assert entry["srcc"] is None
    assert run("verify", tmp_path / "out", "--preset", tmp_path / "bare") == 0
    assert run("verify", tmp_path / "out") == 1
    assert "whole, but not compared" in capsys.readouterr().err
