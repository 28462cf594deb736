"""Writes PyTorch checkpoints byte by byte, without PyTorch and without pickle.

Written from what `torch.save` 2.13 puts into its files; the tests that run where PyTorch is
present hold it against the original.
"""

import io
import struct
import zipfile
from collections import OrderedDict

import ml_dtypes
import numpy as np

STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
    "complex128": "ComplexDoubleStorage",
    "complex64": "ComplexFloatStorage",
}
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
PROTOCOL = b"\x80\x02M\xe9\x03."


class View:
    """A tensor of `size` that starts at `offset` of a one-dimensional array, with `strides`."""

    def __init__(self, storage, offset, size, strides):
        self.storage, self.offset, self.size, self.strides = storage, offset, size, strides


class Parameter:
    """What `torch.nn.Parameter` makes of a tensor."""

    def __init__(self, tensor):
        self.tensor = tensor


class Size(tuple):
    """A `torch.Size`."""


class Raw(bytes):
    """Operations that are put into the pickle as they are."""


def write_zip(tree, byte_order="little", root="archive", compression=zipfile.ZIP_STORED):
    """The bytes of a checkpoint in the format of PyTorch 1.6 and later."""
    pickler = _Pickler(legacy=False)
    structure = pickler.pickle(tree)
    members = {
        "data.pkl": structure,
        "byteorder": byte_order.encode(),
        **{f"data/{key}": _raw(array, byte_order) for key, array in pickler.storages.values()},
        "version": b"3\n",
    }
    return pack({f"{root}/{name}": contents for name, contents in members.items()}, compression)


def pack(members, compression=zipfile.ZIP_STORED):
    """A zip archive of `{name: contents}`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, contents in members.items():
            archive.writestr(zipfile.ZipInfo(name), contents, compression)
    return file.getvalue()


def write_legacy(tree):
    """The bytes of a checkpoint in the format before PyTorch 1.6."""
    pickler = _Pickler(legacy=True)
    structure = pickler.pickle(tree)
    header = {
        "protocol_version": 1001,
        "little_endian": True,
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    storages = sorted(pickler.storages.values())
    parts = [MAGIC, PROTOCOL, _Pickler(True).pickle(header), structure]
    parts.append(_Pickler(True).pickle([key for key, _ in storages]))
    for _, array in storages:
        parts += [struct.pack("<q", array.size), _raw(array, "little")]
    return b"".join(parts)


def _raw(array, byte_order):
    if array.dtype == BFLOAT16:
        array = array.view(np.uint16)
    return array.astype(array.dtype.newbyteorder("<>"[byte_order == "big"])).tobytes()


class _Pickler:
    def __init__(self, legacy):
        self.legacy = legacy
        self.storages = {}  # by the array's id: key and array
        self.memoized = 0

    def pickle(self, tree):
        return b"\x80\x02" + self._value(tree) + b"."

    def _value(self, value):
        writers = {
            Raw: bytes,
            dict: lambda v: self._put(b"}") + self._items(v),
            OrderedDict: self._ordered,
            list: lambda v: self._put(b"]") + self._marked(v) + b"e",
            tuple: self._tuple,
            Size: lambda v: b"ctorch\nSize\n" + self._tuple((tuple(v),)) + b"R",
            str: self._text,
            int: self._integer,
            float: lambda v: b"G" + struct.pack(">d", v),
            bool: lambda v: b"\x88" if v else b"\x89",
            type(None): lambda _: b"N",
            np.ndarray: self._array,
            View: self._tensor,
            Parameter: self._parameter,
            np.float64: self._scalar,
        }
        return writers[type(value)](value)

    def _put(self, code):
        """As the original, every container, text and call is put into the memo."""
        self.memoized += 1
        index = self.memoized - 1
        return code + (b"q" + bytes([index]) if index < 256 else b"r" + struct.pack("<I", index))

    def _marked(self, values):
        return b"(" + b"".join(map(self._value, values))

    def _items(self, dictionary):
        if not dictionary:
            return b""
        return self._marked([part for item in dictionary.items() for part in item]) + b"u"

    def _ordered(self, dictionary):
        built = self._put(b"ccollections\nOrderedDict\n)R") + self._items(dictionary)
        state = vars(dictionary)  # state dicts carry their versions as an attribute
        return built + (self._value(state) + b"b" if state else b"")

    def _tuple(self, values):
        if not values:
            return b")"
        if len(values) <= 3:
            return b"".join(map(self._value, values)) + self._put(
                b" \x85\x86\x87"[len(values) :][:1]
            )
        return self._marked(values) + self._put(b"t")

    def _text(self, text):
        encoded = text.encode()
        return self._put(b"X" + struct.pack("<I", len(encoded)) + encoded)

    def _integer(self, number):
        if 0 <= number < 2**8:
            return b"K" + bytes([number])
        if 0 <= number < 2**16:
            return b"M" + struct.pack("<H", number)
        if -(2**31) <= number < 2**31:
            return b"J" + struct.pack("<i", number)
        length = number.bit_length() // 8 + 1
        return b"\x8a" + bytes([length]) + number.to_bytes(length, "little", signed=True)

    def _scalar(self, number):
        state = (3, "<", None, None, None, -1, -1, 0)
        return (
            b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n"
            + self._tuple(("f8", False, True))
            + b"R"
            + self._value(state)
            + b"bc_codecs\nencode\n"
            + self._tuple((struct.pack("<d", number).decode("latin1"), "latin1"))
            + b"R"
            + self._put(b"\x86")
            + b"R"
        )

    def _array(self, array):
        flat = array.reshape(-1)
        strides = tuple(stride // array.itemsize for stride in array.strides)
        return self._tensor(View(flat, 0, array.shape, strides))

    def _tensor(self, view):
        key, _ = self.storages.setdefault(
            id(view.storage),
            (str(len(self.storages) + (94158162086656 if self.legacy else 0)), view.storage),
        )
        dtype = "bfloat16" if view.storage.dtype == BFLOAT16 else view.storage.dtype.name
        storage_type = Raw(b"ctorch\n" + STORAGES[dtype].encode() + b"\n")
        pid = ("storage", storage_type, key, "cpu", view.storage.size)
        pid += (None,) if self.legacy else ()
        arguments = Raw(self._marked(pid) + self._put(b"t") + b"Q")
        rest = (view.offset, tuple(view.size), tuple(view.strides), False, OrderedDict())
        return (
            b"ctorch._utils\n_rebuild_tensor_v2\n"
            + self._marked((arguments, *rest))
            + self._put(b"t")
            + self._put(b"R")
        )

    def _parameter(self, parameter):
        arguments = (parameter.tensor, True, OrderedDict())
        return b"ctorch._utils\n_rebuild_parameter\n" + self._tuple(arguments) + b"R"
