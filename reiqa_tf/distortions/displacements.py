"""Pixels painted over, copied elsewhere or taken from beside their place."""

import functools
import math

import tensorflow as tf

from reiqa_tf.distortions.fusing import fused
from reiqa_tf.distortions.random_fields import LARGEST_NORMAL, NORMAL_STEP, normal_field
from reiqa_tf.distortions.windows import RIM, around
from reiqa_tf.image.scaling import to_unit_range

_BLOCK_SIDE = 32
_MOST_BLOCKS = 10
_PATCH_SIDE = 16
_PATCH_AREA = _PATCH_SIDE**2
_FARTHEST = 8
_MOST_PATCHES = 100
_ROUNDS = 5
_NEAR = 2
"""How far a round looks for displacements of less than a pixel: cubic convolution reaches 2 px."""

JITTER_LEVELS = (0.05, 0.1, 0.2, 0.5, 1)


def round_reach(deviation):
    """How far a round of `jitter` may look, an integer of pixels.

    Args:
        deviation: standard deviation of the displacements in pixels.
    """
    return math.ceil(deviation * LARGEST_NORMAL) + _NEAR - 1


JITTER_REACHES = tuple(_ROUNDS * round_reach(deviation) for deviation in JITTER_LEVELS)
"""How far five rounds of each level can look."""

_JITTER_REACH = JITTER_REACHES[-1]


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


def cut_blocks(windows, count, drawn):  # noqa: ARG001
    """Where squares lie from windows: first rows and first columns, int32 `(T, 10)`; colours."""
    tops, lefts, colors = drawn
    return (
        tops - tf.stack(windows.tops)[:, tf.newaxis],
        lefts - tf.stack(windows.lefts)[:, tf.newaxis],
        colors,
    )


def color_block(pixels, count, tops, lefts, colors):
    """Squares of 32 px painted one after the other."""
    image = around(pixels, 0)
    rows, columns = (tf.range(size) for size in tf.unstack(tf.shape(image)[2:]))
    bits = _bits(_MOST_BLOCKS, count)[tf.newaxis]  # one word, which stands where channels do
    down = _lying_at(tops, rows, bits, _BLOCK_SIDE)[:, :, :, tf.newaxis]
    right = _lying_at(lefts, columns, bits, _BLOCK_SIDE)[:, :, tf.newaxis]
    covering = tf.bitwise.bitwise_and(down, right)
    for i in range(_MOST_BLOCKS):
        covered = tf.bitwise.bitwise_and(covering, 1 << i) > 0
        image = tf.where(covered, colors[i][:, tf.newaxis, tf.newaxis], image)
    return image


def draw_copies(seed, count, photo):  # noqa: ARG001
    """Patches that are copied, one after the other, and what each brings.

    Args:
        seed: int32 tensor `(2,)`.
        count: number of patches.
        photo: the `Photo`.

    Returns:
        int32 tops `(100,)` and lefts `(100,)` of the places that are painted; the patches, a tensor
        `(100, 3, 16, 16)` of the photo's type.
    """
    from_rows, from_columns, to_rows, to_columns = copies(seed, photo.height, photo.width)
    sources = _traced(from_rows, from_columns, to_rows, to_columns, photo.width)
    patches = tf.gather(tf.reshape(photo.planes, (3, -1)), sources, axis=1)
    return to_rows, to_columns, tf.transpose(patches, (1, 0, 2, 3))


def copies(seed, height, width):
    """Draws which patches are copied where.

    Args:
        seed: int32 tensor `(2,)`.
        height: of the photo.
        width: of the photo.

    Returns:
        int32 tensors `(100,)`: first rows and columns before, first rows and columns after.
    """
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
    return from_rows, from_columns, to_rows, to_columns


@fused
def _traced(from_rows, from_columns, to_rows, to_columns, width):
    """Where in the untouched photo the pixels of each patch come from.

    What a patch copies may have been painted by those before it: such a pixel is one of another
    patch's, whose own origin is asked for until all are found in the untouched photo.

    Returns:
        int32 tensor `(100, 16, 16)`, places in the flattened photo.
    """
    inside = tf.range(_PATCH_SIDE)
    number = tf.range(_MOST_PATCHES)
    # From what a patch copies to the places that those before it have painted.
    is_before = number < number[:, tf.newaxis]
    rows = tf.where(is_before, to_rows - from_rows[:, tf.newaxis], _PATCH_SIDE)
    columns = to_columns - from_columns[:, tf.newaxis]
    bits = _words(_bits(_MOST_PATCHES, _MOST_PATCHES))
    latest = _latest(rows, columns, inside, inside, bits)
    painter = tf.maximum(latest, 0)
    row, column = inside[:, tf.newaxis], inside
    itself = _PATCH_AREA * number[:, tf.newaxis, tf.newaxis] + _PATCH_SIDE * row + column
    starts = _PATCH_AREA * number - _PATCH_SIDE * rows - columns
    painted = tf.gather(starts, painter, batch_dims=1) + _PATCH_SIDE * row + column
    origin = tf.reshape(tf.where(latest >= 0, painted, itself), (-1,))

    # Twice as far at each step.
    _, origin = tf.while_loop(
        lambda before, after: tf.reduce_any(before != after),
        lambda _, after: (after, tf.gather(after, after)),
        (origin, tf.gather(origin, origin)),
        parallel_iterations=1,
    )
    places = (from_rows * width + from_columns)[:, tf.newaxis, tf.newaxis] + row * width + column
    return tf.reshape(tf.gather(tf.reshape(places, (-1,)), origin), places.shape)


