"""Pictures in rows with a line of text below each: what `reiqa distort` and `reiqa views` write."""

import dataclasses

from PIL import Image, ImageDraw, ImageFont

from reiqa_tf.files import OutputError, written_whole

_GAP = 8
_TEXT = 13
_LINE = 18
_INK = (32, 32, 32)
_PALE = (110, 110, 110)
_PAPER = (255, 255, 255)
_JPEG_QUALITY = 76


@dataclasses.dataclass(frozen=True)
class Row:
    """A heading and pictures of one size below it.

    Attributes:
        heading: line above the pictures.
        images: list of uint8 arrays `(H, W, 3)`.
        captions: list of a line for each.
    """

    heading: str
    images: list
    captions: list


def draw(rows, title, columns=1):
    """Lays rows out below each other.

    Args:
        rows: list of `Row`, all with as many pictures of one size.
        title: line at the top.
        columns: number of columns that the rows are dealt to, one after the other.

    Returns:
        `PIL.Image`.
    """
    font = ImageFont.load_default(_TEXT)
    height, width = rows[0].images[0].shape[:2]
    row_width = len(rows[0].images) * (width + _GAP) + _GAP
    row_height = height + 2 * _LINE + _GAP
    deep = -(-len(rows) // columns)
    top = 2 * _LINE
    sheet = Image.new("RGB", (columns * row_width, top + deep * row_height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, _GAP), title, _INK, ImageFont.load_default(_TEXT + 3))
    for number, row in enumerate(rows):
        column, line = divmod(number, deep)
        x, y = column * row_width + _GAP, top + line * row_height
        pen.text((x, y), row.heading, _INK, font)
        for image, caption in zip(row.images, row.captions, strict=True):
            sheet.paste(Image.fromarray(image), (x, y + _LINE))
            pen.text((x, y + _LINE + height + 1), caption, _PALE, font)
            x += width + _GAP
    return sheet


def save(picture, path):
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
