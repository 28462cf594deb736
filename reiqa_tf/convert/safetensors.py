"""Read safetensors files by the package of that name, in all types that NumPy can hold."""

from __future__ import annotations

import io
from typing import Any

import ml_dtypes
import numpy as np
import safetensors

from reiqa_tf.convert.restricted_unpickler import OpaqueValue

_LENGTH_BYTES = 8

# The package hands out bytes and the names of their types; its own loader for NumPy knows fewer.
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
        `{name: array}`, read-only. A tensor of a type that NumPy and ml_dtypes lack is an
        `OpaqueValue`. The file's remarks about itself are left out.

    Raises:
        SafetensorsError: if the file is damaged.
    """
    file.seek(0)
    try:
        tensors = safetensors.deserialize(file.read())
        return {name: _tensor(view) for name, view in tensors}
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise SafetensorsError(
            f"a safetensors file that is damaged or cut off ({reason})"
        ) from None


def _tensor(view: dict[str, Any]) -> np.ndarray | OpaqueValue:
    if view["dtype"] not in _TYPES:
        return OpaqueValue(f"safetensors {view['dtype']}", is_tensor=True)
    contents = np.frombuffer(bytes(view["data"]), np.uint8)
    if view["dtype"] == "BOOL" and contents.max(initial=0) > 1:
        raise ValueError("a boolean that is neither 0 nor 1")
    return contents.view(np.dtype(_TYPES[view["dtype"]])).reshape(view["shape"])
