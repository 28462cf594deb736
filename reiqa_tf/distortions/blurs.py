"""Blurs: Gaussian, of a lens out of focus, of motion."""

import functools

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.filters import gaussian_kernel
from reiqa_tf.distortions.planar_filters import filter_both, filter_columns, filter_rows
from reiqa_tf.distortions.windows import around

_LARGEST_RADIUS = 8
_SUBPIXELS = 16


def narrow_gaussian_blur(pixels, sigma):
    """Gaussian blur of standard deviation `sigma` px, at most 2."""
    return filter_both(around(pixels, _NARROW), gaussian_kernel(sigma, _NARROW))


def wide_gaussian_blur(pixels, sigma):
    """Gaussian blur of standard deviation `sigma` px, at most 5."""
    return filter_both(around(pixels, _WIDE), gaussian_kernel(sigma, _WIDE))


_NARROW, _WIDE = 8, 15
GAUSSIAN_REACHES = (*(_NARROW,) * 4, _WIDE)
"""Where the Gaussian of each level is cut off: at least three standard deviations."""


@functools.cache
def small_lens_blur(radius):
    """Convolution with a small disk.

    Args:
        radius: pixels, an integer; up to 6 this is faster than `largest_lens_blur`.

    Returns:
        an operator, always the same one for a radius.
    """
    middle = slice(_LARGEST_RADIUS - radius, _LARGEST_RADIUS + radius + 1)
    disk = disk_kernels()[radius, middle, middle]
    places = {weight: np.argwhere(disk == weight).tolist() for weight in np.unique(disk[disk > 0])}

    def blur(pixels, value):  # noqa: ARG001
        image = around(pixels, radius)

        def shifted(i, j):
            return image[:, :, i : i - 2 * radius or None, j : j - 2 * radius or None]

        # Pixels of one weight are summed before they are weighed: the few weights then stay in
        # the processor's registers.
        return sum(weight * sum(shifted(i, j) for i, j in at) for weight, at in places.items())

    return blur


def largest_lens_blur(pixels, radius):  # noqa: ARG001
    """Convolution with a disk of 8 px, as a sum of separable filters."""
    image = around(pixels, _LARGEST_RADIUS)
    return sum(
        filter_columns(filter_rows(image, column), row)
        for column, row in zip(*_largest_disk_factors(), strict=True)
    )


_RANK = 6


@functools.cache
def _largest_disk_factors():
    """The disk of 8 px as a sum of products of a column and a row; 0.2 % of it is left over.

    Returns:
        two float32 arrays `(6, 17)`.
    """
    left, scales, right = np.linalg.svd(np.float64(disk_kernels()[_LARGEST_RADIUS]))
    roots = np.sqrt(scales[:_RANK, np.newaxis])
    return np.float32(roots * left.T[:_RANK]), np.float32(roots * right[:_RANK])


@functools.cache
def disk_kernels():
    """Disks of radius 0 to 8 px; each pixel weighs the part of its area that the disk covers.

    Returns:
        float32 array `(9, 17, 17)`, each kernel in the middle and of sum 1.
    """
    centres = (np.arange(_SUBPIXELS) + 0.5) / _SUBPIXELS - 0.5
    pixels = np.arange(-_LARGEST_RADIUS, _LARGEST_RADIUS + 1)
    position = (pixels[:, np.newaxis] + centres).ravel()
    squared = position[:, np.newaxis] ** 2 + position**2
    kernels = []
    for radius in range(_LARGEST_RADIUS + 1):
        covered = (squared <= radius**2).reshape(pixels.size, _SUBPIXELS, pixels.size, _SUBPIXELS)
        area = covered.mean(axis=(1, 3))
        # A disk that reaches one pixel into a neighbour is cut there, as in the published bank.
        area[np.abs(pixels) > radius] = 0
        area[:, np.abs(pixels) > radius] = 0
        kernels.append(area / max(area.sum(), 1e-9))
    return np.float32(kernels)


def draw_axis(seed, value, photo):  # noqa: ARG001
    """A fair coin: whether to blur along columns (up and down) instead of along rows."""
    return tf.random.stateless_uniform((), seed) < 0.5


def pass_on(windows, value, drawn):  # noqa: ARG001
    """What was drawn, the same for all windows."""
    return (drawn,)


def motion_blur(pixels, length, upright):
    """Mean over `length` px along the rows or along the columns."""
    # An even length has one neighbour more before a pixel than after it.
    offset = tf.range(-MOTION_REACH, MOTION_REACH + 1)
    half = tf.cast(length, tf.int32) // 2
    inside = (offset >= -half) & (offset < half)
    kernel = tf.cast(inside, tf.float32) * tf.math.reciprocal(length)
    image = around(pixels, MOTION_REACH)
    return tf.cond(
        upright,
        lambda: filter_rows(image[..., MOTION_REACH:-MOTION_REACH], kernel),
        lambda: filter_columns(image[..., MOTION_REACH:-MOTION_REACH, :], kernel),
    )


MOTION_REACH = 14
