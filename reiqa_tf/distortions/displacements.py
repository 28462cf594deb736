"""Pixels painted over, copied elsewhere or taken from beside their place."""

import math

import tensorflow as tf

from reiqa_tf.distortions.fusing import fused
from reiqa_tf.distortions.random_fields import LARGEST_NORMAL, normal_field
from reiqa_tf.distortions.resampling import cubic
from reiqa_tf.image.scaling import to_unit_range

_BLOCK_SIDE = 32
_MOST_BLOCKS = 10
_PATCH_SIDE = 16
_FARTHEST = 8
_MOST_PATCHES = 100
_ROUNDS = 5
_LARGEST_JITTER = 1.0
_ROUND_REACH = math.ceil(LARGEST_NORMAL * _LARGEST_JITTER) + 2
_NEAR_REACH = 2
JITTER_REACH = _ROUNDS * _ROUND_REACH
"""How far five rounds of the strongest jitter can look: one shape for all levels, compiled once."""


def draw_blocks(seed, count, photo):  # noqa: ARG001
    """Places and colours of squares.

    Args:
        seed: int32 tensor `(2,)`.
        count: not used: the first of ten squares are painted, so that a level contains the milder
            ones.
        photo: the `Photo`.

    Returns:
        int32 tops `(10,)` and lefts `(10,)`, and float32 colours `(10, 3)` in [0, 1).
    """
    seeds = tf.random.split(seed, 3)
    place = {"shape": (_MOST_BLOCKS,), "minval": 0, "dtype": tf.int32}
    tops = tf.random.stateless_uniform(
        seed=seeds[0], maxval=photo.height - _BLOCK_SIDE + 1, **place
    )
    lefts = tf.random.stateless_uniform(
        seed=seeds[1], maxval=photo.width - _BLOCK_SIDE + 1, **place
    )
    return tops, lefts, tf.random.stateless_uniform((_MOST_BLOCKS, 3), seeds[2])


def color_block(windows, count, reach, drawn):  # noqa: ARG001
    """Squares of 32 px painted one after the other."""
    tops, lefts, colors = drawn
    exists = tf.cast(tf.range(_MOST_BLOCKS) < tf.cast(count, tf.int32), tf.float32)
    # Powers of two: of the squares at a pixel, the last one can be read from their sum.
    powers = exists * 2.0 ** tf.range(float(_MOST_BLOCKS))
    sums = [
        tf.linalg.matmul(
            powers[:, tf.newaxis] * _covers(tops, rows), _covers(lefts, columns), transpose_a=True
        )
        for rows, columns in windows.coordinates()
    ]
    return _painted(windows.inside(), tf.stack(sums), colors)


@fused
def _painted(image, sums, colors):
    number = tf.math.log(sums + 0.5) * (1 / math.log(2))
    for i, color in enumerate(tf.unstack(colors)):
        image = tf.where(number[..., tf.newaxis] > i, color, image)
    return image


def _covers(starts, positions):
    """Which squares (rows) cover which positions (columns): float32, 0 or 1."""
    offset = positions[tf.newaxis] - starts[:, tf.newaxis]
    return tf.cast((offset >= 0) & (offset < _BLOCK_SIDE), tf.float32)


def draw_copies(seed, count, photo):
    """Where each pixel comes from after patches were copied, one after the other.

    Args:
        seed: int32 tensor `(2,)`.
        count: number of patches.
        photo: the `Photo`.

    Returns:
        int32 tensor `(H, W, 1)`: index of a pixel of the flattened photo.
    """
    height, width = photo.height, photo.width
    seeds = tf.random.split(seed, 4)
    shape = (_MOST_PATCHES,)
    integers = tf.random.stateless_uniform
    rows, columns = height - _PATCH_SIDE, width - _PATCH_SIDE
    from_rows = integers(shape, seeds[0], 0, rows + 1, tf.int32)
    from_columns = integers(shape, seeds[1], 0, columns + 1, tf.int32)
    down = integers(shape, seeds[2], -_FARTHEST, _FARTHEST + 1, tf.int32)
    right = integers(shape, seeds[3], -_FARTHEST, _FARTHEST + 1, tf.int32)
    to_rows = tf.clip_by_value(from_rows + down, 0, rows)
    to_columns = tf.clip_by_value(from_columns + right, 0, columns)
    inside = tf.range(_PATCH_SIDE)
    patch = tf.reshape(inside[:, tf.newaxis] * width + inside, (1, -1, 1))
    sources = patch + tf.reshape(from_rows * width + from_columns, (-1, 1, 1))
    targets = patch + tf.reshape(to_rows * width + to_columns, (-1, 1, 1))

    def copy(number, origin):
        copied = tf.gather_nd(origin, sources[number])
        return number + 1, tf.tensor_scatter_nd_update(origin, targets[number], copied)

    last = tf.cast(count, tf.int32)
    _, origin = tf.while_loop(
        lambda number, _: number < last,
        copy,
        (0, tf.range(height * width)),
        parallel_iterations=1,
    )
    return tf.reshape(origin, (height, width, 1))


