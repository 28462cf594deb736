"""The formats of pictures that are read, as one table: how a file is known, and what opens it."""

from __future__ import annotations

import dataclasses
import importlib
import io
from collections.abc import Callable

from PIL import Image, ImageFile

from reiqa_tf.errors import ReiqaError


class MissingReaderError(ReiqaError):
    """A format whose reader is not installed. The message names the line that installs it."""


@dataclasses.dataclass(frozen=True)
class Format:
    """A row of the table.

    Attributes:
        name: what people and Pillow call it.
        extensions: what a file's name ends with, in small letters.
        is_begun_by: whether the first bytes of a file are those of this format.
        module: what must be imported so that Pillow knows the format.
        extra: the extra of this package that installs the module; None where Pillow has it.
        is_turned: whether the reader turns the picture upright itself, by what the format says
            beside EXIF; EXIF's word then counts for nothing, as these formats demand.
    """

    name: str
    extensions: tuple[str, ...]
    is_begun_by: Callable[[bytes], bool]
    module: str
    extra: str | None = None
    is_turned: bool = False

    def open(self, contents: bytes) -> ImageFile.ImageFile:
        """Opens a file without reading its pixels.

        Args:
            contents: the bytes of the file.

        Returns:
            the picture. Pillow's own limit on pixels is not looked at: `read_image` has one.
            Where the reader turns it, it has no EXIF and XMP data, which would turn it again.

        Raises:
            MissingReaderError: if the format's reader is not installed.
            Exception: of any type, if the file is damaged.
        """
        picture = self.open_with_metadata(contents)
        if self.is_turned:
            picture.info = {
                name: value for name, value in picture.info.items() if name not in ("exif", "xmp")
            }
        return picture

    def open_with_metadata(self, contents: bytes) -> ImageFile.ImageFile:
        """Opens a file without reading its pixels, with all that is said beside them.

        Args:
            contents: as in `open`.

        Returns:
            as in `open`.

        Raises:
            Exception: as in `open`.
        """
        try:
            module = importlib.import_module(self.module)
        except ImportError as error:
            if self.extra is None:
                raise MissingReaderError(
                    f"{self.name} pictures cannot be read: Pillow is built without them ({error})."
                ) from None
            raise MissingReaderError(
                f"a {self.name} picture; to read it, install its reader: "
                f"pip install 'reiqa_tf[{self.extra}]'"
            ) from None
        if self.name == "HEIF" and "HEIF" not in Image.OPEN:
            module.register_heif_opener()
        factory, _ = Image.OPEN[self.name]
        picture: ImageFile.ImageFile = factory(io.BytesIO(contents), "")
        return picture


def _begins(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magics)


_HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1"}
_HEIF_BRANDS |= {b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}


def _brands(head: bytes) -> set[bytes]:
    """What a file in the layout of QuickTime says that it is; empty of other files."""
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12], *(head[place : place + 4] for place in range(16, end, 4))}


_BMP_HEADERS = {size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124)}
"""How long the second header of a BMP may be, in the file's own bytes."""

FORMATS = (
    Format(
        "JPEG",
        (".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp", ".mpo"),
        _begins(b"\xff\xd8\xff"),
        "PIL.JpegImagePlugin",
    ),
    Format("PNG", (".png", ".apng"), _begins(b"\x89PNG\r\n\x1a\n"), "PIL.PngImagePlugin"),
    Format(
        "WEBP",
        (".webp",),
        lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP",
        "PIL.WebPImagePlugin",
    ),
    Format(
        "BMP",
        (".bmp", ".dib"),
        # Two letters are little: a list of file names may begin with them.
        lambda head: head.startswith(b"BM") and head[14:18] in _BMP_HEADERS,
        "PIL.BmpImagePlugin",
    ),
    Format("GIF", (".gif",), _begins(b"GIF87a", b"GIF89a"), "PIL.GifImagePlugin"),
    Format(
        "TIFF",
        (".tif", ".tiff"),
        _begins(b"II*\x00", b"MM\x00*", b"II\x00*", b"MM*\x00", b"II+\x00", b"MM\x00+"),
        "PIL.TiffImagePlugin",
    ),
    Format(
        "AVIF",
        (".avif", ".avifs"),
        lambda head: bool(_brands(head) & _AVIF_BRANDS),
        "PIL.AvifImagePlugin",
    ),
    Format(
        "HEIF",
        (".heic", ".heif", ".hif", ".heics", ".heifs"),
        lambda head: bool(_brands(head) & _HEIF_BRANDS),
        "pillow_heif",
        extra="heif",
        is_turned=True,
    ),
    Format(
        "JXL",
        (".jxl",),
        _begins(b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n"),
        "pillow_jxl",
        extra="jxl",
        is_turned=True,
    ),
)
"""Formats that are read; the first that knows a file's first bytes is taken."""

NAMES = tuple(row.name for row in FORMATS)
"""Names of the formats."""

EXTENSIONS = tuple(extension for row in FORMATS for extension in row.extensions)
"""What the names of photos end with when a folder is searched."""

HEAD = 64
"""Bytes at the beginning of a file by which its format is known."""


def format_of(head: bytes) -> Format | None:
    """Tells the format of a file by its first bytes, whatever its name.

    Args:
        head: at least the first `HEAD` bytes of the file, or all of them.

    Returns:
        the row of the table, or None if it is no picture that is known.
    """
    return next((row for row in FORMATS if row.is_begun_by(head[:HEAD])), None)
