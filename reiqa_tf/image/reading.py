"""Read a photo from a file: any common format in, upright 8-bit sRGB out.

This module needs Pillow and NumPy alone. Nothing here imports TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from PIL import Image, ImageChops, ImageStat

from reiqa_tf.errors import ReiqaError
from reiqa_tf.extras import MissingExtraError
from reiqa_tf.image import containers, formats
from reiqa_tf.image.color_profiles import to_srgb
from reiqa_tf.image.containers import Container
from reiqa_tf.packs.pack import PackError, read_packed
from reiqa_tf.packs.records import RecordError
from reiqa_tf.remote import RemoteError, read_file
from reiqa_tf.typing import PathLike

BACKGROUND = (255, 255, 255)
"""What shows through where a picture is transparent: white, as in a browser."""

MINIMUM_SIDE = 32
"""Smallest width and height in pixels: below it the deepest stage of an encoder sees nothing."""

MAX_PIXELS = 2**28
"""Most pixels that a file may have unless a person says otherwise: 268 million, for the cameras of
phones have 200. A small file can be made that unfolds into more than fits into memory."""

REDUCTIONS = (8, 4, 2)
"""How many times smaller than it is a JPEG can be decoded: from that part of its coefficients."""

SPARE = 3.75
"""How many times longer than the side of the square that it is to fit into a JPEG stays when it is
decoded at reduced scale. Ours, measured: with 12 megapixels, of which half the sides are decoded,
24 photos' scores stay within 0.003 of those of full decoding; see perf/decoding.py."""

END_NOISE = bytes((193 * i + 217) % 255 for i in range(1000))
"""What is put behind the pixels of a JPEG without its end mark, to see whether all are there: bytes
far from the zeros that a decoder makes up, none of which begins a mark."""

_STRIP = 256
"""Rows that are floats at the same time: whole pictures of them cost a third more time."""

_SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N")

# What EXIF calls 2 to 8.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


_Result = TypeVar("_Result")


class ImageError(ReiqaError):
    """A picture that cannot be read. The message names the file, the reason and the way out."""


