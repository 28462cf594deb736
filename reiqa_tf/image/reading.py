"""Read a photo from a file: any common format in, upright 8-bit RGB out.

This module needs Pillow and NumPy alone. Nothing here imports TensorFlow.
"""

import io
import os

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from reiqa_tf.errors import ReiqaError
from reiqa_tf.typing import PathLike

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""Pillow's names of the formats that are read; of several pictures in a file the first counts."""

EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""What a photo's file name may end with when a folder is searched."""

BACKGROUND = (255, 255, 255)
"""What shows through where a picture is transparent: white, as in a browser."""

MINIMUM_SIDE = 32
"""Smallest width and height in pixels: below it the deepest stage of an encoder sees nothing."""

_SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N")


class ImageError(ReiqaError):
    """A picture that cannot be read. The message names the file, the reason and the way out."""


def read_image(
    source: PathLike | bytes, fit: int | None = None, name: str | None = None
) -> np.ndarray:
    """Reads a photo as upright 8-bit RGB.

    EXIF orientation is applied; grey, palette and CMYK pictures become RGB by Pillow's rules;
    16-bit grey is scaled to 8 bits; transparent parts show `BACKGROUND`; of an animation the first
    frame is taken. Colour profiles are not applied: the numbers in the file are taken as sRGB.

    Args:
        source: path of the file, or its `bytes`.
        fit: side in pixels of the square that the photo must fit into; a larger photo is shrunk
            to it (bicubic, antialiased, aspect ratio kept), a smaller one is left as it is.
            None keeps every photo at its own size.
        name: what error messages call the photo; its path, if None.

    Returns:
        uint8 array of shape `(height, width, 3)`.

    Raises:
        ImageError: if the file is missing, empty, no picture, truncated or otherwise damaged, too
            small (`MINIMUM_SIDE`), or larger than Pillow's limit against decompression bombs.

    Example:
    ```python
    from reiqa_tf.image.reading import read_image

    image = read_image("photo.jpg")            # as it is
    image = read_image("photo.jpg", fit=512)   # at most 512 px wide and high
    ```
    """
    picture = open_image(source, name)
    if fit is not None:
        size = size_to_fit(picture.width, picture.height, fit)
        if size != picture.size:
            # In two calls, columns first: Pillow 13 would take the rows of tall pictures first,
            # and the same photo would have another score there.
            picture = picture.resize((size[0], picture.height), Image.Resampling.BICUBIC)
            picture = picture.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(picture)


def open_image(source: PathLike | bytes, name: str | None = None) -> Image.Image:
    """Reads a photo as an upright `PIL.Image` in mode RGB.

    What `read_image` is made of; for callers that want to crop before they turn pixels into an
    array. Args and Raises are those of `read_image`.
    """
    if isinstance(source, (str, os.PathLike)):
        name = name or os.fspath(source)
        contents = read_bytes(source)
    else:
        name = name or "picture in memory"
        contents = bytes(source)
    if not contents:
        raise ImageError(f"{name}: an empty file (0 bytes). Get a whole copy.")
    try:
        with Image.open(io.BytesIO(contents), formats=FORMATS) as picture:
            _check_size(picture, name)
            picture.load()
            return _to_rgb(ImageOps.exif_transpose(picture) if _is_turned(picture) else picture)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(
            f"{name}: not a picture that can be read. Expected one of {', '.join(FORMATS)}; "
            "received something else or a damaged header."
        ) from None
    except Image.DecompressionBombError:
        raise ImageError(
            f"{name}: more pixels than the limit against decompression bombs "
            f"({2 * (Image.MAX_IMAGE_PIXELS or 0):,}). If you trust it, raise "
            "PIL.Image.MAX_IMAGE_PIXELS or shrink the picture first."
        ) from None
    except MemoryError:
        raise ImageError(f"{name}: does not fit into memory. Shrink the picture first.") from None
    except Exception as error:
        # Any type: on damaged files Pillow's plugins raise whatever their parsing ran into.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{name}: cannot be decoded, damaged or truncated ({reason}).") from None


def size_to_fit(width: int, height: int, side: int) -> tuple[int, int]:
    """Computes the size of a picture that fits into a square, never larger than it is.

    Args:
        width: width in pixels.
        height: height in pixels.
        side: side of the square in pixels.

    Returns:
        `(width, height)` in whole pixels, both at least 1.
    """
    longer = max(width, height)
    if longer <= side:
        return width, height
    # Integer rounding to the nearest, halves up: the same on every platform.
    fitted = [max(1, (2 * length * side + longer) // (2 * longer)) for length in (width, height)]
    return fitted[0], fitted[1]


def read_bytes(path: PathLike) -> bytes:
    """Reads a whole file.

    Args:
        path: path of the file.

    Returns:
        its bytes.

    Raises:
        ImageError: if there is no such file or it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file.") from None
    except IsADirectoryError:
        raise ImageError(f"{path}: a folder; expected the file of a photo.") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise ImageError(f"{path!r}: cannot be opened ({error}).") from None


def _check_size(picture: Image.Image, name: str) -> None:
    if min(picture.size) < MINIMUM_SIDE:
        raise ImageError(
            f"{name}: too small to judge. Expected at least {MINIMUM_SIDE} x {MINIMUM_SIDE} px, "
            f"received {picture.width} x {picture.height} px."
        )


def _is_turned(picture: Image.Image) -> bool:
    return picture.getexif().get(ExifTags.Base.Orientation, 1) != 1  # 1 is upright.


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in _SIXTEEN_BIT_MODES or picture.mode == "I":
        return _from_sixteen_bits(np.asarray(picture))
    if picture.mode == "F":
        raise ValueError("floating-point pixels, which have no agreed range")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        backdrop = Image.new("RGBA", picture.size, (*BACKGROUND, 255))
        return Image.alpha_composite(backdrop, picture).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _from_sixteen_bits(levels: np.ndarray) -> Image.Image:
    if levels.min() < 0 or levels.max() > 65535:
        raise ValueError(f"grey levels from {levels.min()} to {levels.max()}, not 0 to 65535")
    grey = (levels.astype(np.uint32) * 255 + 32767) // 65535
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
