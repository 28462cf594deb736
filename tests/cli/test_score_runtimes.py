"""`reiqa score --runtime`: exported files instead of Keras, with every other option as before."""

import csv
import io
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.image.reading import read_image
from reiqa_tf.models.scorer import load_preset, save_preset
from reiqa_tf.presets.folders import read_metadata
from tests.runtimes.tiny_artifacts import (
    CONTRACT,
    expected_score,
    tiny_onnx,
    tiny_tflite,
    write_exports,
)
from tests.small_models import small_scorer


@pytest.fixture(scope="module")
def exported(preset, tmp_path_factory):
    """The small preset with artifacts that say they are its own, and answer the mean level."""
    folder = shutil.copytree(preset, tmp_path_factory.mktemp("exported") / "small")
    digest = read_metadata(folder)["sha256"]["model.weights.h5"]
    contract = {**CONTRACT, "weights_sha256": digest}
    props = {name: json.dumps(value) for name, value in contract.items()}
    files = {"model.onnx": tiny_onnx(props), "model.tflite": tiny_tflite(contract=contract)}
    write_exports(folder / "exports", files)
    return folder


@pytest.fixture
def preset_with_exports(exported, tmp_path):
    """The same, to be damaged."""
    return shutil.copytree(exported, tmp_path / "small")


