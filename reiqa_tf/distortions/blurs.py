"""Blurs: Gaussian, of a lens out of focus, of motion."""

import functools
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.distortion import Distortion, Tensors
from reiqa_tf.distortions.engine import filters
from reiqa_tf.distortions.engine.filters import COLUMNS, ROWS
from reiqa_tf.distortions.engine.fours import four_columns, four_rows, in_fours
from reiqa_tf.distortions.engine.programs import fused, kept_whole
from reiqa_tf.distortions.engine.windows import MARGIN, Photo, Windows, around


class GaussianBlur(Distortion):
    """Gaussian blur, cut off at three standard deviations or more, edges replicated."""

    name = "gaussian_blur"
    levels = (0.1, 0.5, 1, 2, 5)
    unit = "px, standard deviation"
    sizes = neighbourhood = (8, 8, 8, 8, 15)

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        return filters.correlate_both(
            around(pixels, self.size), filters.gaussian_kernel(value, self.size)
        )


class LensBlur(Distortion):
    """Convolution with a disk, as of a lens out of focus, edges replicated."""

    name = "lens_blur"
    levels = sizes = neighbourhood = (1, 2, 4, 6, 8)
    unit = "px, radius"

    _SMALLEST_IN_FOURS = 6

    def prepare(self, windows: Windows, value: tf.Tensor, drawn: Tensors) -> Tensors:
        if self.size < self._SMALLEST_IN_FOURS:
            return ()
        return four_columns(windows.inside(self.size))

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        # Pixels of one weight are summed before they are weighed: the few weights then stay in
        # the processor's registers.
        disk = disk_kernel(self.size)
        places = {weight: np.argwhere(disk == weight) for weight in np.unique(disk[disk > 0])}
        inside = max(places)
        fours, ones = places[inside][:0], places.pop(inside)
        if self.size >= self._SMALLEST_IN_FOURS:
            fours, ones = in_fours(ones)
        image = around(pixels, self.size)
        whole = _sum_at(prepared, fours, self.size, 3) + _sum_at(image, ones, self.size)
        rim = (weight * _sum_at(image, at, self.size) for weight, at in places.items())
        return inside * whole + sum(rim)


def _sum_at(
    planes: tf.Tensor, places: Iterable[np.ndarray], radius: int, fewer: int = 0
) -> tf.Tensor:
    """Sums planes as read at rows and columns of a kernel, or at so many fewer columns."""
    return sum(
        planes[:, :, i : i - 2 * radius or None, j : j - 2 * radius + fewer or None]
        for i, j in places
    )


_SUBPIXELS = 16


@functools.cache
def disk_kernel(radius: int) -> np.ndarray:
    """A disk; each pixel weighs the part of its area that the disk covers.

    Args:
        radius: pixels.

    Returns:
        float32 array `(2 radius + 1, 2 radius + 1)` of sum 1. What the disk reaches into further
        pixels is cut off, as in the published bank.
    """
    side = 2 * radius + 1
    position = (np.arange(side * _SUBPIXELS) + 0.5) / _SUBPIXELS - radius - 0.5
    covered = position[:, np.newaxis] ** 2 + position**2 <= radius**2
    area = covered.reshape(side, _SUBPIXELS, side, _SUBPIXELS).mean(axis=(1, 3))
    return np.asarray(area / area.sum(), np.float32)


class MotionBlur(Distortion):
    """Means of pixels in a line, along rows or along columns by a fair coin, edges replicated."""

    name = "motion_blur"
    levels = sizes = (12, 16, 20, 24, 28)
    unit = "px"
    random = True
    neighbourhood = (6, 8, 10, 12, 14)

    def draw(self, seed: tf.Tensor, value: tf.Tensor, photo: Photo) -> Tensors:
        return tf.random.stateless_uniform((), seed) < 0.5

    def prepare(self, windows: Windows, value: tf.Tensor, drawn: Tensors) -> Tensors:
        # An even length has one neighbour more before a pixel than after it.
        half = self.size // 2
        reach, inside = slice(MARGIN - half, half - 1 - MARGIN), slice(MARGIN, -MARGIN)
        down, right = windows.pixels[:, :, reach, inside], windows.pixels[:, :, inside, reach]
        return tf.cond(
            drawn,
            kept_whole(lambda: _mean_of_fours(self.size, ROWS)(four_rows(down))),
            kept_whole(lambda: _mean_of_fours(self.size, COLUMNS)(four_columns(right))),
        )

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        return prepared


@functools.cache
def _mean_of_fours(length: int, axis: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """A compiled mean of so many pixels in a line, of sums of four of them."""

    @fused
    def mean(fours: tf.Tensor) -> tf.Tensor:
        total = sum(filters.shifted(fours, axis, length - 3)[::4])
        return tf.minimum(total * (1 / length), 1.0)

    return mean
