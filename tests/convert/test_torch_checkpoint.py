"""PyTorch checkpoints, read without PyTorch: what comes out, and what is refused."""

import io
import tarfile
import zipfile
from collections import OrderedDict

import ml_dtypes
import numpy as np
import pytest

from reiqa_tf.convert.torch_checkpoint import TorchCheckpointError, read_checkpoint
from tests.oracles.torch_files import (
    MAGIC,
    PROTOCOL,
    STORAGES,
    Parameter,
    Raw,
    Size,
    View,
    pack,
    write_legacy,
    write_zip,
)

WRITERS = {
    "zip": write_zip,
    "zip, big-endian": lambda tree: write_zip(tree, byte_order="big"),
    "legacy": write_legacy,
}


@pytest.fixture(params=WRITERS)
def write(request):
    return WRITERS[request.param]


def _numbers(dtype, count=24):
    random = np.random.default_rng(7)
    if dtype == "bool":
        return random.integers(0, 2, count).astype(bool)
    numbers = random.integers(0, 100, count) + 0.25
    if dtype.startswith("complex"):
        numbers = numbers - 3j * numbers
    return numbers.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


@pytest.mark.parametrize("dtype", STORAGES)
def test_a_tensor_of_any_type_is_read_exactly(write, dtype):
    expected = _numbers(dtype).reshape(2, 3, 4)
    tensor = read_checkpoint(write({"tensor": expected}))["tensor"]
    assert tensor.dtype == expected.dtype
    np.testing.assert_array_equal(tensor, expected)


def test_containers_text_and_numbers_are_read_as_they_were_written(write):
    tree = {
        "epoch": 25,
        "a": [1, -1, 255, 256, 65535, 65536, -(2**31), 2**31, 2**63, -(2**63)],
        "rates": (0.1, -1e300, float("inf")),
        "none": (None,),
        "flags": (True, False),
        "empty": [{}, [], ()],
        "Grüße 图": {"nested": [({7: "seven"},)]},
        3: "an integer as key",
        "four": (1, 2, 3, 4),
    }
    read = read_checkpoint(write(tree))
    assert read == tree
    assert [type(flag) for flag in read["flags"]] == [bool, bool]


def test_ordered_dictionaries_sizes_parameters_and_numpy_scalars_become_plain_values(write):
    state = OrderedDict(weight=Parameter(np.float32([[1, 2], [3, 4]])))
    state._metadata = OrderedDict([("", {"version": 1})])
    read = read_checkpoint(write({"model": state, "size": Size((2, 3)), "loss": np.float64(0.1)}))
    assert list(read) == ["model", "size", "loss"]
    assert type(read["model"]) is dict
    np.testing.assert_array_equal(read["model"]["weight"], [[1, 2], [3, 4]])
    assert read["size"] == (2, 3)
    assert read["loss"] == 0.1


def test_offsets_and_strides_are_honoured_and_numbers_are_shared(write):
    storage = np.arange(60, dtype=np.float32)
    tree = {
        "transposed": View(storage, 0, (4, 15), (1, 4)),
        "middle": View(storage, 12, (2, 3), (6, 2)),
        "scalar": View(storage, 59, (), ()),
        "permuted": View(storage, 0, (3, 4, 5), (1, 15, 3)),
        "column": View(storage, 50, (10, 1), (1, 999)),
        "none": View(storage, 0, (0, 7), (7, 1)),
    }
    read = read_checkpoint(write(tree))
    np.testing.assert_array_equal(read["transposed"], storage.reshape(15, 4).T)
    np.testing.assert_array_equal(read["middle"], [[12, 14, 16], [18, 20, 22]])
    np.testing.assert_array_equal(read["scalar"], 59)
    np.testing.assert_array_equal(read["permuted"], storage.reshape(4, 5, 3).transpose(2, 0, 1))
    np.testing.assert_array_equal(read["column"], storage[50:, None])
    assert read["none"].shape == (0, 7)
    assert np.shares_memory(read["transposed"], read["permuted"])
    assert not read["transposed"].flags.writeable


def test_a_file_is_read_like_its_bytes(tmp_path, write):
    path = tmp_path / "checkpoint.pth"
    path.write_bytes(write({"tensor": np.arange(5)}))
    np.testing.assert_array_equal(read_checkpoint(path)["tensor"], np.arange(5))
    np.testing.assert_array_equal(read_checkpoint(str(path))["tensor"], np.arange(5))


