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
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from reiqa_tf.distortions.engine.filters import COLUMNS, ROWS, enlarge, multiply_both, reduce
from reiqa_tf.distortions.engine.programs import fused
from reiqa_tf.distortions.engine.windows import (
    MARGIN,
    RIM,
    SMALLEST_SIDE,
    Side,
    Size,
    Windows,
    edge_index,
    trimmed,
)
from reiqa_tf.image.scaling import to_unit_range


def triangle(x: tf.Tensor) -> tf.Tensor:
    """Bilinear interpolation's kernel at distances `x`, support 1."""
    return tf.maximum(1.0 - tf.abs(x), 0.0)


def cubic(x: tf.Tensor) -> tf.Tensor:
    """Keys' cubic convolution kernel with a = -0.5 at distances `x`, support 2."""
    x = tf.minimum(tf.abs(x), 2.0)
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    # What the inner piece has more, 0 outside: `tf.where` takes several times as long.
    inner = tf.maximum(1.0 - x, 0.0)
    return far + inner * inner * (1.0 - 2.0 * inner)


def lanczos(x: tf.Tensor) -> tf.Tensor:
    """The Lanczos kernel with a = 3 at distances `x`, support 3."""
    x = tf.clip_by_value(tf.abs(x), 1e-4, 3.0)  # not 0, where the quotient below is 0 / 0
    # Each factor once: a graph's optimiser puts factors in a row together.
    product = tf.sin(math.pi * x) * tf.sin((math.pi / 3.0) * x)
    return product * tf.math.reciprocal(x * x * (math.pi**2 / 3.0))


class Kernel(NamedTuple):
    """How pixels weigh by their distance.

    Attributes:
        weigh: function of distances in pixels of the coarser grid.
        support: the distance from which on it is 0.
    """

    weigh: Callable[[tf.Tensor], tf.Tensor]
    support: int


BILINEAR = Kernel(triangle, 1)
BICUBIC = Kernel(cubic, 2)
LANCZOS = Kernel(lanczos, 3)


