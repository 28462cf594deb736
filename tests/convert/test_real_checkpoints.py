"""Checkpoints as PyTorch 2.13 writes them, with what people keep beside the model."""

import json
import pathlib
import struct

import ml_dtypes
import numpy as np
import pytest

from reiqa_tf.convert.reiqa import transfer_resnet
from reiqa_tf.convert.restricted_unpickler import OpaqueValue
from reiqa_tf.convert.state_dicts import state_dict_of
from reiqa_tf.convert.torch_checkpoint import TorchCheckpointError, read_checkpoint
from reiqa_tf.models.resnet import ResNetBackbone
from tests.oracles.seeded_weights import resnet50_state_dict
from tests.oracles.torch_files import Raw, write_legacy, write_zip

CASES = pathlib.Path(__file__).parents[1] / "cases"


def _opaque(name):
    return OpaqueValue(name)


# What stands beside the model; None where it is read and has no short form.
BESIDE = {
    "ck_amp": None,
    "ck_bf16_channels_last": {},
    "ck_big_int": {"seed": 2**70},
    "ck_bytearray": {"hash": _opaque("__builtin__.bytearray")},
    "ck_bytes": {"hash": b"abc"},
    "ck_complex": {"z": 1 + 2j},
    "ck_cosine": None,
    "ck_datetime": {"when": _opaque("datetime.datetime")},
    "ck_dtype": {"dtype": "torch.float32"},
    "ck_float_key": {"hist": {0.5: 1}},
    "ck_fp8": {},
    "ck_legacy": {},
    "ck_multisteplr": None,
    "ck_namespace": {"opt": _opaque("argparse.Namespace"), "epoch": 3},
    "ck_none_key": {"hist": {None: 1, True: 2}},
    "ck_numpy_array": None,
    "ck_numpy_scalar": {"best": 0.5},
    "ck_path": {"path": _opaque("pathlib.PurePosixPath")},
    "ck_rng": None,
    "ck_rng_torch": None,
    "ck_set": {"frozen": _opaque("__builtin__.set")},
    "ck_slice": {"z": _opaque("__builtin__.slice")},
    "ck_sparse": {},
    "ck_swa": None,
    "ck_tuple_key": {"hist": {("a", 1): 1}},
    "ck_uint16": {},
}
NAMED = {"ck_gdrive": "a web page, not a checkpoint", "ck_lfs": "a pointer of Git LFS"}
WHOLE = {"ck_sd_metadata", "ck"}


def test_every_checkpoint_among_the_cases_has_its_expectation():
    assert {path.stem for path in CASES.glob("ck*")} == {*BESIDE, *NAMED, *WHOLE}


@pytest.mark.parametrize("name", BESIDE)
def test_a_model_is_read_whatever_stands_beside_it(name):
    checkpoint = read_checkpoint(CASES / f"{name}.pth")
    model = checkpoint.pop("model")
    assert model["0.weight"].shape == (4, 3, 3, 3)
    assert np.abs(model["0.weight"].astype(np.float32)).max() < 0.2
    if BESIDE[name] is not None:
        assert checkpoint == BESIDE[name]


def test_tensors_of_new_types_and_sparse_ones_are_read_or_passed_over():
    dtypes = {
        name: {
            key: getattr(value, "dtype", value)
            for key, value in read_checkpoint(CASES / f"ck_{name}.pth")["model"].items()
            if key not in ("0.weight", "0.bias")
        }
        for name in ("uint16", "fp8", "sparse")
    }
    assert np.dtype(np.uint16) in dtypes["uint16"].values()
    assert np.dtype(ml_dtypes.float8_e4m3fn) in dtypes["fp8"].values()
    sparse = OpaqueValue("torch._utils._rebuild_sparse_tensor", is_tensor=True)
    assert sparse in dtypes["sparse"].values()


@pytest.mark.parametrize("name", NAMED)
def test_what_a_download_brought_instead_is_named(name):
    with pytest.raises(TorchCheckpointError, match=NAMED[name]):
        read_checkpoint(CASES / f"{name}.pth")


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"\xef\xbb\xbf\r\n <HTML><body>Sign in</body>", "a web page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>", "a web page"),
        (b'{"error": "Repository not found"}', "text, not a checkpoint"),
    ],
)
def test_other_pages_and_messages_of_servers_are_named(contents, reason):
    with pytest.raises(TorchCheckpointError, match=reason):
        read_checkpoint(contents)


