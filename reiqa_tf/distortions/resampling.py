"""Shrink a photo and bring it back to its size, for windows of it, on the photo's own pixel grids.

The weights are Pillow's (`Image.resize`): the filter widens with the reduction, and what lies
beyond the border gets no weight.

From one pixel of a photo shrunk by a whole number to the next, there are that number of pixels, or
very little more where the photo's side is no multiple of it. So a small pixel is a sum over a few
pixels at fixed places from its step on, each times a weight that knows the little that has added
up; and a pixel of the enlarged photo likewise. Sums over fixed places run in vectors.
"""

import functools
import math

import tensorflow as tf

from reiqa_tf.distortions.fusing import fused
from reiqa_tf.distortions.planar_filters import (
    band_matrix,
    enlarged_columns,
    enlarged_rows,
    multiply_both,
    reduced_columns,
    reduced_rows,
)
from reiqa_tf.distortions.windows import MARGIN, edge_index, trimmed
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


def shrunken(windows, kernel, factor):
    """Resizes a photo to `size // factor` and its columns back, for windows of it.

    Args:
        windows: the `Windows`.
        kernel: a key of `SUPPORTS`.
        factor: how many times smaller, a whole number of at least 2.

    Returns:
        float32 tensors `(T, 3, smalls, at least columns)`, the small photo in [0, 1], its columns
        enlarged, and `(T, blocks, factor, taps)`, as `fill_windows` takes them.
    """
    photo = windows.photo
    count = len(windows.tops)
    # Rows and columns at once, as lines: half the operations.
    firsts, down, up = _weights(
        kernel,
        factor,
        tf.stack(windows.tops + windows.lefts),
        tf.stack([photo.height] * count + [photo.width] * count),
        _longer(windows.rows, windows.columns),
        windows.smallest_photo,
    )
    # As many pixels wherever a window lies and however large its photo: one program serves all.
    side = factor * (_size(down, 1) - 1) + down.shape[2]
    sources = tf.stack(
        [_cut(photo.planes, firsts[i], firsts[count + i], side) for i in range(count)]
    )
    # Levels become [0, 1] where numbers are fewest.
    rows, columns = down[:count] * to_unit_range(tf.ones((), sources.dtype)), down[count:]
    if factor <= _LARGEST_SUMMED:
        small_rows = _reduced_rows(factor)(sources, rows)
        small = _reduced_columns(factor)(small_rows, tf.transpose(columns, (2, 0, 1)))
    else:
        small = _multiplied(sources, band_matrix(rows, factor), band_matrix(columns, factor))
    return _enlarged_columns(small, up[count:]), up[:count]


_LARGEST_SUMMED = 4
"""Up to here, sums over fixed places are faster than products with matrices; the farther a filter
reaches, the longer they take to compile."""


@functools.cache
def _reduced_rows(factor):
    return fused(lambda sources, weights: reduced_rows(sources, weights, factor))


@functools.cache
def _reduced_columns(factor):
    def reduce(rows, weights):
        return tf.clip_by_value(reduced_columns(rows, weights, factor), 0.0, 1.0)

    return fused(reduce)


def _multiplied(sources, rows, columns):
    small = multiply_both(tf.cast(sources, tf.float32), rows[:, tf.newaxis], columns[:, tf.newaxis])
    return tf.clip_by_value(small, 0.0, 1.0)


_enlarged_columns = fused(enlarged_columns)


