"""What an operator of the bank is: some facts, and up to three steps from a photo to its pixels."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, TypeAlias

import tensorflow as tf

from reiqa_tf.distortions.engine.programs import fused, kept_whole
from reiqa_tf.distortions.engine.windows import Field, Photo, Windows

LEVELS = 5
"""Levels of each distortion: 0 (mildest) to 4 in code, 1 to 5 in commands, pictures and reports."""

WHOLE_PHOTO = None
"""Neighbourhood of an operator that looks at all of the photo."""

Tensors: TypeAlias = Any
"""A tensor, or tensors in nested tuples: whatever one step of an operator hands on to the next."""


class Distortion:
    """An operator of the bank. Each subclass is one, and `add_distortion` makes it known.

    Three steps lead to the pixels. The first is called once for all windows of a photo, the second
    once for each group of windows of one size, the third in a compiled program:

    1. `draw`: what is random, and what takes the whole photo to measure;
    2. `prepare`: what windows need of that, and beside their own pixels;
    3. `apply`: what the pixels become.

    Attributes:
        name: what users call it.
        levels: physical values of the five levels, mildest first where `ordered`.
        unit: what the values are.
        ordered: whether a higher level always means a stronger change.
        random: whether the result depends on the seed.
        neighbourhood: pixels around a window that its result depends on, for each level;
            `WHOLE_PHOTO` if all.
        sizes: for each level, a whole number that the shape of its computation depends on (a
            radius, a factor). Each has a program of its own. None where one program serves all.
        size: of `sizes`, the one that this object is for.

    Args:
        size: as the attribute.

    Example:
    ```python
    import tensorflow as tf
    from reiqa_tf.distortions import Distortion, around, distort

    class Posterize(Distortion):
        \"\"\"Fewer levels of each colour.\"\"\"

        name = "posterize"
        levels = (32, 16, 8, 4, 2)
        unit = "levels of a colour"

        def apply(self, pixels, value, prepared):
            return tf.round(around(pixels) * (value - 1)) / (value - 1)
    ```
    """

    name: str
    levels: tuple[float, ...]
    unit: str
    ordered: bool = True
    random: bool = False
    neighbourhood: tuple[int, ...] | None = (0,) * LEVELS
    sizes: tuple[int, ...] | None = None

    def __init__(self, size: int = 0) -> None:
        self.size = size
        self._program = fused(self._apply_to_groups)
        self._of_sizes: dict[int, Distortion] = {}  # so that a program is compiled once

    def __repr__(self) -> str:
        return f"<distortion {self.name}>"

    def draw(self, seed: tf.Tensor, value: tf.Tensor, photo: Photo) -> Tensors:
        """Makes what is random, and what takes the whole photo to measure.

        Args:
            seed: int32 tensor `(2,)`.
            value: the level's physical value, a float32 scalar.
            photo: the `Photo`.

        Returns:
            whatever `prepare` takes as `drawn`.
        """
        return ()

    def prepare(self, windows: Windows, value: tf.Tensor, drawn: Tensors) -> Tensors:
        """Makes what `apply` needs beside the pixels.

        Where it is not written, that is what was drawn: of a `Field`, what windows show of it.

        Args:
            windows: the `Windows`.
            value: the level's physical value, a float32 scalar.
            drawn: what `draw` made.

        Returns:
            whatever `apply` takes as `prepared`.
        """
        return windows.cut(drawn) if isinstance(drawn, Field) else drawn

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        """Distorts pixels. Pure, for it is compiled.

        Args:
            pixels: `Windows.pixels`: tensor `(T, 3, rows + 2 MARGIN, columns + 2 MARGIN)` of 8-bit
                levels or floats. `around(pixels)` are those of the windows alone, in [0, 1].
            value: the level's physical value, a float32 scalar.
            prepared: what `prepare` made.

        Returns:
            float32 planes `(T, 3, rows, columns)` in [0, 1].
        """
        raise NotImplementedError(f"{type(self).__name__}: write apply(pixels, value, prepared).")

    def distort(
        self, groups: Sequence[Windows], level: int | tf.Tensor, seed: tf.Tensor
    ) -> list[tf.Tensor]:
        """Distorts groups of windows of one photo, all with the same randomness.

        Args:
            groups: sequence of `Windows`, all of the same photo.
            level: 0 to 4, an integer or a scalar int32 tensor.
            seed: int32 tensor `(2,)`.

        Returns:
            list with float32 planes `(T, 3, rows, columns)` in [0, 1] for each group.
        """
        value = tf.gather(tf.constant(self.levels, tf.float32), level)
        if self.sizes is None:
            return self._three_steps(groups, value, seed)
        sizes = sorted(set(self.sizes))
        branches = [
            kept_whole(functools.partial(self._of_size(size)._three_steps, groups, value, seed))
            for size in sizes
        ]
        return tf.switch_case(
            tf.gather([sizes.index(size) for size in self.sizes], level), branches
        )

    def _of_size(self, size: int) -> Distortion:
        return self._of_sizes.setdefault(size, type(self)(size))

    def _three_steps(
        self, groups: Sequence[Windows], value: tf.Tensor, seed: tf.Tensor
    ) -> list[tf.Tensor]:
        photo = groups[0].photo.with_rows_of(groups)
        drawn = self.draw(seed, value, photo)
        prepared = [self.prepare(windows, value, drawn) for windows in groups]
        pixels = [windows.pixels for windows in groups]
        made: list[tf.Tensor] = self._program(pixels, value, prepared)
        for windows, planes in zip(groups, made, strict=True):
            planes.set_shape(windows.shape)  # what was prepared may not know its lengths
        return made

    def _apply_to_groups(
        self, groups: list[tf.Tensor], value: tf.Tensor, prepared: list[Tensors]
    ) -> list[tf.Tensor]:
        return [
            self.apply(pixels, value, parts) for pixels, parts in zip(groups, prepared, strict=True)
        ]
