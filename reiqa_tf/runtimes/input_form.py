"""In which form an exported file takes a picture: what its pixels are, and how it lies."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from reiqa_tf.errors import ReiqaError
from reiqa_tf.typing import PathLike, Size

RGB, RGBA, FLOAT = "rgb", "rgba", "float"

PIXELS = (RGB, RGBA, FLOAT)
"""What pixels may be: three bytes; four, the last of which is not looked at; three floats."""

ROTATIONS = (0, 90, 180, 270)
"""Degrees, clockwise, by which a file may turn a picture."""

BATCH_SIZE = 1
"""Pictures that a file with an `InputForm` takes at once."""

_LEVEL = np.float32(1 / 255)


class InputFormError(ReiqaError):
    """A form that there is not. The message says which there are."""


@dataclasses.dataclass(frozen=True)
class InputForm:
    """The form in which a file takes pictures; the file makes upright RGB of it by itself.

    Attributes:
        pixels: one of `PIXELS`: `"rgb"`, uint8 levels of red, green and blue; `"rgba"`, the same
            with a fourth byte that is not looked at, as bitmaps of phones have it; `"float"`,
            float32 red, green and blue in [0, 1].
        rotation: one of `ROTATIONS`, by which the file turns the picture clockwise. Sensors of
            phones that are held upright want 90; the picture then lies.

    Raises:
        InputFormError: if there is no such form.
    """

    pixels: str = RGB
    rotation: int = 0

    def __post_init__(self) -> None:
        if self.pixels not in PIXELS:
            raise InputFormError(
                f"pixels: expected one of {', '.join(PIXELS)}. Received: {self.pixels!r}"
            )
        if self.rotation not in ROTATIONS:
            raise InputFormError(
                f"rotation: expected one of {', '.join(map(str, ROTATIONS))}, clockwise. "
                f"Received: {self.rotation!r}"
            )

    @property
    def channels(self) -> int:
        """Numbers of a pixel."""
        return 4 if self.pixels == RGBA else 3

    @property
    def dtype(self) -> type[np.generic]:
        """Type of these numbers."""
        return np.float32 if self.pixels == FLOAT else np.uint8

    def lying(self, size: Size) -> Size:
        """Height and width of a picture in this form whose upright size is `size`."""
        return (size[1], size[0]) if self.rotation in (90, 270) else size

    def packed(self, images: np.ndarray) -> np.ndarray:
        """Upright RGB in this form.

        Args:
            images: uint8 array `(N, H, W, 3)`.

        Returns:
            array `(N, *lying((H, W)), channels)` of `dtype`.
        """
        turned = np.ascontiguousarray(np.rot90(images, self.rotation // 90, axes=(1, 2)))
        if self.pixels == RGBA:
            opaque = np.full((*turned.shape[:-1], 1), 255, np.uint8)
            return np.concatenate([turned, opaque], axis=-1)
        return turned * _LEVEL if self.pixels == FLOAT else turned

    def entries(self) -> dict[str, str | int]:
        """The form as a contract has it."""
        return {"pixels": self.pixels, "rotation": self.rotation, "batch_size": BATCH_SIZE}

    @classmethod
    def read(cls, entries: Mapping[str, Any], path: PathLike) -> InputForm | None:
        """Reads the form out of a contract.

        Args:
            entries: what `Contract.entries` returned.
            path: the file, for messages.

        Returns:
            `InputForm`; None if the contract states none: uint8 RGB, upright.

        Raises:
            InputFormError: if there is no such form.
        """
        if "pixels" not in entries:
            return None
        try:
            return cls(entries["pixels"], entries.get("rotation", 0))
        except InputFormError as error:
            raise InputFormError(f"{path}: {error}") from None
