"""Squares that are painted over a photo, or copied inside of it."""

import tensorflow as tf

from reiqa_tf.distortions.distortion import WHOLE_PHOTO, Distortion, Tensors
from reiqa_tf.distortions.engine.programs import fused
from reiqa_tf.distortions.engine.windows import RIM, Field, Photo, Size, Windows, around, extend
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
        rows, columns = tf.range(tf.shape(image)[2]), tf.range(tf.shape(image)[3])
        down, right = (
            (offset >= 0) & (offset < self._SIDE)
            for offset in (rows - tops[..., tf.newaxis], columns - lefts[..., tf.newaxis])
        )
        for i in range(self._MOST):
            covered = down[:, i, :, tf.newaxis] & right[:, i, tf.newaxis] & (i < value)
            color = colors[i][:, tf.newaxis, tf.newaxis]
            image = tf.where(covered[:, tf.newaxis], color, image)
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
        painted, shown = _painted(copies, value, photo.width)
        pixels = tf.reshape(photo.image, (-1, 3))
        new = tf.gather(pixels, shown)
        pixels = tf.tensor_scatter_nd_update(pixels, painted[:, tf.newaxis], new)
        image = tf.reshape(pixels, (photo.height, photo.width, 3))
        return Field(extend(image, (RIM,) * 4, "edge"), -RIM, -RIM, axes=(0, 1))

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
def _painted(
    copies: tuple[tf.Tensor, ...], count: tf.Tensor, width: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Which pixels are painted over, and which pixels of the untouched photo they show at last.

    The problem: a patch may copy what those before it painted. Copying one after the other in a
    loop over the photo takes a tenth of a pair longer. So places are followed back, all at once,
    beginning with the last patch.

    Args:
        copies: what `NonEccentricity.copies` returns, int32 tensors `(P,)`.
        count: how many of them are made, a float32 scalar.
        width: of the photo, an int32 scalar.

    Returns:
        int32 tensors `(P * 256,)`, pixels counted row after row. Where copies that are not made
        would paint, pixels show themselves.
    """
    from_rows, from_columns, to_rows, to_columns = copies
    side = NonEccentricity.SIDE
    row = to_rows[:, tf.newaxis, tf.newaxis] + tf.range(side)[:, tf.newaxis]
    column = to_columns[:, tf.newaxis, tf.newaxis] + tf.range(side)
    painted = tf.reshape(row * width + column, (-1,))

    def follow(last: tf.Tensor, row: tf.Tensor, column: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Back before the copies up to `last`, of which there are `_UNROLLED`."""
        for step in range(_UNROLLED):
            i = last - step
            down, right = row - to_rows[i], column - to_columns[i]
            is_inside = (tf.minimum(down, right) >= 0) & (tf.maximum(down, right) < side)
            is_painted = is_inside & (tf.cast(i, tf.float32) < count)
            row = tf.where(is_painted, from_rows[i] + down, row)
            column = tf.where(is_painted, from_columns[i] + right, column)
        return last - _UNROLLED, row, column

    most = from_rows.shape[0]
    shape = (most, side, side)
    _, row, column = tf.while_loop(
        lambda last, *_: last >= 0,
        follow,
        (tf.constant(most - 1), tf.broadcast_to(row, shape), tf.broadcast_to(column, shape)),
    )
    return painted, tf.reshape(row * width + column, (-1,))


_UNROLLED = 10
"""Copies in a round of a loop: as fast as all hundred written out, and compiled in a third of the
time."""


def _whole_numbers(seed: tf.Tensor, count: int, lowest: int, highest: Size) -> tf.Tensor:
    """So many random whole numbers from `lowest` to `highest`, both included."""
    return tf.random.stateless_uniform((count,), seed, lowest, highest + 1, tf.int32)
