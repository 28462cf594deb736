"""Which artifact of a preset is opened, and what is said where none can be."""

import json
import sys

import pytest

from reiqa_tf.extras import MissingExtraError
from reiqa_tf.presets.folders import PresetError
from reiqa_tf.runtimes.errors import (
    ArtifactError,
    MissingArtifactError,
    MissingRuntimeError,
    StaleArtifactError,
)
from reiqa_tf.runtimes.opening import LIGHT_RUNTIMES, open_artifact, open_fastest, open_scorer
from tests.runtimes.tiny_artifacts import CONTRACT, tiny_onnx, tiny_tflite, write_exports


@pytest.fixture
def preset(tmp_path):
    """A preset of which only its digests and exports are there: nothing else is to be looked at."""
    write_exports(tmp_path / "exports", {"model.onnx": tiny_onnx(), "model.tflite": tiny_tflite()})
    _give_weights(tmp_path, CONTRACT["weights_sha256"])
    return tmp_path


def _give_weights(preset, digest):
    metadata = {"sha256": {"model.weights.h5": digest}}
    (preset / "metadata.json").write_text(json.dumps(metadata))


def _without(monkeypatch, *packages):
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.setitem(sys.modules, f"{package}.interpreter", None)


def test_the_runtime_that_is_named_is_opened(preset):
    for name in LIGHT_RUNTIMES:
        scorer = open_artifact(preset, name, threads=2)
        assert (scorer.runtime, scorer.threads) == (name, 2)


def test_the_fastest_is_the_first_whose_package_and_artifact_are_there(preset, monkeypatch):
    assert open_fastest(preset)[0].runtime == LIGHT_RUNTIMES[0] == "tflite"
    _without(monkeypatch, "ai_edge_litert")
    scorer, problems = open_fastest(preset)
    assert (scorer.runtime, problems) == ("onnx", [])
    (preset / "exports" / "model.onnx").unlink()
    assert open_fastest(preset) == (None, [])


def test_a_package_or_an_artifact_that_is_missing_is_named_with_the_way_out(preset, monkeypatch):
    (preset / "exports" / "model.tflite").unlink()
    with pytest.raises(MissingArtifactError, match=r"reiqa export --preset"):
        open_artifact(preset, "tflite")
    _without(monkeypatch, "onnxruntime")
    with pytest.raises(MissingRuntimeError, match="pip install onnxruntime"):
        open_artifact(preset, "onnx")


def test_artifacts_of_other_weights_are_stale(preset):
    _give_weights(preset, "1" * 64)
    with pytest.raises(StaleArtifactError, match=r"other weights .* reiqa export --preset"):
        open_artifact(preset, "onnx")
    scorer, problems = open_fastest(preset)
    assert scorer is None
    assert [type(problem) for problem in problems] == [StaleArtifactError, StaleArtifactError]


def test_a_file_that_its_manifest_does_not_describe_is_not_opened(preset):
    for name in LIGHT_RUNTIMES:
        path = preset / "exports" / f"model.{name}"
        path.write_bytes(path.read_bytes() + b"\0")
        with pytest.raises(ArtifactError, match=r"damaged or changed\. Expected the SHA-256"):
            open_artifact(preset, name)
    scorer, problems = open_fastest(preset)
    assert scorer is None
    assert len(problems) == 2


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"artifacts": []}',
        b'{"artifacts": {"model.onnx": 7}}',
        b'{"artifacts": {"model.onnx": {}}}',
        b'{"artifacts": {"model.onnx": {"sha256": 7}}}',
        b"[" * 100_000,
        b" " * 10_000_001,
    ],
    ids=range(10),
)
def test_a_damaged_manifest_is_refused_by_name(preset, manifest):
    (preset / "exports" / "manifest.json").write_bytes(manifest)
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        open_artifact(preset, "onnx")


def test_a_preset_that_does_not_exist_is_named(tmp_path):
    for act in (lambda: open_artifact(tmp_path / "gone", "onnx"), lambda: open_fastest("gone")):
        with pytest.raises(PresetError, match="gone"):
            act()


def test_a_folder_that_holds_exports_alone_is_opened_without_a_preset(preset, monkeypatch):
    exports = preset / "exports"
    for name in LIGHT_RUNTIMES:
        assert open_artifact(exports, name).contract.preset == CONTRACT["preset"]
    assert open_fastest(exports)[0].runtime == "tflite"
    (exports / "model.tflite").unlink()
    with pytest.raises(MissingArtifactError, match=f"--format tflite --out {exports}"):
        open_artifact(exports, "tflite")


def test_for_a_shipped_preset_the_way_out_leads_to_a_folder_of_one_s_own():
    with pytest.raises(MissingArtifactError) as caught:
        open_artifact("content_lite0_biq2021", "tflite")
    assert str(caught.value) == (
        "content_lite0_biq2021: was not exported for the runtime tflite. Export it: reiqa export "
        "--preset content_lite0_biq2021 --format tflite --out FOLDER, and score with --preset "
        "FOLDER"
    )


def test_without_tensorflow_and_a_file_that_can_be_used_the_install_line_is_told(
    preset, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingExtraError, match="the runtime keras needs TensorFlow: pip install"):
        open_scorer(preset, "keras")
    for path in (preset / "exports").iterdir():
        path.unlink()
    with pytest.raises(MissingExtraError, match="has no ONNX file that can be used, and Keras"):
        open_scorer(preset)
