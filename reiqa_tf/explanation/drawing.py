"""Explanations as pictures, with Pillow alone."""

from __future__ import annotations

import math
import pathlib
import re
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reiqa_tf.explanation.explanation import Explanation
from reiqa_tf.scoring.parts import GRID

# Orange for what lowers a score, blue for what raises it: every kind of colour vision tells them
# apart, and they differ in lightness from the grey photo below.
LOWERS = (224, 96, 0)
RAISES = (16, 98, 190)

_PAPER, _INK, _FAINT, _LINE = (255, 255, 255), (22, 24, 29), (95, 102, 112), (205, 209, 215)
_OPAQUE = 0.88  # of the strongest colour over the photo
_WIDTH, _MARGIN, _GAP = 1320, 36, 24
_TALLEST = 640  # pixels, of the photo in the picture


def if_everywhere(points: np.ndarray) -> np.ndarray:
    """Points of places as points of the whole photo, if all of it were like that place.

    Args:
        points: array `(32, 32)` of an `Explanation`.

    Returns:
        array of the same shape; its mean is the sum of the points.
    """
    return points * GRID**2


def color_limit(points: np.ndarray) -> float:
    """Where the colour scale of a map ends: a round number that few places lie beyond.

    Args:
        points: array of any shape, what is to be shown.

    Returns:
        the number; colours go from minus that to that.
    """
    largest = float(np.quantile(np.abs(points), 0.98))
    if not largest > 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(largest))
    return next(step * unit for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * unit >= largest)


def colors_of(values: np.ndarray, limit: float) -> np.ndarray:
    """Colours of a map, the stronger the less can be seen through them.

    Args:
        values: array `(H, W)`.
        limit: what `color_limit` returned.

    Returns:
        uint8 array `(H, W, 4)`: red, green, blue and opacity.
    """
    share = np.clip(values / limit, -1, 1)
    colors = np.where((share < 0)[..., None], LOWERS, RAISES)
    opacity = 255 * _OPAQUE * np.abs(share) ** 0.8
    return np.concatenate([colors, opacity[..., None]], -1).round().astype(np.uint8)


def pale(picture: Image.Image) -> Image.Image:
    """A photo in light greys, for a map to be laid upon."""
    grey = np.asarray(picture.convert("L"), np.float32)
    return Image.fromarray((70 + grey * 0.68).round().astype(np.uint8)).convert("RGB")


def map_over(picture: Image.Image, points: np.ndarray, limit: float) -> Image.Image:
    """Lays a map over a photo.

    Args:
        picture: the photo, in mode RGB.
        points: array `(32, 32)` of an `Explanation`.
        limit: where the scale of `if_everywhere(points)` ends.

    Returns:
        picture of the same size.
    """
    smooth = Image.fromarray(if_everywhere(points).astype(np.float32))
    values = np.asarray(smooth.resize(picture.size, Image.Resampling.BICUBIC))
    shown = pale(picture).convert("RGBA")
    shown.alpha_composite(Image.fromarray(colors_of(values, limit)))
    return shown.convert("RGB")


def stage_label(stage: str) -> str:
    """How the name of a stage is written for people."""
    name = stage.removesuffix("_depthwise").replace("_", ", ")
    return re.sub(r"(?<=[a-z])(?=[0-9])", " ", name)


class Bar(NamedTuple):
    """A bar of a waterfall.

    Attributes:
        label: what it is.
        is_sum: whether it is the sum of the bars of stages that follow it.
        begin: score before it.
        end: score after it.
    """

    label: str
    is_sum: bool
    begin: float
    end: float


def waterfall(explanation: Explanation) -> list[Bar]:
    """The bars that lead from the score of the average photo to that of a photo.

    Args:
        explanation: the `Explanation`.

    Returns:
        a `Bar` for each expert and size, followed by those of its stages.
    """
    stages = explanation.parts_by("expert", "size", "stage")
    bars, at = [], explanation.average
    for (expert, size), points in explanation.parts_by("expert", "size").items():
        bars.append(Bar(f"{expert}, {size} size", True, at, at + points))
        inside = at
        for (of_expert, of_size, stage), share in stages.items():
            if (of_expert, of_size) == (expert, size):
                bars.append(Bar(stage_label(stage), False, inside, inside + share))
                inside += share
        at += points
    return bars


