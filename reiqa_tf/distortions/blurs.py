"""Blurs: Gaussian, of a lens out of focus, of motion."""

import functools
import itertools
import operator

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.filters import gaussian_kernel
from reiqa_tf.distortions.fusing import fused, kept_whole
from reiqa_tf.distortions.planar_filters import filter_both, filter_columns, filter_rows
from reiqa_tf.distortions.windows import MARGIN, around, trimmed
from reiqa_tf.image.scaling import to_unit_range

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
        radius: pixels, an integer.

    Returns:
        an operator, always the same one for a radius.
    """
    places = _places(radius)

    def blur(pixels, value):  # noqa: ARG001
        shifted = _shifts(around(pixels, radius), 2 * radius, 2 * radius)
        # Pixels of one weight are summed before they are weighed: the few weights then stay in
        # the processor's registers.
        return sum(weight * sum(shifted(i, j) for i, j in at) for weight, at in places.items())

    return blur


@functools.cache
def large_lens_blur(radius):
    """The same for a large disk: inside of it, four pixels side by side are read as one.

    Args:
        radius: pixels, an integer.

    Returns:
        an operator that takes what `cut_fours` of this radius cuts.
    """
    places = _places(radius)
    inside = max(places)
    fours, ones = _in_fours(places.pop(inside))

    def blur(pixels, value, sums):  # noqa: ARG001
        shifted = _shifts(around(pixels, radius), 2 * radius, 2 * radius)
        shifted_sums = _shifts(sums, 2 * radius, 2 * radius - 3)
        whole = sum(shifted_sums(i, j) for i, j in fours) + sum(shifted(i, j) for i, j in ones)
        return inside * whole + sum(
            weight * sum(shifted(i, j) for i, j in at) for weight, at in places.items()
        )

    return blur


@functools.cache
def cut_fours(radius):
    """How windows are cut for `large_lens_blur`.

    Args:
        radius: pixels, an integer.

    Returns:
        function of windows, the radius again and what was drawn.
    """
    return lambda windows, value, drawn: (  # noqa: ARG005
        _fours_of_columns(trimmed(windows.pixels, MARGIN - radius)),
    )


@fused
def _fours_of_columns(pixels):
    """Sums of four columns side by side, in [0, 4]: of `(T, 3, H, W)`, `(T, 3, H, W - 3)`."""
    return filter_columns(to_unit_range(pixels), tf.ones((4,)))


@fused
def _fours_of_rows(pixels):
    """Sums of four rows, likewise: `(T, 3, H - 3, W)`."""
    return filter_rows(to_unit_range(pixels), tf.ones((4,)))


def _shifts(image, down, right):
    """Function of a row and a column of a kernel: the image as read there, `down` rows smaller."""
    return lambda i, j: image[:, :, i : i - down or None, j : j - right or None]


def _places(radius):
    """Rows and columns of a disk's kernel that have a weight, for each weight."""
    middle = slice(_LARGEST_RADIUS - radius, _LARGEST_RADIUS + radius + 1)
    disk = disk_kernels()[radius, middle, middle]
    return {weight: np.argwhere(disk == weight).tolist() for weight in np.unique(disk[disk > 0])}


def _in_fours(places):
    """Splits places into those where four begin that stand side by side, and the others."""
    fours, ones = [], []
    for row, begun in itertools.groupby(places, key=operator.itemgetter(0)):
        columns = [column for _, column in begun]
        whole = len(columns) // 4 * 4
        fours += [(row, column) for column in columns[:whole:4]]
        ones += [(row, column) for column in columns[whole:]]
    return fours, ones


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


@functools.cache
def cut_motion_blurred(length):
    """How windows are cut whose pixels are means of pixels in a line.

    Args:
        length: pixels in a line, a multiple of 4: four side by side are summed once for all lines.

    Returns:
        function of windows, the length again and whether to blur along columns, that makes float32
        planes `(T, 3, rows, columns)`.
    """
    half = length // 2
    starts, last = range(0, length, 4), length - 4
    # An even length has one neighbour more before a pixel than after it.
    reach, window = slice(MARGIN - half, half - 1 - MARGIN), slice(MARGIN, -MARGIN)

    def mean(shifted):
        return tf.minimum(sum(shifted(i) for i in starts) * (1 / length), 1.0)

    mean_of_rows = fused(lambda fours: mean(lambda i: fours[:, :, i : i - last or None]))
    mean_of_columns = fused(lambda fours: mean(lambda i: fours[..., i : i - last or None]))

    def cut(windows, value, upright):  # noqa: ARG001
        pixels = windows.pixels
        blurred = tf.cond(
            upright,
            kept_whole(lambda: mean_of_rows(_fours_of_rows(pixels[:, :, reach, window]))),
            kept_whole(lambda: mean_of_columns(_fours_of_columns(pixels[:, :, window, reach]))),
        )
        return (blurred,)

    return cut
