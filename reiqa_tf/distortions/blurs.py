"""Blurs: Gaussian, of a lens out of focus, of motion."""

import functools

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.distortion import Distortion, Tensors
from reiqa_tf.distortions.engine import filters
from reiqa_tf.distortions.engine.filters import COLUMNS, ROWS
from reiqa_tf.distortions.engine.windows import MARGIN, Photo, around
from reiqa_tf.image.scaling import to_unit_range


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

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        # Pixels of one weight are summed before they are weighed: the few weights then stay in
        # the processor's registers.
        disk, image = disk_kernel(self.size), around(pixels, self.size)
        shifted = filters.shifted_both(image, len(disk))
        return sum(
            weight * sum(shifted[i][j] for i, j in np.argwhere(disk == weight))
            for weight in np.unique(disk[disk > 0])
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

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        # An even length has one neighbour more before a pixel than after it.
        half = self.size // 2
        reach, inside = slice(MARGIN - half, half - 1 - MARGIN), slice(MARGIN, -MARGIN)

        def mean(part: tf.Tensor, axis: int) -> tf.Tensor:
            total = sum(filters.shifted(to_unit_range(part), axis, self.size))
            return tf.minimum(total * (1 / self.size), 1.0)

        return tf.cond(
            prepared,
            lambda: mean(pixels[:, :, reach, inside], ROWS),
            lambda: mean(pixels[:, :, inside, reach], COLUMNS),
        )