def non_eccentricity(windows, count, reach, drawn):  # noqa: ARG001
    """Patches of 16 px copied to places up to 8 px away."""
    pixels = tf.reshape(windows.photo.image, (-1, 3))
    return to_unit_range(tf.gather(pixels, windows.of(drawn)[..., 0]))


def draw_jitter(seed, deviation, photo):
    """Displacements of five rounds: float32 `(rows, 10, columns)`, in pixels, down then right.

    They go on around the photo's wanted rows and columns by `JITTER_REACH`. Rounds stand between
    rows and columns, so that one round of a window is cut out in whole lines.
    """
    rows, columns = photo.rows + 2 * JITTER_REACH, photo.width + 2 * JITTER_REACH
    field = normal_field(seed, photo.first_row, rows, columns, 2 * _ROUNDS)
    return deviation * tf.reshape(field, (rows, 2 * _ROUNDS, columns))


def jitter(windows, deviation, reach, drawn):  # noqa: ARG001
    """Five times, every pixel is taken from a place beside it, by cubic convolution."""
    windows.photo.canvas("mirror")  # made before the two cases part

    def displaced(displace, round_reach):
        margin = _ROUNDS * round_reach
        images = windows.pixels(margin, "mirror")
        for number in range(_ROUNDS):
            down, right = _displacements(windows, drawn, number, margin - round_reach)
            images = _framed(displace(images, down, right), round_reach)
        return images[:, margin : margin + windows.rows, margin : margin + windows.columns]

    return tf.clip_by_value(
        tf.cond(
            deviation * LARGEST_NORMAL < 1.0,
            lambda: displaced(_displace_near, _NEAR_REACH),
            lambda: displaced(_displace_far, _ROUND_REACH),
        ),
        0.0,
        1.0,
    )


def _displacements(windows, drawn, number, margin):
    """One round's displacements of windows with a margin, down and to the right."""
    first_row = windows.photo.first_row - JITTER_REACH
    size = (windows.rows + 2 * margin, 2, windows.columns + 2 * margin)
    cut = [
        tf.slice(drawn, (top - margin - first_row, 2 * number, left - margin + JITTER_REACH), size)
        for top, left in zip(windows.tops, windows.lefts, strict=True)
    ]
    return tf.unstack(tf.stack(cut), axis=2)


# A frame keeps the size of the pictures from round to round, so that one program serves all five;
# it is as wide as what a round no longer knows.


@fused
def _displace_near(images, down, right):
    """A round of displacement by less than a pixel: fixed neighbours, weights that vary.

    Args:
        images: float32 tensor `(T, H + 2 reach, W + 2 reach, 3)`, the reach `_NEAR_REACH`.
        down: float32 tensor `(T, H, W)`, displacements in pixels.
        right: float32 tensor `(T, H, W)`.

    Returns:
        float32 tensor `(T, H, W, 3)`.
    """
    height, width = tf.unstack(tf.shape(down)[1:])
    offsets = range(-_NEAR_REACH, _NEAR_REACH + 1)
    row_weights = [cubic(offset - down)[..., tf.newaxis] for offset in offsets]
    column_weights = [cubic(offset - right)[..., tf.newaxis] for offset in offsets]
    return sum(
        row_weight
        * sum(
            column_weight * images[:, i : i + height, j : j + width]
            for j, column_weight in enumerate(column_weights)
        )
        for i, row_weight in enumerate(row_weights)
    )


@fused
def _displace_far(images, down, right):
    """A round of displacement by up to `_ROUND_REACH` - 2 px: neighbours are looked up.

    Args and Returns are those of `_displace_near`, with `_ROUND_REACH`.
    """
    shape = tf.shape(images)
    pixels = tf.reshape(images, (-1, 3))
    whole_down, whole_right = tf.floor(down), tf.floor(right)
    rows = tf.range(_ROUND_REACH - 1, shape[1] - _ROUND_REACH - 1)
    columns = tf.range(_ROUND_REACH - 1, shape[2] - _ROUND_REACH - 1)
    first = tf.range(shape[0])[:, tf.newaxis, tf.newaxis] * shape[1]
    row = first + rows[:, tf.newaxis] + tf.cast(whole_down, tf.int32)
    start = row * shape[2] + columns + tf.cast(whole_right, tf.int32)
    row_weights = _cubic_weights(down - whole_down)
    column_weights = _cubic_weights(right - whole_right)
    return sum(
        (row_weight * column_weight)[..., tf.newaxis]
        * tf.gather(pixels, start + (i * shape[2] + j))
        for i, row_weight in enumerate(row_weights)
        for j, column_weight in enumerate(column_weights)
    )


def _framed(images, width):
    return tf.pad(images, ((0, 0), (width, width), (width, width), (0, 0)))


def _cubic_weights(t):
    """Keys' cubic convolution (a = -0.5): weights of the pixels at -1, 0, 1, 2 for a place at t."""
    return (
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )
