"""The faults that a photo is searched for, and how the amount of each is said."""

from __future__ import annotations

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Family:
    """Distortions that people would call by one name.

    Attributes:
        name: such as `blur`.
        distortions: names of the bank's distortions that belong to it.
        unit: what its amount is, in words.
        phrase: how a fault is said; `{}` is the amount.
        is_signed: whether the amount may be negative. Other amounts are positive, and are learnt
            on a logarithmic scale.
        digits: significant digits with which the amount is said.
    """

    name: str
    distortions: tuple[str, ...]
    unit: str
    phrase: str
    is_signed: bool = False
    digits: int = 2

    def said(self, amount: float) -> str:
        """The fault in words.

        Args:
            amount: in `unit`.

        Returns:
            such as `blur, about 1.6 px`.
        """
        if self.is_signed:
            side = "too bright" if amount > 0 else "too dark"
            return self.phrase.format(side, _rounded(abs(amount), self.digits))
        return self.phrase.format(_rounded(amount, self.digits))


def _rounded(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, places):.{max(places, 0)}f}"


FAMILIES = (
    Family("blur", ("gaussian_blur", "lens_blur"), "px, standard deviation", "blur, about {} px"),
    Family("motion", ("motion_blur",), "px, length", "motion blur, about {} px long"),
    Family(
        "noise",
        ("gaussian_noise", "ycbcr_noise", "impulse_noise", "multiplicative_noise"),
        "levels of 255, root mean square",
        "noise, about {} of 255 levels",
    ),
    Family("compression", ("jpeg",), "JPEG quality", "JPEG, quality about {}"),
    Family(
        "exposure",
        ("brighten", "darken", "mean_shift"),
        "% of the range, mean change of brightness",
        "{} by about {} % of the range",
        is_signed=True,
        digits=1,
    ),
    Family(
        "colour",
        ("color_diffusion", "color_shift", "hsv_saturation", "lab_saturation"),
        "levels of 255, root mean square of Cb and Cr",
        "colours off by about {} of 255 levels",
        digits=1,
    ),
    Family("sharpening", ("sharpen",), "times the Laplacian", "sharpened, about {} times"),
    Family(
        "resizing",
        ("resize_bicubic", "resize_bilinear", "resize_lanczos", "resize_nearest"),
        "times smaller",
        "enlarged, about {} times",
    ),
    Family(
        "blocks",
        ("color_block", "non_eccentricity"),
        "% of the picture",
        "blocks over about {} % of the picture",
    ),
)
"""What a photo is searched for."""

FAMILY_NAMES = tuple(family.name for family in FAMILIES)
