"""From a regressor and the photos that it had not seen to a head that knows how sure it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize_scalar
from sklearn.model_selection import GroupKFold, KFold

from reiqa_tf.fitting.defaults import SCALE_FLOOR
from reiqa_tf.models.head import LinearHead
from reiqa_tf.scoring.calibration import PERCENTILE_COUNT, Calibration

COVERAGE = 0.95
"""Share of held-out photos that the interval around a score covers."""

MOST_STRETCH = 2.0
"""How far scores are stretched at most: a head that knows little is not made to look bold."""

SPREAD_STRENGTHS = (1.0, 3.0, 10.0, 30.0)
"""Strengths tried for the spread, in units of the mean square length of standardised features.
Ours: on 5,771 photos of BIQ2021, 0.3 and 1 gave wider intervals, 10 missed the noisy photos."""

DISTANCE_STRENGTH = 30.0
"""Strength of the discriminant between photos and what is none, in the same unit. Ours: 3 and 300
told fewer kinds apart that it had not been fitted on."""

KNOWN_SHARE = 0.99
"""Share of held-out photos that are familiar."""

_MOST_PHOTOS = 2000
"""Photos that the discriminant is fitted on at most, spread evenly over the list."""

_PAIRS = 200_000
"""Pairs of held-out photos that the unit of the spread is chosen on."""

_BLOCK = 2048


@dataclasses.dataclass(frozen=True, eq=False)
class Linear:
    """A linear function of features.

    Attributes:
        kernel: float64 `(F,)`.
        bias: a number.
    """

    kernel: np.ndarray
    bias: float

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Its values `(N,)` for features `(N, F)`."""
        return features @ self.kernel + self.bias


