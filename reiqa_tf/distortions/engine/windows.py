"""Where an operator reads: windows of a photo, with the neighbourhood that the operator needs.

Every operator of the bank works on windows. A whole photo is one window; the crops of a training
pair are two. An operator asks for the pixels of its windows and for a margin around them, and the
photo's border is continued there by the rule that the operator names. So distorting a window gives
the same pixels as distorting the whole photo and cropping.

Inside the bank pictures are planes, `(T, 3, rows, columns)`: neighbours along a row then lie side
by side in memory, which is what makes loops over them fast.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import tensorflow as tf

from reiqa_tf.image.scaling import to_unit_range

Size: TypeAlias = int | tf.Tensor
"""A number of pixels: known when compiled, or a scalar int32 tensor."""

MARGIN = 16
"""Pixels around a window that operators are given, the photo's edge replicated."""

RIM = 4
"""Pixels by which a window may reach beyond the photo. What is there is finite, and no more."""

SMALLEST_SIDE = 32
"""Smallest width and height of a photo in pixels: a square of `color_block` fits in."""


def edge_index(index: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Brings positions outside of `0 .. size - 1` to the nearest pixel inside.

    Args:
        index: integer tensor of positions.
        size: number of pixels along this axis.

    Returns:
        integer tensor of the same shape.
    """
    return tf.clip_by_value(index, 0, size - 1)


def mirror_index(index: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
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


def extend(
    image: tf.Tensor, margins: Sequence[Size], border: str, axes: Sequence[int] = (0, 1)
) -> tf.Tensor:
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


def trimmed(planes: tf.Tensor, border: int) -> tf.Tensor:
    """Planes without their outermost `border` rows and columns."""
    return planes[:, :, border:-border, border:-border] if border else planes


def around(pixels: tf.Tensor, margin: int = 0) -> tf.Tensor:
    """What an operator reads of the pixels that it is given.

    Args:
        pixels: tensor `(T, 3, rows + 2 MARGIN, columns + 2 MARGIN)`, levels or floats.
        margin: pixels on each side of the windows, at most `MARGIN`.

    Returns:
        float32 tensor `(T, 3, rows + 2 margin, columns + 2 margin)` in [0, 1].
    """
    return to_unit_range(trimmed(pixels, MARGIN - margin))


class Field(NamedTuple):
    """Numbers for the pixels of a photo and of what is around it.

    Attributes:
        values: tensor, two axes of which are rows and columns.
        first_row: row of the photo that the first row of values stands for; may lie above it.
        first_column: column, likewise.
        axes: which axes are rows and columns.
    """

    values: tf.Tensor
    first_row: Size
    first_column: Size
    axes: tuple[int, int] = (1, 2)


class Side(NamedTuple):
    """Where windows lie along the height of a photo, or along its width.

    Attributes:
        starts: first pixels of T windows.
        length: pixels of each window.
        size: pixels of the photo.
    """

    starts: tuple[Size, ...]
    length: Size
    size: Size


class Photo:
    """A photo and the rows of it that are wanted.

    Attributes:
        image: tensor `(H, W, 3)`, 8-bit levels or float32 in [0, 1].
        height: H, a `Size`.
        width: W, likewise.
        planes: tensor `(3, H, W)`, the same pixels.
        canvas: the `Field` of the planes and `MARGIN` + `RIM` px around, the edge replicated.
        first_row: first row for which random fields are drawn; may lie above the photo.
        rows: number of rows for which random fields are drawn; may reach below the photo.

    Args:
        image: as the attribute.
    """

    def __init__(self, image: tf.Tensor) -> None:
        self.image = image
        shape = tf.shape(image)
        self.height = shape[0] if image.shape[0] is None else image.shape[0]
        self.width = shape[1] if image.shape[1] is None else image.shape[1]
        self.planes = tf.stack([image[..., channel] for channel in range(3)])
        self.canvas = self.beyond(MARGIN + RIM, "edge")
        self.first_row: Size = 0
        self.rows = self.height

    def beyond(self, margin: int, border: str) -> Field:
        """The planes continued beyond the photo's border.

        Args:
            margin: pixels on each side.
            border: a name in `BORDERS`.

        Returns:
            the `Field`, values `(3, H + 2 margin, W + 2 margin)`.
        """
        extended = extend(self.planes, (margin,) * 4, border, axes=(1, 2))
        return Field(extended, -margin, -margin)

    def with_rows_of(self, groups: Sequence[Windows]) -> Photo:
        """The same photo, with those rows wanted that windows show.

        Args:
            groups: windows of the photo.

        Returns:
            a `Photo`.
        """
        photo = copy.copy(self)
        photo.first_row = tf.reduce_min([top for windows in groups for top in windows.tops])
        stops = [top + windows.rows for windows in groups for top in windows.tops]
        photo.rows = tf.reduce_max(stops) - photo.first_row
        return photo


class Windows:
    """Equal windows of one photo. They may reach `RIM` px beyond it.

    Attributes:
        photo: the `Photo`.
        tops: first row of each of T windows.
        lefts: first column of each window.
        rows: height of the windows in pixels.
        columns: width of the windows in pixels.
        sides: the same as two `Side`s, along the height and along the width.
        pixels: tensor `(T, 3, rows + 2 MARGIN, columns + 2 MARGIN)`, levels or floats as the photo:
            the windows and what is around them, the photo's edge replicated.
    """

    def __init__(
        self, photo: Photo, tops: Sequence[Size], lefts: Sequence[Size], rows: Size, columns: Size
    ) -> None:
        self.photo, self.tops, self.lefts = photo, tuple(tops), tuple(lefts)
        self.rows, self.columns = rows, columns
        self.sides = Side(self.tops, rows, photo.height), Side(self.lefts, columns, photo.width)
        self.pixels = self.cut(photo.canvas, MARGIN)

    @classmethod
    def whole(cls, photo: Photo) -> Windows:
        """One window that is the whole photo."""
        return cls(photo, (0,), (0,), photo.height, photo.width)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """That of their planes, `(T, 3, rows, columns)`, None where it is known later."""
        lengths = [side if isinstance(side, int) else None for side in (self.rows, self.columns)]
        return len(self.tops), 3, *lengths

    def inside(self, margin: int = 0) -> tf.Tensor:
        """The pixels of the windows and `margin` px around, levels or floats as the photo."""
        return trimmed(self.pixels, MARGIN - margin)

    def cut(self, field: Field, margin: int = 0) -> tf.Tensor:
        """Cuts the windows out of numbers for pixels.

        Args:
            field: the `Field`.
            margin: pixels wanted on each side of the windows.

        Returns:
            tensor with an axis for the windows before those of the field's values.
        """
        rows, columns = field.axes
        begin: list[Size] = [0] * len(field.values.shape)
        size = list(field.values.shape)
        size[rows], size[columns] = self.rows + 2 * margin, self.columns + 2 * margin
        parts = []
        for top, left in zip(self.tops, self.lefts, strict=True):
            begin[rows] = top - field.first_row - margin
            begin[columns] = left - field.first_column - margin
            parts.append(tf.slice(field.values, begin, size))
        return tf.stack(parts)
