"""A new head beside the one that the preset has, on photos that the new one has not seen."""

from __future__ import annotations

import dataclasses

import numpy as np

from reiqa_tf.metrics import MINIMUM_ROWS, paired_bootstrap, srcc


@dataclasses.dataclass(frozen=True)
class HeadComparison:
    """How two heads agree with people on the same photos.

    Attributes:
        rows: `"test"`: rows of the split test, or `"held_out"`: those that were fitted on, each
            predicted by a head that had not seen it.
        photos: number of photos.
        preset_srcc: Spearman's rank correlation of the preset's own head.
        srcc: that of the new head.
        difference: the second less the first.
        low: lower end of the 95 % interval of the difference; photos (groups, where given) are
            drawn for both heads together.
        high: upper end.
        preset_has_seen_them: whether the preset's head agrees with people so much better than on
            the photos that it was measured with that it seems to have been fitted on these. The
            comparison is then unfair to the new head.
    """

    rows: str
    photos: int
    preset_srcc: float
    srcc: float
    difference: float
    low: float
    high: float
    preset_has_seen_them: bool

    @property
    def verdict(self) -> str:
        """What that says, in plain words."""
        if self.preset_has_seen_them:
            return "the preset's own head seems to have seen these photos; this says nothing"
        if self.low > 0:
            return "your head is better"
        if self.high < 0:
            return "your head is worse: use the preset as it is"
        return "no proof of a gain: more scored photos would tell"


def compare_heads(
    rows: str,
    fitted: np.ndarray,
    preset: np.ndarray,
    scores: np.ndarray,
    groups: np.ndarray | None,
    preset_srcc_limit: float | None = None,
) -> HeadComparison | None:
    """Compares two heads' predictions of the same photos.

    Args:
        rows: as in `HeadComparison`.
        fitted: array `(N,)`, predictions of the new head; those that are NaN are left out.
        preset: array `(N,)`, predictions of the preset's own head.
        scores: array `(N,)`, people's.
        groups: array `(N,)` of labels: photos of a group are drawn together; or None.
        preset_srcc_limit: as in `seems_to_have_seen`.

    Returns:
        `HeadComparison`; None if there are too few photos or groups to say anything.

    Example:
    ```python
    import numpy as np
    from reiqa_tf.fitting.head_comparison import compare_heads

    scores = np.arange(50.0)
    noise = np.random.default_rng(0).normal(scale=20, size=50)
    found = compare_heads("test", scores + 0.1 * noise, scores + noise, scores, None)
    print(found.difference, found.low, found.high, found.verdict)
    ```
    """
    seen = np.isfinite(fitted)
    fitted, preset, scores = fitted[seen], preset[seen], scores[seen]
    groups = None if groups is None else groups[seen]
    if len(scores) < MINIMUM_ROWS or len(scores if groups is None else set(groups)) < MINIMUM_ROWS:
        return None
    difference = paired_bootstrap(fitted, preset, scores, groups=groups)
    own = srcc(preset, scores)
    return HeadComparison(
        rows=rows,
        photos=len(scores),
        preset_srcc=own,
        srcc=srcc(fitted, scores),
        difference=difference.difference,
        low=difference.low,
        high=difference.high,
        preset_has_seen_them=seems_to_have_seen(own, len(scores), preset_srcc_limit),
    )


def seems_to_have_seen(own: float, photos: int, limit: float | None) -> bool:
    """Whether a head agrees with people too well on photos for them to be new to it.

    Args:
        own: SRCC of the head on the photos.
        photos: number of them.
        limit: upper end of the interval of its SRCC on photos that were held out when it was
            fitted, as its preset says; None where that is not known.

    Returns:
        bool; of few photos nothing is known, and False.

    Reference: the interval of a rank correlation is Fisher's, with the factor 1.06 of Fieller,
    Hartley and Pearson, Biometrika 44 (1957).
    """
    if limit is None or photos <= 4 or not abs(own) < 1:
        return False
    width = 1.96 * np.sqrt(1.06 / (photos - 3))
    return bool(np.tanh(np.arctanh(own) - width) > limit)