@dataclasses.dataclass(frozen=True, eq=False)
class HeldOut:
    """Photos whose scores were predicted by a regressor that had not seen them.

    Args:
        features: float array `(N, F)`.
        scores: array `(N,)`, by people.
        predicted: array `(N,)`.
        groups: N hashable values, photos of one group are kept together; or None.
    """

    features: np.ndarray
    scores: np.ndarray
    predicted: np.ndarray
    groups: np.ndarray | None = None

    def folds(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Five folds, or fewer where there are fewer groups: rows to fit on, rows held out."""
        count = len(self.scores) if self.groups is None else len(np.unique(self.groups))
        maker = KFold if self.groups is None else GroupKFold
        folds = maker(min(5, count), shuffle=True, random_state=0)
        return iter(folds.split(self.scores, groups=self.groups))


def calibrated_head(
    regressor: Linear,
    held_out: HeldOut,
    score_range: tuple[float, float],
    distance: Linear,
) -> LinearHead:
    """Makes a head of a regressor: its scale, intervals, pairs, percentiles and familiarity.

    1. **Scale.** A regressor's predictions lie closer together than people's scores, because it
       does not know everything. They are stretched, by one straight line, until the photos that
       people score alike score that on average (inverse regression); at most `MOST_STRETCH` times.
       The score that people are expected to give stays what the regressor predicted, and the
       intervals lie around that.
    2. **Spread.** A ridge on the logarithm of the held-out errors tells photos on which the score
       is far off from others. Its unit is the one in which `Score.beats` is most likely to be
       right about pairs of held-out photos.
    3. **Intervals** reach as many spreads as cover `COVERAGE` of the held-out photos (split
       conformal prediction with normalised errors).
    4. **Percentiles** are those of the held-out scores.
    5. **Familiar** are `KNOWN_SHARE` of the photos.

    Args:
        regressor: predicts scores from raw features.
        held_out: photos that it, or those of its folds, had not seen.
        score_range: `(low, high)`, the scale.
        distance: from photos towards what is none; see `fit_distance`.

    Returns:
        built `LinearHead`.

    Reference:
        Papadopoulos, Gammerman, Vovk, Normalized nonconformity measures for regression conformal
        prediction, AIA 2008.
    """
    slope, offset = _shrinkage(held_out.scores, held_out.predicted)
    scores = (held_out.predicted - offset) / slope
    errors = np.abs(held_out.scores - held_out.predicted)
    logarithm, logarithms = _fit_spread(held_out, errors)
    spreads = np.exp(logarithms)
    unit = _unit_of_pairs(scores, spreads, held_out)
    spreads *= unit
    # The rank that makes the coverage hold for one further photo.
    rank = min(errors.size, int(np.ceil(COVERAGE * (errors.size + 1)))) - 1
    limit = np.quantile(distance(held_out.features), KNOWN_SHARE, method="higher")
    head = LinearHead(
        Calibration(
            score_range,
            percentiles=tuple(np.quantile(scores, np.linspace(0, 1, PERCENTILE_COUNT)).tolist()),
            interval=float(np.sort(errors / spreads)[rank]),
            expected=(slope, offset),
            coverage=COVERAGE,
            distance_limit=float(limit),
        ),
        spread_limits=(float(spreads.min()), float(spreads.max())),
    )
    head.build((None, held_out.features.shape[1]))
    head.kernel.assign(regressor.kernel / slope)
    head.bias.assign((regressor.bias - offset) / slope)
    head.spread_kernel.assign(logarithm.kernel)
    head.spread_bias.assign(logarithm.bias + np.log(unit))
    head.distance_kernel.assign(distance.kernel)
    head.distance_bias.assign(distance.bias)
    return head


def fit_distance(
    photos: np.ndarray, strange: np.ndarray, seen: tuple[int, int] | None = None
) -> Linear:
    """A direction among features that leads from photos to what is none.

    A ridge discriminant, 0 for photos and 1 for the others on average. It needs pictures that are
    no photos (`reiqa_tf.fitting.strange_pictures`): how far features lie from those of photos, in
    whatever metric, misses photos half of which are grey, and calls lossless photos odd.

    Args:
        photos: float array `(N, F)`: features of photos.
        strange: float array `(M, F)`: features of what is no photo, or damaged.
        seen: `(first, end)`, the features that are looked at; None: all. What is in a picture tells
            whether it is a photo; how it is distorted, which the quality expert sees, does not.

    Returns:
        `Linear`.
    """
    first, end = seen or (0, photos.shape[1])
    # At least every second photo is left to set the limit of familiarity on.
    step = max(2, -(-len(photos) // _MOST_PHOTOS))
    rows = np.concatenate([photos[::step, first:end], strange[:, first:end]]).astype(np.float64)
    count = len(rows) - len(strange)
    target = np.arange(len(rows)) >= count
    mean, scale = _standardization(rows[:count])
    rows = (rows - mean) / scale
    # Both sides weigh the same, however many there are of each.
    weights = np.where(target, 0.5 / len(strange), 0.5 / count) * len(rows)
    center = np.average(rows, axis=0, weights=weights)
    roots = np.sqrt(weights)
    rows = (rows - center) * roots[:, None]
    gram = rows @ rows.T
    gram[np.diag_indices_from(gram)] += DISTANCE_STRENGTH * rows.shape[1]
    found = rows.T @ cho_solve(cho_factor(gram), roots * (target - 0.5))
    values = rows @ found / roots
    low, high = values[~target].mean(), values[target].mean()
    kernel = np.zeros(photos.shape[1])
    kernel[first:end] = found / scale / (high - low)
    shift = (mean + center * scale) @ kernel[first:end]
    return Linear(kernel, float(-shift - low / (high - low)))


def _shrinkage(scores: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """The straight line from people's scores to the mean prediction: `(slope, offset)`."""
    slope = float(np.polyfit(scores, predicted, 1)[0])
    slope = min(max(slope, 1 / MOST_STRETCH), 1.0)
    return slope, float(predicted.mean() - slope * scores.mean())


def _fit_spread(held_out: HeldOut, errors: np.ndarray) -> tuple[Linear, np.ndarray]:
    """The logarithm of the error as a function of the features, and of rows it had not seen."""
    # Errors near zero are luck and say little.
    target = np.log(errors + max(0.1 * errors.mean(), np.finfo(float).tiny))
    gram, mean, scale = _gram(held_out.features)
    unit = np.trace(gram) / len(gram)
    folds = list(held_out.folds())
    best, strength, chosen = np.inf, np.inf, np.full(len(target), target.mean())
    for tried in (np.inf, *SPREAD_STRENGTHS):
        values = np.empty(len(target))
        for fitted, left in folds:
            values[left] = target[fitted].mean()
            if np.isfinite(tried):
                values[left] += _cross(gram, left, fitted) @ _solved(
                    gram, fitted, target[fitted], tried * unit
                )
        # The likelihood of errors that fall off exponentially, at the best common factor.
        unlikely = values.mean() + np.log(np.mean(errors / np.exp(values)))
        if unlikely < best:
            best, strength, chosen = unlikely, tried, values
    count = held_out.features.shape[1]
    if not np.isfinite(strength):
        return Linear(np.zeros(count), float(target.mean())), np.full(len(target), target.mean())
    everything = np.arange(len(target))
    dual = _solved(gram, everything, target, strength * unit)
    kernel = np.empty(count)
    for part in _blocks(count):
        kernel[part] = dual @ ((held_out.features[:, part] - mean[part]) / scale[part])
    kernel /= scale
    return Linear(kernel, float(target.mean() - mean @ kernel)), chosen


def _unit_of_pairs(scores: np.ndarray, spreads: np.ndarray, held_out: HeldOut) -> float:
    """The factor of the spreads with which `Score.beats` fits pairs of held-out photos best."""
    random = np.random.default_rng(0)
    one, other = random.integers(len(scores), size=(2, _PAIRS))
    differ = held_out.scores[one] != held_out.scores[other]
    if held_out.groups is not None:
        differ &= held_out.groups[one] != held_out.groups[other]
    one, other = one[differ], other[differ]
    ahead = (scores[one] - scores[other]) * np.sign(held_out.scores[one] - held_out.scores[other])
    ahead /= np.hypot(spreads[one], spreads[other])

    def unlikely(logarithm: float) -> float:
        return float(np.logaddexp(0, -ahead * np.exp(-logarithm)).mean())

    return float(np.exp(minimize_scalar(unlikely, bounds=(-4, 4), method="bounded").x))


def _standardization(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = features.mean(axis=0, dtype=np.float64)
    deviation = features.std(axis=0, dtype=np.float64)
    floor = SCALE_FLOOR * np.median(deviation)
    return mean, np.maximum(deviation, floor if floor > 0 else 1.0)


def _gram(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Products of all rows with all, of standardised features; their mean and scale."""
    mean, scale = _standardization(features)
    gram = np.zeros((len(features), len(features)))
    for part in _blocks(features.shape[1]):
        block = ((features[:, part] - mean[part]) / scale[part]).astype(np.float32)
        gram += block @ block.T
    return gram, mean, scale


def _solved(gram: np.ndarray, rows: np.ndarray, target: np.ndarray, strength: float) -> np.ndarray:
    """Dual coefficients of a ridge on some rows, the sum of which is zero."""
    part = gram[np.ix_(rows, rows)]
    means = part.mean(axis=0)
    part = part - means - means[:, None] + part.mean()
    part[np.diag_indices_from(part)] += strength
    return cho_solve(cho_factor(part), target - target.mean())


def _cross(gram: np.ndarray, left: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    part = gram[np.ix_(left, fitted)]
    return part - gram[np.ix_(fitted, fitted)].mean(axis=0)


def _blocks(count: int) -> Iterator[slice]:
    return (slice(first, first + _BLOCK) for first in range(0, count, _BLOCK))
