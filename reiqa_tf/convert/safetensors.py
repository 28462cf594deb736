"""Read safetensors files: a header in JSON, then plain numbers. Nothing in them could be run."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import ml_dtypes
import numpy as np

from reiqa_tf.convert.restricted_unpickler import MAXIMUM_BYTES, OpaqueValue

_LENGTH_BYTES = 8

# Source: the README of huggingface/safetensors, "Format".
_TYPES: dict[str, Any] = {
    "BOOL": "bool",
    **{f"{kind}{bits}": f"<{kind.lower()}{bits // 8}" for kind in "IU" for bits in (8, 16, 32, 64)},
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    "C64": "<c8",
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
}


class SafetensorsError(Exception):
    """Why a file cannot be read; the message is a part of a sentence."""


def is_safetensors(beginning: bytes) -> bool:
    """Tells by the first bytes of a file whether it is one.

    Args:
        beginning: at least nine bytes.
    """
    length = int.from_bytes(beginning[:_LENGTH_BYTES], "little")
    return beginning[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b"{" and length < 2**32


def read_safetensors(file: io.BufferedIOBase) -> dict[str, Any]:
    """Reads all tensors of a file.

    Args:
        file: binary file object that can seek.

    Returns:
        `{name: array}`, read-only views of one buffer. A tensor of a type that NumPy and ml_dtypes
        lack is an `OpaqueValue`. The file's remarks about itself are left out.

    Raises:
        SafetensorsError: if the file is damaged.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    if length > min(size - _LENGTH_BYTES, MAXIMUM_BYTES):
        raise SafetensorsError("a safetensors file whose header is cut off or far too long")
    try:
        header = json.loads(file.read(length))
    except (ValueError, RecursionError):
        raise SafetensorsError("a safetensors file with a damaged header") from None
    if type(header) is not dict:
        raise SafetensorsError("a safetensors file with a damaged header")
    numbers = np.frombuffer(file.read(), np.uint8)
    header.pop("__metadata__", None)
    return {name: _tensor(name, entry, numbers) for name, entry in header.items()}


def _tensor(name: str, entry: Any, numbers: np.ndarray) -> np.ndarray | OpaqueValue:
    try:
        kind, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        whole = all(type(number) is int and number >= 0 for number in (start, end, *shape))
        if not whole or not start <= end <= len(numbers):
            raise ValueError
        if kind not in _TYPES:
            return OpaqueValue(f"safetensors {kind}", is_tensor=True)
        dtype = np.dtype(_TYPES[kind])
        if math.prod(shape) * dtype.itemsize != end - start:
            raise ValueError
        contents = numbers[start:end]
        if kind == "BOOL" and contents.max(initial=0) > 1:
            raise ValueError
        return contents.view(dtype).reshape(shape)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise SafetensorsError(
            f"a safetensors file that is cut off, or whose header says of {name} what cannot be"
        ) from None
