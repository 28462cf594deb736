"""Fit the linear head on features of scored photos."""

from __future__ import annotations

import dataclasses

import numpy as np

from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.errors import ReiqaError
from reiqa_tf.fitting.calibration import HeldOut, Linear, calibrated_head, fit_distance
from reiqa_tf.fitting.part_weights import choose_part_weights, column_weights
from reiqa_tf.fitting.regression import Regression, Steps, checked_folds
from reiqa_tf.models.contributions import feature_blocks
from reiqa_tf.models.head import LinearHead
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.progress import Progress, silent

FEWEST_ROWS = 20
"""Fewest scored photos that a head is fitted on."""


class FitError(ReiqaError):
    """Scored photos on which no head can be fitted."""


@dataclasses.dataclass(frozen=True, eq=False)
class FittedHead:
    """A head, and what was measured while it was fitted.

    Attributes:
        scorer: the `ReIQAScorer` with its new head.
        held_out: array `(N,)`: each row's prediction by a head that had not seen it; NaN for rows
            that were never held out.
        strength: strength of the regulariser that was chosen.
        at_edge: whether that is the weakest or strongest of those that were tried, to the limit.
        around_prior: whether the head was shrunk towards the prior, and not towards zero.
        part_weights: what each part of the features counted, by names such as
            `content/full/means`; None where all counted the same.
    """

    scorer: ReIQAScorer
    held_out: np.ndarray
    strength: float
    at_edge: bool
    around_prior: bool
    part_weights: dict[str, float] | None = None


def fit_head(
    scorer: ReIQAScorer,
    features: np.ndarray,
    scored: ScoredPhotos,
    regression: Regression | None = None,
    steps: Steps | None = None,
    prior: np.ndarray | None = None,
    strange: np.ndarray | None = None,
    weighs_parts: bool = False,
    progress: Progress = silent,
) -> FittedHead:
    """Fits a head: strength chosen on held-out rows, then the head on all of them.

    Rows of the split `val` are the held-out ones; without such rows, five folds are, with groups
    kept whole. The interval of a score is the width that covers `COVERAGE` of the held-out rows.

    Args:
        scorer: `ReIQAScorer` whose encoders computed the features; its own head is not looked at.
        features: array `(N, feature_count)`.
        scored: `ScoredPhotos` of the same N photos, without test rows.
        regression: `Regression`; None takes its defaults.
        steps: `Steps` of the same photos, which a ridge learns from beside their scores (see
            `reiqa_tf.fitting.ladders`), or None.
        prior: float array `(feature_count,)`: coefficients of a head that has not seen these
            photos. A ridge shrinks towards them where that is better than towards zero on the
            held-out rows. None: towards zero.
        strange: array `(M, feature_count)`: features of pictures that are no photos, from which it
            learns to tell those that are; see `reiqa_tf.fitting.strange_pictures`. None takes what
            the scorer's own head knows of it; where there is none, every photo is familiar.
        weighs_parts: whether a ridge weighs the parts of the features (of each expert, size and
            kind of pooling) by what predicts the held-out rows best, before all else: worth it
            with a thousand photos and more.
        progress: shows how far that is.

    Returns:
        `FittedHead`.

    Raises:
        FitError: if there are fewer than `FEWEST_ROWS` rows, fewer groups than folds, or all
            scores are equal.

    Example:
    ```python
    import reiqa_tf
    from reiqa_tf.data.scored_photos import read_scored_photos
    from reiqa_tf.fitting.fit_head import fit_head
    from reiqa_tf.scoring.features import feature_table

    scorer = reiqa_tf.load_preset("content_lite0_biq2021")
    scored = read_scored_photos("scores.csv").split("train", "val")
    features, _ = feature_table(scorer, scored.paths)
    fitted = fit_head(scorer, features, scored)
    print(fitted.strength, fitted.scorer.score("photo.jpg"))
    ```
    """
    if len(scored) < FEWEST_ROWS:
        raise FitError(f"expected at least {FEWEST_ROWS} scored photos. Received: {len(scored)}")
    if np.ptp(scored.scores) == 0:
        raise FitError(f"expected different scores; all are {scored.scores[0]:g}.")
    regression = regression or Regression()
    regressor = regression.regressor()
    if scored.splits is not None and np.isin(("train", "val"), scored.splits).all():
        train, val = (np.flatnonzero(scored.splits == name) for name in ("train", "val"))
        regressor = regression.regressor(cv=[(train, val)])
    weights, columns = None, None
    try:
        if weighs_parts:
            folds = checked_folds(regressor.cv, features, scored.scores, scored.groups)
            parts = {"/".join(name): some for name, some in feature_blocks(scorer).items()}
            weights = choose_part_weights(
                features, parts, scored.scores, folds, regression.scale_floor, progress
            )
            columns = column_weights(weights, parts, features.shape[1])
        regressor.fit(
            features,
            scored.scores,
            groups=scored.groups,
            steps=steps,
            prior=prior,
            column_weights=columns,
        )
    except ValueError as error:  # folds that cannot be made, features that are not finite
        raise FitError(f"no head can be fitted: {error}") from error
    seen = np.isfinite(regressor.held_out_)
    head = calibrated_head(
        Linear(regressor.coef_, regressor.intercept_),
        HeldOut(
            features[seen],
            scored.scores[seen],
            regressor.held_out_[seen],
            None if scored.groups is None else scored.groups[seen],
        ),
        scored.score_range,
        known_distance(scorer, features, strange),
    )
    slope, offset = head.calibration.expected
    return FittedHead(
        with_head(scorer, head),
        (regressor.held_out_ - offset) / slope,
        regressor.strength_,
        regressor.at_edge_,
        regressor.around_prior_,
        weights,
    )


def with_head(scorer: ReIQAScorer, head: LinearHead) -> ReIQAScorer:
    """A scorer of the same encoders with another head.

    Args:
        scorer: a built `ReIQAScorer`.
        head: a built `LinearHead` for its features.

    Returns:
        built `ReIQAScorer`, which shares the encoders.
    """
    made = ReIQAScorer(
        content=scorer.content,
        quality=scorer.quality,
        head=head,
        working_size=scorer.working_size,
    )
    made.build((None, None, None, 3))
    return made


def known_distance(scorer: ReIQAScorer, features: np.ndarray, strange: np.ndarray | None) -> Linear:
    """The direction from photos to what is none, among the features of the content expert.

    Args:
        scorer: a built `ReIQAScorer`.
        features: float array `(N, feature_count)`: features of photos.
        strange: as in `fit_head`.

    Returns:
        `Linear`.
    """
    if strange is not None:
        return fit_distance(features, strange, _content(scorer))
    if scorer.head is None:
        return Linear(np.zeros(scorer.feature_count), 0.0)
    kernel = np.asarray(scorer.head.distance_kernel, np.float64)
    return Linear(kernel, float(scorer.head.distance_bias))


def _content(scorer: ReIQAScorer) -> tuple[int, int] | None:
    seen = scorer.feature_order.get("content")
    return None if seen is None else (seen[0], seen[1])
