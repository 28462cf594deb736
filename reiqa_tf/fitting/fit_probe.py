"""Learn a `Probe` from features of photos with known faults."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from reiqa_tf.explanation.diagnosis import Probe, as_learnt
from reiqa_tf.explanation.faults import FAMILIES

FALSE_ALARMS = 0.04
"""Share of the held-out clean photos in which some fault may be found; 0.05 is promised."""

STRENGTHS = (0.01, 0.03, 0.1, 0.3)
"""Strengths of the ridge that are tried, in units of the mean square of a row."""

_FOLDS = 5
_LEAST_PROBABILITY = 0.5  # below it a fault is likelier not to be there than to be
_FLOOR = 1e-3  # of the typical deviation: columns that hardly vary are not blown up


def fit_probe(
    features: np.ndarray,
    amounts: np.ndarray,
    groups: np.ndarray,
    columns: slice,
    average: np.ndarray,
) -> Probe:
    """Learns to tell faults and their amounts.

    One ridge regression a family on whether the fault is there, whose predictions for photos that
    it has not seen become probabilities by a logistic function; and one on how much of it there is,
    over the pictures that have it. Thresholds are those at which few clean photos give an alarm.

    Args:
        features: float32 array `(N, F)`.
        amounts: array `(N, K)` of each family's fault in its unit; NaN where there is none.
        groups: `(N,)`, which photo a picture was made of; no photo is in two folds.
        columns: the features to look at.
        average: `(F,)`, the features of the average photo.

    Returns:
        `Probe`.
    """
    rows, mean, deviation = _standardised(features[:, columns])
    gram = rows @ rows.T / rows.shape[1]
    folds = _folds(groups)
    is_there = np.isfinite(amounts)
    signs = np.where(is_there, 1.0, -1.0)
    held_out = {strength: _held_out(gram, signs, folds, strength) for strength in STRENGTHS}
    losses = {
        strength: sum(
            _logistic(margin, there)[2] for margin, there in zip(found.T, is_there.T, strict=True)
        )
        for strength, found in held_out.items()
    }
    strength = min(losses, key=lambda key: losses[key])
    weights, offsets = _ridge(gram, signs, strength)
    slopes, shifts, _ = np.array(
        [
            _logistic(margin, there)
            for margin, there in zip(held_out[strength].T, is_there.T, strict=True)
        ]
    ).T
    kernels = [rows.T @ (weights * slopes) / rows.shape[1]]
    biases = [offsets * slopes + shifts]
    learnt = as_learnt(amounts)
    for family in range(len(FAMILIES)):
        chosen = np.flatnonzero(is_there[:, family])
        part, offset = _ridge(gram[np.ix_(chosen, chosen)], learnt[chosen, family, None], strength)
        kernels.append(rows[chosen].T @ part / rows.shape[1])
        biases.append(offset)
    folded = np.concatenate(kernels, axis=1) / deviation[:, None]
    kernel = np.zeros((features.shape[1], folded.shape[1]), np.float32)
    kernel[columns] = folded
    bias = np.concatenate(biases) - mean @ folded
    clean = ~is_there.any(axis=1)
    return Probe(
        kernel,
        bias.astype(np.float32),
        _thresholds(held_out[strength][clean] * slopes + shifts),
        average.astype(np.float32),
        np.stack([np.nanmin(amounts, axis=0), np.nanmax(amounts, axis=0)]),
    )


def _standardised(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    deviation = features.std(axis=0, dtype=np.float64).astype(np.float32)
    deviation = np.maximum(deviation, _FLOOR * np.median(deviation))
    return (features - mean) / deviation, mean, deviation


def _folds(groups: np.ndarray) -> np.ndarray:
    """Which of the folds each picture is held out in."""
    names, places = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(0).permutation(len(names))
    folds: np.ndarray = (order % _FOLDS)[places]
    return folds


def _ridge(gram: np.ndarray, targets: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the rows, and the offset, of a ridge regression."""
    offset = targets.mean(axis=0)
    shift = strength * np.trace(gram) / len(gram)
    factor = cho_factor(gram + shift * np.eye(len(gram), dtype=gram.dtype))
    return cho_solve(factor, targets - offset), offset


def _held_out(
    gram: np.ndarray, targets: np.ndarray, folds: np.ndarray, strength: float
) -> np.ndarray:
    """Predictions for pictures of photos that were left out."""
    found = np.empty_like(targets)
    for fold in range(_FOLDS):
        seen, unseen = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        weights, offset = _ridge(gram[np.ix_(seen, seen)], targets[seen], strength)
        found[unseen] = gram[np.ix_(unseen, seen)] @ weights + offset
    return found


def _logistic(margins: np.ndarray, is_there: np.ndarray) -> tuple[float, float, float]:
    """Slope, shift and loss of the logistic function that makes margins probabilities.

    Reference:
        Platt, Probabilistic outputs for support vector machines, 1999; with his targets, which
        keep probabilities from 0 and 1.
    """
    positive, count = is_there.sum(), len(is_there)
    targets = np.where(is_there, (positive + 1) / (positive + 2), 1 / (count - positive + 2))
    inputs = np.stack([margins, np.ones(count)], 1)
    found = np.array([1.0, 0.0])
    for _ in range(100):  # Newton's method; a dozen steps are enough
        probabilities = 1 / (1 + np.exp(-np.clip(inputs @ found, -30, 30)))
        curvature = probabilities * (1 - probabilities) + 1e-9
        step = np.linalg.solve(
            inputs.T @ (curvature[:, None] * inputs) + 1e-9 * np.eye(2),
            inputs.T @ (targets - probabilities),
        )
        found = found + np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-8:
            break
    logits = np.clip(inputs @ found, -30, 30)
    loss = np.mean(np.log1p(np.exp(logits)) - targets * logits)
    return float(found[0]), float(found[1]), float(loss)


def _thresholds(logits: np.ndarray) -> np.ndarray:
    """Probabilities that clean photos rarely reach, the same share of them in each family."""
    least = np.log(_LEAST_PROBABILITY / (1 - _LEAST_PROBABILITY))
    limits = np.full(logits.shape[1], least)
    for share in np.linspace(0, FALSE_ALARMS, 81)[::-1]:
        limits = np.maximum(np.quantile(logits, 1 - share, axis=0), least)
        if (logits > limits).any(axis=1).mean() <= FALSE_ALARMS:
            break
    # In the middle of a gap, not on the photo at its edge.
    probabilities: np.ndarray = 1 / (1 + np.exp(-(limits + 1e-3)))
    return probabilities
