"""Shrink a photo and bring it back to its size, for windows of it, on the photo's own pixel grids.

The weights are Pillow's (`Image.resize`): the filter widens with the reduction, and what lies
beyond the border gets no weight.
"""

import functools
import math
import typing

import tensorflow as tf

from reiqa_tf.distortions.planar_filters import multiply_both
from reiqa_tf.distortions.windows import MARGIN, edge_index
from reiqa_tf.image.scaling import to_unit_range


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


def _matrix(kernel, size, new_size, first_output, outputs, first_input, inputs):
    """Part of the matrix that resizes `size` pixels to `new_size`, as Pillow weighs them.

    A row holds few weights, which are computed alone and then put into their places.

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
    coarser = tf.maximum(size, new_size)
    taps = 2 * SUPPORTS[kernel] * coarser // new_size + 2
    # Whole numbers keep distances exact: twice the pixel grid, times the new size.
    after = (2 * (first_output + tf.range(outputs)) + 1)[:, tf.newaxis]
    first = (after * size - 2 * SUPPORTS[kernel] * coarser) // (2 * new_size)
    place = first + tf.range(taps)
    distance = (2 * place + 1) * new_size - after * size
    # Not divided: a graph's optimiser rewrites a division by what it finds to be constant.
    unit = tf.math.reciprocal(tf.cast(2 * coarser, tf.float32))
    values = kernel(tf.cast(distance, tf.float32) * unit)
    values *= tf.cast((place >= 0) & (place < size), tf.float32)
    total = tf.reduce_sum(values, axis=1, keepdims=True)
    values = tf.math.divide_no_nan(values, total)
    column = place - first_input
    is_held = (column >= 0) & (column < inputs)
    values *= tf.cast(is_held, tf.float32)
    row = inputs * tf.range(outputs)[:, tf.newaxis]
    flat = row + tf.where(is_held, column, 0)
    matrix = tf.math.unsorted_segment_sum(values, flat, outputs * inputs)
    return tf.reshape(matrix, (outputs, inputs))


def shrink_and_enlarge(windows, kernel, factor):
    """Resizes a photo to `int(size / factor)` and back, for windows of it.

    Args:
        windows: the `Windows`.
        kernel: a key of `SUPPORTS`.
        factor: how many times smaller, a float of at least 1.

    Returns:
        T float32 tensors `(3, rows, columns)`, not clipped.
    """
    photo = windows.photo
    matrices = _matrices(kernel)
    small_height = shrunk(photo.height, factor)
    small_width = shrunk(photo.width, factor)
    made = []
    for top, left in zip(windows.tops, windows.lefts, strict=True):
        rows = matrices(top, windows.rows, photo.height, small_height)
        columns = matrices(left, windows.columns, photo.width, small_width)
        size = (3, rows.count, columns.count)
        source = tf.slice(photo.planes, (0, rows.first, columns.first), size)
        # Levels become [0, 1] where numbers are fewest.
        level = to_unit_range(tf.ones((), source.dtype))
        small = level * multiply_both(tf.cast(source, tf.float32), rows.down, columns.down)
        small = tf.clip_by_value(small, 0.0, 1.0)
        large = tf.matmul(small, columns.up, transpose_b=True)
        made.append(tf.ensure_shape(tf.matmul(rows.up, large), _fixed(windows)))
    return made


def _fixed(windows):
    sides = windows.rows, windows.columns
    return 3, *(side if isinstance(side, int) else None for side in sides)


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
        down = _matrix(kernel, size, small_size, first_small, smalls, first, count)
        up = _matrix(kernel, small_size, size, start, length, first_small, smalls)
        return _Matrices(first, count, down, up)

    return make


def nearest_sources(windows, small_height, small_width):
    """Where pixels come from that are resized to a smaller size and back by nearest neighbours.

    Args:
        windows: the `Windows`.
        small_height: height of the small photo, an int32 tensor.
        small_width: its width.

    Returns:
        int32 tensors `(T, rows)` and `(T, columns)`, places in `windows.pixels`.
    """
    photo = windows.photo
    axes = (
        (_there_and_back(photo.height, small_height), windows.tops, windows.rows),
        (_there_and_back(photo.width, small_width), windows.lefts, windows.columns),
    )
    return tuple(
        tf.stack([MARGIN - start + _gathered(sources, start, length) for start in starts])
        for sources, starts, length in axes
    )


def _gathered(sources, start, length):
    return tf.gather(sources, edge_index(start + tf.range(length), tf.shape(sources)[0]))


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