@pytest.fixture(scope="module")
def folder(photo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i, (height, width) in enumerate([(90, 120), (64, 64), (200, 300)]):
        Image.fromarray(photo[50 * i : 50 * i + height, :width]).save(folder / f"{i}.png")
    return folder


def _document(result):
    assert result.code == 0, result.err
    return json.loads(result.out)


def _expected(path):
    return expected_score(read_image(path, fit=96))


@pytest.mark.parametrize(
    ("asked", "taken"), [("auto", "tflite"), ("onnx", "onnx"), ("tflite", "tflite")]
)
def test_light_runtimes_score_the_photos(reiqa, exported, folder, asked, taken):
    options = ("--preset", exported, "--format", "json", "--runtime", asked)
    result = reiqa("score", folder, *options)
    document = _document(result)
    assert result.err == ""
    assert document["runtime"] == taken
    assert (document["score_range"], document["coverage"]) == ([0, 1], 0.9)
    assert [row["photo"] for row in document["scores"]] == [
        str(folder / f"{i}.png") for i in range(3)
    ]
    for row in document["scores"]:
        expected = _expected(row["photo"])
        assert row["score"] == pytest.approx(expected, rel=1e-5)
        assert (row["low"], row["high"]) == pytest.approx((expected - 0.1, expected + 0.1))
        assert row["familiar"] is (4 * row["score"] <= 2)


@pytest.mark.parametrize("runtime", ["onnx", "tflite"])
def test_the_command_imports_nothing_heavy_and_writes_nothing_but_scores(exported, folder, runtime):
    code = (
        "import sys\n"
        "from reiqa_tf.cli.main import main, parse\n"
        "code = main(parse(sys.argv))\n"
        "heavy = {'tensorflow', 'keras', 'h5py', 'scipy', 'sklearn', 'matplotlib'}\n"
        "sys.exit(code or ' '.join(heavy & {name.split('.')[0] for name in sys.modules}) or 0)"
    )
    options = ["--preset", exported, "--runtime", runtime, "--format", "json"]
    result = subprocess.run(
        [sys.executable, "-c", code, "score", folder, *options], capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)["runtime"] == runtime


def test_every_other_option_works_without_keras(reiqa, exported, folder, tmp_path, monkeypatch):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    sources = ("score", folder, tmp_path / "broken.jpg", "--preset", exported)
    rows = list(csv.DictReader(io.StringIO(reiqa(*sources, "--format", "csv").out)))
    assert [row["photo"] for row in rows] == [str(folder / f"{i}.png") for i in range(3)]
    result = reiqa(*sources, "--format", "jsonl", "--sort", "best")
    assert result.code == 1
    assert "1 of 4 photos could not be read" in result.err
    assert "broken.jpg" in result.err
    scores = [json.loads(line)["score"] for line in result.out.splitlines()]
    expected = sorted((float(row["score"]) for row in rows), reverse=True)
    assert scores == pytest.approx(expected, abs=5e-5)
    stdin = io.TextIOWrapper(io.BytesIO((folder / "2.png").read_bytes()))
    monkeypatch.setattr("sys.stdin", stdin)
    (row,) = _document(reiqa("score", "-", "--preset", exported, "--format", "json"))["scores"]
    assert (row["photo"], f"{row['score']:.4f}") == ("-", rows[2]["score"])
    table = reiqa("score", folder / "0.png", "--preset", exported).out
    assert "90% interval" in table
    assert "0 to 1, higher is better; at most 96 px; tflite" in table


def test_a_photo_that_the_file_does_not_take_is_named_and_the_rest_is_scored(
    reiqa, preset_with_exports, folder
):
    digest = read_metadata(preset_with_exports)["sha256"]["model.weights.h5"]
    fixed = tiny_tflite(64, 64, contract={**CONTRACT, "weights_sha256": digest})
    write_exports(preset_with_exports / "exports", {"model.tflite": fixed})
    options = ("--preset", preset_with_exports, "--format", "jsonl", "--runtime", "tflite")
    result = reiqa("score", folder, *options)
    assert result.code == 1
    assert [json.loads(line)["photo"] for line in result.out.splitlines()] == [f"{folder}/1.png"]
    assert f"{folder}/0.png: " in result.err
    assert "64 x 64 px (height x width) alone. Received: 72 x 96 px" in result.err


def test_native_size_takes_keras_where_the_file_is_of_an_older_version(
    reiqa, exported, folder, tmp_path
):
    path = tmp_path / "features.npz"
    options = ("--preset", exported, "--format", "json", "--native-size", "--features", path)
    document = _document(reiqa("score", folder / "0.png", *options))
    assert document["runtime"] == "keras"
    with np.load(path) as stored:
        assert stored["features"].shape == (1, load_preset(exported).feature_count)
    light = reiqa("score", folder, "--preset", exported, "--runtime", "onnx", "--native-size")
    assert light.code == 1
    assert "takes photos at the working size alone" in light.err
    for runtime, option in (("tflite", "--native-size"), ("tflite", "--features")):
        arguments = ("--preset", exported, "--runtime", runtime, option)
        result = reiqa("score", folder, *arguments, *([path] if option == "--features" else []))
        assert result.code == 1
        assert "keras, or none" in result.err or "keras or none" in result.err


def test_features_come_with_the_scores_from_an_onnx_file_that_has_them(
    reiqa, preset_with_exports, folder, tmp_path
):
    path = tmp_path / "features.npz"
    options = ("--preset", preset_with_exports, "--format", "json", "--features", path)
    result = reiqa("score", folder / "0.png", *options)
    assert _document(result)["runtime"] == "keras"
    assert "gives scores alone" in result.err  # the file of an older version
    digest = read_metadata(preset_with_exports)["sha256"]["model.weights.h5"]
    contract = {**CONTRACT, "weights_sha256": digest}
    props = {name: json.dumps(value) for name, value in contract.items()}
    outputs = (*CONTRACT["outputs"].split(","), "features")
    write_exports(preset_with_exports / "exports", {"model.onnx": tiny_onnx(props, outputs)})
    document = _document(reiqa("score", folder, *options, "--overwrite"))
    assert document["runtime"] == "onnx"
    scores = [row["score"] for row in document["scores"]]
    with np.load(path) as stored:
        assert list(stored["photos"]) == [row["photo"] for row in document["scores"]]
        np.testing.assert_allclose(stored["features"][:, 0], scores, rtol=1e-6)


def test_stale_and_damaged_artifacts_are_named_and_keras_takes_over(
    reiqa, preset_with_exports, folder
):
    metadata = preset_with_exports / "exports" / "model.tflite"
    metadata.write_bytes(metadata.read_bytes()[:-1])
    (preset_with_exports / "exports" / "model.onnx").write_bytes(tiny_onnx())
    write_exports(preset_with_exports / "exports", {"model.onnx": tiny_onnx()})
    options = ("--preset", preset_with_exports, "--format", "json")
    result = reiqa("score", folder / "0.png", *options)
    assert _document(result)["runtime"] == "keras"
    assert "model.onnx: made of other weights" in result.err
    assert "model.tflite: no TFLite file of this package, or a damaged one" in result.err
    for runtime in ("onnx", "tflite"):
        result = reiqa("score", folder / "0.png", *options, "--runtime", runtime)
        assert result.code == 1
        assert result.out == ""
        assert result.err.count("\n") == 1
        assert "reiqa export" in result.err


def test_a_named_runtime_without_package_or_artifact_says_how_to_get_it(
    reiqa, preset, exported, folder, monkeypatch
):
    result = reiqa("score", folder, "--preset", preset, "--runtime", "onnx")
    assert result.code == 1
    assert f"reiqa export --preset {preset}" in result.err
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    result = reiqa("score", folder, "--preset", exported, "--runtime", "onnx")
    assert result.code == 1
    assert "pip install onnxruntime" in result.err
    document = _document(reiqa("score", folder, "--preset", exported, "--format", "json"))
    assert document["runtime"] == "tflite"


def test_exports_of_encoders_alone_say_how_to_get_scores(reiqa, folder, tmp_path):
    save_preset(small_scorer(head=None), tmp_path / "bare")
    digest = read_metadata(tmp_path / "bare")["sha256"]["model.weights.h5"]
    props = {"preset": '"bare"', "weights_sha256": json.dumps(digest), "outputs": '"features"'}
    files = {"model.onnx": tiny_onnx(props, outputs=("features",))}
    write_exports(tmp_path / "bare" / "exports", files)
    result = reiqa("score", folder, "--preset", tmp_path / "bare")
    assert result.code == 1
    assert "reiqa fit" in result.err
