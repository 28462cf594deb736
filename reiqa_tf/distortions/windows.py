"""Where an operator reads: windows of a photo, with the neighbourhood that the operator needs.

Every operator of the bank works on windows. A whole photo is one window; the crops of a training
pair are two. An operator asks for the pixels of its windows and for a margin around them, and the
photo's border is continued there by the rule that the operator names. So distorting a window gives
the same pixels as distorting the whole photo and cropping.
"""

import dataclasses

import tensorflow as tf

from reiqa_tf.image.scaling import to_unit_range

CANVAS_MARGIN = 64
"""Pixels that a canvas continues a photo on each side: the widest margin an operator reads."""


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


def extend(image, margins, border):
    """Continues a picture beyond its border.

    Args:
        image: tensor `(H, W, C)`.
        margins: `(top, bottom, left, right)` in pixels, integers or scalar integer tensors.
        border: a name in `BORDERS`.

    Returns:
        tensor `(top + H + bottom, left + W + right, C)`.
    """
    index = BORDERS[border]
    top, bottom, left, right = margins
    for axis, before, after in ((0, top, bottom), (1, left, right)):
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


class Photo:
    """A photo and the rows of it that are wanted.

    Attributes:
        image: tensor `(H, W, 3)`, 8-bit levels or float32 in [0, 1].
        height: H, an integer or a scalar int32 tensor.
        width: W, likewise.
        first_row: first row for which random fields are drawn.
        rows: number of rows for which random fields are drawn.
    """

    def __init__(self, image, first_row=0, rows=None):
        self.image = image
        shape = tf.shape(image)
        self.height = shape[0] if image.shape[0] is None else image.shape[0]
        self.width = shape[1] if image.shape[1] is None else image.shape[1]
        self.first_row = first_row
        self.rows = self.height if rows is None else rows
        self._canvases = {}

    def canvas(self, border):
        """The photo continued by `CANVAS_MARGIN` pixels on each side, made once."""
        if border not in self._canvases:
            self._canvases[border] = extend(self.image, (CANVAS_MARGIN,) * 4, border)
        return self._canvases[border]

    def part(self, top, left, rows, columns):
        """Cuts a rectangle out of the photo.

        Args:
            top: first row, inside the photo.
            left: first column, inside the photo.
            rows: height in pixels.
            columns: width in pixels.

        Returns:
            float32 tensor `(rows, columns, 3)` in [0, 1].
        """
        return to_unit_range(tf.slice(self.image, (top, left, 0), (rows, columns, 3)))

    def at(self, coordinates):
        """Takes pixels at given rows and columns.

        Args:
            coordinates: T pairs of int32 tensors, rows `(N,)` and columns `(M,)`.

        Returns:
            float32 tensor `(T, N, M, 3)` in [0, 1].
        """
        return to_unit_range(
            tf.stack(
                [
                    tf.gather(tf.gather(self.image, rows), columns, axis=1)
                    for rows, columns in coordinates
                ]
            )
        )

    def with_rows(self, first_row, rows):
        """The same photo and canvases, with other rows wanted.

        Args:
            first_row: first row wanted, may lie above the photo.
            rows: number of rows wanted, may reach below the photo.

        Returns:
            a `Photo` whose rows are those that exist.
        """
        start = tf.clip_by_value(first_row, 0, self.height)
        stop = tf.clip_by_value(first_row + rows, 0, self.height)
        photo = Photo(self.image, start, stop - start)
        photo._canvases = self._canvases
        return photo


@dataclasses.dataclass(frozen=True)
class Windows:
    """Equal windows of one photo, all inside it.

    Attributes:
        photo: the `Photo`.
        tops: first row of each window, a sequence of T integers or scalar int32 tensors.
        lefts: first column of each window, likewise.
        rows: height of the windows in pixels.
        columns: width of the windows in pixels.
    """

    photo: Photo
    tops: tuple
    lefts: tuple
    rows: int
    columns: int

    @classmethod
    def whole(cls, photo):
        """One window that is the whole photo."""
        return cls(photo, (0,), (0,), photo.height, photo.width)

    def pixels(self, margin=0, border="edge"):
        """Pixels of the windows and of a margin around them.

        Args:
            margin: pixels on each side, at most `CANVAS_MARGIN`.
            border: how the photo goes on beyond its border, a name in `BORDERS`.

        Returns:
            float32 tensor `(T, rows + 2 margin, columns + 2 margin, 3)` in [0, 1].
        """
        canvas = self.photo.canvas(border)
        offset = CANVAS_MARGIN - margin
        size = (self.rows + 2 * margin, self.columns + 2 * margin, 3)
        return to_unit_range(
            tf.stack(
                [
                    tf.slice(canvas, (top + offset, left + offset, 0), size)
                    for top, left in zip(self.tops, self.lefts, strict=True)
                ]
            )
        )

    def inside(self):
        """Pixels of the windows alone: float32 `(T, rows, columns, 3)` in [0, 1]."""
        return to_unit_range(self.of(self.photo.image))

    def of(self, image):
        """Cuts the windows out of something as large as the photo.

        Args:
            image: tensor `(H, W, C)`.

        Returns:
            tensor `(T, rows, columns, C)`.
        """
        return self._cut(image, 0, 0)

    def field(self, field, margin=0, drawn_margin=0):
        """Cuts the windows out of a random field that was drawn for the photo's wanted rows.

        Args:
            field: tensor `(photo.rows + 2 drawn_margin, W + 2 drawn_margin, C)`.
            margin: pixels wanted on each side of the windows.
            drawn_margin: pixels by which the field goes on around the wanted rows.

        Returns:
            tensor `(T, rows + 2 margin, columns + 2 margin, C)`.
        """
        return self._cut(field, drawn_margin - self.photo.first_row, drawn_margin, margin)

    def _cut(self, image, down, right, margin=0):
        size = (self.rows + 2 * margin, self.columns + 2 * margin, image.shape[-1])
        return tf.stack(
            [
                tf.slice(image, (top + down - margin, left + right - margin, 0), size)
                for top, left in zip(self.tops, self.lefts, strict=True)
            ]
        )

    def coordinates(self, margin=0, border="edge"):
        """Rows and columns of the photo that the windows and a margin around them show.

        Args:
            margin: pixels on each side.
            border: a name in `BORDERS`.

        Returns:
            list of T pairs of int32 tensors: rows `(rows + 2 margin,)` and columns
            `(columns + 2 margin,)`, all inside the photo.
        """
        index = BORDERS[border]
        return [
            (
                index(tf.range(top - margin, top + self.rows + margin), self.photo.height),
                index(tf.range(left - margin, left + self.columns + margin), self.photo.width),
            )
            for top, left in zip(self.tops, self.lefts, strict=True)
        ]
