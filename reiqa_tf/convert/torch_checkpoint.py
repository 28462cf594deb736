"""Read PyTorch checkpoints without PyTorch, and without running anything that they contain.

Three formats are read: the zip archive that `torch.save` writes since PyTorch 1.6, the legacy one
before it (five pickles, then the raw numbers), and safetensors. The first two are pickles that
refer to tensors' numbers, which lie outside of them.
"""

from __future__ import annotations

import io
import math
import os
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from reiqa_tf.convert.restricted_unpickler import OpaqueValue, Rebuild, RestrictedUnpickler
from reiqa_tf.convert.safetensors import SafetensorsError, is_safetensors, read_safetensors
from reiqa_tf.errors import ReiqaError
from reiqa_tf.typing import PathLike

# Source of formats and names: `torch/serialization.py` and `torch/storage.py` of PyTorch 2.13.
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_MAXIMUM_DIMENSIONS = 32  # NumPy before 2.0 can do no more
_ENCRYPTED = 0x1  # bit of a zip member's flags

_NO_CHECKPOINT = (
    "not a PyTorch checkpoint; expected a file written by torch.save, zip or legacy format, or "
    "safetensors"
)

_STORAGE_TYPES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
    "UntypedStorage": "uint8",  # its tensors say what its bytes are
    "QInt8Storage": "int8",
    "QUInt8Storage": "uint8",
    "QInt32Storage": "int32",
    "QUInt4x2Storage": "uint8",
    "QUInt2x4Storage": "uint8",
}

_TENSOR_TYPES: dict[str, Any] = {
    **{name: name for name in ("float16", "float32", "float64", "complex64", "complex128")},
    **{name: name for name in ("int8", "int16", "int32", "int64", "bool")},
    **{name: name for name in ("uint8", "uint16", "uint32", "uint64")},
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8_e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "float8_e5m2": ml_dtypes.float8_e5m2,
    "float8_e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "float8_e8m0fnu": ml_dtypes.float8_e8m0fnu,
}
"""Types of tensors by their names in PyTorch, and what they are in NumPy."""

_WORDS = (
    *("complex32", "qint8", "quint8", "qint32", "quint4x2", "quint2x4"),
    *("strided", "sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc", "jagged"),
    *("contiguous_format", "channels_last", "channels_last_3d", "preserve_format"),
    *("per_tensor_affine", "per_channel_affine", "per_tensor_symmetric", "per_channel_symmetric"),
    "per_channel_affine_float_qparams",
)
"""What else `torch` has a name for: types without numbers here, layouts, ways of quantising."""

_OTHER_TENSORS = {
    "torch._utils": (
        *("_rebuild_sparse_tensor", "_rebuild_sparse_csr_tensor", "_rebuild_nested_tensor"),
        *("_rebuild_qtensor", "_rebuild_meta_tensor_no_storage", "_rebuild_wrapper_subclass"),
        *("_rebuild_device_tensor_from_numpy", "_rebuild_xla_tensor"),
        "_rebuild_device_tensor_from_cpu_tensor",
    ),
    "torch.nn.parameter": ("UninitializedParameter", "UninitializedBuffer"),
}

MODEL_ENTRIES = ("model", "state_dict", "model_state_dict", "model_ema")
"""Entries of checkpoints under which people keep the state dict of a model, the best first."""


class TorchCheckpointError(ReiqaError):
    """A checkpoint that cannot be read. One line: the file, the reason and, if any, the way out."""


