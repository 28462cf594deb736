"""What the numbers of a head mean: interval, percentile and word of a score. Plain Python."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from reiqa_tf.scoring.score import Score

WORDS = ("bad", "poor", "fair", "good", "excellent")
"""The five words of ITU-T P.910 for quality; each covers a fifth of the scale, as on the continuous
scale of ITU-R BT.500."""

PERCENTILE_COUNT = 101
"""Numbers in a table of percentiles: the 0th, the 1st, to the 100th."""


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What makes an answer of the three numbers that a head computes: score, spread and distance.

    Args:
        score_range: `(low, high)`, the scale of the scores that the head was fitted on. It is the
            scale's meaning, not a limit: the score of an extreme photo can lie a little outside.
        percentiles: scores of held-out photos, rising: that below which none of them lies, that
            below which one in a hundred does, and so on to the highest; `PERCENTILE_COUNT` numbers.
        interval: how many spreads the interval reaches to either side of the expected opinion.
        expected: `(slope, offset)`: people's mean score of photos with the score `s` is expected to
            be `slope * s + offset`. The slope is below 1: an extreme score is in part luck.
        coverage: share of held-out photos whose score by people lay in the interval, such as 0.95.
        distance_limit: distance above which a photo counts as unfamiliar.
        measured: whether held-out photos said all this. If not, as after training that moved the
            weights, an interval is the whole scale and nobody knows whether a photo is familiar.

    Raises:
        ValueError: if a number is out of its range.

    Example:
    ```python
    import numpy as np
    from reiqa_tf.scoring.calibration import Calibration

    known = Calibration((0, 100), percentiles=tuple(np.linspace(20, 90, 101)), interval=2.0)
    score = known.judge(scores=[71.0], spreads=[5.0], distances=[0.2])[0]
    assert score.word == "good" and score.low == 61 and score.high == 81
    ```
    """

    score_range: tuple[float, float]
    percentiles: tuple[float, ...]
    interval: float
    expected: tuple[float, float] = (1.0, 0.0)
    coverage: float = 0.95
    distance_limit: float = 1.0
    measured: bool = True

    def __post_init__(self) -> None:
        for name in ("score_range", "percentiles", "expected"):
            object.__setattr__(self, name, tuple(float(number) for number in getattr(self, name)))
        for name in ("interval", "coverage", "distance_limit"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if not (len(self.score_range) == 2 and self.score_range[0] < self.score_range[1]):
            raise ValueError(
                f"score_range: expected (low, high), low < high. Received: {self.score_range}"
            )
        rising = all(a <= b for a, b in itertools.pairwise(self.percentiles))
        if len(self.percentiles) != PERCENTILE_COUNT or not rising:
            raise ValueError(
                f"percentiles: expected {PERCENTILE_COUNT} rising numbers. "
                f"Received: {len(self.percentiles)}, {'rising' if rising else 'not rising'}"
            )
        if not (self.interval >= 0 and 0 < self.coverage < 1 and len(self.expected) == 2):
            raise ValueError(
                "expected interval >= 0, coverage between 0 and 1 and two numbers `expected`. "
                f"Received: {self.interval}, {self.coverage}, {self.expected}"
            )

    @classmethod
    def unknown(cls, score_range: tuple[float, float] = (0.0, 1.0)) -> Calibration:
        """That of a head whose errors nobody has measured.

        Percentiles are as if all scores were alike likely.

        Args:
            score_range: the scale.

        Returns:
            `Calibration`.
        """
        low, high = score_range
        steps = PERCENTILE_COUNT - 1
        table = tuple(low + (high - low) * step / steps for step in range(PERCENTILE_COUNT))
        return cls((low, high), table, interval=1.0, measured=False)

    @classmethod
    def of(cls, values: Calibration | Mapping[str, Any]) -> Calibration:
        """A calibration, or one from the dictionary that `dataclasses.asdict` made of it."""
        return values if isinstance(values, Calibration) else cls(**values)

    def judge(
        self, scores: Iterable[float], spreads: Iterable[float], distances: Iterable[float]
    ) -> list[Score]:
        """Makes answers of what a head computed.

        Args:
            scores: N numbers; see `LinearHead.call`.
            spreads: N positive numbers; see `LinearHead.spread`.
            distances: N numbers; see `LinearHead.distance`.

        Returns:
            list of N `Score`.
        """
        return [
            self._judged(float(score), float(spread), float(distance))
            for score, spread, distance in zip(scores, spreads, distances, strict=True)
        ]

    def word(self, score: float) -> str:
        """The word for a score.

        Args:
            score: on the scale of the head.

        Returns:
            one of `WORDS`.
        """
        low, high = self.score_range
        return WORDS[min(max(int(len(WORDS) * (score - low) / (high - low)), 0), len(WORDS) - 1)]

    def percentile(self, score: float) -> float:
        """Share of the photos that the head knows whose scores are lower.

        Args:
            score: on the scale of the head.

        Returns:
            0 to 100, straight between the numbers of the table.
        """
        table = self.percentiles
        if score <= table[0]:
            return 0.0
        if score >= table[-1]:
            return 100.0
        above = bisect.bisect_right(table, score)
        below = table[above - 1]
        return above - 1 + (score - below) / (table[above] - below)

    def _judged(self, score: float, spread: float, distance: float) -> Score:
        low, high = self.score_range
        if not self.measured:
            return Score(
                score,
                low=min(low, score),
                high=max(high, score),
                familiar=None,
                percentile=self.percentile(score),
                word=self.word(score),
                spread=math.inf,
            )
        slope, offset = self.expected
        center, reach = slope * score + offset, self.interval * spread
        return Score(
            score,
            # The scale ends the interval, and the score lies in it: an extreme score is a little
            # farther out than the opinion that is expected of it.
            low=min(max(center - reach, low), score),
            high=max(min(center + reach, high), score),
            familiar=distance <= self.distance_limit,
            percentile=self.percentile(score),
            word=self.word(score),
            spread=spread,
        )
