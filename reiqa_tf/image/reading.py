"""Read a photo from a file: any common format in, upright 8-bit RGB out.

This module needs Pillow and NumPy alone. Nothing here imports TensorFlow.
"""

import contextlib
import io
import os
import struct

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""Pillow's names of the formats that are read. MPO is a JPEG with further pictures behind it."""

EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""What a photo's file name may end with when a folder is searched."""

BACKGROUND = (255, 255, 255)
"""What shows through where a picture is transparent: white, as in a browser."""

MINIMUM_SIDE = 32
"""Smallest width and height in pixels: below it the deepest stage of an encoder sees nothing."""

_SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N")


class ImageError(ValueError):
    """A picture that cannot be read. The message names the file, the reason and the way out."""


def read_image(source, fit=None):
    """Reads a photo as upright 8-bit RGB.

    EXIF orientation is applied; grey, palette and CMYK pictures become RGB by Pillow's rules;
    16-bit grey is scaled to 8 bits; transparent parts show `BACKGROUND`; of an animation the first
    frame is taken. Colour profiles are not applied: the numbers in the file are taken as sRGB.

    Args:
        source: path of the file, its `bytes`, or a binary file object.
        fit: side in pixels of the square that the photo must fit into; a larger photo is shrunk
            to it (bicubic, antialiased, aspect ratio kept), a smaller one is left as it is.
            None keeps every photo at its own size.

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
    with open_image(source) as image:
        if fit is not None:
            size = size_to_fit(image.width, image.height, fit)
            if size != image.size:
                image = image.resize(size, Image.Resampling.BICUBIC)
        return np.asarray(image)


@contextlib.contextmanager
def open_image(source):
    """Opens a photo as an upright Pillow picture in mode RGB, for use in a `with` statement.

    What `read_image` is made of; for callers that want to crop before they turn pixels into an
    array. Args and Raises are those of `read_image`.
    """
    name = _name_of(source)
    try:
        with Image.open(_file_of(source, name), formats=FORMATS) as image:
            _check_size(image, name)
            image.load()
            upright = ImageOps.exif_transpose(image) if _is_turned(image) else image
            yield _to_rgb(upright, name)
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
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error) as error:
        # Pillow's plugins report damage with any of these types.
        raise ImageError(f"{name}: damaged or truncated ({error}). Get a whole copy.") from None


def size_to_fit(width, height, side):
    """Size that a picture takes to fit into a square, never larger than it is.

    Args:
        width: width in pixels.
        height: height in pixels.
        side: side of the square in pixels.

    Returns:
        `(width, height)` in whole pixels, at least 1 each.
    """
    longer = max(width, height)
    if longer <= side:
        return width, height
    # Integer rounding to the nearest, halves up: the same on every platform.
    return tuple(max(1, (2 * length * side + longer) // (2 * longer)) for length in (width, height))


def _name_of(source):
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    return str(getattr(source, "name", "picture in memory"))


def _file_of(source, name):
    if isinstance(source, (bytes, bytearray, memoryview)):
        contents = bytes(source)
    elif isinstance(source, (str, os.PathLike)):
        try:
            with open(source, "rb") as file:
                contents = file.read()
        except FileNotFoundError:
            raise ImageError(f"{name}: no such file.") from None
        except IsADirectoryError:
            raise ImageError(f"{name}: a folder; expected the file of a photo.") from None
        except OSError as error:
            raise ImageError(f"{name}: cannot be opened ({error.strerror}).") from None
        except ValueError as error:  # a null byte in the path
            raise ImageError(f"{name!r}: not a path ({error}).") from None
    else:
        return source
    if not contents:
        raise ImageError(f"{name}: an empty file (0 bytes). Get a whole copy.")
    return io.BytesIO(contents)


def _check_size(image, name):
    if min(image.size) < MINIMUM_SIDE:
        raise ImageError(
            f"{name}: too small to judge. Expected at least {MINIMUM_SIDE} x {MINIMUM_SIDE} px, "
            f"received {image.width} x {image.height} px."
        )


def _is_turned(image):
    return image.getexif().get(0x0112, 1) != 1  # 0x0112 is EXIF's Orientation; 1 is upright.


def _to_rgb(image, name):
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode in _SIXTEEN_BIT_MODES:
        return _from_levels(np.asarray(image), 65535)
    if image.mode == "I":
        levels = np.asarray(image)
        if levels.min() < 0 or levels.max() > 65535:
            raise ImageError(
                f"{name}: 32-bit grey levels from {levels.min()} to {levels.max()}; expected 8 or "
                "16 bits (0 to 65535). Convert the picture first."
            )
        return _from_levels(levels, 65535)
    if image.mode == "F":
        raise ImageError(
            f"{name}: floating-point pixels have no agreed range. Convert the picture to 8 or 16 "
            "bits first."
        )
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        backdrop = Image.new("RGBA", picture.size, (*BACKGROUND, 255))
        return Image.alpha_composite(backdrop, picture).convert("RGB")
    return image.convert("RGB")


def _from_levels(levels, white):
    grey = (levels.astype(np.uint32) * 255 + white // 2) // white
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