def read_checkpoint(source: PathLike | bytes | bytearray | memoryview) -> Any:
    """Reads a PyTorch checkpoint: containers as they are, tensors as NumPy arrays.

    Reads what `torch.save` writes for tensors, parameters, containers, text and numbers, such as
    state dicts and the training checkpoints around them. Whatever else a file asks for, a class or
    a function, is refused by its name; nothing from the file is imported or called.

    Args:
        source: path of the file, of `torch.save` or safetensors, or its `bytes`.

    Returns:
        Nested `dict`, `list` and `tuple` (a `torch.Size` is a tuple, an `OrderedDict` a `dict`) of
        text, numbers and arrays. An array has its tensor's type (bfloat16 through ml_dtypes) and
        is a read-only view: tensors that share numbers in the file share them here, too. A
        `torch.device`, a `torch.dtype` and the like become their names. Values of other classes
        that are known to stand beside models (settings, dates, paths, NumPy arrays, states of
        generators) and tensors without plain numbers (sparse, quantised) become an `OpaqueValue`,
        but for the former inside of a model, which are refused.

    Raises:
        TorchCheckpointError: if the file is missing, empty, damaged, not written by `torch.save`,
            or asks for objects that are not admitted.

    Example:
    ```text
    from reiqa_tf.convert.torch_checkpoint import read_checkpoint

    checkpoint = read_checkpoint("quality_aware_r50.pth")
    print(checkpoint["model"]["module.encoder.conv1.weight"].shape)  # (64, 3, 7, 7)
    ```
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _read(io.BytesIO(source), "checkpoint in memory")
    path = os.fspath(source)
    try:
        with open(path, "rb") as file:
            return _read(file, path)
    except TorchCheckpointError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise TorchCheckpointError(f"{path!r}: cannot be opened ({error}).") from None


def _read(file: io.BufferedIOBase, name: str) -> Any:
    try:
        tree = _reader_of(file.read(512))(file)
        _refuse_objects_in_models(tree)
        return tree
    except (pickle.UnpicklingError, SafetensorsError) as error:
        raise TorchCheckpointError(f"{name}: {_in_one_line(error)}.") from None
    except EOFError:
        raise TorchCheckpointError(f"{name}: the file ends too early. Get a whole copy.") from None
    except zipfile.BadZipFile as error:
        raise TorchCheckpointError(
            f"{name}: damaged archive ({_in_one_line(error)}). Get a whole copy."
        ) from None
    # What zipfile raises for damaged headers, besides its own type.
    except (LookupError, NotImplementedError, ValueError, OverflowError, struct.error):
        raise TorchCheckpointError(f"{name}: damaged archive. Get a whole copy.") from None


def _in_one_line(error: Exception) -> str:
    """The message of an error, printable whatever names from the file it quotes."""
    text = str(error).encode("unicode_escape").decode("ascii")
    return text if len(text) <= 400 else f"{text[:400]}..."


def _reader_of(beginning: bytes) -> Callable[[io.BufferedIOBase], Any]:
    if beginning.startswith(b"PK\x03\x04"):
        return _read_zip
    if is_safetensors(beginning):
        return read_safetensors
    if beginning.startswith(pickle.PROTO):
        return _read_legacy
    if not beginning:
        raise pickle.UnpicklingError("an empty file (0 bytes)")
    text = beginning.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")):
        raise pickle.UnpicklingError(
            "a web page, not a checkpoint: the download brought a page in its place (Google Drive "
            "asks before large files). Open the address in a browser, download the file itself"
        )
    if text.startswith(b"version https://git-lfs.github.com/spec/"):
        raise pickle.UnpicklingError(
            "a pointer of Git LFS, not a checkpoint: it names the file and does not hold it. Get "
            "the file itself: git lfs pull"
        )
    if text.startswith((b"{", b"error", b"<error")):
        raise pickle.UnpicklingError(
            "text, not a checkpoint: perhaps the message of a server. Download the file itself"
        )
    if beginning[257:262] == b"ustar":
        raise pickle.UnpicklingError(
            "a tar archive, the format of PyTorch before 0.1.10, is not read; load it with that "
            "PyTorch and save it again"
        )
    raise pickle.UnpicklingError(_NO_CHECKPOINT)


def _refuse_objects_in_models(tree: Any) -> None:
    """A model is made of tensors: an object of any other kind in it is not passed over."""
    if type(tree) is not dict:
        return
    for entry in MODEL_ENTRIES:
        model = tree.get(entry)
        for value in model.values() if type(model) is dict else [model]:
            if type(value) is OpaqueValue and not value.is_tensor:
                raise pickle.UnpicklingError(
                    f"in its entry {entry} it asks for the Python object {value.name}, which is "
                    "not admitted in a model: only tensors, containers, text and numbers are"
                )


def _read_zip(file: io.BufferedIOBase) -> Any:
    size = file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        pickles = [
            name
            for name in archive.namelist()
            if name.endswith("/data.pkl") and name.count("/") == 1
        ]
        if len(set(pickles)) != 1:
            raise pickle.UnpicklingError(
                "a zip archive that torch.save did not write; expected one member */data.pkl"
            )
        members = _checked_members(archive, size)
        root = pickles[0].removesuffix("data.pkl")
        if root + "constants.pkl" in members:
            raise pickle.UnpicklingError(
                "a TorchScript archive (torch.jit.save) is not read; save the state dict with "
                "torch.save"
            )
        byte_order = "little"  # files of PyTorch before 2.1 do not say
        if root + "byteorder" in members:
            byte_order = archive.read(root + "byteorder").decode("ascii", "replace")
            if byte_order not in ("little", "big"):
                raise pickle.UnpicklingError("its member byteorder is neither little nor big")

        def load(key: str, dtype: np.dtype, count: int) -> np.ndarray:
            member = members.get(f"{root}data/{key}")
            if member is None or member.file_size != count * dtype.itemsize:
                raise pickle.UnpicklingError(
                    f"the member data/{key} is missing or has not the size of its {count:,} numbers"
                )
            contents = np.frombuffer(archive.read(member), dtype)
            if byte_order != sys.byteorder:
                contents = _with_bytes_swapped(contents)
            return _checked_storage(contents)

        storages = _Storages(size, load)
        structure = io.BytesIO(archive.read(pickles[0]))
        return RestrictedUnpickler(structure, _ADMITTED, storages.load_persistent).load()


def _checked_members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The archive's members by name, stored as `torch.save` stores them; no bombs."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & _ENCRYPTED:
            raise pickle.UnpicklingError(
                "the archive is compressed or encrypted, which torch.save never does; unpack it "
                "and pack it again without compression"
            )
        if member.filename in members:
            raise pickle.UnpicklingError("the archive has two members of the same name")
        members[member.filename] = member
    if sum(member.file_size for member in members.values()) > size:
        raise pickle.UnpicklingError("the archive claims to hold more bytes than the file has")
    return members


def _read_legacy(file: io.BufferedIOBase) -> Any:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if RestrictedUnpickler(file).load() != _LEGACY_MAGIC:
        raise pickle.UnpicklingError(_NO_CHECKPOINT)
    if RestrictedUnpickler(file).load() != _LEGACY_PROTOCOL:
        raise pickle.UnpicklingError(f"expected version {_LEGACY_PROTOCOL} of the legacy format")
    RestrictedUnpickler(file).load()  # sizes of C types where the file was written
    # The numbers follow after the structure that refers to them: their room is made first.
    storages = _Storages(size, lambda _key, dtype, count: np.zeros(count, dtype))
    tree = RestrictedUnpickler(file, _ADMITTED, storages.load_persistent).load()
    keys = RestrictedUnpickler(file).load()
    if (
        type(keys) is not list
        or any(type(key) is not str for key in keys)
        or sorted(keys) != sorted(storages.arrays)
    ):
        raise pickle.UnpicklingError("its list of storages is not that of its tensors")
    for key in keys:
        contents = storages.arrays[key]
        if int.from_bytes(file.read(8), "little") != len(contents):
            raise pickle.UnpicklingError(f"the storage {key} has not the size of its tensors")
        if file.readinto(contents.view(np.uint8).data) != contents.nbytes:
            raise EOFError
        # Always little-endian: PyTorch swaps when it writes on a big-endian machine
        # (torch/csrc/serialization.cpp); `little_endian` in the header only describes that machine.
        if sys.byteorder != "little":
            contents[:] = _with_bytes_swapped(contents)
        _checked_storage(contents)
    return tree


class _StorageType:
    """Stands for a class such as `torch.FloatStorage`."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)