def shrink(windows: Windows, kernel: Kernel, factor: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Resizes a photo to `size // factor` and its columns back, for windows of it.

    Args:
        windows: the `Windows`.
        kernel: the `Kernel`.
        factor: how many times smaller, at least 2.

    Returns:
        float32 tensors `(T, 3, smalls, at least columns)`, the small photo in [0, 1], its columns
        enlarged, and `(T, blocks, factor, taps)`, as `fill_windows` takes them.
    """
    of_rows, of_columns = (_weights(kernel, factor, side) for side in windows.sides)
    first_rows, rows, row_weights = of_rows
    first_columns, columns, column_weights = of_columns
    # As many pixels wherever a window lies and however large its photo: one program serves all.
    size = [
        factor * ((part.shape[1] or tf.shape(part)[1]) - 1) + part.shape[2]
        for part in (rows, columns)
    ]
    firsts = tf.unstack(tf.stack([first_rows, first_columns], axis=1))
    sources = tf.stack([_cut(windows.photo.planes, first, size) for first in firsts])
    rows *= to_unit_range(tf.ones((), sources.dtype))  # levels become [0, 1] where numbers are few
    if factor > _LARGEST_SUMMED:
        rows, columns = (_band_matrix(part, factor)[:, tf.newaxis] for part in (rows, columns))
        small = multiply_both(tf.cast(sources, tf.float32), rows, columns)
    else:
        rows, columns = (tf.transpose(part, (2, 0, 1)) for part in (rows, columns))
        small = _reduced(factor, COLUMNS)(_reduced(factor, ROWS)(sources, rows), columns)
    return enlarged_columns(tf.clip_by_value(small, 0.0, 1.0), column_weights), row_weights


_LARGEST_SUMMED = 4
"""Up to here, sums over fixed places are faster than products with matrices; the farther a filter
reaches, the longer they take to compile."""


@functools.cache
def _reduced(factor: int, axis: int) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    return fused(
        lambda planes, weights: reduce(planes, weights, factor, axis), open_axes=((2, 3), (2,))
    )


enlarged_columns = fused(
    lambda planes, weights: enlarge(planes, weights, COLUMNS), open_axes=((2, 3), (1,))
)
"""A compiled `enlarge` of columns, before `fill_windows` enlarges the rows."""


def _band_matrix(weights: tf.Tensor, step: int) -> tf.Tensor:
    """Of `(T, N, K)`, the matrices `(T, N, step (N - 1) + K)`: row i begins at `step` i."""
    count, rows, taps = tf.unstack(tf.shape(weights))
    columns = step * (rows - 1) + taps
    # Rows that are `step` too long, read on as if they were not: each begins `step` later.
    longer = tf.pad(weights, ((0, 0), (0, 0), (0, columns + step - taps)))
    flat = tf.reshape(longer, (count, rows * (columns + step)))[:, : rows * columns]
    return tf.reshape(flat, (count, rows, columns))


def fill_windows(pixels: tf.Tensor, planes: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Enlarges the rows of planes whose columns are as many as a window has, or more.

    Args:
        pixels: `Windows.pixels`.
        planes: float32 tensor `(T, C, lines, at least columns)`.
        weights: of `enlarge`.

    Returns:
        float32 tensor `(T, C, rows, columns)`.
    """
    rows, columns = tf.unstack(tf.shape(trimmed(pixels, MARGIN))[2:])
    return enlarge(planes, weights, ROWS)[:, :, :rows, :columns]


def _weights(kernel: Kernel, factor: int, side: Side) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """What pixels weigh in a smaller photo, and its pixels in the photo brought back to its size.

    Args:
        kernel: the `Kernel`.
        factor: how many times smaller.
        side: of T windows.

    Returns:
        int32 tensor `(T,)`, first pixels to read; weights `(T, smalls, taps)` of the smaller
        photo, and `(T, blocks, factor, taps)` of the photo brought back.
    """
    known_length = side.length if isinstance(side.length, int) else 0
    weigh = _weigh(kernel, factor, known_length, len(side.starts))
    return weigh(tf.stack(side.starts), tf.convert_to_tensor(side.length), side.size)


@functools.cache
def _weigh(
    kernel: Kernel, factor: int, known_length: int, count: int
) -> Callable[..., tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
    """A function of the other facts, traced once for both sides and all windows of a length."""
    support = kernel.support
    fewest = max(SMALLEST_SIDE, known_length - 2 * RIM) // factor
    # Pixels to a small pixel, at most; beyond `factor`, they add up to `factor` - 1 in a photo.
    step = (factor * fewest + factor - 1) / fewest
    taps_down = math.ceil(2 * support * step) + factor - 1
    # Small pixels begin one later within a block, and up to two earlier over all of them.
    taps_up = 2 * support + 3

    def first_tap(place: tf.Tensor, size: Size, new_size: Size) -> tf.Tensor:
        """The first of `size` pixels that weighs something in one of `new_size` pixels."""
        reach = 2 * support * tf.maximum(size, new_size)
        return ((2 * place + 1) * size - reach + new_size) // (2 * new_size)

    def weigh(
        starts: tf.Tensor, length: tf.Tensor, size: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        blocks = -(-(known_length or length) // factor)
        start = starts[:, tf.newaxis, tf.newaxis]
        small_size = size // factor
        first_small = first_tap(start + factor * (blocks - 1), small_size, size) - (blocks - 1)
        inside = tf.maximum(first_small, 0)
        first = first_tap(inside, size, small_size) - factor * (inside - first_small)
        small = tf.range(blocks + taps_up - 1)[:, tf.newaxis]
        sources = first + factor * small + tf.range(taps_down)
        down = _normalised(kernel, first_small + small, sources, size, small_size)
        large = tf.range(factor * blocks)[:, tf.newaxis]
        sources = first_small + large // factor + tf.range(taps_up)
        up = _normalised(kernel, start + large, sources, small_size, size)
        return first[:, 0, 0], down, tf.reshape(up, (count, blocks, factor, taps_up))

    whole_number = tf.TensorSpec((), tf.int32)
    signature = [tf.TensorSpec((count,), tf.int32), whole_number, whole_number]
    function: Callable[..., tuple[tf.Tensor, tf.Tensor, tf.Tensor]] = tf.function(
        weigh, input_signature=signature, autograph=False
    )
    return function


def _normalised(
    kernel: Kernel, place: tf.Tensor, source: tf.Tensor, size: Size, new_size: Size
) -> tf.Tensor:
    """How much pixels of a line weigh in pixels of the resized line.

    Args:
        kernel: the `Kernel`.
        place: int32 tensor `(T, N, 1)`, which pixels of the resized line.
        source: int32 tensor `(T, N, K)`, which pixels of the line.
        size: pixels of the line.
        new_size: pixels of the resized line.

    Returns:
        float32 tensor `(T, N, K)`; rows have the sum 1. What lies beyond the line weighs nothing.
    """
    # Whole numbers keep distances exact: twice the pixel grid, times the new size.
    distance = (2 * source + 1) * new_size - (2 * place + 1) * size
    # Not divided: a graph's optimiser rewrites a division by what it finds to be constant.
    unit = tf.math.reciprocal(tf.cast(2 * tf.maximum(size, new_size), tf.float32))
    values = kernel.weigh(tf.cast(distance, tf.float32) * unit)
    values *= tf.cast((source >= 0) & (source < size), tf.float32)
    return tf.math.divide_no_nan(values, tf.reduce_sum(values, axis=-1, keepdims=True))


def _cut(planes: tf.Tensor, first: tf.Tensor, size: Sequence[Size]) -> tf.Tensor:
    """Rows and columns of planes from the first ones on, zeros where they reach beyond them."""
    limit = tf.shape(planes)[1:]
    begin, end = tf.clip_by_value(first, 0, limit), tf.clip_by_value(first + size, 0, limit)
    part = planes[:, begin[0] : end[0], begin[1] : end[1]]
    paddings = tf.stack([begin - first, first + size - end], axis=1)
    part = tf.pad(part, tf.concat([[[0, 0]], paddings], 0))
    return tf.ensure_shape(part, (3, *(side if isinstance(side, int) else None for side in size)))


def nearest_sources(
    windows: Windows, small_side: Callable[[tf.Tensor], tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Where pixels come from that are resized to a smaller size and back by nearest neighbours.

    Args:
        windows: the `Windows`.
        small_side: of a side of the photo, a float32 scalar, that of the small photo, which is
            rounded down.

    Returns:
        int32 tensors `(T, rows)` and `(T, columns)`, places in `windows.pixels`.
    """

    def sources(side: Side) -> tf.Tensor:
        small = tf.maximum(1, tf.cast(small_side(tf.cast(side.size, tf.float32)), tf.int32))
        there_and_back = tf.gather(_nearest(small, side.size), _nearest(side.size, small))
        places = tf.stack(side.starts)[:, tf.newaxis]
        seen = tf.gather(there_and_back, edge_index(places + tf.range(side.length), side.size))
        return MARGIN - places + seen

    rows, columns = map(sources, windows.sides)
    return rows, columns


def _nearest(new_size: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """For each of `new_size` pixels, the one of `size` pixels at its middle.

    Steps are added up in double precision, as Pillow does, so that the same pixel is taken where
    two are equally near.
    """
    step = tf.cast(size, tf.float64) / tf.cast(new_size, tf.float64)
    steps = tf.concat([[0.5 * step], tf.fill((new_size - 1,), step)], 0)
    return tf.minimum(tf.cast(tf.cumsum(steps), tf.int32), size - 1)
