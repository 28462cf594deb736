"""Wide Gaussian blurs, computed on every fourth row and column and interpolated in between.

A Gaussian of 3.5 px and more leaves so little detail that every fourth pixel says it all. The grid
is that of the photo, so that windows of it agree with the whole.
"""

import typing

import tensorflow as tf

from reiqa_tf.distortions.filters import (
    gaussian_kernel,
    multiply_both,
    multiply_rows,
    turn,
)
from reiqa_tf.distortions.resampling import cubic
from reiqa_tf.distortions.windows import edge_index

_STEP = 4
_AROUND = 2
"""Grid lines before and behind a window that its interpolation may ask for."""

GRID_REACH = _AROUND * _STEP
"""Pixels beyond the blur's radius that the value at a pixel depends on."""


class CoarseGrid(typing.NamedTuple):
    """Values at every fourth row and column of a photo.

    Attributes:
        values: float32 tensor `(h, w, C)`.
        first_row: row of the photo that the first row of values stands for; may lie above it.
        first_column: column, likewise.
    """

    values: tf.Tensor
    first_row: tf.Tensor
    first_column: tf.Tensor


def blur_coarsely(planes, first_row, sigma, largest_radius):
    """Blurs planes of a photo with a Gaussian, edges replicated.

    Args:
        planes: float32 tensor `(rows, W, C)`, some rows of the photo.
        first_row: row of the photo that the first of them is.
        sigma: standard deviation in pixels, at least 3.5.
        largest_radius: where the Gaussian is cut off, at least 3 sigma, an integer.

    Returns:
        the `CoarseGrid`, right wherever `largest_radius` px around are in `planes` or beyond the
        photo.
    """
    kernel = gaussian_kernel(sigma, largest_radius)
    rows, columns = tf.shape(planes)[0], tf.shape(planes)[1]
    top, row_matrix = _sampling(kernel, first_row, rows)
    left, column_matrix = _sampling(kernel, 0, columns)
    blurred = turn(multiply_rows(planes[tf.newaxis], row_matrix))
    return CoarseGrid(turn(multiply_rows(blurred, column_matrix))[0], top, left)


def _sampling(kernel, first, size):
    """Grid lines around `size` pixels from `first`, and the matrix that blurs onto them."""
    start = first // _STEP * _STEP - _AROUND * _STEP
    count = size // _STEP + 2 * _AROUND + 2
    centres = start + _STEP * tf.range(count)
    radius = tf.shape(kernel)[0] // 2
    # One row a grid line, one column a tap: where it reads, and with what weight.
    places = edge_index(
        centres[:, tf.newaxis] + tf.range(-radius, radius + 1)[tf.newaxis] - first, size
    )
    lines = tf.broadcast_to(tf.range(count)[:, tf.newaxis], tf.shape(places))
    weights = tf.broadcast_to(kernel[tf.newaxis], tf.shape(places))
    matrix = tf.math.unsorted_segment_sum(
        tf.reshape(weights, (-1,)), tf.reshape(lines * size + places, (-1,)), count * size
    )
    return start, tf.reshape(matrix, (count, size))


def enlarge(grid, windows):
    """Interpolates a grid at all pixels of windows, by cubic convolution.

    Args:
        grid: the `CoarseGrid`.
        windows: the `Windows`.

    Returns:
        float32 tensor `(T, rows, columns, C)`.
    """
    height, width = tf.shape(grid.values)[0], tf.shape(grid.values)[1]
    return tf.concat(
        [
            multiply_both(
                grid.values[tf.newaxis],
                _interpolation(rows - grid.first_row, height),
                _interpolation(columns - grid.first_column, width),
            )
            for rows, columns in windows.coordinates()
        ],
        0,
    )


def _interpolation(places, count):
    position = tf.cast(places, tf.float32) / _STEP
    return cubic(position[:, tf.newaxis] - tf.range(tf.cast(count, tf.float32))[tf.newaxis])
