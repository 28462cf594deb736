"""Shrink a photo and bring it back to its size, for windows of it, on the photo's own pixel grids.

The weights are Pillow's (`Image.resize`): the filter widens with the reduction, and what lies
beyond the border gets no weight.
"""

import functools
import math
import typing

import tensorflow as tf

from reiqa_tf.distortions.filters import multiply_rows, turn


def triangle(x):
    """Bilinear interpolation's kernel at distances `x`, support 1."""
    return tf.maximum(1.0 - tf.abs(x), 0.0)


def cubic(x):
    """Keys' cubic convolution kernel with a = -0.5 at distances `x`, support 2."""
    x = tf.minimum(tf.abs(x), 2.0)
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    # What the inner piece has more, 0 outside: `tf.where` takes several times as long.
    inner = tf.maximum(1.0 - x, 0.0)
    return far + inner * inner * (1.0 - 2.0 * inner)


def lanczos(x):
    """The Lanczos kernel with a = 3 at distances `x`, support 3."""
    x = tf.clip_by_value(tf.abs(x), 1e-4, 3.0)  # not 0, where the quotient below is 0 / 0
    # Each factor once: a graph's optimiser puts factors in a row together.
    product = tf.sin(math.pi * x) * tf.sin((math.pi / 3.0) * x)
    return product * tf.math.reciprocal(x * x * (math.pi**2 / 3.0))


SUPPORTS = {triangle: 1, cubic: 2, lanczos: 3}
"""How far a kernel reaches, in pixels of the coarser grid."""


def weights(kernel, size, new_size, first_output, outputs, first_input, inputs):
    """Part of the matrix that resizes `size` pixels to `new_size`, as Pillow weighs them.

    Args:
        kernel: a key of `SUPPORTS`.
        size: pixels before.
        new_size: pixels after.
        first_output: first row of the matrix that is wanted.
        outputs: number of rows wanted; rows beyond `new_size` are 0.
        first_input: first column of the matrix that is wanted.
        inputs: number of columns wanted; a row whose pixels they do not all hold is wrong.

    Returns:
        float32 tensor `(outputs, inputs)`.
    """
    # Whole numbers keep distances exact: twice the pixel grid, times the new size.
    before = 2 * (first_input + tf.range(inputs)) + 1
    after = 2 * (first_output + tf.range(outputs)) + 1
    distance = before[tf.newaxis] * new_size - after[:, tf.newaxis] * size
    unit = tf.cast(2 * tf.maximum(size, new_size), tf.float32)
    # Not divided: a graph's optimiser rewrites a division by what it finds to be constant.
    values = kernel(tf.cast(distance, tf.float32) * tf.math.reciprocal(unit))
    exists = (before > 0) & (before < 2 * size)
    values *= tf.cast(exists, tf.float32)[tf.newaxis]
    values *= tf.cast(after < 2 * new_size, tf.float32)[:, tf.newaxis]
    return tf.math.divide_no_nan(values, tf.reduce_sum(values, axis=1, keepdims=True))


def shrink_and_enlarge(windows, kernel, factor):
    """Resizes a photo to `int(size / factor)` and back, for windows of it.

    Args:
        windows: the `Windows`.
        kernel: a key of `SUPPORTS`.
        factor: how many times smaller, a float of at least 1.

    Returns:
        float32 tensor `(T, rows, columns, 3)` in [0, 1].
    """
    photo = windows.photo
    matrices = _matrices(kernel)
    small_height = shrunk(photo.height, factor)
    small_width = shrunk(photo.width, factor)
    made = []
    for top, left in zip(windows.tops, windows.lefts, strict=True):
        rows = matrices(top, windows.rows, photo.height, small_height)
        columns = matrices(left, windows.columns, photo.width, small_width)
        source = photo.part(rows.first, columns.first, rows.count, columns.count)[tf.newaxis]
        small = turn(multiply_rows(source, rows.down))
        small = tf.clip_by_value(multiply_rows(small, columns.down), 0.0, 1.0)
        large = turn(multiply_rows(small, columns.up))
        made.append(multiply_rows(large, rows.up))
    return tf.clip_by_value(tf.concat(made, 0), 0.0, 1.0)


def shrunk(size, factor):
    """`int(size / factor)`, at least 1.

    Args:
        size: pixels.
        factor: how many times fewer.

    Returns:
        int32 tensor.
    """
    return tf.maximum(1, tf.cast(tf.cast(size, tf.float32) / factor, tf.int32))


class _Matrices(typing.NamedTuple):
    """Along one axis of a window: what it reads of the photo, and what that is multiplied by."""

    first: tf.Tensor
    count: tf.Tensor
    down: tf.Tensor
    up: tf.Tensor


@functools.cache
def _matrices(kernel):
    """A graph function that makes `_Matrices`: traced once, however many windows call it."""
    support = SUPPORTS[kernel]

    @tf.function(input_signature=[tf.TensorSpec((), tf.int32)] * 4, autograph=False)
    def make(start, length, size, small_size):
        stop = start + length
        # One pixel more on each side than the supports ask for: no rounding can leave one out.
        first_small = tf.maximum(start * small_size // size - support - 1, 0)
        smalls = tf.minimum(stop * small_size // size + support + 1, small_size) - first_small
        first = tf.maximum((first_small - support - 1) * size // small_size, 0)
        after = (first_small + smalls + support + 1) * size // small_size + 1
        count = tf.minimum(after, size) - first
        down = weights(kernel, size, small_size, first_small, smalls, first, count)
        up = weights(kernel, small_size, size, start, length, first_small, smalls)
        return _Matrices(first, count, down, up)

    return make


def repeat_nearest(windows, small_height, small_width):
    """Resizes a photo to a smaller size and back by nearest neighbours, for windows of it.

    Args:
        windows: the `Windows`.
        small_height: height of the small photo, an int32 tensor.
        small_width: its width.

    Returns:
        float32 tensor `(T, rows, columns, 3)` in [0, 1].
    """
    photo = windows.photo
    row_sources = _there_and_back(photo.height, small_height)
    column_sources = _there_and_back(photo.width, small_width)
    return photo.at(
        [
            (tf.gather(row_sources, rows), tf.gather(column_sources, columns))
            for rows, columns in windows.coordinates()
        ]
    )


def _there_and_back(size, small_size):
    return tf.gather(_nearest(small_size, size), _nearest(size, small_size))


def _nearest(new_size, size):
    """For each of `new_size` pixels, the one of `size` pixels at its middle.

    Steps are added up in double precision, as Pillow does, so that the same pixel is taken where
    two are equally near.
    """
    step = tf.cast(size, tf.float64) / tf.cast(new_size, tf.float64)
    steps = tf.concat([[0.5 * step], tf.fill((new_size - 1,), step)], 0)
    return tf.minimum(tf.cast(tf.cumsum(steps), tf.int32), size - 1)