def cut_copies(windows, count, drawn):
    """Which pixel of which patch lies at each pixel of windows.

    Returns:
        int32 tensor `(T, rows, columns)`, places in the flattened red planes of the patches (-1:
        none), and the patches.
    """
    rows, columns, patches = drawn
    tops, lefts = tf.stack(windows.tops), tf.stack(windows.lefts)
    places = _last_painted(
        rows - tops[:, tf.newaxis],
        columns - lefts[:, tf.newaxis],
        _words(_bits(_MOST_PATCHES, count)),
        tf.zeros((windows.rows, windows.columns), tf.bool),
    )
    return places, patches


@fused
def _last_painted(rows, columns, bits, window):
    inner_rows, inner_columns = tf.range(tf.shape(window)[0]), tf.range(tf.shape(window)[1])
    latest = _latest(rows, columns, inner_rows, inner_columns, bits)
    starts = 3 * _PATCH_AREA * tf.range(_MOST_PATCHES) - _PATCH_SIDE * rows - columns
    place = tf.gather(starts, tf.maximum(latest, 0), batch_dims=1)
    place += _PATCH_SIDE * inner_rows[:, tf.newaxis] + inner_columns
    return tf.where(latest >= 0, place, -1)


def non_eccentricity(pixels, count, places, patches):  # noqa: ARG001
    """Patches of 16 px copied to places up to 8 px away."""
    channels = _PATCH_AREA * tf.range(3)[:, tf.newaxis, tf.newaxis]
    places = places[:, tf.newaxis]
    painted = tf.gather(to_unit_range(tf.reshape(patches, (-1,))), places + channels)
    return tf.where(places < 0, around(pixels, 0), painted)


_WORD = 20
"""Patches whose bits are kept in one number: few enough for a float to hold them exactly."""


def _bits(most, count):
    """A bit for each of `most` squares, 0 for those from `count` on: int32 `(most,)`."""
    number = tf.range(most)
    bits = tf.bitwise.left_shift(1, number % _WORD)
    return bits * tf.cast(number < tf.cast(count, tf.int32), tf.int32)


def _words(bits):
    """Bits that have a word in common, side by side: int32 `(words, 20)`."""
    return tf.reshape(bits, (-1, _WORD))


def _latest(tops, lefts, rows, columns, bits):
    """The patch that was painted last, at each pixel.

    Args:
        tops: int32 tensor `(T, 100)`, first rows of patches.
        lefts: int32 tensor `(T, 100)`, first columns.
        rows: int32 tensor `(H,)`, rows that are asked for.
        columns: int32 tensor `(W,)`, likewise.
        bits: of `_words`.

    Returns:
        int32 tensor `(T, H, W)`, numbers of patches, -1: none.
    """
    # Which patches lie at a row and at a column, as bits. What both have in common lies at the
    # pixel, and the highest bit of that is the patch that was painted last.
    down = _lying_at(tops, rows, bits, _PATCH_SIDE)[..., tf.newaxis]
    right = _lying_at(lefts, columns, bits, _PATCH_SIDE)[..., tf.newaxis, :]
    last, base = 0, 0
    for word in range(bits.shape[0]):
        common = tf.bitwise.bitwise_and(down[:, word], right[:, word])
        base = tf.where(common > 0, word * _WORD, base)
        last = tf.where(common > 0, common, last)
    # The exponent of a float is the place of its highest bit.
    exponent = tf.bitwise.right_shift(tf.bitcast(tf.cast(last, tf.float32), tf.int32), 23) - 127
    return tf.where(last > 0, base + exponent, -1)


def _lying_at(starts, positions, bits, side):
    """Sums of the bits of squares that lie at positions.

    Args:
        starts: int32 tensor `(T, squares)`, first positions of squares.
        positions: int32 tensor `(N,)`.
        bits: int32 tensor `(words, bits)`, one for each square.
        side: of the squares.

    Returns:
        int32 tensor `(T, words, N)`.
    """
    offset = positions - starts[..., tf.newaxis]
    inside = tf.cast((offset >= 0) & (offset < side), tf.int32)
    shape = (starts.shape[0], *bits.shape, tf.shape(positions)[0])
    return tf.reduce_sum(tf.reshape(inside, shape) * bits[..., tf.newaxis], axis=2)