class _Storage:
    """The numbers that one or more tensors are made of."""

    def __init__(self, contents: np.ndarray) -> None:
        self.contents = contents


class _Storages:
    """Loads each storage once, and together no more bytes than the file has.

    Args:
        limit: size of the file in bytes.
        load: function of key, dtype and number of elements that returns an array.
    """

    def __init__(self, limit: int, load: Callable[[str, np.dtype, int], np.ndarray]) -> None:
        self._bytes_left = limit
        self._load = load
        self.arrays: dict[str, np.ndarray] = {}

    def load_persistent(self, pid: Any) -> _Storage:
        if type(pid) is not tuple or pid[0] != "storage":
            raise pickle.UnpicklingError(
                "it refers to a module's source code: a whole model was saved. Save its "
                "state_dict() instead"
                if type(pid) is tuple and pid[0] == "module"
                else "it refers to something that is no storage of numbers"
            )
        _, storage_type, key, _, count, *view = pid
        if type(storage_type) is not _StorageType or type(key) is not str or not _is_size(count):
            raise TypeError
        if view not in ([], [None]):
            raise pickle.UnpicklingError(
                "it holds views of storages, as PyTorch before 0.4 wrote them; load it with "
                "PyTorch and save it again"
            )
        dtype = storage_type.dtype
        if key not in self.arrays:
            self._bytes_left -= count * dtype.itemsize
            if self._bytes_left < 0:
                raise pickle.UnpicklingError("its tensors claim more bytes than the file has")
            self.arrays[key] = self._load(key, dtype, count)
        contents = self.arrays[key]
        if contents.dtype != dtype or len(contents) != count:
            raise pickle.UnpicklingError(f"it describes the storage {key} in two ways")
        return _Storage(contents)


def _rebuild_tensor(
    storage: Any,
    offset: Any,
    size: Any,
    strides: Any,
    _gradient: Any,
    _hooks: Any,
    metadata: Any = None,
) -> np.ndarray:
    if type(storage) is not _Storage or type(size) is not tuple or type(strides) is not tuple:
        raise TypeError
    # The lengths first: one long tuple, used again and again, would take long to look through.
    if len(size) != len(strides) or len(size) > _MAXIMUM_DIMENSIONS:
        raise pickle.UnpicklingError(
            f"a tensor has {len(size)} dimensions and {len(strides)} strides; expected as many, at "
            f"most {_MAXIMUM_DIMENSIONS}"
        )
    if not all(_is_size(number) for number in (offset, *size, *strides)):
        raise TypeError
    if metadata:
        raise pickle.UnpicklingError("a tensor is a conjugated or negated view; save a copy of it")
    contents = storage.contents
    count = math.prod(size)
    if count > len(contents):
        raise pickle.UnpicklingError(
            f"a tensor has {count:,} elements, its storage only {len(contents):,}; if it was "
            "expanded, save a copy of it"
        )
    if count == 0:
        return np.zeros(size, contents.dtype)
    last = offset + sum((n - 1) * stride for n, stride in zip(size, strides, strict=True))
    if last >= len(contents):
        raise pickle.UnpicklingError(
            f"a tensor reaches to element {last:,} of a storage of {len(contents):,}"
        )
    itemsize = contents.itemsize
    tensor = np.ndarray(
        size,
        contents.dtype,
        buffer=contents.view(np.uint8),  # ml_dtypes' types have no buffers of their own
        offset=offset * itemsize,
        # The stride along one element is never walked, and may be any number.
        strides=[s * itemsize if n > 1 else itemsize for n, s in zip(size, strides, strict=True)],
    )
    tensor.flags.writeable = False
    return tensor