def _message(contents):
    with pytest.raises(TorchCheckpointError) as caught:
        read_checkpoint(contents)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 600
    return message


def test_what_is_no_checkpoint_is_refused_with_the_reason(tmp_path, photos_folder):
    assert "No such file" in _message(tmp_path / "none.pth")
    assert "directory" in _message(tmp_path)
    assert "empty" in _message(b"")
    assert "null byte" in _message("a\0b")
    assert "not a PyTorch checkpoint" in _message(photos_folder / "kodim05.png")
    assert "not a PyTorch checkpoint" in _message(b"\x80\x02}.")
    assert "torch.save did not write" in _message(pack({"readme.txt": b"hello"}))
    assert "TorchScript" in _message(pack({"a/data.pkl": b"", "a/constants.pkl": b""}))
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    assert "tar archive" in _message(tar.getvalue())


def test_compressed_and_overlapping_archives_are_refused():
    bomb = pack({"a/data.pkl": b"\0" * 10**7}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 20_000
    assert "compressed" in _message(bomb)
    twice = bytearray(pack({"a/data.pkl": b"\x80\x02N.", "a/data/0": b"\0" * 9000}))
    # The first entry of the directory is made to cover the second one's bytes, too.
    entry = twice.index(b"PK\x01\x02")
    twice[entry + 20 : entry + 28] = (9000).to_bytes(4, "little") * 2
    assert "more bytes than the file has" in _message(twice)


@pytest.mark.filterwarnings("ignore:Duplicate name")  # zipfile warns of what is meant here
def test_two_members_of_the_same_name_are_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02N.")
        archive.writestr("a/data.pkl", b"\x80\x02].")
    assert "same name" in _message(file.getvalue())


def test_tensors_beyond_their_storage_are_refused(write):
    storage = np.arange(6.0)
    cases = {
        "has 12 elements": View(storage, 0, (2, 6), (0, 1)),
        "reaches to element 6": View(storage, 1, (2, 3), (3, 1)),
        "reaches to element 10000": View(storage, 0, (2, 2), (10_000_000, 1)),
        "has 3 dimensions and 2 strides": View(storage, 0, (1, 2, 3), (3, 1)),
        "has 33 dimensions": View(storage, 0, (1,) * 33, (1,) * 33),
    }
    for expected, view in cases.items():
        assert expected in _message(write({"tensor": view})).replace(",", "")
    for view in (View(storage, 0, (-2,), (1,)), View(storage, 0, (2,), (-1,))):
        assert "damaged" in _message(write({"tensor": view}))


def test_a_storage_that_claims_more_than_the_file_has_is_refused():
    tree = {"tensor": np.arange(6.0)}
    honest, claim = b"K\x06Nt", b"J\xff\xff\xff\x77Nt"
    legacy = write_legacy(tree)
    assert honest in legacy
    assert "than the file has" in _message(legacy.replace(honest, claim))
    honest, claim = honest.replace(b"N", b""), claim.replace(b"N", b"")
    members = _members(write_zip(tree))
    assert honest in members["archive/data.pkl"]
    members["archive/data.pkl"] = members["archive/data.pkl"].replace(honest, claim)
    assert "than the file has" in _message(pack(members))


def _members(contents):
    with zipfile.ZipFile(io.BytesIO(contents)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_truncation_is_refused(write):
    contents = write({"model": {"weight": np.arange(5.0), "bias": np.arange(3)}, "epoch": 1})
    for length in range(len(contents)):
        _message(contents[:length])


def test_a_storage_described_in_two_ways_is_refused():
    tensor = np.arange(4, dtype=np.float32)
    contents = write_legacy({"a": View(tensor, 0, (4,), (1,)), "b": View(tensor, 1, (2,), (1,))})
    assert list(read_checkpoint(contents)["b"]) == [1, 2]
    last = contents.rindex(b"K\x04Nt")
    assert "in two ways" in _message(contents[:last] + b"K\x03" + contents[last + 2 :])


def test_truth_values_other_than_0_and_1_are_refused():
    members = _members(write_zip({"flags": np.array([True, False])}))
    members["archive/data/0"] = b"\x01\x02"
    assert "truth values" in _message(pack(members))
    assert "truth values" in _message(write_legacy({"flags": np.array([True])})[:-1] + b"\x07")


def test_a_changed_number_in_an_archive_is_noticed():
    contents = bytearray(write_zip({"tensor": np.arange(8.0)}))
    place = contents.index(np.arange(8.0).tobytes())
    contents[place + 3] ^= 1
    assert "Bad CRC-32" in _message(contents)


@pytest.mark.parametrize("hook", [b"coptions\nOptions\n)\x81", b"ctorch.nn\nLinear\n"])
def test_other_globals_are_refused_by_name(write, hook):
    module, name = hook[1:].split(b"\n")[:2]
    message = _message(write({"model": {}, "options": Raw(hook)}))
    assert f"{module.decode()}.{name.decode()}" in message


def test_a_storage_or_a_function_left_bare_is_refused(write):
    assert "no tensor, container" in _message(write([Raw(b"ctorch\nFloatStorage\n")]))
    assert "no tensor, container" in _message(write([Raw(b"ccollections\nOrderedDict\n")]))


def test_the_legacy_header_is_checked():
    good = write_legacy({"a": np.arange(3)})
    assert "1001" in _message(good.replace(PROTOCOL, b"\x80\x02M\xea\x03.", 1))
    assert "storages" in _message(good.replace(b"]q\x00(X", b"]q\x00(]X", 1))
    assert read_checkpoint(good.replace(MAGIC, b"\x80\x04" + MAGIC[2:]))


torch_dtypes = [name for name in STORAGES if name != "bool"]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("zipped", [True, False])
def test_what_pytorch_writes_is_read_as_pytorch_reads_it(protocol, zipped):
    torch = pytest.importorskip("torch")
    base = torch.arange(60.0).reshape(3, 4, 5)
    tensors = {name: torch.arange(7).to(getattr(torch, name)) for name in torch_dtypes}
    tensors |= {
        "bool": torch.tensor([[True], [False]]),
        "transposed": base.transpose(0, 2),
        "slice": base[1:, ::2, 3],
        "shared": base,
        "scalar": torch.tensor(5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(base[0].T.clone().T),
    }
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.SGD(module.parameters(), 0.1, momentum=0.9)
    module(torch.ones(1, 3, 8, 8)).sum().backward()
    optimizer.step()
    file = io.BytesIO()
    torch.save(
        {
            **tensors,
            "model": module.state_dict(),
            "optimizer": optimizer.state_dict(),
            "device": torch.device("cpu"),
            "best": np.float32(0.5),
            "size": base.shape,
        },
        file,
        _use_new_zipfile_serialization=zipped,
        pickle_protocol=protocol,
    )
    read = read_checkpoint(file.getvalue())
    for name, tensor in tensors.items():
        values = tensor.detach()
        expected = values.float().numpy() if name == "bfloat16" else values.numpy()
        assert str(read[name].dtype) == str(tensor.dtype).removeprefix("torch.")
        np.testing.assert_array_equal(read[name].astype(expected.dtype), expected)
    assert list(read["model"]) == list(module.state_dict())
    for name, tensor in module.state_dict().items():
        np.testing.assert_array_equal(read["model"][name], tensor.numpy())
    assert read["optimizer"]["param_groups"] == optimizer.state_dict()["param_groups"]
    for index, state in optimizer.state_dict()["state"].items():
        expected = state["momentum_buffer"].numpy()
        np.testing.assert_array_equal(
            read["optimizer"]["state"][index]["momentum_buffer"], expected
        )
    assert (read["device"], read["best"], read["size"]) == ("cpu", 0.5, (3, 4, 5))


@pytest.mark.parametrize("zipped", [True, False])
def test_pytorch_reads_what_the_tests_write_as_we_do(zipped):
    torch = pytest.importorskip("torch")
    storage = np.arange(24, dtype=np.float32)
    tree = OrderedDict(a=View(storage, 2, (2, 3), (1, 6)), b=storage.reshape(2, 12))
    contents = (write_zip if zipped else write_legacy)(tree)
    theirs = torch.load(io.BytesIO(contents))
    ours = read_checkpoint(contents)
    assert list(theirs) == list(ours)
    for name in tree:
        np.testing.assert_array_equal(ours[name], theirs[name].numpy())
