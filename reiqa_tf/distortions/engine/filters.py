"""Sums of pixels at fixed places, written as sums of shifted planes.

The problem: `tf.nn.conv2d` of a few channels leaves most of a processor's vector unused. Planes
that are shifted as a whole are added in vectors, and a compiler fuses all sums into one loop.

Planes are tensors `(..., rows, columns)`. `ROWS` and `COLUMNS` name the axis along which is summed.
"""

from typing import NamedTuple

import tensorflow as tf

ROWS, COLUMNS = -2, -1


def gaussian_kernel(sigma: tf.Tensor, radius: int) -> tf.Tensor:
    """Samples of a Gaussian that sum to 1.

    Args:
        sigma: standard deviation in pixels, above 0.
        radius: samples on each side of the middle one.

    Returns:
        float32 tensor `(2 radius + 1,)`.
    """
    # Not divided: a graph's optimiser rewrites a division by what it finds to be constant.
    inverse = tf.math.reciprocal(tf.cast(sigma, tf.float32))
    distance = tf.cast(tf.range(-radius, radius + 1), tf.float32) * inverse
    weights = tf.exp(-0.5 * distance * distance)
    return weights / tf.reduce_sum(weights)


def shifted(planes: tf.Tensor, axis: int, count: int, step: int = 1) -> list[tf.Tensor]:
    """What each of `count` weights, side by side, is multiplied by.

    Args:
        planes: tensor `(..., rows, columns)`.
        axis: `ROWS` or `COLUMNS`.
        count: number of weights.
        step: pixels from one sum to the next.

    Returns:
        `count` tensors, `count - 1` pixels shorter along the axis (and then every `step`-th).
    """
    return [_part(planes, shift) for shift in _shifts(planes.shape.rank, axis, count, step)]


def shifted_both(planes: tf.Tensor, count: int) -> list[list[tf.Tensor]]:
    """The same for `count` rows of `count` weights each."""
    along_rows = _shifts(planes.shape.rank, COLUMNS, count)
    return [[_part(line, shift) for shift in along_rows] for line in shifted(planes, ROWS, count)]


class _Shift(NamedTuple):
    """What `tf.strided_slice` takes to leave out pixels at both ends of an axis.

    The problem: the bank reads planes at thousands of places, and `planes[..., 3:-2]` adds three
    constants to a graph at each. Kept, they are made once for all lines: to trace the bank takes
    half as long.
    """

    begin: tf.Tensor
    end: tf.Tensor
    strides: tf.Tensor
    to_the_end: int


def _shifts(rank: int, axis: int, count: int, step: int = 1) -> list[_Shift]:
    """What `count` weights, side by side, are multiplied by: the places of `shifted`."""
    here = [int(place == rank + axis) for place in range(rank)]
    strides = tf.constant([step if is_axis else 1 for is_axis in here])
    everything = sum(2**place for place in range(rank) if not here[place])
    shifts = []
    for place in range(count):
        begin = tf.constant([is_axis * place for is_axis in here])
        end = tf.constant([is_axis * (place + 1 - count) for is_axis in here])
        is_last = place == count - 1
        shifts.append(_Shift(begin, end, strides, 2**rank - 1 if is_last else everything))
    return shifts


def _part(planes: tf.Tensor, shift: _Shift) -> tf.Tensor:
    return tf.raw_ops.StridedSlice(
        input=planes,
        begin=shift.begin,
        end=shift.end,
        strides=shift.strides,
        end_mask=shift.to_the_end,
    )


def correlate(planes: tf.Tensor, kernel: tf.Tensor, axis: int) -> tf.Tensor:
    """Correlates along an axis, without padding.

    Args:
        planes: float32 tensor `(..., rows, columns)`.
        kernel: float32 tensor `(K,)`, K known.
        axis: `ROWS` or `COLUMNS`.

    Returns:
        float32 tensor, K - 1 pixels shorter along the axis.
    """
    parts = shifted(planes, axis, kernel.shape[0])
    return sum(kernel[i] * part for i, part in enumerate(parts))


