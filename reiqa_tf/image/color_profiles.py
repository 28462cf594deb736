"""Colour profiles: bring pictures to sRGB, as viewers show them."""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image, ImageCms

_LATTICE = np.stack(np.meshgrid(*[np.linspace(0, 255, 9).round()] * 3), -1).astype(np.uint8)
"""Colours on which a profile is compared with sRGB."""

DARKEST, BRIGHTEST = 64, 192
"""A profile that makes black lighter than the one or white darker than the other is damaged."""

_SPACES = {"RGB": "RGB ", "RGBA": "RGB ", "CMYK": "CMYK", "L": "GRAY"}
"""Modes of pictures and the colour space that a profile for them names."""

_RESULTS = {"RGB": "RGB", "RGBA": "RGBA", "CMYK": "RGB", "L": "RGB"}

_NO_CACHE = 0x0040
"""lcms's flag that makes a transform safe to share between threads."""


def to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Brings a picture to sRGB.

    A profile that is damaged, of another colour space than the picture, or the same as sRGB to a
    level changes nothing: viewers take such pictures as sRGB as well.

    Args:
        picture: of any mode.
        profile: the ICC profile that its file carries, or None.

    Returns:
        the picture in RGB (or RGBA) where it was converted, else as it was.
    """
    if profile is None or picture.mode not in _SPACES:
        return picture
    transform = _transform(profile, picture.mode)
    return picture if transform is None else transform.apply(picture)


@functools.lru_cache(maxsize=16)  # photos of a folder share few profiles; building one takes ms
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB; None where that changes nothing or cannot be done."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space != _SPACES[mode]:
            return None
        transform = ImageCms.ImageCmsTransform(
            source,
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
            mode,
            _RESULTS[mode],
            flags=ImageCms.Flags(_NO_CACHE),
        )
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None
    if mode == "CMYK":
        return transform
    picture = Image.fromarray(_LATTICE.reshape(-1, 27, 3)).convert(mode)
    before, after = (
        np.asarray(colors.convert("RGB"), np.int16)
        for colors in (picture, transform.apply(picture))
    )
    is_sound = after[0, 0].max() <= DARKEST and after[-1, -1].min() >= BRIGHTEST
    is_srgb = mode != "L" and np.abs(after - before).max() <= 1
    return transform if is_sound and not is_srgb else None
