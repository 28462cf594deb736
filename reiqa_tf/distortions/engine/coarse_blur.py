"""Wide Gaussian blurs, computed on every fourth row and column and interpolated in between.

A Gaussian of 3.5 px and more leaves so little detail that every fourth pixel says it all. The grid
is that of the photo, so that windows of it agree with the whole.
"""

from collections.abc import Sequence

import tensorflow as tf

from reiqa_tf.distortions.engine.filters import gaussian_kernel, multiply_both
from reiqa_tf.distortions.engine.resampling import cubic, enlarged_columns
from reiqa_tf.distortions.engine.windows import Field, Size, Windows, edge_index

_STEP = 4
_AROUND = 3
"""Grid lines before and behind a window that its interpolation may ask for."""

GRID_REACH = _AROUND * _STEP
"""Pixels beyond the blur's radius that the value at a pixel depends on."""


def blur_coarsely(planes: tf.Tensor, first_row: Size, sigma: tf.Tensor, radius: int) -> Field:
    """Blurs planes of a photo with a Gaussian, edges replicated.

    Args:
        planes: float32 tensor `(C, rows, W)`, some rows of the photo.
        first_row: row of the photo that the first of them is.
        sigma: standard deviation in pixels, at least 3.5.
        radius: where the Gaussian is cut off, at least 3 sigma.

    Returns:
        `Field` of float32 values `(C, h, w)` for every fourth row and column of the photo, right
        wherever `radius` px around are in `planes` or beyond the photo.
    """
    kernel = gaussian_kernel(sigma, radius)
    top, rows = _sampling(kernel, first_row, tf.shape(planes)[1])
    left, columns = _sampling(kernel, 0, tf.shape(planes)[2])
    return Field(multiply_both(planes, rows, columns), top, left)


def _sampling(kernel: tf.Tensor, first: Size, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Grid lines around `size` pixels from `first`, and the matrix that blurs onto them."""
    start = first // _STEP * _STEP - GRID_REACH
    count = size // _STEP + 2 * _AROUND + 2
    radius = tf.shape(kernel)[0] // 2
    # One row a grid line, one column a tap: where it reads, and with what weight.
    centres = (start - first + _STEP * tf.range(count))[:, tf.newaxis]
    places = edge_index(centres + tf.range(-radius, radius + 1), size)
    places += size * tf.range(count)[:, tf.newaxis]
    weights = tf.broadcast_to(kernel, tf.shape(places))
    matrix = tf.math.unsorted_segment_sum(weights, places, count * size)
    return start, tf.reshape(matrix, (count, size))


def enlarge_columns(grid: Field, windows: Windows) -> tuple[tf.Tensor, tf.Tensor]:
    """Interpolates windows of a grid by cubic convolution: columns here, rows by `fill_windows`.

    Args:
        grid: of `blur_coarsely`.
        windows: the `Windows`.

    Returns:
        float32 tensors `(T, C, lines, at least columns)` and `(T, 1, 4, 5)`, as `fill_windows`
        takes them.
    """
    first_lines, row_weights = _interpolation(windows.tops, grid.first_row)
    first_columns, column_weights = _interpolation(windows.lefts, grid.first_column)
    size = [-(-side // _STEP) + _TAPS - 1 for side in (windows.rows, windows.columns)]
    size = [grid.values.shape[0], *size]
    parts = [
        tf.slice(grid.values, (0, first_lines[i], first_columns[i]), size)
        for i in range(len(windows.tops))
    ]
    return enlarged_columns(tf.stack(parts), column_weights), row_weights


_TAPS = 5


def _interpolation(starts: Sequence[Size], first_line: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """First grid lines that windows need, and what lines weigh in a block of four pixels.

    Args:
        starts: first pixels of T windows.
        first_line: pixel that the first line of the grid stands for, before all windows.

    Returns:
        int32 tensor `(T,)` and float32 tensor `(T, 1, 4, 5)`, the same weights for all blocks.
    """
    beyond = tf.stack(starts) - first_line
    first = beyond // _STEP - 1
    # In quarters of a pixel of the grid, exact as whole numbers.
    offset = (beyond - _STEP * first)[:, tf.newaxis, tf.newaxis, tf.newaxis]
    distance = offset + tf.range(_STEP)[:, tf.newaxis] - _STEP * tf.range(_TAPS)
    return first, cubic(tf.cast(distance, tf.float32) * (1 / _STEP))
