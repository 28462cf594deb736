"""How much each part of the features should count in a ridge, chosen on held-out photos.

A ridge has one penalty for all features, so that a part with many features (a wide map, an expert
with many maps) speaks louder than one with few, whatever it knows. A weight for each part mends
that: the head stays linear, and the weights are gone once it is fitted. It is what several kernels
in one regression are (Lanckriet et al., Learning the kernel matrix, JMLR 2004), with weights found
by trying.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from reiqa_tf.fitting.regression import Fold
from reiqa_tf.progress import Progress, silent

FACTORS = (0.4, 2.5)
"""What a weight is multiplied by to see whether that is better. Ours."""

PASSES = 2
"""How often all weights are tried in turn. Ours: a third pass changed no weight of the default."""

STRENGTHS = (0.05, 0.15, 0.5, 1.5, 5.0)
"""Strengths that are tried, in units of the mean of the Gram matrix's diagonal."""

_BLOCK = 2048  # columns that are standardised at a time


def choose_part_weights(
    features: np.ndarray,
    parts: Mapping[str, Sequence[slice]],
    scores: np.ndarray,
    folds: Sequence[Fold],
    scale_floor: float,
    progress: Progress = silent,
) -> dict[str, float]:
    """Chooses weights by which held-out scores are predicted best.

    Beside the features memory holds a Gram matrix `(N, N)` of float32 for each part.

    Args:
        features: float array `(N, D)`.
        parts: the columns of each part, by name.
        scores: array `(N,)`.
        folds: pairs of training and validation rows; groups are whole in them.
        scale_floor: as in `RidgeRegressor`.
        progress: shows how far the work is.

    Returns:
        weights by name; their mean, weighted by numbers of columns, is 1.
    """
    scale = _scale(features, scale_floor)
    grams = {name: _gram(features, columns, scale) for name, columns in parts.items()}
    weights = dict.fromkeys(parts, 1.0)

    def error(tried: Mapping[str, float], strengths: Sequence[float]) -> tuple[float, float]:
        """The least mean squared error over the strengths, and the strength."""
        gram = np.zeros((len(scores), len(scores)), np.float32)
        for name, part in grams.items():
            gram += np.float32(tried[name]) * part
        return min((_held_out_error(gram, scores, folds, one), one) for one in strengths)

    best, strength = error(weights, STRENGTHS)
    trials = [(name, factor) for _ in range(PASSES) for name in parts for factor in FACTORS]
    for name, factor in progress(trials, "weighing parts", len(trials)):
        tried = {**weights, name: factor * weights[name]}
        found, _ = error(tried, [strength])
        if found < best:
            best, weights = found, tried
    counts = {name: sum(some.stop - some.start for some in parts[name]) for name in parts}
    mean = sum(weights[name] * counts[name] for name in parts) / sum(counts.values())
    return {name: weight / mean for name, weight in weights.items()}


def column_weights(
    weights: Mapping[str, float], parts: Mapping[str, Sequence[slice]], count: int
) -> np.ndarray:
    """The weights of parts as one number a column.

    Args:
        weights: of each part, by name.
        parts: the columns of each part, by name.
        count: number of columns.

    Returns:
        float64 array `(count,)`.
    """
    columns = np.ones(count)
    for name, slices in parts.items():
        for some in slices:
            columns[some] = weights[name]
    return columns


def _scale(features: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray]:
    mean = features.mean(axis=0, dtype=np.float64)
    deviation = features.std(axis=0, dtype=np.float64)
    least = floor * np.median(deviation)
    deviation = np.where(deviation > least, deviation, least)
    return mean, np.where(deviation > 0, deviation, 1.0)


def _gram(
    features: np.ndarray, columns: Sequence[slice], scale: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    mean, deviation = scale
    gram = np.zeros((len(features), len(features)), np.float32)
    for whole in columns:
        for start in range(whole.start, whole.stop, _BLOCK):
            some = slice(start, min(start + _BLOCK, whole.stop))
            block = ((features[:, some] - mean[some]) / deviation[some]).astype(np.float32)
            gram += block @ block.T
    return gram


def _held_out_error(
    gram: np.ndarray, scores: np.ndarray, folds: Sequence[Fold], strength: float
) -> float:
    total, count = 0.0, 0
    for seen, unseen in folds:
        inner = gram[np.ix_(seen, seen)]
        inner[np.diag_indices(len(seen))] += strength * np.trace(inner) / len(seen)
        mean = scores[seen].mean()
        solved = cho_solve(cho_factor(inner, overwrite_a=True), scores[seen] - mean)
        away = gram[np.ix_(unseen, seen)] @ solved + mean - scores[unseen]
        total, count = total + float(away @ away), count + len(unseen)
    return total / count