def decimals_of(score_range: tuple[float, float]) -> int:
    """Digits behind the point with which points of a scale are written.

    Args:
        score_range: `(low, high)`, the scale.
    """
    low, high = score_range
    return max(0, 3 - math.floor(math.log10(high - low)))


def draw(explanation: Explanation) -> Image.Image:
    """Draws an explanation: the photo, its map, the parts of the score, and the diagnosis.

    Args:
        explanation: the `Explanation`.

    Returns:
        picture in mode RGB, 1320 px wide.
    """
    return _Sheet(explanation).finished()


class _Sheet:
    """A picture that grows downwards."""

    def __init__(self, explanation: Explanation) -> None:
        self.why = explanation
        self.decimals = decimals_of(explanation.score_range)
        self.image = Image.new("RGB", (_WIDTH, 2600), _PAPER)
        self.pen = ImageDraw.Draw(self.image)
        self.y = _MARGIN

    def finished(self) -> Image.Image:
        self._heading()
        limit = color_limit(if_everywhere(self.why.map()))
        self._photo_and_map(limit)
        self._small_maps(limit)
        top = self.y
        self._waterfall(_MARGIN, 800)
        bottom, self.y = self.y, top
        self._faults(880, _WIDTH - _MARGIN)
        self.y = max(self.y, bottom)
        return self.image.crop((0, 0, _WIDTH, self.y + _MARGIN // 2))

    def _text(
        self,
        x: float,
        y: float,
        text: str,
        size: int = 16,
        fill: tuple[int, ...] = _INK,
        anchor: str = "la",
    ) -> float:
        """Writes and returns where the text ends."""
        font = ImageFont.load_default(size)
        text = text.encode("latin-1", "replace").decode("latin-1")
        self.pen.text((x, y), text, fill=fill, font=font, anchor=anchor)
        return x + self.pen.textlength(text, font=font)

    def _points(self, value: float) -> str:
        return f"{value:+.{self.decimals}f}"

    def _heading(self) -> None:
        why, score = self.why, self.why.score
        end = self._text(_MARGIN, self.y, f"{float(score):.{self.decimals}f}", 44)
        end = self._text(end + 14, self.y + 15, score.word, 28)
        said = (
            f"people: {score.low:.{self.decimals}f} to {score.high:.{self.decimals}f}, better than "
            f"{score.percentile:.0f} % of the photos that the preset knows"
        )
        if not score.familiar:
            said += "; unfamiliar: do not trust it"
        self._text(end + 22, self.y + 7, pathlib.PurePath(why.name).name[-80:], 16)
        self._text(end + 22, self.y + 29, said, 15, _FAINT)
        self.y += 62
        for line in textwrap.wrap(f"Diagnosis: {why.diagnosis.text}", 115):
            self._text(_MARGIN, self.y, line, 20)
            self.y += 28
        self.y += 12

    def _photo_and_map(self, limit: float) -> None:
        photo = Image.fromarray(self.why.picture)
        width = (_WIDTH - 2 * _MARGIN - _GAP) // 2
        scale = min(width / photo.width, _TALLEST / photo.height)
        size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
        photo = photo.resize(size, Image.Resampling.LANCZOS)
        self.image.paste(photo, (_MARGIN, self.y))
        left = _MARGIN + width + _GAP
        self.image.paste(map_over(photo, self.why.map(), limit), (left, self.y))
        self.y += size[1] + 12
        self._bar(left, min(size[0], width), limit)

    def _bar(self, left: int, width: int, limit: float) -> None:
        width = max(width, 380)
        values = np.tile(np.linspace(-limit, limit, width), (14, 1))
        base = Image.new("RGBA", (width, 14), (156, 156, 156, 255))
        base.alpha_composite(Image.fromarray(colors_of(values, limit)))
        self.image.paste(base.convert("RGB"), (left, self.y))
        for share, anchor in ((0, "la"), (0.5, "ma"), (1, "ra")):
            value = limit * (2 * share - 1)
            text = f"{value:+g}" if value else "0: as the average photo"
            self._text(left + share * (width - 1), self.y + 18, text, 14, _INK, anchor)
        said = "points of the score, if the whole photo were like this place"
        self._text(left, self.y + 38, said, 14, _FAINT)
        self._text(_MARGIN, self.y, "Orange lowers the score, blue raises it.", 15)
        self._text(
            _MARGIN,
            self.y + 22,
            f"All places together add {self._points(float(self.why.map().sum()))} to the "
            f"{self.why.average:.{self.decimals}f} of the average photo.",
            15,
            _FAINT,
        )
        self.y += 74

    def _small_maps(self, limit: float) -> None:
        groups = list(self.why.parts_by("expert", "size").items())
        width = (_WIDTH - 2 * _MARGIN - 3 * _GAP) // 4
        photo = Image.fromarray(self.why.picture)
        photo.thumbnail((width, 320), Image.Resampling.LANCZOS)
        for place, ((expert, size), points) in enumerate(groups):
            left = _MARGIN + place * (width + _GAP)
            self._text(left, self.y, f"{expert}, {size} size", 16)
            self._text(left + photo.width, self.y, self._points(points), 16, _INK, "ra")
            found = map_over(photo, self.why.map(expert, size), limit)
            self.image.paste(found, (left, self.y + 25))
        self.y += 25 + photo.height + 30

    def _waterfall(self, left: int, right: int) -> None:
        why, bars = self.why, waterfall(self.why)
        score = float(why.score)
        ends = [bar.begin for bar in bars] + [bar.end for bar in bars] + [why.average, score]
        low, room = min(ends), (max(ends) - min(ends)) or 1.0
        start, end = left + 190, right - 80

        def at(value: float) -> int:
            return round(start + (value - low) / room * (end - start))

        self._text(left, self.y, "From the average photo to this one", 20)
        self.y += 36
        top = self.y
        self._mark(left, right, "average photo", why.average, at(why.average))
        for bar in bars:
            size, height = (16, 24) if bar.is_sum else (13, 17)
            ink = _INK if bar.is_sum else _FAINT
            color = RAISES if bar.end >= bar.begin else LOWERS
            x0, x1 = sorted((at(bar.begin), at(bar.end)))
            up = (height - size) // 2 - 1
            self._text(left + (0 if bar.is_sum else 16), self.y + up, bar.label, size, ink)
            self.pen.rectangle(
                [x0, self.y + 4, x1 + 1, self.y + height - 4],
                fill=color if bar.is_sum else _lighter(color),
            )
            self._text(right, self.y + up, self._points(bar.end - bar.begin), size, ink, "ra")
            self.y += height
        self._mark(left, right, "this photo", score, at(score))
        x = at(why.average)
        self.pen.line([(x, top + 22), (x, self.y - 4)], fill=_LINE)

    def _mark(self, left: int, right: int, label: str, score: float, x: int) -> None:
        self._text(left, self.y + 3, label, 16)
        self.pen.rectangle([x - 2, self.y + 2, x + 2, self.y + 21], fill=_INK)
        self._text(right, self.y + 3, f"{score:.{self.decimals}f}", 16, _INK, "ra")
        self.y += 24

    def _faults(self, left: int, right: int) -> None:
        self._text(left, self.y, "Faults looked for", 20)
        self.y += 36
        start, end = left + 120, right - 56
        for fault in self.why.diagnosis.faults:
            ink = _INK if fault.is_found else _FAINT
            self._text(left, self.y, fault.family, 16, ink)
            self.pen.rectangle([start, self.y + 4, end, self.y + 15], fill=(238, 240, 243))
            x = start + round(fault.probability * (end - start))
            self.pen.rectangle(
                [start, self.y + 4, x, self.y + 15], fill=LOWERS if fault.is_found else _LINE
            )
            self._text(right, self.y, f"{fault.probability:.0%}", 16, ink, "ra")
            if fault.is_found:
                self._text(start, self.y + 20, fault.text, 14, _FAINT)
                self.y += 20
            self.y += 27
        self._text(left, self.y + 4, "Orange: above what few clean photos reach.", 14, _FAINT)
        self.y += 30


def _lighter(color: Sequence[int]) -> tuple[int, ...]:
    return tuple(round(255 - 0.5 * (255 - channel)) for channel in color)
