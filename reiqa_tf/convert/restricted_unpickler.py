"""Unpickle containers, numbers and text, and nothing that could run code.

A pickle is a small program that may call any function of any installed module. Here the program
may build dictionaries, lists, tuples, text and numbers, and may name only the few globals of a
table; what the table holds are functions of ours, so nothing of the original is ever imported.

The interpreter is the pure-Python one of the standard library, restricted. It keeps its memo in a
dictionary, so that a hostile memo index costs no memory (the C one allocates an array).
"""

from __future__ import annotations

import dataclasses
import io
import pickle
import pickletools
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

MAXIMUM_DEPTH = 64
"""How deep containers may be nested. A checkpoint with an optimizer's state is 5 deep."""

MAXIMUM_ENTRIES = 1_000_000
"""How many entries the containers may have, a shared one counted as often as it occurs. Small
files can hold structures that unfold to billions; a checkpoint has a few thousand."""

MAXIMUM_BYTES = 4 * 2**20
"""How long a pickle may be, which bounds time and memory. A ResNet-50 with the state of its
optimizer takes 0.1 MiB; the numbers of tensors lie outside."""

_MAXIMUM_INTEGER_BYTES = 32  # the states of NumPy's generators have 17
_MAXIMUM_KEY_LENGTH = 8  # entries of a tuple that is a key
_MAXIMUM_TUPLE_KEYS = 4096  # of a whole pickle: tuples may be chosen to collide
_MAXIMUM_LINE = 256  # bytes of a global's module or name