def read_image(
    source: PathLike | bytes | np.ndarray | Image.Image,
    fit: int | None = None,
    name: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """Reads a photo as upright 8-bit RGB.

    The picture is what a viewer shows: turned as its EXIF or XMP data say, brought from its colour
    profile to sRGB, transparent parts over `BACKGROUND`, of an animation the first frame. Grey and
    palette pictures become RGB, 16-bit grey is scaled to 8 bits, CMYK is converted by its profile,
    without one by Pillow's rule. Damaged metadata count as not there.

    Args:
        source: path of the file (see `read_bytes`), its `bytes`, a `PIL.Image`, or an array that
            is a picture already: uint8 `(H, W, 3)` or `(H, W)`, or floats in [0, 1].
        fit: side in pixels of the square that the photo must fit into; a larger photo is shrunk
            to it (bicubic, antialiased, aspect ratio kept), a smaller one is left as it is.
            None keeps every photo at its own size. A large JPEG is decoded at reduced scale first,
            as `reduction` says.
        name: what error messages call the photo; its path, if None (of a `PIL.Image` its
            `filename`).
        max_pixels: most pixels that the file may have, against files that are made to fill the
            memory.

    Returns:
        uint8 array of shape `(height, width, 3)`.

    Raises:
        ImageError: if the file is missing, empty, no picture, truncated or otherwise damaged, too
            small (`MINIMUM_SIDE`, once it is shrunk, too) or too large, or if its format needs an
            extra that is not installed.

    Example:
    ```python
    from reiqa_tf import read_image

    image = read_image("photo.jpg")           # as it is
    image = read_image("photo.jpg", fit=512)  # at most 512 px wide and high
    ```
    """
    picture, is_reduced = _open(source, name, fit, max_pixels)
    if fit is None:
        return np.asarray(picture)
    return _shrunk(picture, size_to_fit(picture.width, picture.height, fit), is_reduced)


def open_image(
    source: PathLike | bytes | np.ndarray | Image.Image,
    name: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Image.Image:
    """Reads a photo as an upright `PIL.Image` in mode RGB.

    What `read_image` is made of; for callers that want to crop before they turn pixels into an
    array.

    Args:
        source: as in `read_image`.
        name: as in `read_image`.
        max_pixels: as in `read_image`.

    Returns:
        the picture.

    Raises:
        ImageError: as in `read_image`.
    """
    return _open(source, name, None, max_pixels)[0]


def reduction(width: int, height: int, fit: int) -> int:
    """Tells how many times smaller than it is a JPEG is decoded, before it is shrunk.

    What is left is `SPARE` times `fit` or longer.

    Args:
        width: width in pixels.
        height: height in pixels.
        fit: side in pixels of the square that it is to fit into.

    Returns:
        1 or one of `REDUCTIONS`.
    """
    times = max(width, height) // int(SPARE * fit)
    return next((reduced for reduced in REDUCTIONS if times >= reduced), 1)


def photo_name(source: PathLike | bytes | np.ndarray | Image.Image) -> str:
    """What error messages call a photo.

    Args:
        source: as in `read_image`.

    Returns:
        its path, if it has one.
    """
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    path = getattr(source, "filename", None)  # of what `PIL.Image.open` opened
    return os.fspath(path) if path else "picture in memory"


def _open(
    source: PathLike | bytes | np.ndarray | Image.Image,
    name: str | None,
    fit: int | None,
    max_pixels: int,
) -> tuple[Image.Image, bool]:
    """The picture, upright and in RGB, and whether it was decoded at reduced scale."""
    name = name or photo_name(source)
    if isinstance(source, (str, os.PathLike)):
        source = read_bytes(source)
    if isinstance(source, np.ndarray):
        source = _from_array(source, name)
    if isinstance(source, Image.Image):
        picture = _explained(name, lambda: _to_rgb(source, Container(b"")))
        _check_size(picture.size, name, fit)
        return picture, False
    contents = bytes(source)
    if not contents:
        raise ImageError(f"{name}: an empty file (0 bytes). Get a whole copy.")
    return _explained(name, lambda: _decode(contents, name, fit, max_pixels))


def _decode(
    contents: bytes, name: str, fit: int | None, max_pixels: int
) -> tuple[Image.Image, bool]:
    format_row = formats.format_of(contents)
    if format_row is None:
        raise ImageError(
            f"{name}: not a picture that can be read. Expected one of {', '.join(formats.NAMES)}; "
            "received something else or a damaged header."
        )
    container = containers.split(contents)
    if container.refusal is not None:
        raise ImageError(f"{name}: {container.refusal}")
    with format_row.open(container.pixels) as picture:
        _check_size(picture.size, name, fit)
        pixels = picture.width * picture.height
        if pixels > max_pixels:
            raise ImageError(
                f"{name}: {pixels:,} pixels, more than the limit of {max_pixels:,} against files "
                "that are made to fill the memory. If you trust it, raise the limit: --max-pixels "
                "(max_pixels in Python)."
            )
        times = 1
        if fit is not None and container.is_reducible:
            times = reduction(picture.width, picture.height, fit)
        _reduce(picture, times)
        picture.load()
        if container.is_end_missing:
            _check_scans(container, picture, times)
        return _to_rgb(picture, container), times > 1


def _reduce(picture: Image.Image, times: int) -> None:
    """Has a JPEG that was opened decoded at reduced scale."""
    picture.draft(None, (picture.width // times, picture.height // times))


def _check_scans(container: Container, picture: Image.Image, times: int) -> None:
    """Refuses a JPEG without its end mark whose pixels are not all there, either.

    The decoder makes missing pixels up, in silence. Put between the data and their end mark, noise
    is passed over where the data are complete, and changes pixels where they are not.
    """
    with formats.FORMATS[0].open(container.pixels[:-2] + END_NOISE + b"\xff\xd9") as other:
        _reduce(other, times)
        if other.tobytes() != picture.tobytes():
            raise ValueError("the file ends in the middle of its pixels")


def _shrunk(picture: Image.Image, size: tuple[int, int], is_reduced: bool) -> np.ndarray:
    """The pixels of a picture, shrunk to a size that it may have already."""
    if size == picture.size:
        return np.asarray(picture)
    # In two calls, columns first: Pillow 13 would take the rows of tall pictures first, and the
    # same photo would have another score there.
    between = (size[0], picture.height)
    bicubic = Image.Resampling.BICUBIC
    if not is_reduced:
        return np.asarray(picture.resize(between, bicubic).resize(size, bicubic))
    # Levels are rounded between the calls. Fewer rows than in the whole picture make one of the new
    # ones, so that the rounding shows more: without it scores are twice as near.
    strips = []
    for top in range(0, picture.height, _STRIP):
        strip = picture.crop((0, top, picture.width, min(top + _STRIP, picture.height)))
        narrow = (size[0], strip.height)
        bands = [band.convert("F").resize(narrow, bicubic) for band in strip.split()]
        strips.append(np.stack([np.asarray(band) for band in bands]))
    shrunk = [
        np.asarray(Image.fromarray(band).resize(size, bicubic))
        for band in np.concatenate(strips, axis=1)
    ]
    return np.clip(np.floor(np.stack(shrunk, axis=-1) + 0.5), 0, 255).astype(np.uint8)


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
        path: path of the file, its address on an object store, or the path of a photo in a pack,
            such as `packed/2020/1.jpg`.

    Returns:
        its bytes.

    Raises:
        ImageError: if there is no such file or it cannot be read.
        MissingExtraError: if it is an address and fsspec is not installed.
    """
    try:
        contents = read_packed(path, look_for_packs=False)
        return read_file(path) if contents is None else contents
    except FileNotFoundError:
        return _read_packed(path)
    except MissingExtraError:
        raise
    except (PackError, RecordError, RemoteError) as error:
        raise ImageError(str(error)) from None
    except IsADirectoryError:
        raise ImageError(f"{path}: a folder; expected the file of a photo.") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise ImageError(f"{path!r}: cannot be opened ({error}).") from None


def _read_packed(path: PathLike) -> bytes:
    """Reads what is no file of its own: a photo in a pack, or nothing."""
    try:
        contents = read_packed(path)
    except (PackError, RecordError, RemoteError) as error:
        raise ImageError(str(error)) from None
    if contents is None:
        raise ImageError(f"{path}: no such file.")
    return contents


def _explained(name: str, work: Callable[[], _Result]) -> _Result:
    """Calls a function and says in one line, with the picture's name, why it failed."""
    try:
        return work()
    except ImageError:
        raise
    except formats.MissingReaderError as error:
        raise ImageError(f"{name}: {error}") from None
    except MemoryError:
        raise ImageError(f"{name}: does not fit into memory. Shrink the picture first.") from None
    except Exception as error:
        # Any type: on damaged files Pillow's plugins raise whatever their parsing ran into.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{name}: cannot be decoded, damaged or truncated ({reason}).") from None


def _check_size(size: tuple[int, int], name: str, fit: int | None) -> None:
    width, height = size
    if min(size) < MINIMUM_SIDE:
        raise ImageError(
            f"{name}: too small to judge. Expected at least {MINIMUM_SIDE} x {MINIMUM_SIDE} px, "
            f"received {width} x {height} px."
        )
    if fit is not None and min(size_to_fit(width, height, fit)) < MINIMUM_SIDE:
        shrunk = size_to_fit(width, height, fit)
        raise ImageError(
            f"{name}: too small once shrunk to fit {fit} px. Expected at least {MINIMUM_SIDE} x "
            f"{MINIMUM_SIDE} px, received {shrunk[0]} x {shrunk[1]} px ({width} x {height} px "
            "before). Crop it, or score it as it is: --native-size."
        )


def _from_array(array: np.ndarray, name: str) -> Image.Image:
    expected = "expected a picture (H, W, 3) or (H, W), uint8 levels or floats in [0, 1]"
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (3, 4))) or not array.size:
        raise ImageError(f"{name}: {expected}. Received: {array.dtype} {array.shape}")
    if np.issubdtype(array.dtype, np.floating):
        low, high = float(np.min(array)), float(np.max(array))
        if not (low >= 0 and high <= 1):
            hint = " Divide levels by 255 first." if 1 < high <= 255 else ""
            raise ImageError(
                f"{name}: {expected}. Received: floats from {low:g} to {high:g}.{hint}"
            )
        array = np.floor(array * 255 + 0.5).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ImageError(f"{name}: {expected}. Received: {array.dtype} {array.shape}")
    return Image.fromarray(np.ascontiguousarray(array))


def _to_rgb(picture: Image.Image, container: Container) -> Image.Image:
    """The picture upright, in sRGB, over the background."""
    orientation, profile = containers.said_of(picture, container)
    picture = _in_color(picture, container)
    picture = to_srgb(picture, profile)
    if picture.mode == "RGBA":
        backdrop = Image.new("RGBA", picture.size, (*BACKGROUND, 255))
        picture = Image.alpha_composite(backdrop, picture)
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture


def _in_color(picture: Image.Image, container: Container) -> Image.Image:
    """The picture in a mode for which there are profiles: L, RGB, RGBA or CMYK."""
    if picture.mode in _SIXTEEN_BIT_MODES or picture.mode == "I":
        return _from_sixteen_bits(np.asarray(picture), container.is_white_zero)
    if picture.mode == "F":
        raise ValueError("floating-point pixels, which have no agreed range")
    if picture.format == "BMP" and picture.mode == "RGBA" and not _has_alpha(picture):
        # Windows's own programs leave the fourth byte at 0 and mean nothing by it.
        return picture.convert("RGB")
    if picture.mode == "CMYK":
        return _brighter_reading(picture) if container.is_ink_unsure else picture
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture if picture.mode in ("L", "RGB") else picture.convert("RGB")


def _has_alpha(picture: Image.Image) -> bool:
    return picture.getchannel("A").getextrema() != (0, 0)


def _brighter_reading(picture: Image.Image) -> Image.Image:
    """CMYK from a JPEG that does not say whether it counts ink or the lack of it.

    Adobe's programs write the lack and say so in a mark; others write ink. Without the mark it may
    be either. Read the wrong way round, a photo is next to black, as most of it has no black ink.
    """
    other = ImageChops.invert(picture)
    readings = [
        (sum(ImageStat.Stat(reading.convert("RGB")).mean), reading) for reading in (picture, other)
    ]
    return readings[0][1] if readings[0][0] >= readings[1][0] else readings[1][1]


def _from_sixteen_bits(levels: np.ndarray, is_white_zero: bool) -> Image.Image:
    if levels.min() < 0 or levels.max() > 65535:
        raise ValueError(f"grey levels from {levels.min()} to {levels.max()}, not 0 to 65535")
    grey = (levels.astype(np.uint32) * 255 + 32767) // 65535
    return Image.fromarray((255 - grey if is_white_zero else grey).astype(np.uint8))
