"""Scored photos and their features: what a head is fitted on and what a preset is measured with."""

from __future__ import annotations

import dataclasses

import numpy as np

from reiqa_tf.data.scored_photos import ScoredPhotos, ScoredPhotosError, require_photos
from reiqa_tf.errors import ReiqaError
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import FeatureCache
from reiqa_tf.scoring.features import FeatureScorer, feature_table


@dataclasses.dataclass(frozen=True, eq=False)
class ScoredFeatures:
    """The photos that could be read.

    Attributes:
        features: float32 array `(N, F)`.
        scored: `ScoredPhotos` of the same N photos.
        problems: why others are missing, one error a photo.
    """

    features: np.ndarray
    scored: ScoredPhotos
    problems: list[ReiqaError]


def scored_features(
    scorer: FeatureScorer,
    scored: ScoredPhotos,
    least: int,
    cache: FeatureCache | None = None,
    progress: Progress = silent,
) -> ScoredFeatures:
    """Computes the features of scored photos and leaves out what cannot be read.

    Args:
        scorer: what computes features: a built `ReIQAScorer`, or see `fastest_features`.
        scored: the photos.
        least: fewest photos that are needed. Where photos are missing or damaged and fewer are
            left, the message names them; a list that was too short anyway is left to the caller.
        cache: an open `FeatureCache`, or None.
        progress: shows how far the work is.

    Returns:
        `ScoredFeatures`.

    Raises:
        ScoredPhotosError: if photos cannot be read and fewer than `least` can.
    """
    require_photos(scored, least)
    features, problems = feature_table(scorer, scored.paths, progress=progress, cache=cache)
    readable = np.setdiff1d(np.arange(len(scored)), list(problems))
    if problems and len(readable) < least:
        raise ScoredPhotosError(
            f"{len(problems)} of {len(scored)} photos could not be read, and {least} are needed; "
            f"the first: {next(iter(problems.values()))}"
        )
    return ScoredFeatures(features[readable], scored.rows(readable), list(problems.values()))
