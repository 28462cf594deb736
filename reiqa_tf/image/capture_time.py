"""When a photo was taken, as its camera says in EXIF."""

from __future__ import annotations

import datetime

from PIL import ExifTags

from reiqa_tf.image.formats import format_of

_PNG_EXIF = (b"eXIf", b"Raw profile type")  # what EXIF data stand under in a PNG


def capture_time(contents: bytes) -> datetime.datetime | None:
    """Reads when a photo was taken, to the fraction of a second where the camera says it.

    Args:
        contents: the bytes of its file.

    Returns:
        time by the camera's own clock, without a time zone; None if nothing, or nothing that can be
        read, is said.

    Example:
    ```python
    import pathlib

    from reiqa_tf.image.capture_time import capture_time

    print(capture_time(pathlib.Path("photo.jpg").read_bytes()))
    ```
    """
    row = format_of(contents)
    # Pillow would decode a PNG whole, to look for EXIF data behind its pixels.
    if row is None or (row.name == "PNG" and not any(map(contents.__contains__, _PNG_EXIF))):
        return None
    try:
        with row.open_with_metadata(contents) as picture:
            said = picture.getexif().get_ifd(ExifTags.IFD.Exif)
        time = datetime.datetime.strptime(
            _text(said[ExifTags.Base.DateTimeOriginal]), "%Y:%m:%d %H:%M:%S"
        )
        fraction = _text(said.get(ExifTags.Base.SubsecTimeOriginal, "0"))
    except Exception:
        # Any type: on damaged metadata Pillow raises whatever its parsing ran into.
        return None
    digits = fraction if fraction.isascii() and fraction.isdigit() else "0"
    return time.replace(microsecond=int(digits[:6].ljust(6, "0")))


def _text(said: object) -> str:
    text = said.decode("ascii", "replace") if isinstance(said, bytes) else str(said)
    return text.strip("\0 ")
