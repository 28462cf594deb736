"""Squares that are painted over a photo, or copied inside of it."""

import tensorflow as tf

from reiqa_tf.distortions.distortion import WHOLE_PHOTO, Distortion, Tensors
from reiqa_tf.distortions.engine.programs import fused
from reiqa_tf.distortions.engine.windows import RIM, Photo, Size, Windows, around, extend
from reiqa_tf.image.scaling import to_unit_range


class ColorBlock(Distortion):
    """Squares of 32 px in random colours at random places, painted one after the other."""

    name = "color_block"
    levels = (2, 4, 6, 8, 10)
    unit = "squares of 32 px"
    random = True

    _SIDE = 32
    _MOST = levels[-1]

    def draw(self, seed: tf.Tensor, value: tf.Tensor, photo: Photo) -> Tensors:
        # Always ten squares, of which the first are painted: a level contains the milder ones.
        seeds = tf.random.split(seed, 3)
        tops = _whole_numbers(seeds[0], self._MOST, 0, photo.height - self._SIDE)
        lefts = _whole_numbers(seeds[1], self._MOST, 0, photo.width - self._SIDE)
        return tops, lefts, tf.random.stateless_uniform((self._MOST, 3), seeds[2])

    def prepare(self, windows: Windows, value: tf.Tensor, drawn: Tensors) -> Tensors:
        tops, lefts, colors = drawn
        down = tops - tf.stack(windows.tops)[:, tf.newaxis]
        right = lefts - tf.stack(windows.lefts)[:, tf.newaxis]
        return down, right, colors

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        tops, lefts, colors = prepared
        image = around(pixels)
        # Squares as bits: those that a row and a column have in common lie at the pixel.
        number = tf.range(self._MOST)
        bits = tf.where(tf.cast(number, tf.float32) < value, tf.bitwise.left_shift(1, number), 0)

        def lying(starts: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
            """The bits of the squares that lie at each row, or at each column: `(T, size)`."""
            offset = tf.range(size) - starts[..., tf.newaxis]
            is_inside = (offset >= 0) & (offset < self._SIDE)
            return tf.reduce_sum(tf.where(is_inside, bits[:, tf.newaxis], 0), axis=1)

        down, right = lying(tops, tf.shape(image)[2]), lying(lefts, tf.shape(image)[3])
        covering = down[:, tf.newaxis, :, tf.newaxis] & right[:, tf.newaxis, tf.newaxis]
        for i in range(self._MOST):
            covered = covering & (1 << i) > 0
            image = tf.where(covered, colors[i][:, tf.newaxis, tf.newaxis], image)
        return image


class NonEccentricity(Distortion):
    """Patches of 16 px copied to places up to 8 px away in each direction, one after the other."""

    name = "non_eccentricity"
    levels = (20, 40, 60, 80, 100)
    unit = "patches of 16 px"
    random = True
    neighbourhood = WHOLE_PHOTO

    SIDE = 16
    _FARTHEST = 8

    def draw(self, seed: tf.Tensor, value: tf.Tensor, photo: Photo) -> Tensors:
        copies = self.copies(seed, photo.height, photo.width)
        places, origins = (
            tf.reshape(rows * photo.width + columns, (-1, 1))
            for rows, columns in _final_origins(*copies, value)
        )
        pixels = tf.reshape(photo.image, (-1, 3))
        pixels = tf.tensor_scatter_nd_update(pixels, places, tf.gather_nd(pixels, origins))
        image = tf.reshape(pixels, (photo.height, photo.width, 3))
        return extend(image, (RIM,) * 4, "edge")

    def prepare(self, windows: Windows, value: tf.Tensor, drawn: Tensors) -> Tensors:
        return windows.cut(drawn, -RIM, -RIM, axes=(0, 1))

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        return to_unit_range(tf.transpose(prepared, (0, 3, 1, 2)))

    def copies(
        self, seed: tf.Tensor, height: Size, width: Size
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Draws which patches are copied where.

        Args:
            seed: int32 tensor `(2,)`.
            height: of the photo.
            width: of the photo.

        Returns:
            int32 tensors `(100,)`: first rows and columns before, first rows and columns after.
        """
        # Always a hundred, of which the first are copied: a level contains the milder ones.
        seeds = tf.random.split(seed, 4)
        most = self.levels[-1]
        rows, columns = height - self.SIDE, width - self.SIDE
        from_rows = _whole_numbers(seeds[0], most, 0, rows)
        from_columns = _whole_numbers(seeds[1], most, 0, columns)
        down = _whole_numbers(seeds[2], most, -self._FARTHEST, self._FARTHEST)
        right = _whole_numbers(seeds[3], most, -self._FARTHEST, self._FARTHEST)
        to_rows = tf.clip_by_value(from_rows + down, 0, rows)
        to_columns = tf.clip_by_value(from_columns + right, 0, columns)
        return from_rows, from_columns, to_rows, to_columns


@fused
def _final_origins(
    from_rows: tf.Tensor,
    from_columns: tf.Tensor,
    to_rows: tf.Tensor,
    to_columns: tf.Tensor,
    count: tf.Tensor,
) -> tuple[tuple[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Where patches paint, and where in the untouched photo what stands there at last is from.

    The problem: a patch may copy what those before it painted. Copying one after the other in a
    loop over the photo takes as long as a tenth of a pair; here all are followed back at once.

    Args:
        from_rows: int32 tensor `(P,)`, first row that each patch copies.
        from_columns: first column, likewise.
        to_rows: first row that it paints.
        to_columns: first column, likewise.
        count: how many patches are painted.

    Returns:
        rows and columns, int32 tensors `(P, 16, 16)`, of the painted places, then of the origins.
        Patches that are not painted stand for places that stay as they are.
    """
    side, most = NonEccentricity.SIDE, from_rows.shape[0]
    number, inside = tf.range(most), tf.range(side)
    row, column = inside[:, tf.newaxis], inside
    word = tf.range(most // _BITS)[:, tf.newaxis, tf.newaxis]

    def in_words(of_patches: tf.Tensor) -> tf.Tensor:
        """Patches as bits of words: bool `(P, P, 16)` to int32 `(P, words, 16)`."""
        bits = tf.bitwise.left_shift(1, number % _BITS)[:, tf.newaxis]
        words = tf.where(of_patches, bits, 0)
        return tf.reduce_sum(tf.reshape(words, (most, most // _BITS, _BITS, side)), axis=2)

    def latest(rows: tf.Tensor, columns: tf.Tensor, may: tf.Tensor) -> tf.Tensor:
        """The last patch, of those it may be, that paints each pixel of squares there, or -1."""
        down = rows[:, tf.newaxis, tf.newaxis] + inside - to_rows[:, tf.newaxis]
        right = columns[:, tf.newaxis, tf.newaxis] + inside - to_columns[:, tf.newaxis]
        down = (
            (down >= 0)
            & (down < side)
            & (may & (tf.cast(number, tf.float32) < count))[..., tf.newaxis]
        )
        right = (right >= 0) & (right < side)
        common = in_words(down)[..., tf.newaxis] & in_words(right)[:, :, tf.newaxis]
        # The highest bit is the exponent of the word as a float.
        as_floats = tf.bitcast(tf.cast(common, tf.float32), tf.int32)
        highest = tf.bitwise.right_shift(as_floats, 23) - 127
        return tf.reduce_max(tf.where(common > 0, _BITS * word + highest, -1), axis=1)

    def pixel(painter: tf.Tensor, firsts: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Among the pixels of all patches, that of a patch which lies at the pixels of squares."""
        down, right = (first[:, tf.newaxis, tf.newaxis] for first in firsts)
        painter = tf.maximum(painter, 0)
        down = down + row - tf.gather(to_rows, painter)
        right = right + column - tf.gather(to_columns, painter)
        return (painter * side + down) * side + right

    painter = latest(from_rows, from_columns, number < number[:, tf.newaxis])
    itself = tf.reshape(tf.range(most * side * side), (most, side, side))
    origin = tf.where(painter >= 0, pixel(painter, (from_rows, from_columns)), itself)
    origin = tf.reshape(origin, (-1,))
    for _ in range(most.bit_length()):  # twice as far back at each step
        origin = tf.gather(origin, origin)
    last = latest(to_rows, to_columns, number[:, tf.newaxis] >= 0)
    stands = tf.gather(origin, pixel(last, (to_rows, to_columns)))
    patch = stands // (side * side)
    targets = (
        to_rows[:, tf.newaxis, tf.newaxis] + row + 0 * column,
        to_columns[:, tf.newaxis, tf.newaxis] + 0 * row + column,
    )
    rows = tf.gather(from_rows, patch) + stands // side % side
    columns = tf.gather(from_columns, patch) + stands % side
    is_there = last >= 0
    return targets, (tf.where(is_there, rows, targets[0]), tf.where(is_there, columns, targets[1]))


_BITS = 20
"""Patches in a word: as a float it is then exact."""


def _whole_numbers(seed: tf.Tensor, count: int, lowest: int, highest: Size) -> tf.Tensor:
    """So many random whole numbers from `lowest` to `highest`, both included."""
    return tf.random.stateless_uniform((count,), seed, lowest, highest + 1, tf.int32)
