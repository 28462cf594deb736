"""Wide Gaussian blurs, computed on every fourth row and column and interpolated in between.

A Gaussian of 3.5 px and more leaves so little detail that every fourth pixel says it all. The grid
is that of the photo, so that windows of it agree with the whole.
"""

import typing

import tensorflow as tf

from reiqa_tf.distortions.filters import gaussian_kernel
from reiqa_tf.distortions.fusing import fused
from reiqa_tf.distortions.planar_filters import enlarged_columns, multiply_both
from reiqa_tf.distortions.resampling import cubic
from reiqa_tf.distortions.windows import edge_index

_STEP = 4
_AROUND = 3
"""Grid lines before and behind a window that its interpolation may ask for."""

GRID_REACH = _AROUND * _STEP
"""Pixels beyond the blur's radius that the value at a pixel depends on."""


class CoarseGrid(typing.NamedTuple):
    """Values at every fourth row and column of a photo.

    Attributes:
        values: float32 tensor `(C, h, w)`.
        first_row: row of the photo that the first row of values stands for; may lie above it.
        first_column: column, likewise.
    """

    values: tf.Tensor
    first_row: tf.Tensor
    first_column: tf.Tensor


def blur_coarsely(planes, first_row, sigma, largest_radius):
    """Blurs planes of a photo with a Gaussian, edges replicated.

    Args:
        planes: float32 tensor `(C, rows, W)`, some rows of the photo.
        first_row: row of the photo that the first of them is.
        sigma: standard deviation in pixels, at least 3.5.
        largest_radius: where the Gaussian is cut off, at least 3 sigma, an integer.

    Returns:
        the `CoarseGrid`, right wherever `largest_radius` px around are in `planes` or beyond the
        photo.
    """
    kernel = gaussian_kernel(sigma, largest_radius)
    top, row_matrix = _sampling(kernel, first_row, tf.shape(planes)[1])
    left, column_matrix = _sampling(kernel, 0, tf.shape(planes)[2])
    return CoarseGrid(multiply_both(planes, row_matrix, column_matrix), top, left)


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
    """Interpolates windows of a grid by cubic convolution: columns here, rows by `fill_windows`.

    Args:
        grid: the `CoarseGrid`.
        windows: the `Windows`.

    Returns:
        float32 tensors `(T, C, lines, at least columns)` and `(T, 1, 4, 5)`, as `fill_windows`
        takes them.
    """
    first_lines, row_weights = _interpolation(windows.tops, grid.first_row)
    first_columns, column_weights = _interpolation(windows.lefts, grid.first_column)
    taps = row_weights.shape[-1]
    rows, columns = (-(-length // _STEP) + taps - 1 for length in (windows.rows, windows.columns))
    parts = tf.stack(
        [
            tf.slice(
                grid.values,
                (0, first_lines[i], first_columns[i]),
                (grid.values.shape[0], rows, columns),
            )
            for i in range(len(windows.tops))
        ]
    )
    return _enlarged_columns(parts, column_weights), row_weights


_enlarged_columns = fused(enlarged_columns)


def _interpolation(starts, first_line):
    """First grid lines that windows need, and what lines weigh in a block of four pixels.

    Args:
        starts: first pixels of T windows.
        first_line: pixel that the first line of the grid stands for, before all windows.

    Returns:
        int32 tensor `(T,)` and float32 tensor `(T, 1, 4, 5)`, the same weights for all blocks.
    """
    starts = tf.stack(starts) - first_line
    first = starts // _STEP - 1
    # In quarters of a pixel of the grid, exact as whole numbers.
    offset = (starts - _STEP * first)[:, tf.newaxis, tf.newaxis, tf.newaxis]
    distance = offset + tf.range(_STEP)[:, tf.newaxis] - _STEP * tf.range(5)
    return first, cubic(tf.cast(distance, tf.float32) * (1 / _STEP))
