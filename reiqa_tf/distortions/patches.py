"""Squares that are painted over a photo, or copied inside of it."""

import tensorflow as tf

from reiqa_tf.distortions.distortion import WHOLE_PHOTO, Distortion, Tensors
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

    _SIDE = 16
    _FARTHEST = 8

    def draw(self, seed: tf.Tensor, value: tf.Tensor, photo: Photo) -> Tensors:
        from_rows, from_columns, to_rows, to_columns = self.copies(seed, photo.height, photo.width)
        inside = tf.range(self._SIDE)
        inside = tf.reshape(inside[:, tf.newaxis] * photo.width + inside, (-1, 1))
        old = (from_rows * photo.width + from_columns)[:, tf.newaxis, tf.newaxis] + inside
        new = (to_rows * photo.width + to_columns)[:, tf.newaxis, tf.newaxis] + inside

        def copy(number: tf.Tensor, pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            patch = tf.gather_nd(pixels, old[number])
            return number + 1, tf.tensor_scatter_nd_update(pixels, new[number], patch)

        count = tf.cast(value, tf.int32)
        _, pixels = tf.while_loop(
            lambda number, _: number < count,
            copy,
            (0, tf.reshape(photo.image, (-1, 3))),
            parallel_iterations=1,
        )
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
        rows, columns = height - self._SIDE, width - self._SIDE
        from_rows = _whole_numbers(seeds[0], most, 0, rows)
        from_columns = _whole_numbers(seeds[1], most, 0, columns)
        down = _whole_numbers(seeds[2], most, -self._FARTHEST, self._FARTHEST)
        right = _whole_numbers(seeds[3], most, -self._FARTHEST, self._FARTHEST)
        to_rows = tf.clip_by_value(from_rows + down, 0, rows)
        to_columns = tf.clip_by_value(from_columns + right, 0, columns)
        return from_rows, from_columns, to_rows, to_columns


def _whole_numbers(seed: tf.Tensor, count: int, lowest: int, highest: Size) -> tf.Tensor:
    """So many random whole numbers from `lowest` to `highest`, both included."""
    return tf.random.stateless_uniform((count,), seed, lowest, highest + 1, tf.int32)
