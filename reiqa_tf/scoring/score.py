"""The score of a photo: a number that knows how sure it is. Plain Python, for every runtime."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reiqa_tf.errors import ReiqaError


class MissingHeadError(ReiqaError):
    """A score was asked for where there are encoders and no head."""

    # The message can be given, because Keras makes an error anew to say in which call it arose.
    def __init__(
        self,
        message: str = "this preset has encoders but no head, so it gives features and no scores. "
        "Fit a head on scored photos: reiqa fit scores.csv --preset THIS --out NEW",
    ) -> None:
        super().__init__(message)


class Score(float):
    """The score of one photo: a number, higher is better, that knows how sure it is.

    Args:
        value: the score.
        low: lower end of its interval, which ends with the scale.
        high: upper end of its interval, likewise.
        familiar: False when the picture is unlike the photos that the head was fitted on, so that
            neither score nor interval should be trusted. None when nobody knows: the scorer was
            trained further, and `reiqa_tf.recalibrate` has not measured it since.
        percentile: share of the photos that the head knows whose scores are lower, 0 to 100.
        word: `bad`, `poor`, `fair`, `good` or `excellent`.
        spread: how far off the score may be, on its scale; see `beats`. Infinite when unknown.

    Example:
    ```python
    from reiqa_tf import Score

    known = {"familiar": True, "spread": 0.06}
    score = Score(0.61, low=0.44, high=0.78, percentile=52.0, word="good", **known)
    other = Score(0.48, low=0.30, high=0.66, percentile=31.0, word="fair", **known)
    assert score.low < score < score.high
    print(f"{score.beats(other):.0%}")  # 82%
    ```
    """

    low: float
    high: float
    familiar: bool | None
    percentile: float
    word: str
    spread: float

    def __new__(
        cls,
        value: float,
        low: float,
        high: float,
        familiar: bool | None,
        percentile: float,
        word: str,
        spread: float,
    ) -> Score:
        """Makes the number; the rest are attributes."""
        score = super().__new__(cls, value)
        score.low = low
        score.high = high
        score.familiar = familiar
        score.percentile = percentile
        score.word = word
        score.spread = spread
        return score

    def beats(self, other: Score) -> float:
        """Probability that people find this photo better than another.

        Args:
            other: a score by the same preset.

        Returns:
            0 to 1; that of the other one beating this one is the rest to 1. It is
            `1 / (1 + exp(-d))`, where `d` is the difference of the scores in units of both spreads
            together; the unit of the spread was chosen on pairs of held-out photos.
        """
        both = math.hypot(self.spread, other.spread)  # 0.5 where one of them is unknown
        if both == 0:
            return 0.5 if self == other else float(self > other)
        return (1 + math.tanh((float(self) - float(other)) / both / 2)) / 2

    def __getnewargs__(self) -> tuple[float, float, float, bool | None, float, str, float]:  # type: ignore[override]
        """What a copy or an unpickled score is made of."""
        kept = (self.low, self.high, self.familiar, self.percentile, self.word, self.spread)
        return (float(self), *kept)

    def __repr__(self) -> str:
        return (
            f"Score({float(self):.4g}, {self.word!r}, low={self.low:.4g}, high={self.high:.4g}, "
            f"percentile={self.percentile:.1f}, familiar={self.familiar})"
        )


TIE = 0.75
"""Two photos whose better one is the better one with a lower probability than this are a tie."""


def ranking(scores: Sequence[Score]) -> list[list[int]]:
    """Orders photos, with those together that are a tie.

    A photo joins the group above it while the best of that group does not beat it with a
    probability of `TIE`; so all of a group are a tie with its best.

    Args:
        scores: of N photos, by one preset.

    Returns:
        groups of indices, the best group first, the best photo of each group first.

    Example:
    ```python
    import reiqa_tf
    from reiqa_tf.scoring.score import ranking

    outcomes = list(reiqa_tf.score_many("holiday/"))
    for place, tied in enumerate(ranking([outcome.score for _, outcome in outcomes]), 1):
        print(place, [outcomes[index][0] for index in tied])
    ```
    """
    groups: list[list[int]] = []
    for index in sorted(range(len(scores)), key=lambda index: -scores[index]):
        if groups and scores[groups[-1][0]].beats(scores[index]) < TIE:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups
