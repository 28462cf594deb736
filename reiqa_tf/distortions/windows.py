"""Where an operator reads: windows of a photo, with the neighbourhood that the operator needs.

Every operator of the bank works on windows. A whole photo is one window; the crops of a training
pair are two. An operator asks for the pixels of its windows and for a margin around them, and the
photo's border is continued there by the rule that the operator names. So distorting a window gives
the same pixels as distorting the whole photo and cropping.

Inside the bank pictures are planes, `(T, 3, rows, columns)`: neighbours along a row then lie side
by side in memory, which is what makes loops over them fast.
"""

import copy
import dataclasses

import tensorflow as tf

from reiqa_tf.image.scaling import to_unit_range

MARGIN = 16
"""Pixels around a window that operators are given, the photo's edge replicated."""

RIM = 4
"""Pixels by which a window may reach beyond the photo. What is there is finite, and no more."""


SMALLEST_SIDE = 32
"""Smallest width and height of a photo in pixels: a square of `color_block` fits in."""


def edge_index(index, size):
    """Brings positions outside of `0 .. size - 1` to the nearest pixel inside.

    Args:
        index: integer tensor of positions.
        size: number of pixels along this axis.

    Returns:
        integer tensor of the same shape.
    """
    return tf.clip_by_value(index, 0, size - 1)


def mirror_index(index, size):
    """Reflects positions outside of `0 .. size - 1` at the border (`c b a | a b c | c b a`).

    Args:
        index: integer tensor of positions, however far outside.
        size: number of pixels along this axis.

    Returns:
        integer tensor of the same shape.
    """
    index = tf.math.floormod(index, 2 * size)
    return tf.minimum(index, 2 * size - 1 - index)


BORDERS = {"edge": edge_index, "mirror": mirror_index}
"""How a photo goes on beyond its border: the last pixel repeated, or the photo reflected."""


def extend(image, margins, border, axes=(0, 1)):
    """Continues a picture beyond its border.

    Args:
        image: tensor `(H, W, C)`, or of other axes.
        margins: `(top, bottom, left, right)` in pixels, integers or scalar integer tensors.
        border: a name in `BORDERS`.
        axes: which axes are rows and columns.

    Returns:
        tensor `(top + H + bottom, left + W + right, C)`.
    """
    index = BORDERS[border]
    top, bottom, left, right = margins
    for axis, before, after in ((axes[0], top, bottom), (axes[1], left, right)):
        size = tf.shape(image)[axis]
        image = tf.concat(
            [
                tf.gather(image, index(tf.range(-before, 0), size), axis=axis),
                image,
                tf.gather(image, index(tf.range(size, size + after), size), axis=axis),
            ],
            axis,
        )
    return image


def around(pixels, margin):
    """What an operator reads of the pixels it is given.

    Args:
        pixels: tensor `(T, 3, rows + 2 MARGIN, columns + 2 MARGIN)`, levels or floats.
        margin: pixels on each side of the windows, an integer of at most `MARGIN`.

    Returns:
        float32 tensor `(T, 3, rows + 2 margin, columns + 2 margin)` in [0, 1].
    """
    return to_unit_range(trimmed(pixels, MARGIN - margin))


def trimmed(planes, border):
    """Planes without their outermost `border` rows and columns, an integer."""
    if not border:
        return planes
    return planes[:, :, border:-border, border:-border]


