"""What cameras and broken files do to photos and no distortion of the bank does, in NumPy.

Each is a ladder: a photo at five rising levels, every level worse than the one before it and the
mildest one worse than the photo. They teach an order where people's scores are few: a photo that is
burnt, sharpened until it has halos, or in parts missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

LEVELS = 5
"""Levels of a degradation, as many as the bank's distortions have."""

Degradation: TypeAlias = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]
"""From a photo uint8 `(H, W, 3)`, a level 0 to 4 and what draws to the picture, likewise."""

_STOPS_OVER = (0.6, 1.0, 1.5, 2.0, 2.75)
_STOPS_UNDER = (1.0, 1.75, 2.5, 3.25, 4.0)
_SHARPNESS = (2.0, 3.0, 4.5, 7.0, 11.0)
_MISSING = (0.2, 0.35, 0.5, 0.7)
_LOST_BLOCKS = (0.02, 0.06, 0.12, 0.25, 0.45)
_FULL_WELL = (4000.0, 1200.0, 400.0, 140.0, 50.0)
_BLOCK = 16  # pixels; of the codecs H.262 to H.264


def exposed(photo: np.ndarray, stops: float) -> np.ndarray:
    """A photo that was exposed longer or shorter.

    Args:
        photo: uint8 `(H, W, 3)`, sRGB.
        stops: each is twice the linear light; below 0 half of it.

    Returns:
        uint8 array, likewise; light beyond white is white.
    """
    return _encoded(_linear(photo) * 2**stops)


def overexposed(photo: np.ndarray, level: int, _: np.random.Generator) -> np.ndarray:
    """Exposed 0.6, 1, 1.5, 2 or 2.75 stops too long: lights clip in linear light."""
    return exposed(photo, _STOPS_OVER[level])


def underexposed(photo: np.ndarray, level: int, _: np.random.Generator) -> np.ndarray:
    """Exposed 1, 1.75, 2.5, 3.25 or 4 stops too short: darks fall together in 8 bits."""
    return exposed(photo, -_STOPS_UNDER[level])


def halos(photo: np.ndarray, level: int, random: np.random.Generator) -> np.ndarray:
    """Sharpened 2, 3, 4.5, 7 or 11 times, over a radius of one pixel or of up to three."""
    picture = Image.fromarray(photo)
    radius = random.uniform(0, 3)
    if radius < 1:
        sharpened = ImageEnhance.Sharpness(picture).enhance(_SHARPNESS[level])
    else:
        percent = round(100 * (_SHARPNESS[level] - 1))
        sharpened = picture.filter(ImageFilter.UnsharpMask(radius, percent, threshold=0))
    return np.asarray(sharpened)


def sensor_noise(photo: np.ndarray, level: int, random: np.random.Generator) -> np.ndarray:
    """The shot noise of a pixel that holds 4,000, 1,200, 400, 140 or 50 electrons, demosaiced."""
    electrons = _linear(photo) * _FULL_WELL[level]
    noisy = electrons + np.sqrt(electrons + 4) * random.standard_normal(photo.shape)
    picture = Image.fromarray(_encoded(noisy / _FULL_WELL[level]))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(0.6)))


def lost_blocks(photo: np.ndarray, level: int, random: np.random.Generator) -> np.ndarray:
    """A transmission that lost 2, 6, 12, 25 or 45 % of its blocks of 16 px, in runs along a row.

    A lost block is grey, or shows the block before it once more.
    """
    repeats = random.random() < 0.5
    rows, columns = -(-photo.shape[0] // _BLOCK), -(-photo.shape[1] // _BLOCK)
    lost = np.zeros(rows * columns, bool)
    while (spare := round(_LOST_BLOCKS[level] * lost.size) - lost.sum()) > 0:
        start, run = int(random.integers(lost.size)), int(random.integers(1, columns + 1))
        lost[start : start + min(run, spare)] = True
    picture = photo.copy()
    for place in np.flatnonzero(lost):
        top, left = _BLOCK * (place // columns), _BLOCK * (place % columns)
        block = picture[top : top + _BLOCK, left : left + _BLOCK]
        before = picture[top : top + _BLOCK, left - _BLOCK : left] if left else block[:0, :0]
        same = before.shape[1] >= block.shape[1]
        block[:] = before[:, : block.shape[1]] if repeats and same else 127
    return picture


def missing_part(photo: np.ndarray, level: int, random: np.random.Generator) -> np.ndarray:
    """Blurred by 0.7 to 1.5 px, then (worse) a fifth, a third, a half or 70 % of it missing.

    What is missing is grey, black, white or of another plain colour, from one side on.
    """
    if level == 0:
        blur = ImageFilter.GaussianBlur(random.uniform(0.7, 1.5))
        return np.asarray(Image.fromarray(photo).filter(blur))
    color = [127, 0, 255, random.integers(0, 256, 3)][int(random.integers(4))]
    turns = int(random.integers(4))
    turned = np.rot90(photo, turns).copy()
    turned[turned.shape[0] - round(_MISSING[level - 1] * turned.shape[0]) :] = color
    return np.ascontiguousarray(np.rot90(turned, -turns))


DEGRADATIONS: dict[str, Degradation] = {
    degradation.__name__: degradation
    for degradation in (overexposed, underexposed, halos, sensor_noise, lost_blocks, missing_part)
}
"""The degradations by name."""


def _linear(photo: np.ndarray) -> np.ndarray:
    """Levels of sRGB to linear light in [0, 1] (IEC 61966-2-1)."""
    return _LINEAR_OF_LEVEL[photo]


def _encoded(light: np.ndarray) -> np.ndarray:
    """Linear light, clipped to [0, 1], to sRGB levels."""
    light = np.clip(light, 0, 1)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (255 * encoded + 0.5).astype(np.uint8)


_LEVELS = np.arange(256) / 255
_LINEAR_OF_LEVEL = np.where(
    _LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4
).astype(np.float32)