def draw_jitter(seed, deviation, photo):  # noqa: ARG001
    """Displacements of five rounds, `(rows, 10, columns)`, down then right.

    They are int8, in `NORMAL_STEP` of a standard deviation, and go on around the photo's wanted
    rows and columns by the farthest reach. Rounds stand between rows and columns, so that one round
    of a window is cut out in whole lines.
    """
    margin = _JITTER_REACH
    rows, columns = photo.rows + 2 * margin, photo.width + 2 * (margin + RIM)
    return normal_field(seed, photo.first_row - margin, rows, columns, 2 * _ROUNDS)


@functools.cache
def cut_jittered(reach):
    """How windows are cut whose pixels, five times, are taken from beside, by cubic convolution.

    Args:
        reach: of `round_reach`.

    Returns:
        function of windows, the deviation and what was drawn, that makes T float32 tensors
        `(3, rows, columns)`, not clipped.
    """
    displace, margin = _displace_by(reach), _ROUNDS * reach

    def cut(windows, deviation, drawn):
        pixels = windows.cut(windows.photo.beyond(margin + RIM, "mirror"), margin)
        made = []
        # One window after the other: it stays in the processor's cache for five rounds.
        for image, top, left in zip(
            tf.unstack(to_unit_range(pixels), len(windows.tops)),
            windows.tops,
            windows.lefts,
            strict=True,
        ):
            for number in range(_ROUNDS):
                margin_left = margin - (number + 1) * reach
                outer = _JITTER_REACH - margin_left  # displacements beside those of this round
                round_drawn = tf.slice(
                    drawn,
                    (top - windows.photo.first_row + outer, 2 * number, left + RIM + outer),
                    (windows.rows + 2 * margin_left, 2, windows.columns + 2 * margin_left),
                )
                image = displace(image, round_drawn, deviation)
            made.append(image)
        return tuple(made)

    return cut


def jitter(pixels, deviation, *windows):  # noqa: ARG001
    """What `cut_jittered` says, clipped."""
    return tf.clip_by_value(tf.stack(windows), 0.0, 1.0)


@functools.cache
def _displace_by(reach):
    """A round of displacement by less than `reach` - 1 px: fixed neighbours, most of no weight.

    Looking up the four by four that count takes longer, for that cannot be done in vectors.

    Args:
        reach: an integer, at least 2.

    Returns:
        function of a float32 image `(3, H + 2 reach, W + 2 reach)`, int8 displacements `(H, 2, W)`
        in `NORMAL_STEP` of the deviation, and the deviation in pixels, that returns a float32
        image `(3, H, W)`.
    """
    weights = _near_weights if reach == _NEAR else _far_weights(reach)

    @fused
    def displace(image, drawn, deviation):
        down, right = tf.unstack(NORMAL_STEP * deviation * tf.cast(drawn, tf.float32), axis=1)
        return _correlated(image, weights(down), weights(right))

    return displace


def _near_weights(displacement):
    """Keys' weights (a = -0.5) of the pixels at -2 to 2 for a displacement of less than 1.

    Each is an even and an odd function of the displacement, which saves asking for its sign.
    """
    t = tf.abs(displacement)
    inner = t - t * t
    near_even, near_odd = t * t * (1.5 - t), displacement * (0.5 + 0.5 * inner)
    far_even, far_odd = -0.25 * inner * t, -0.25 * inner * displacement
    here = 1.0 - 2.0 * (near_even + far_even)
    return (
        far_even - far_odd,
        near_even - near_odd,
        here,
        near_even + near_odd,
        far_even + far_odd,
    )


def _far_weights(reach):
    """The same of the pixels at -reach to reach, for a displacement of less than `reach` - 1.

    Args:
        reach: an integer.

    Returns:
        function of the displacement.
    """
    starts = range(1 - reach, reach - 1)

    def weights(displacement):
        start = tf.floor(displacement)
        t = displacement - start
        of_four = (
            t * (t * (1.0 - 0.5 * t) - 0.5),
            (1.5 * t - 2.5) * t * t + 1.0,
            t * (t * (2.0 - 1.5 * t) + 0.5),
            (0.5 * t - 0.5) * t * t,
        )
        begins = {each: start == float(each) for each in starts}
        made = []
        for place in range(-reach, reach + 1):
            # Of the four pixels around, the first lies one before the start.
            weight = tf.zeros_like(t)
            for i, one in enumerate(of_four):
                if place + 1 - i in begins:
                    weight = tf.where(begins[place + 1 - i], one, weight)
            made.append(weight)
        return made

    return weights


def _correlated(image, row_weights, column_weights):
    last = len(row_weights) - 1
    return sum(
        row_weight
        * sum(
            column_weight * image[:, i : i - last or None, j : j - last or None]
            for j, column_weight in enumerate(column_weights)
        )
        for i, row_weight in enumerate(row_weights)
    )
