"""A head whose encoders have changed, brought to the scale of scored photos again."""

from __future__ import annotations

import numpy as np

from reiqa_tf.data.scored_photos import ScoredPhotos, read_scored_photos
from reiqa_tf.fitting.defaults import SCALE_FLOOR
from reiqa_tf.fitting.fit_head import COVERAGE, FEWEST_ROWS, FitError, distance_limit, interval
from reiqa_tf.fitting.scored_features import scored_features
from reiqa_tf.models.head import LinearHead
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.progress import Progress, silent
from reiqa_tf.typing import PathLike


def recalibrate(
    scorer: ReIQAScorer,
    scores: PathLike | ScoredPhotos,
    *,
    progress: Progress = silent,
) -> ReIQAScorer:
    """Fits scale, interval and familiarity of a scorer anew, on photos that it did not learn from.

    Whoever trains the encoders with `model.fit` calls this afterwards: what the head knows of its
    errors, and of which photos are usual, was measured with the encoders as they were. The
    direction of the head stays, its slope and intercept are those of a line from its scores to
    people's.

    Args:
        scorer: a built `ReIQAScorer` with a head.
        scores: scored photos that neither encoders nor head have learned from, 20 or more, or their
            CSV file.
        progress: shows how far the work is.

    Returns:
        `ReIQAScorer` with the same encoders and a new head.

    Raises:
        FitError: if there are too few photos, all scores are equal, or the scorer's scores do not
            rise with people's.
        ScoredPhotosError: if the list cannot be used.

    Example:
    ```python
    import reiqa_tf

    scorer = reiqa_tf.load_preset("content_lite0_biq2021")  # and then scorer.fit(...)
    scorer = reiqa_tf.recalibrate(scorer, "scores.csv")
    print(scorer.score("photo.jpg"))
    ```
    """
    scored = scores if isinstance(scores, ScoredPhotos) else read_scored_photos(scores)
    table = scored_features(scorer, scored, FEWEST_ROWS, None, progress)
    return recalibrated(scorer, table.features, table.scored)


def recalibrated(scorer: ReIQAScorer, features: np.ndarray, scored: ScoredPhotos) -> ReIQAScorer:
    """`recalibrate` from features that are there already.

    Args:
        scorer: as in `recalibrate`.
        features: float array `(N, feature_count)`, those of the scored photos.
        scored: the same N photos.

    Returns:
        as `recalibrate`.

    Raises:
        FitError: likewise.
    """
    if len(scored) < FEWEST_ROWS:
        raise FitError(
            f"expected at least {FEWEST_ROWS} scored photos to calibrate on. Received: "
            f"{len(scored)}"
        )
    old = scorer.fitted_head()
    kernel, bias = np.asarray(old.kernel, np.float64), float(np.asarray(old.bias))
    predicted = features.astype(np.float64) @ kernel + bias
    if np.ptp(scored.scores) == 0 or np.ptp(predicted) == 0:
        raise FitError("expected different scores to calibrate on; all are equal.")
    slope, intercept = np.polyfit(predicted, scored.scores, 1)
    if slope <= 0:
        raise FitError(
            "expected scores that rise with people's. Those of this scorer fall on the photos to "
            "calibrate on: was it trained on other scores, or with lower ones as better?"
        )
    errors = np.abs(slope * predicted + intercept - scored.scores)
    head = LinearHead(
        scored.score_range,
        margin=interval(errors),
        coverage=COVERAGE,
        distance_limit=1.0,
        distance_features=old.distance_features,
    )
    head.build((None, scorer.feature_count))
    head.kernel.assign(slope * kernel)
    head.bias.assign(slope * bias + intercept)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    head.feature_mean.assign(mean)
    # A channel that hardly fires on these photos must not decide what is unusual.
    floor = max(SCALE_FLOOR * float(np.median(deviation)), 1e-6)
    head.feature_scale.assign(np.maximum(deviation, floor))
    head.distance_limit = distance_limit(np.asarray(head.distance(features)))
    fitted = ReIQAScorer(
        content=scorer.content,
        quality=scorer.quality,
        head=head,
        working_size=scorer.working_size,
    )
    fitted.build((None, None, None, 3))
    return fitted