# What Python 3 writes at protocols 2 to 5 for containers, text and numbers, and for objects that
# are passed over (NEWOBJ, EMPTY_SET, ADDITEMS). Left out are all that make objects in other ways
# (INST, OBJ, EXT1) and what no pickler writes for such values (POP, DUP, the text operations of
# protocol 0).
_OPERATIONS = (
    *("PROTO", "FRAME", "STOP", "MARK", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET"),
    *("LONG_BINGET", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1"),
    *("BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES", "EMPTY_DICT"),
    *("EMPTY_LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "APPEND", "APPENDS"),
    *("SETITEM", "SETITEMS", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "BINPERSID"),
    *("NEWOBJ", "EMPTY_SET", "ADDITEMS"),
)
_CODES = {name: getattr(pickle, name)[0] for name in _OPERATIONS}


@dataclasses.dataclass(frozen=True)
class OpaqueValue:
    """Stands for an object that is passed over: its class is not imported, its contents not kept.

    Attributes:
        name: module and name of the class or function.
        is_tensor: whether it is a tensor, of a kind that is not read.
    """

    name: str
    is_tensor: bool = False


_LEAVES = (str, bytes, int, float, complex, bool, type(None), np.generic, np.ndarray, OpaqueValue)

# What damaged bytes may end in, inside the standard library's interpreter or in functions of ours.
_DAMAGE = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, TypeError, ValueError),
    struct.error,
)


class Rebuild:
    """Stands for a global that the pickle may call.

    Args:
        function: called with the pickled arguments. It must check them: they may be anything.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function


class _BoundedReader:
    """Reads no further than the file and `MAXIMUM_BYTES` go, and reserves no memory beyond."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file
        start = file.tell()
        self._file_end = file.seek(0, 2)
        self._end = start + MAXIMUM_BYTES
        file.seek(start)

    def read(self, count: int) -> bytes:
        end = self._file.tell() + count
        if end > self._file_end:
            raise EOFError
        if end > self._end:
            raise pickle.UnpicklingError(
                f"its structure takes more than {MAXIMUM_BYTES / 2**20:g} MiB"
            )
        return self._file.read(count)

    def readline(self) -> bytes:
        return self._file.readline(_MAXIMUM_LINE)


class _Operations(dict[int, Callable[..., Any]]):
    def __missing__(self, code: int) -> Callable[..., Any]:
        names = {operation.code: operation.name for operation in pickletools.opcodes}
        raise pickle.UnpicklingError(
            f"the pickled operation {names.get(chr(code), hex(code))} is not admitted"
        )


class RestrictedUnpickler(pickle._Unpickler):
    """Unpickles dictionaries, lists, tuples, text, numbers and what a table admits.

    An `OrderedDict`, `defaultdict` or `Counter` becomes a plain dictionary, a NumPy scalar stays
    one. Objects that often stand beside a model and are no danger by their names, such as paths,
    dates, sets, `argparse.Namespace` and NumPy arrays, become an `OpaqueValue`. Dictionary keys are
    text, numbers, None, or short tuples of them. The result is checked to be a tree of such values
    of bounded size.

    Args:
        file: binary file object that can seek, at the pickle's first byte; after `load` it is
            behind the pickle's last.
        admitted: `{(module, name): stand-in}`, the globals that the pickle may name besides
            those above. A `Rebuild` may be called by the pickle, an `OpaqueValue` stays what it is
            whatever the pickle does with it; anything else is only handed on to the functions of
            `Rebuild`s and to `load_persistent`.
        load_persistent: function of a persistent id; None refuses persistent ids.

    Example:
    ```python
    import io
    import pickle

    from reiqa_tf.convert.restricted_unpickler import RestrictedUnpickler

    file = io.BytesIO(pickle.dumps({"epoch": 3}))
    assert RestrictedUnpickler(file).load() == {"epoch": 3}
    ```
    """

    # What the interpreter of the standard library makes while it runs.
    stack: list[Any]
    read: Callable[[int], bytes]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]

    def __init__(
        self,
        file: io.BufferedIOBase,
        admitted: Mapping[tuple[str, str], Any] | None = None,
        load_persistent: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(_BoundedReader(file))
        self._file = file
        self._admitted = {**_NUMBERS_AND_CONTAINERS, **(admitted or {})}
        self._load_persistent = load_persistent
        self._admitted["_codecs", "encode"] = Rebuild(self._encode)
        self._bytes_left = MAXIMUM_BYTES
        self._tuple_keys_left = _MAXIMUM_TUPLE_KEYS

    def load(self) -> Any:
        """Reads one pickle.

        Returns:
            The tree of containers.

        Raises:
            pickle.UnpicklingError: if the pickle is damaged or asks for what is not admitted; the
                message is a part of a sentence.
        """
        try:
            tree = super().load()
        except pickle.UnpicklingError:
            raise
        except _DAMAGE:
            raise pickle.UnpicklingError(
                f"the pickled structure is damaged or cut off near byte {self._file.tell():,}"
            ) from None
        _check_tree(tree)
        return tree

    def find_class(self, module: str, name: str) -> Any:
        """Returns the stand-in of a global, or refuses the global by name."""
        try:
            return self._admitted[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for the Python object {module}.{name}, which is not admitted: only "
                "tensors, containers, text and numbers are read, and no code is run"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        """Returns what a persistent id stands for."""
        if self._load_persistent is None:
            raise pickle.UnpicklingError("it refers to data outside, where none can be")
        return self._load_persistent(pid)

    def _load_long1(self) -> None:
        count = self.read(1)[0]
        if count > _MAXIMUM_INTEGER_BYTES:
            raise pickle.UnpicklingError(f"it holds an integer of {count} bytes")
        self.append(pickle.decode_long(self.read(count)))

    def _load_reduce(self) -> None:
        arguments = self.stack.pop()
        rebuild = self.stack[-1]
        if type(rebuild) is OpaqueValue and type(arguments) is tuple:
            return
        if type(rebuild) is not Rebuild or type(arguments) is not tuple:
            raise pickle.UnpicklingError("it calls something that is not admitted")
        self.stack[-1] = rebuild.function(*arguments)

    def _load_newobj(self) -> None:
        if type(self.stack.pop()) is not tuple or type(self.stack[-1]) is not OpaqueValue:
            raise pickle.UnpicklingError("the pickled operation NEWOBJ is not admitted")

    def _load_empty_set(self) -> None:
        self.append(_SET)

    def _load_additems(self) -> None:
        self.pop_mark()
        if type(self.stack[-1]) is not OpaqueValue:
            raise TypeError

    def _load_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if type(target) is _ScalarType:
            target.set_state(state)
        elif type(target) not in (
            dict,
            OpaqueValue,
        ):  # the attributes of an ordered dictionary are left out
            raise pickle.UnpicklingError("it sets the state of something that is not admitted")

    def _load_append(self) -> None:
        self._extend([self.stack.pop()])

    def _load_appends(self) -> None:
        self._extend(self.pop_mark())

    def _load_setitem(self) -> None:
        value = self.stack.pop()
        self._update([self.stack.pop(), value])

    def _load_setitems(self) -> None:
        self._update(self.pop_mark())

    def _extend(self, items: Sequence[Any]) -> None:
        if type(self.stack[-1]) is OpaqueValue:
            return
        if type(self.stack[-1]) is not list:
            raise TypeError
        self.stack[-1].extend(items)

    def _update(self, items: Sequence[Any]) -> None:
        if type(self.stack[-1]) is OpaqueValue:
            return
        if type(self.stack[-1]) is not dict:
            raise TypeError
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Checked before it is hashed: a tuple of tuples may take forever to hash, and integers
            # of more than 64 bits may be chosen to collide.
            if not (_is_plain_key(key) or self._is_tuple_key(key)):
                raise pickle.UnpicklingError(
                    "a dictionary has keys other than text, numbers, None and short tuples of them"
                )
            self.stack[-1][key] = value

    def _is_tuple_key(self, key: Any) -> bool:
        self._tuple_keys_left -= 1
        return (
            type(key) is tuple
            and len(key) <= _MAXIMUM_KEY_LENGTH
            and all(map(_is_plain_key, key))
            and self._tuple_keys_left >= 0
        )

    def _encode(self, text: Any, encoding: Any) -> bytes:
        """What `_codecs.encode` does for bytes in pickles of protocol 2."""
        if type(text) is not str or type(encoding) is not str or encoding != "latin1":
            raise TypeError
        self._bytes_left -= len(text)
        if self._bytes_left < 0:
            raise pickle.UnpicklingError(f"its bytes take more than {MAXIMUM_BYTES / 2**20:g} MiB")
        return text.encode("latin1")

    dispatch = _Operations({code: pickle._Unpickler.dispatch[code] for code in _CODES.values()})
    dispatch[_CODES["LONG1"]] = _load_long1
    dispatch[_CODES["REDUCE"]] = _load_reduce
    dispatch[_CODES["BUILD"]] = _load_build
    dispatch[_CODES["APPEND"]] = _load_append
    dispatch[_CODES["APPENDS"]] = _load_appends
    dispatch[_CODES["SETITEM"]] = _load_setitem
    dispatch[_CODES["SETITEMS"]] = _load_setitems
    dispatch[_CODES["NEWOBJ"]] = _load_newobj
    dispatch[_CODES["EMPTY_SET"]] = _load_empty_set
    dispatch[_CODES["ADDITEMS"]] = _load_additems


def _is_plain_key(key: Any) -> bool:
    if type(key) is int:
        return -(2**63) <= key < 2**63
    return type(key) in (str, float, bool, type(None))


class _ScalarType:
    """Stands for `numpy.dtype`: the type of a NumPy scalar."""

    _NAMES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")

    def __init__(self, name: Any, _align: Any = False, _copy: Any = False) -> None:
        if type(name) is not str:
            raise TypeError
        # Arrays of text or objects are passed over, and their types with them.
        self.dtype = np.dtype(name) if name in self._NAMES else None

    def set_state(self, state: Any) -> None:
        """Takes the byte order from what `numpy.dtype` pickles as its state."""
        if self.dtype is None:
            return
        if type(state) is not tuple or type(state[1]) is not str or state[1] not in "<>|":
            raise TypeError
        self.dtype = self.dtype.newbyteorder(state[1])  # type: ignore[arg-type]  # one of them


def _rebuild_scalar(scalar_type: Any, contents: Any) -> np.generic:
    if type(scalar_type) is not _ScalarType or type(contents) is not bytes:
        raise TypeError
    if scalar_type.dtype is None:
        raise pickle.UnpicklingError("it holds a NumPy type that is no number")
    if len(contents) != scalar_type.dtype.itemsize:
        raise ValueError
    return np.frombuffer(contents, scalar_type.dtype)[0]


def _rebuild_dictionary(*arguments: Any) -> dict[Any, Any]:
    """An ordered dictionary, which is filled later."""
    if arguments:
        raise TypeError
    return {}


def _rebuild_counter(counts: Any = None) -> dict[Any, Any]:
    if not (counts is None or type(counts) is dict):
        raise TypeError
    return {} if counts is None else counts


def _rebuild_default_dictionary(_factory: Any = None) -> dict[Any, Any]:
    return {}


def _rebuild_complex(real: Any, imaginary: Any) -> complex:
    if type(real) is not float or type(imaginary) is not float:
        raise TypeError
    return complex(real, imaginary)


_SET = OpaqueValue("builtins.set")

_BUILTINS = (
    *("bool", "bytearray", "bytes", "dict", "float", "frozenset", "int", "list", "object", "range"),
    *("set", "slice", "str", "tuple"),
)

_PASSED_OVER = {
    "argparse": ("Namespace",),
    "collections": ("deque",),
    "copyreg": ("_reconstructor",),
    "copy_reg": ("_reconstructor",),
    "datetime": ("datetime", "date", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "easydict": ("EasyDict",),
    "fractions": ("Fraction",),
    "numpy": ("ndarray",),
    "numpy.random._mt19937": ("MT19937",),
    "numpy.random._pcg64": ("PCG64", "PCG64DXSM"),
    "numpy.random._philox": ("Philox",),
    "numpy.random._sfc64": ("SFC64",),
    "numpy.random._pickle": ("__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor"),
    "types": ("SimpleNamespace",),
    "uuid": ("UUID", "SafeUUID"),
    "yacs.config": ("CfgNode",),
    **dict.fromkeys(("builtins", "__builtin__"), _BUILTINS),
    **dict.fromkeys(("numpy.core.multiarray", "numpy._core.multiarray"), ("_reconstruct",)),
    **dict.fromkeys(("numpy.core.numeric", "numpy._core.numeric"), ("_frombuffer",)),
    **dict.fromkeys(
        ("pathlib", "pathlib._local"),
        (
            *("Path", "PosixPath", "PurePath", "PurePosixPath", "PureWindowsPath"),
            "WindowsPath",
        ),
    ),
}
"""Classes of values that stand beside a model: settings, dates, paths, states of generators."""

_NUMBERS_AND_CONTAINERS: dict[tuple[str, str], Any] = {
    **{
        (module, name): OpaqueValue(f"{module}.{name}")
        for module, names in _PASSED_OVER.items()
        for name in names
    },
    ("collections", "OrderedDict"): Rebuild(_rebuild_dictionary),
    ("collections", "Counter"): Rebuild(_rebuild_counter),
    ("collections", "defaultdict"): Rebuild(_rebuild_default_dictionary),
    ("builtins", "complex"): Rebuild(_rebuild_complex),
    ("__builtin__", "complex"): Rebuild(_rebuild_complex),
    ("numpy", "dtype"): Rebuild(_ScalarType),
    ("numpy.core.multiarray", "scalar"): Rebuild(_rebuild_scalar),
    ("numpy._core.multiarray", "scalar"): Rebuild(_rebuild_scalar),
}


def _check_tree(tree: Any) -> None:
    pending = [(tree, 0)]
    entries = 0
    while pending:
        value, depth = pending.pop()
        if type(value) in (dict, list, tuple):
            entries += len(value)
            if depth == MAXIMUM_DEPTH or entries > MAXIMUM_ENTRIES:
                raise pickle.UnpicklingError(
                    f"its containers contain themselves, are nested deeper than {MAXIMUM_DEPTH} "
                    f"or unfold to more than {MAXIMUM_ENTRIES:,} entries"
                )
            values = value.values() if type(value) is dict else value
            pending.extend((entry, depth + 1) for entry in values)
        elif not isinstance(value, _LEAVES):
            raise pickle.UnpicklingError(
                "it holds something that is no tensor, container, text or number"
            )