class Photo:
    """A photo and the rows of it that are wanted.

    Attributes:
        image: tensor `(H, W, 3)`, 8-bit levels or float32 in [0, 1].
        height: H, an integer or a scalar int32 tensor.
        width: W, likewise.
        planes: tensor `(3, H, W)`, the same pixels.
        canvas: the planes and `MARGIN` + `RIM` px around them, the edge replicated.
        first_row: first row for which random fields are drawn; may lie above the photo.
        rows: number of rows for which random fields are drawn; may reach below the photo.
    """

    def __init__(self, image, first_row=0, rows=None):
        self.image = image
        shape = tf.shape(image)
        self.height = shape[0] if image.shape[0] is None else image.shape[0]
        self.width = shape[1] if image.shape[1] is None else image.shape[1]
        self.planes = tf.stack([image[..., channel] for channel in range(3)])
        self.canvas = self.beyond(MARGIN + RIM, "edge")
        self.first_row = first_row
        self.rows = self.height if rows is None else rows

    def beyond(self, margin, border):
        """The planes continued beyond the photo's border.

        Args:
            margin: pixels on each side.
            border: a name in `BORDERS`.

        Returns:
            tensor `(3, H + 2 margin, W + 2 margin)`.
        """
        return extend(self.planes, (margin,) * 4, border, axes=(1, 2))

    def with_rows(self, first_row, rows):
        """The same photo with other rows wanted.

        Args:
            first_row: first row wanted.
            rows: number of rows wanted.

        Returns:
            a `Photo`.
        """
        photo = copy.copy(self)
        photo.first_row, photo.rows = first_row, rows
        return photo


@dataclasses.dataclass(frozen=True)
class Windows:
    """Equal windows of one photo. They may reach `RIM` px beyond it.

    Attributes:
        photo: the `Photo`.
        tops: first row of each window, a sequence of T integers or scalar int32 tensors.
        lefts: first column of each window, likewise.
        rows: height of the windows in pixels.
        columns: width of the windows in pixels.
        pixels: tensor `(T, 3, rows + 2 MARGIN, columns + 2 MARGIN)`, levels or floats as the photo:
            the windows and what is around them, the photo's edge replicated.
    """

    photo: Photo
    tops: tuple
    lefts: tuple
    rows: int
    columns: int
    pixels: tf.Tensor

    @classmethod
    def of(cls, photo, tops, lefts, rows, columns):
        """Cuts windows out of a photo. Args are the attributes."""
        windows = cls(photo, tuple(tops), tuple(lefts), rows, columns, None)
        return dataclasses.replace(windows, pixels=windows.cut(photo.canvas, MARGIN))

    @classmethod
    def whole(cls, photo):
        """One window that is the whole photo."""
        return cls.of(photo, (0,), (0,), photo.height, photo.width)

    @property
    def smallest_photo(self):
        """Pixels that a photo with such windows has, at least, along each axis: an integer."""
        sides = (side for side in (self.rows, self.columns) if isinstance(side, int))
        return max(SMALLEST_SIDE, min(sides, default=0) - 2 * RIM)

    def cut(self, planes, margin):
        """Cuts the windows out of planes that go on around the photo by `margin` + `RIM`.

        Args:
            planes: tensor `(C, H + 2 (margin + RIM), W + 2 (margin + RIM))`.
            margin: pixels wanted on each side of the windows.

        Returns:
            tensor `(T, C, rows + 2 margin, columns + 2 margin)`.
        """
        size = (planes.shape[0], self.rows + 2 * margin, self.columns + 2 * margin)
        return tf.stack(
            [
                tf.slice(planes, (0, top + RIM, left + RIM), size)
                for top, left in zip(self.tops, self.lefts, strict=True)
            ]
        )

    def field(self, field):
        """Cuts the windows out of a random field that was drawn for the photo's wanted rows.

        Args:
            field: tensor `(photo.rows, C, W + 2 RIM)`.

        Returns:
            tensor `(T, rows, C, columns)`.
        """
        size = (self.rows, field.shape[1], self.columns)
        return tf.stack(
            [
                tf.slice(field, (top - self.photo.first_row, 0, left + RIM), size)
                for top, left in zip(self.tops, self.lefts, strict=True)
            ]
        )

    def coordinates(self):
        """Rows and columns of the photo that the windows show.

        Returns:
            list of T pairs of int32 tensors, rows `(rows,)` and columns `(columns,)`.
        """
        return [
            (top + tf.range(self.rows), left + tf.range(self.columns))
            for top, left in zip(self.tops, self.lefts, strict=True)
        ]