@pytest.mark.parametrize("entry", ["model", "state_dict", "model_state_dict", "model_ema"])
def test_an_object_in_a_model_is_refused_and_beside_it_passed_over(entry):
    for write in (write_zip, write_legacy):
        settings = Raw(b"cargparse\nNamespace\n)\x81}b")
        tree = {entry: {"weight": np.zeros(3)}, "options": settings}
        assert read_checkpoint(write(tree))["options"] == _opaque("argparse.Namespace")
        with pytest.raises(TorchCheckpointError, match=r"argparse\.Namespace, which is not adm"):
            read_checkpoint(write({entry: {"weight": settings}}))


# -- Entries and names of the model.


@pytest.fixture
def backbone():
    small = ResNetBackbone((1, 2), width=8)
    small.build((None, None, None, 3))
    return small


@pytest.mark.parametrize("entry", ["model", "state_dict", "model_state_dict", "model_ema", None])
@pytest.mark.parametrize(
    "prefix",
    ["module._orig_mod.encoder.", "_orig_mod.", "_orig_mod.module.encoder.", "encoder._orig_mod."],
)
def test_the_state_dict_is_found_under_any_entry_and_prefix(backbone, entry, prefix):
    state = resnet50_state_dict(1, blocks=(1, 2), width=8)
    state = {f"{prefix}{name}": tensor for name, tensor in state.items()}
    tree = {"epoch": 3, entry: state} if entry else state
    found, left_out = state_dict_of(read_checkpoint(write_zip(tree)), "model.pth")
    report = transfer_resnet("model.pth", found, backbone)
    assert len(report.transfers) + len(report.unused) == len(state)
    assert left_out == ({"epoch": "not the model"} if entry else {})


def test_the_model_itself_goes_before_its_moving_average():
    tree = {"model_ema": {"a": np.zeros(1)}, "state_dict": {"a": np.ones(1)}}
    found, left_out = state_dict_of(tree, "model.pth")
    assert found == tree["state_dict"]
    assert left_out == {"model_ema": "not the model"}


# -- safetensors.


def safetensors_file(tensors, metadata=None):
    """The format by its description: length, JSON, numbers."""
    names = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "bool": "BOOL"}
    header, numbers = {}, b""
    for name, tensor in tensors.items():
        start, numbers = len(numbers), numbers + tensor.tobytes()
        header[name] = {
            "dtype": names[tensor.dtype.name],
            "shape": tensor.shape,
            "data_offsets": [start, len(numbers)],
        }
    text = json.dumps({**header, **({"__metadata__": metadata} if metadata else {})}).encode()
    return struct.pack("<Q", len(text)) + text + numbers


def test_safetensors_are_read_as_the_same_checkpoint_of_pytorch_is():
    tensors = read_checkpoint(CASES / "ck.safetensors")
    expected = read_checkpoint(CASES / "ck_sd_metadata.pth")
    assert set(tensors) == set(expected)
    for name, tensor in tensors.items():
        assert tensor.dtype == expected[name].dtype
        assert tensor.shape == expected[name].shape


def test_safetensors_of_any_type_are_read_exactly_and_make_a_network(backbone):
    state = resnet50_state_dict(1, blocks=(1, 2), width=8)
    types = {"float32": np.float32, "half": np.float16, "bfloat16": ml_dtypes.bfloat16}
    for dtype in types.values():
        stored = {k: v.astype(dtype) if v.dtype.kind == "f" else v for k, v in state.items()}
        read = read_checkpoint(safetensors_file(stored, {"format": "pt"}))
        for name, tensor in stored.items():
            assert read[name].dtype == tensor.dtype
            np.testing.assert_array_equal(read[name], tensor)
        assert not transfer_resnet("model.safetensors", read, backbone).missing


@pytest.mark.parametrize(
    "header",
    [
        b"{",
        b"{]",
        b"{" + b'"a":{' * 100_000,
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}',
        b'{"a":{"dtype":"F32","shape":[0,99999999999999999999],"data_offsets":[0,0]}}',
        b'{"a":{"dtype":"BOOL","shape":[4],"data_offsets":[0,4]}}',
        b'{"a":[1,2]}',
        b'{"a":7}',
    ],
)
def test_damaged_safetensors_are_refused_in_one_line(header):
    for length in (len(header), len(header) + 9, 2**31):
        with pytest.raises(TorchCheckpointError, match="a safetensors file"):
            read_checkpoint(struct.pack("<Q", length) + header + b"\x02\0\0\0")


def test_a_type_that_numpy_lacks_is_passed_over():
    header = b'{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}'
    tensors = read_checkpoint(struct.pack("<Q", len(header)) + header + b"\0")
    assert tensors == {"a": OpaqueValue("safetensors F4", is_tensor=True)}