def _rebuild_typed_tensor(
    storage: Any,
    offset: Any,
    size: Any,
    strides: Any,
    gradient: Any,
    hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> np.ndarray:
    """A tensor of a type that has no class of storages: its storage holds bytes."""
    if type(storage) is not _Storage or type(dtype) is not str or storage.contents.itemsize != 1:
        raise TypeError
    name = dtype.removeprefix("torch.")
    if name not in _TENSOR_TYPES:
        raise pickle.UnpicklingError(f"it holds a tensor of the type {dtype}, which is not read")
    typed = np.dtype(_TENSOR_TYPES[name])
    contents = storage.contents.view(np.uint8)
    contents = contents[: len(contents) // typed.itemsize * typed.itemsize].view(typed)
    return _rebuild_tensor(_Storage(contents), offset, size, strides, gradient, hooks, metadata)


def _rebuild_old_tensor(storage: Any, offset: Any, size: Any, strides: Any) -> np.ndarray:
    return _rebuild_tensor(storage, offset, size, strides, None, None)


def _rebuild_parameter_with_state(tensor: Any, gradient: Any, hooks: Any, _state: Any) -> Any:
    return _rebuild_parameter(tensor, gradient, hooks)


def _rebuild_from_type(rebuild: Any, _type: Any, arguments: Any, _state: Any) -> Any:
    """A tensor with attributes, which are left out."""
    if type(arguments) is not tuple or type(rebuild) not in (Rebuild, OpaqueValue):
        raise TypeError
    return rebuild if type(rebuild) is OpaqueValue else rebuild.function(*arguments)


def _layout_named(name: Any) -> str:
    if type(name) is not str or name.removeprefix("torch.") not in _WORDS:
        raise TypeError
    return name


def _rebuild_parameter(tensor: Any, _gradient: Any, _hooks: Any) -> Any:
    if type(tensor) is not np.ndarray and type(tensor) is not OpaqueValue:
        raise TypeError
    return tensor


def _rebuild_size(size: Any) -> tuple[Any, ...]:
    if type(size) is not tuple:
        raise TypeError
    return size


def _rebuild_device(kind: Any, index: Any = None) -> str:
    if type(kind) is not str or len(kind) > 32 or not (index is None or _is_size(index)):
        raise TypeError
    return kind if index is None else f"{kind}:{index}"


_ADMITTED = {
    ("torch._utils", "_rebuild_tensor_v2"): Rebuild(_rebuild_tensor),
    ("torch._utils", "_rebuild_tensor"): Rebuild(_rebuild_old_tensor),
    ("torch._utils", "_rebuild_tensor_v3"): Rebuild(_rebuild_typed_tensor),
    ("torch._utils", "_rebuild_parameter"): Rebuild(_rebuild_parameter),
    ("torch._utils", "_rebuild_parameter_with_state"): Rebuild(_rebuild_parameter_with_state),
    ("torch._tensor", "_rebuild_from_type_v2"): Rebuild(_rebuild_from_type),
    ("torch.serialization", "_get_layout"): Rebuild(_layout_named),
    ("torch", "Tensor"): "torch.Tensor",
    ("torch.nn.parameter", "Parameter"): "torch.nn.parameter.Parameter",
    **{("torch", name): f"torch.{name}" for name in (*_TENSOR_TYPES, *_WORDS)},
    **{
        (module, name): OpaqueValue(f"{module}.{name}", is_tensor=True)
        for module, names in _OTHER_TENSORS.items()
        for name in names
    },
    ("torch.storage", "UntypedStorage"): _StorageType("uint8"),
    ("torch", "Size"): Rebuild(_rebuild_size),
    ("torch", "device"): Rebuild(_rebuild_device),
    **{("torch", name): _StorageType(dtype) for name, dtype in _STORAGE_TYPES.items()},
}


def _is_size(value: Any) -> bool:
    return type(value) is int and value >= 0


def _with_bytes_swapped(contents: np.ndarray) -> np.ndarray:
    parts = 2 if contents.dtype.kind == "c" else 1
    words = np.dtype(f"u{contents.itemsize // parts}")
    return contents.view(words).byteswap().view(contents.dtype)


def _checked_storage(contents: np.ndarray) -> np.ndarray:
    if contents.dtype == bool and contents.view(np.uint8).max(initial=0) > 1:
        raise pickle.UnpicklingError("a tensor of truth values holds other bytes than 0 and 1")
    return contents