def _weights(kernel, factor, starts, sizes, length, smallest):
    """What pixels weigh in a smaller photo, and its pixels in the photo brought back to its size.

    Args:
        kernel: a key of `SUPPORTS`.
        factor: how many times smaller.
        starts: int32 tensor `(N,)`, first pixels of windows along lines of pixels.
        sizes: int32 tensor `(N,)`, pixels of the lines.
        length: pixels of the windows.
        smallest: pixels that every line has, at least.

    Returns:
        int32 tensor `(N,)`, first pixels to read; weights `(N, smalls, taps)` of `reduced_rows`,
        and weights `(N, blocks, factor, taps)` of `enlarged_rows`.
    """
    support = SUPPORTS[kernel]
    fewest = smallest // factor
    # Pixels to a small pixel, at most; beyond `factor`, they add up to `factor` - 1 in a photo.
    step = (factor * fewest + factor - 1) / fewest
    taps_down = math.ceil(2 * support * step) + factor - 1
    # Small pixels begin one later within a block, and up to two earlier over all of them.
    taps_up = 2 * support + 3
    blocks = -(-length // factor)
    firsts, down, up = _weighing(kernel)(starts, sizes, factor, blocks, taps_down, taps_up)
    known = blocks if isinstance(blocks, int) else None
    smalls = None if known is None else known + taps_up - 1
    return (
        firsts,
        tf.ensure_shape(down, (starts.shape[0], smalls, taps_down)),
        tf.ensure_shape(up, (starts.shape[0], known, factor, taps_up)),
    )


@functools.cache
def _weighing(kernel):
    """What `_weights` does with numbers, a graph function: traced once, whoever calls it."""
    support = SUPPORTS[kernel]

    def first_tap(place, sizes, new_sizes):
        """The first of `sizes` pixels that weighs something in one of `new_sizes` pixels."""
        reach = 2 * support * tf.maximum(sizes, new_sizes)
        return ((2 * place + 1) * sizes - reach + new_sizes) // (2 * new_sizes)

    lines, number = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.int32)

    @tf.function(input_signature=[lines, lines, *(number,) * 4], autograph=False)
    def weigh(starts, sizes, factor, blocks, taps_down, taps_up):
        small_sizes = sizes // factor
        first_small = first_tap(starts + factor * (blocks - 1), small_sizes, sizes) - (blocks - 1)
        first_inside = tf.maximum(first_small, 0)
        first = first_tap(first_inside, sizes, small_sizes) - factor * (first_inside - first_small)
        small = tf.range(blocks + taps_up - 1)[:, tf.newaxis]
        sizes_down, small_sizes_down, first_place, first_source = (
            each[:, tf.newaxis, tf.newaxis] for each in (sizes, small_sizes, first_small, first)
        )
        down = _normalised(
            kernel,
            first_place + small,
            first_source + factor * small + tf.range(taps_down),
            sizes_down,
            small_sizes_down,
        )
        block = tf.range(blocks)[:, tf.newaxis, tf.newaxis]
        sizes_up, small_sizes_up, first_place, first_source = (
            each[:, tf.newaxis, tf.newaxis, tf.newaxis]
            for each in (sizes, small_sizes, starts, first_small)
        )
        up = _normalised(
            kernel,
            first_place + factor * block + tf.range(factor)[:, tf.newaxis],
            first_source + block + tf.range(taps_up),
            small_sizes_up,
            sizes_up,
        )
        return first, down, up

    return weigh


def _normalised(kernel, place, source, size, new_size):
    """How much pixels of a line weigh in pixels of the resized line.

    Args:
        kernel: a key of `SUPPORTS`.
        place: int32 tensor `(..., N, 1)`, which pixels of the resized line.
        source: int32 tensor `(..., N, K)` or `(..., 1, K)`, which pixels of the line.
        size: pixels of the line.
        new_size: pixels of the resized line.

    Returns:
        float32 tensor `(..., N, K)`; rows have the sum 1. What lies beyond the line weighs nothing.
    """
    # Whole numbers keep distances exact: twice the pixel grid, times the new size.
    distance = (2 * source + 1) * new_size - (2 * place + 1) * size
    # Not divided: a graph's optimiser rewrites a division by what it finds to be constant.
    unit = tf.math.reciprocal(tf.cast(2 * tf.maximum(size, new_size), tf.float32))
    values = kernel(tf.cast(distance, tf.float32) * unit)
    values *= tf.cast((source >= 0) & (source < size), tf.float32)
    return tf.math.divide_no_nan(values, tf.reduce_sum(values, axis=-1, keepdims=True))


def fill_windows(pixels, planes, weights):
    """Enlarges the rows of planes whose columns are as many as a window has, or more.

    Args:
        pixels: `Windows.pixels`.
        planes: float32 tensor `(T, C, lines, at least columns)`.
        weights: of `enlarged_rows`.

    Returns:
        float32 tensor `(T, C, rows, columns)`.
    """
    rows, columns = tf.unstack(tf.shape(trimmed(pixels, MARGIN))[2:])
    return enlarged_rows(planes, weights)[:, :, :rows, :columns]


def _cut(planes, first_row, first_column, side):
    """A square part of planes, zeros where it reaches beyond them."""
    sizes = tf.shape(planes)[1:]
    firsts = tf.stack([first_row, first_column])
    begin, end = tf.clip_by_value(firsts, 0, sizes), tf.clip_by_value(firsts + side, 0, sizes)
    part = tf.slice(planes, (0, begin[0], begin[1]), (3, end[0] - begin[0], end[1] - begin[1]))
    paddings = tf.stack([begin - firsts, firsts + side - end], axis=1)
    part = tf.pad(part, tf.concat([[[0, 0]], paddings], 0))
    known = side if isinstance(side, int) else None
    return tf.ensure_shape(part, (3, known, known))


def _size(tensor, axis):
    return tensor.shape[axis] or tf.shape(tensor)[axis]


def _longer(rows, columns):
    if isinstance(rows, int) and isinstance(columns, int):
        return max(rows, columns)
    return tf.maximum(rows, columns)


def shrunk(size, factor):
    """`int(size / factor)`, at least 1.

    Args:
        size: pixels.
        factor: how many times fewer.

    Returns:
        int32 tensor.
    """
    return tf.maximum(1, tf.cast(tf.cast(size, tf.float32) / factor, tf.int32))


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
