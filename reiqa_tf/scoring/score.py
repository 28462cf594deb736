"""The score of a photo: a number that knows how sure it is. Plain Python, for every runtime."""

from __future__ import annotations

from collections.abc import Iterable

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
        familiar: False when the photo's features lie far outside what the head was fitted on, so
            that neither score nor interval should be trusted.

    Example:
    ```python
    from reiqa_tf import Score

    score = Score(0.61, low=0.44, high=0.78, familiar=True)
    assert score > 0.5 and score.low < score < score.high
    ```
    """

    low: float
    high: float
    familiar: bool
    percentile: float | None = None
    word: str | None = None

    def __new__(cls, value: float, low: float, high: float, familiar: bool) -> Score:
        """Makes the number; the rest are attributes."""
        score = super().__new__(cls, value)
        score.low = low
        score.high = high
        score.familiar = familiar
        return score

    def __getnewargs__(self) -> tuple[float, float, float, bool]:  # type: ignore[override]
        """What a copy or an unpickled score is made of."""
        return float(self), self.low, self.high, self.familiar

    def __repr__(self) -> str:
        return (
            f"Score({float(self):.4g}, low={self.low:.4g}, high={self.high:.4g}, "
            f"familiar={self.familiar})"
        )


def with_intervals(
    values: Iterable[float],
    distances: Iterable[float],
    score_range: tuple[float, float],
    margin: float,
    distance_limit: float,
) -> list[Score]:
    """Gives scores their intervals and says how familiar their photos are.

    Args:
        values: the scores, N numbers.
        distances: how far the photos' features lie from the fitted ones, N numbers; see
            `LinearHead.distance`.
        score_range: `(low, high)`, the scale, with which the intervals end.
        margin: half the width of an interval.
        distance_limit: distance above which a photo counts as unfamiliar.

    Returns:
        list of N `Score`.
    """
    lowest, highest = score_range
    return [
        Score(
            float(value),
            low=min(max(float(value) - margin, lowest), highest),
            high=max(min(float(value) + margin, highest), lowest),
            familiar=bool(distance <= distance_limit),
        )
        for value, distance in zip(values, distances, strict=True)
    ]
