"""Pictures in rows with a line of text below each: what `reiqa distort` and `reiqa views` write."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reiqa_tf.files import OutputError, written_whole
from reiqa_tf.typing import PathLike

_GAP = 8
_SMALLEST_TEXT = 13
_INK = (32, 32, 32)
_PALE = (110, 110, 110)
_PAPER = (255, 255, 255)
_JPEG_QUALITY = 76


@dataclasses.dataclass(frozen=True)
class PictureRow:
    """A heading and pictures of one size below it.

    Attributes:
        heading: line above the pictures.
        images: list of uint8 arrays `(H, W, 3)`.
        captions: list of one line below each picture.
    """

    heading: str
    images: list[np.ndarray]
    captions: list[str]


def draw(rows: Sequence[PictureRow], title: str, columns: int = 1) -> Image.Image:
    """Lays rows out one below the other.

    Args:
        rows: list of `PictureRow`, all with as many pictures of one size.
        title: line at the top.
        columns: number of columns; the first is filled from top to bottom, then the next.

    Returns:
        `PIL.Image`.
    """
    height, width = rows[0].images[0].shape[:2]
    size = _text_size(rows, width)
    font = ImageFont.load_default(size)
    line_height = size + 5
    row_width = len(rows[0].images) * (width + _GAP) + _GAP
    row_height = height + 2 * line_height + _GAP
    rows_in_a_column = -(-len(rows) // columns)
    top = 2 * line_height
    sheet = Image.new("RGB", (columns * row_width, top + rows_in_a_column * row_height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, _GAP), title, _INK, ImageFont.load_default(size + 3))
    for number, row in enumerate(rows):
        column, line = divmod(number, rows_in_a_column)
        x, y = column * row_width + _GAP, top + line * row_height
        pen.text((x, y), row.heading, _INK, font)
        for image, caption in zip(row.images, row.captions, strict=True):
            sheet.paste(Image.fromarray(image), (x, y + line_height))
            pen.text((x, y + line_height + height + 1), caption, _PALE, font)
            x += width + _GAP
    return sheet


def _text_size(rows: Sequence[PictureRow], width: int) -> int:
    """Size of the text: it grows with the pictures, as pages show them all, and fits below each."""
    captions = [caption for row in rows for caption in row.captions]
    for size in range(width // 7, _SMALLEST_TEXT, -1):
        font = ImageFont.load_default(size)
        if max(map(font.getlength, captions)) <= width:
            return size
    return _SMALLEST_TEXT


def require_name(path: PathLike) -> None:
    """Refuses a name that `save` would refuse; for use before long work.

    Args:
        path: file to write.

    Raises:
        OutputError: if the ending is none that Pillow writes, or there is a folder of that name.
    """
    path = pathlib.Path(path)
    Image.init()
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        raise OutputError(f"{path}: expected a name that ends with .png, .jpg or .webp.")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder. Name a file.")


def save(picture: Image.Image, path: PathLike) -> None:
    """Writes a picture whole or not at all, in the format that the name ends with.

    Args:
        picture: `PIL.Image`.
        path: file to write.

    Raises:
        OutputError: if the ending is none that Pillow writes, or the file cannot be written.
    """
    try:
        with written_whole(path) as scratch:
            picture.save(scratch, quality=_JPEG_QUALITY)
    except ValueError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"{path}: expected a name that ends with .png, .jpg or .webp. ({error})"
        ) from None
