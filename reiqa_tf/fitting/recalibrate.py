"""A head whose encoders have changed, brought to the scale of scored photos again."""

from __future__ import annotations

import numpy as np

from reiqa_tf.data.scored_photos import ScoredPhotos, read_scored_photos
from reiqa_tf.fitting.calibration import HeldOut, Linear, calibrated_head
from reiqa_tf.fitting.fit_head import FEWEST_ROWS, FitError, known_distance, with_head
from reiqa_tf.fitting.scored_features import scored_features
from reiqa_tf.fitting.strange_pictures import strange_features
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
    strange = strange_features(scorer, table.scored.paths, progress=progress)
    return recalibrated(scorer, table.features, table.scored, strange)


def recalibrated(
    scorer: ReIQAScorer, features: np.ndarray, scored: ScoredPhotos, strange: np.ndarray
) -> ReIQAScorer:
    """`recalibrate` from features that are there already.

    Args:
        scorer: as in `recalibrate`.
        features: float array `(N, feature_count)`, those of the scored photos.
        scored: the same N photos.
        strange: what `strange_features` returned for the scorer.

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
    head = calibrated_head(
        Linear(slope * kernel, slope * bias + intercept),
        HeldOut(features, scored.scores, slope * predicted + intercept, scored.groups),
        scored.score_range,
        known_distance(scorer, features, strange),
    )
    return with_head(scorer, head)