def correlate_both(planes: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Correlates along both axes, without padding.

    To be compiled with kernels of 16 samples and more: XLA for CPUs computes what is read at up to
    fifteen places again at each of them, here the first pass, and writes it to memory once if it is
    read at more.

    Args:
        planes: float32 tensor `(..., rows, columns)`.
        kernel: float32 tensor `(K,)`, K known.

    Returns:
        float32 tensor, K - 1 pixels shorter along both axes.
    """
    return correlate(correlate(planes, kernel, ROWS), kernel, COLUMNS)


def multiply_both(planes: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Replaces rows by weighted sums of rows, then columns by weighted sums of columns.

    Args:
        planes: float32 tensor `(..., H, W)`.
        rows: float32 matrix `(N, H)`.
        columns: float32 matrix `(M, W)`.

    Returns:
        float32 tensor `(..., N, M)`.
    """
    count = rows.shape[-2] or tf.shape(rows)[-2]
    paddings = [[0, 0]] * (rows.shape.rank - 2) + [[0, -count % _BLOCK], [0, 0]]
    lines = _product(tf.pad(rows, paddings), planes)
    return _product(lines, columns, transpose_b=True)[..., :count, :]


_BLOCK = 24
"""Rows of a product are made so many at a time.

The problem: libraries share the rows out among threads, and make those that are left of each share
in another way, which costs the last bit: `tf.data` has one thread for each photo, where `distort`
has all. They compute 4, 6 or 8 rows together, so that nothing is left of a multiple of 24."""

_RUN = 64
"""Products that are summed up together. Longer sums are cut, too, by caches and threads."""


def _product(left: tf.Tensor, right: tf.Tensor, transpose_b: bool = False) -> tf.Tensor:
    """`tf.matmul` of a multiple of `_BLOCK` rows, the same to the last bit in any thread."""

    def of_run(start: int | tf.Tensor) -> tf.Tensor:
        run = slice(start, start + _RUN)
        part = right[..., run] if transpose_b else right[..., run, :]
        return tf.matmul(left[..., run], part, transpose_b=transpose_b)

    made = of_run(0)
    if left.shape[-1] is not None:
        for start in range(_RUN, left.shape[-1], _RUN):
            made += of_run(start)
        return made
    length = tf.shape(left)[-1]
    _, made = tf.while_loop(
        lambda start, _: start < length,
        lambda start, made: (start + _RUN, made + of_run(start)),
        (_RUN, made),
    )
    return made


def reduce(planes: tf.Tensor, weights: tf.Tensor, step: int, axis: int) -> tf.Tensor:
    """Replaces rows (or columns) by fewer, each a weighted sum of rows side by side.

    Args:
        planes: tensor `(T, C, rows, columns)`, `step` (N - 1) + K along the axis.
        weights: float32 tensor `(K, T, N)`, K known: row i is the sum of these times rows `step` i
            to `step` i + K - 1. N comes last, so that weights of neighbours lie side by side.
        step: rows from one sum to the next.
        axis: `ROWS` or `COLUMNS`.

    Returns:
        float32 tensor, N along the axis.
    """
    weights = tf.expand_dims(weights[:, :, tf.newaxis], -1 if axis == ROWS else -2)
    parts = shifted(tf.cast(planes, tf.float32), axis, weights.shape[0], step)
    return tf.add_n(
        [weight * part for weight, part in zip(tf.unstack(weights), parts, strict=True)]
    )


def enlarge(planes: tf.Tensor, weights: tf.Tensor, axis: int) -> tf.Tensor:
    """Replaces rows (or columns) by more, blocks of S of which are weighted sums of the same rows.

    Args:
        planes: float32 tensor `(T, C, rows, columns)`, N + K - 1 along the axis.
        weights: float32 tensor `(T, N, S, K)`, K known: row S i + j is the sum of these times rows
            i to i + K - 1.
        axis: `ROWS` or `COLUMNS`.

    Returns:
        float32 tensor, S N along the axis.
    """
    block = 5 + axis  # the axis along which the pixels of a block lie
    weights = weights[:, tf.newaxis]
    weights = weights[..., tf.newaxis, :] if axis == ROWS else weights[:, :, tf.newaxis]
    weights = tf.unstack(weights, axis=5)
    parts = [tf.expand_dims(part, block) for part in shifted(planes, axis, len(weights))]
    blocks = tf.add_n([weight * part for weight, part in zip(weights, parts, strict=True)])
    shape = tf.unstack(tf.shape(blocks))
    shape[block - 1 : block + 1] = [shape[block - 1] * shape[block]]
    return tf.reshape(blocks, shape)
