"""How well predicted scores agree with those of people: the field's five figures, with intervals.

SRCC (Spearman), KRCC (Kendall's tau-b), PLCC (Pearson) of the raw predictions, PLCC after the usual
4-parameter logistic mapping, and RMSE after that mapping. Papers differ in which PLCC they print;
here each has its own name.

Rules that hold for every function:

- Predictions and scores are one-dimensional, equally long and finite; anything else is a
  `MetricError` that says what to change.
- Where a figure is not defined, because the predictions or the scores are constant, it is NaN,
  without a warning. RMSE is defined even then: constant predictions are mapped to the mean score.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats
from scipy.special import expit

from reiqa_tf.errors import ReiqaError

MINIMUM_ROWS = 5
"""Fewest rows that say anything: one more than the logistic mapping has parameters. The bootstrap
asks for as many groups, so that every resample has as many rows."""

CONFIDENCE = 0.95
"""Part of the resamples that an interval covers."""

Metric: TypeAlias = Callable[[np.ndarray, np.ndarray], float]
"""A function of predictions `(N,)` and scores `(N,)` that computes one figure."""

_LOWEST = (-10.0, -10.0, -10.0, 0.01)
_HIGHEST = (10.0, 10.0, 10.0, 10.0)
"""Bounds of left, right, midpoint and width in standardised units. Without them the asymptotes and
the width of a nearly straight cloud grow for ever; at these a logistic curve is straight to within
0.5 % over the cloud."""

_GUESSED_MIDPOINTS = np.linspace(-3, 3, 13)
_GUESSED_WIDTHS = np.geomspace(0.05, 5, 7)
"""From a step to a nearly straight line, in standardised units: where the fit looks for a start."""


class MetricError(ReiqaError):
    """Predictions and scores that cannot be compared."""


def srcc(predicted: ArrayLike, scores: ArrayLike) -> float:
    """Spearman's rank correlation; ties share their average rank.

    Args:
        predicted: array-like `(N,)` of predicted scores, N at least 5.
        scores: array-like `(N,)` of the scores that people gave.

    Returns:
        Float in [-1, 1]; NaN if either is constant.

    Raises:
        MetricError: if the two are not finite, one-dimensional, equally long and long enough.

    Example:
    ```python
    from reiqa_tf.metrics import srcc

    srcc([1, 2, 3, 4, 5], [10, 20, 30, 50, 40])  # 0.9
    ```
    """
    return _srcc(*_pair(predicted, scores))


def krcc(predicted: ArrayLike, scores: ArrayLike) -> float:
    """Kendall's rank correlation tau-b, which allows for ties.

    Args, Returns and Raises are those of `srcc`.
    """
    return _krcc(*_pair(predicted, scores))


def plcc(predicted: ArrayLike, scores: ArrayLike) -> float:
    """Pearson's linear correlation of the raw predictions.

    Args, Returns and Raises are those of `srcc`.
    """
    return _plcc(*_pair(predicted, scores))


def plcc_logistic(predicted: ArrayLike, scores: ArrayLike) -> float:
    """Pearson's linear correlation after the logistic mapping of `fit_logistic`.

    The mapping may fall, so that this figure is positive for predictions that run against the
    scores as well: look at `srcc` for the direction.

    Args, Returns and Raises are those of `srcc`.
    """
    predicted, scores = _pair(predicted, scores)
    return _plcc(_fit_logistic(predicted, scores)(predicted), scores)


def rmse(predicted: ArrayLike, scores: ArrayLike) -> float:
    """Root mean squared error after the logistic mapping of `fit_logistic`, in units of the scores.

    Args and Raises are those of `srcc`.

    Returns:
        Float, at least 0. The squares are averaged over N rows.
    """
    predicted, scores = _pair(predicted, scores)
    return _deviation(_fit_logistic(predicted, scores)(predicted), scores)


@dataclasses.dataclass(frozen=True)
class LogisticMapping:
    """The S-shaped curve that brings predictions to the scale of the scores.

    `score = left + (right - left) / (1 + exp(-(predicted - midpoint) / width))`

    Args:
        left: score that predictions far below the midpoint approach.
        right: score that predictions far above the midpoint approach; below `left` if it falls.
        midpoint: prediction that is mapped to the middle between the two.
        width: positive; how slowly the curve turns from one to the other, in units of predictions.

    Reference: the 4-parameter mapping of the Video Quality Experts Group's final report (2000),
    used by nearly every paper of the field.
    """

    left: float
    right: float
    midpoint: float
    width: float

    def __call__(self, predicted: ArrayLike) -> np.ndarray:
        """Maps predictions to scores; any shape in, the same shape out."""
        predicted = np.asarray(predicted, np.float64)
        return self.left + (self.right - self.left) * expit(
            (predicted - self.midpoint) / self.width
        )


def fit_logistic(predicted: ArrayLike, scores: ArrayLike) -> LogisticMapping:
    """Fits the 4-parameter logistic mapping by least squares.

    The fit is bounded and starts from several widths, so it neither diverges nor warns. Constant
    predictions are mapped to the mean of the scores.

    Args and Raises are those of `srcc`.

    Returns:
        A `LogisticMapping`.

    Example:
    ```python
    import numpy as np
    from reiqa_tf.metrics import fit_logistic

    predicted = np.linspace(0, 1, 50)
    mapping = fit_logistic(predicted, 5 * np.tanh(4 * predicted - 2))
    mapping(0.5)  # 0.0
    ```
    """
    return _fit_logistic(*_pair(predicted, scores))


def agreement(predicted: ArrayLike, scores: ArrayLike) -> dict[str, float]:
    """All five figures at once; the logistic mapping is fitted once for both that need it.

    Args and Raises are those of `srcc`.

    Returns:
        Dict with the keys `srcc`, `krcc`, `plcc`, `plcc_logistic` and `rmse`, all floats.
    """
    predicted, scores = _pair(predicted, scores)
    return _agreement(predicted, scores, _fit_logistic(predicted, scores))


def bootstrap_intervals(
    predicted: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals (percentiles) of the five figures.

    Args:
        predicted: array-like `(N,)` of predicted scores.
        scores: array-like `(N,)` of the scores that people gave.
        groups: array-like `(N,)` of labels; rows of one label are drawn together or not at all, as
            rows that depend on each other must be (one reference, one scene). None draws rows.
        resamples: how many times rows are drawn, at least 1.
        seed: seed of the draws; the same seed gives the same intervals.

    Returns:
        Dict with the keys of `agreement`, each a pair `(low, high)` of floats. Resamples in which a
        figure is not defined do not count; if it is defined in none, both are NaN.

    Raises:
        MetricError: as `srcc` does; also if there are fewer than 5 groups.
    """
    predicted, scores = _pair(predicted, scores)
    draws = list(_resampled_rows(_labels(groups, len(scores)), resamples, seed))
    figures = [
        _agreement(predicted[rows], scores[rows], mapping)
        for rows, mapping in zip(draws, _fit_resamples(predicted, scores, draws), strict=True)
    ]
    return {name: _interval([figure[name] for figure in figures]) for name in figures[0]}


@dataclasses.dataclass(frozen=True)
class Agreement:
    """All five figures with their 95 % bootstrap intervals: what result files and presets hold.

    Attributes:
        srcc: Spearman's rank correlation.
        krcc: Kendall's tau-b.
        plcc: Pearson's correlation of the raw predictions.
        plcc_logistic: the same after the logistic mapping.
        rmse: root mean squared error after the logistic mapping, in units of the scores.
        intervals: for each of these by name, `(low, high)`.
        count: number of rows.
    """

    srcc: float
    krcc: float
    plcc: float
    plcc_logistic: float
    rmse: float
    intervals: dict[str, tuple[float, float]]
    count: int


def measure_agreement(
    predicted: ArrayLike, scores: ArrayLike, groups: ArrayLike | None = None, seed: int = 0
) -> Agreement:
    """The five figures and how sure they are.

    Args:
        predicted: array-like `(N,)` of predicted scores, N at least 5.
        scores: array-like `(N,)` of the scores that people gave.
        groups: as in `bootstrap_intervals`.
        seed: as in `bootstrap_intervals`.

    Returns:
        An `Agreement`.

    Raises:
        MetricError: as `bootstrap_intervals` does.

    Example:
    ```python
    from reiqa_tf.metrics import measure_agreement

    agreement = measure_agreement([1, 2, 3, 4, 5, 6], [10, 30, 20, 50, 40, 60])
    print(agreement.srcc, agreement.intervals["srcc"])
    ```
    """
    intervals = bootstrap_intervals(predicted, scores, groups=groups, seed=seed)
    figures = agreement(predicted, scores)
    return Agreement(**figures, intervals=intervals, count=len(np.asarray(scores)))


@dataclasses.dataclass(frozen=True)
class PairedDifference:
    """By how much one set of predictions beats another on the same rows.

    Args:
        difference: metric of the first minus metric of the second, on all rows.
        low: lower end of the 95 % interval of the difference.
        high: upper end. An interval without 0 inside speaks for a real difference.
    """

    difference: float
    low: float
    high: float


def paired_bootstrap(
    predicted_a: ArrayLike,
    predicted_b: ArrayLike,
    scores: ArrayLike,
    metric: Metric = srcc,
    groups: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> PairedDifference:
    """Compares two sets of predictions on the same rows, resampled together.

    Because both see the same resample, what makes rows easy or hard for both cancels out: the
    interval is much narrower than the two separate intervals suggest.

    Args:
        predicted_a: array-like `(N,)`, predictions of the first.
        predicted_b: array-like `(N,)`, predictions of the second.
        scores: array-like `(N,)` of the scores that people gave.
        metric: function of predictions and scores that gives a number, such as `srcc` or `rmse`.
        groups: as in `bootstrap_intervals`.
        resamples: as in `bootstrap_intervals`.
        seed: as in `bootstrap_intervals`.

    Returns:
        A `PairedDifference`.

    Raises:
        MetricError: as `bootstrap_intervals` does.
    """
    predicted_a, scores = _pair(predicted_a, scores)
    predicted_b, scores = _pair(predicted_b, scores)
    return paired_bootstrap_over_splits(
        predicted_a[None], predicted_b[None], scores, metric, groups, resamples, seed
    )


def paired_bootstrap_over_splits(
    predicted_a: ArrayLike,
    predicted_b: ArrayLike,
    scores: ArrayLike,
    metric: Metric = srcc,
    groups: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> PairedDifference:
    """Compares two sets of predictions over several splits of the same rows.

    The figure is the median over the splits of the difference of the metric. A row is tested in
    several splits, so splits are no independent trials: rows (or groups) are resampled, each with
    all its predictions, and the figure is computed anew from every resample.

    Args:
        predicted_a: array-like `(S, N)`, predictions of the first; NaN where a split does not test
            a row. Both must test the same rows.
        predicted_b: array-like `(S, N)`, predictions of the second.
        scores: array-like `(N,)` of the scores that people gave.
        metric: as in `paired_bootstrap`.
        groups: as in `bootstrap_intervals`.
        resamples: as in `bootstrap_intervals`.
        seed: as in `bootstrap_intervals`.

    Returns:
        A `PairedDifference`.

    Raises:
        MetricError: as `bootstrap_intervals` does; also if the two test different rows.
    """
    predicted_a = np.asarray(predicted_a, np.float64)
    predicted_b = np.asarray(predicted_b, np.float64)
    scores = _finite("scores", scores)
    tested = ~np.isnan(predicted_a)
    if tested.shape != (len(tested), len(scores)) or (tested != ~np.isnan(predicted_b)).any():
        raise MetricError(
            "Expected predictions of the same rows in the same splits, arrays of shape "
            f"(splits, {len(scores)}). Received: {predicted_a.shape} and {predicted_b.shape}."
        )
    ever = np.flatnonzero(tested.any(axis=0))

    def difference(rows: np.ndarray) -> float:
        differences = []
        for a, b, here in zip(predicted_a, predicted_b, tested, strict=True):
            some = rows[here[rows]]
            if len(some) >= MINIMUM_ROWS:
                differences.append(metric(a[some], scores[some]) - metric(b[some], scores[some]))
        defined = [found for found in differences if not np.isnan(found)]
        return float(np.median(defined)) if defined else float("nan")

    labels = _labels(groups, len(scores))[ever]
    drawn = [difference(ever[rows]) for rows in _resampled_rows(labels, resamples, seed)]
    return PairedDifference(float(difference(ever)), *_interval(drawn))


def median_interval(values: ArrayLike, resamples: int = 10_000, seed: int = 0) -> dict[str, float]:
    """Median of a figure over splits, with its 95 % bootstrap interval (percentiles).

    Args:
        values: array-like `(S,)`, the figure of each split. NaN (not defined) does not count.
        resamples: how many times splits are drawn.
        seed: seed of the draws.

    Returns:
        Dict with `median`, `low` and `high`: NaN where no value is defined.

    Example:
    ```python
    from reiqa_tf.metrics import median_interval

    median_interval([0.80, 0.82, 0.81])["median"]  # 0.81
    ```
    """
    return _with_interval("median", np.median, values, resamples, seed)


def mean_interval(values: ArrayLike, resamples: int = 1000, seed: int = 0) -> dict[str, float]:
    """Mean of a figure over photos, with its 95 % bootstrap interval (percentiles).

    Args:
        values: array-like `(N,)`, the figure of each photo. NaN (not defined) does not count.
        resamples: how many times photos are drawn.
        seed: seed of the draws.

    Returns:
        Dict with `mean`, `low` and `high`: NaN where no value is defined.

    Example:
    ```python
    from reiqa_tf.metrics import mean_interval

    mean_interval([0.6, 1.0, 0.8])["mean"]  # 0.8
    ```
    """
    return _with_interval("mean", np.mean, values, resamples, seed)


def _with_interval(
    name: str,
    statistic: Callable[..., np.ndarray],
    values: ArrayLike,
    resamples: int,
    seed: int,
) -> dict[str, float]:
    values = np.asarray(values, np.float64)
    defined = values[~np.isnan(values)]
    if not defined.size:
        return dict.fromkeys((name, "low", "high"), float("nan"))
    draws = np.random.default_rng(seed).integers(defined.size, size=(resamples, defined.size))
    low, high = _interval(statistic(defined[draws], axis=1))
    return {name: float(statistic(defined)), "low": low, "high": high}


def _pair(predicted: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    predicted, scores = _finite("predicted", predicted), _finite("scores", scores)
    if len(predicted) != len(scores):
        raise MetricError(
            "Expected one prediction for every score. "
            f"Received: {len(predicted)} predictions and {len(scores)} scores."
        )
    if len(scores) < MINIMUM_ROWS:
        raise MetricError(
            f"Expected at least {MINIMUM_ROWS} rows: fewer say nothing about agreement. "
            f"Received: {len(scores)}."
        )
    return predicted, scores


def _finite(name: str, values: ArrayLike) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 1:
        raise MetricError(
            f"Expected `{name}` to have one dimension, a number for every row. Received an array "
            f"of shape {values.shape}; take one column of it, or flatten it."
        )
    broken = np.flatnonzero(~np.isfinite(values))
    if broken.size:
        raise MetricError(
            f"Expected finite numbers in `{name}`. Received {values[broken[0]]} in row {broken[0]} "
            f"({broken.size} of {values.size} rows are not finite); leave such rows out of both."
        )
    return values


def _is_constant(values: np.ndarray) -> bool:
    """Whether the values agree to 11 digits: what is left is the rounding of arithmetic."""
    # Above the bound at which SciPy warns.
    return bool(np.ptp(values) <= 1e-11 * np.abs(values).max())


def _srcc(predicted: np.ndarray, scores: np.ndarray) -> float:
    if _is_constant(predicted) or _is_constant(scores):
        return float("nan")
    # What SciPy's spearmanr returns, in a tenth of its time: its p-value is not used.
    return _plcc(stats.rankdata(predicted), stats.rankdata(scores))


def _krcc(predicted: np.ndarray, scores: np.ndarray) -> float:
    if _is_constant(predicted) or _is_constant(scores):
        return float("nan")
    # The p-value is not used; "asymptotic" is the cheap one.
    return float(stats.kendalltau(predicted, scores, variant="b", method="asymptotic").statistic)


def _plcc(predicted: np.ndarray, scores: np.ndarray) -> float:
    if _is_constant(predicted) or _is_constant(scores):
        return float("nan")
    predicted, scores = predicted - predicted.mean(), scores - scores.mean()
    return float(predicted @ scores / np.sqrt((predicted @ predicted) * (scores @ scores)))


def _deviation(mapped: np.ndarray, scores: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(mapped - scores))))


def _agreement(
    predicted: np.ndarray, scores: np.ndarray, mapping: LogisticMapping
) -> dict[str, float]:
    mapped = mapping(predicted)
    return {
        "srcc": _srcc(predicted, scores),
        "krcc": _krcc(predicted, scores),
        "plcc": _plcc(predicted, scores),
        "plcc_logistic": _plcc(mapped, scores),
        "rmse": _deviation(mapped, scores),
    }


@dataclasses.dataclass(frozen=True)
class _Units:
    """Standardised units, in which bounds and starting values mean the same everywhere."""

    centre: float
    spread: float
    middle: float
    deviation: float

    @classmethod
    def of(cls, predicted: np.ndarray, scores: np.ndarray) -> _Units:
        """Those of predictions and scores that are not constant."""
        # Quartiles, because one stray prediction would squeeze all others into a point.
        spread = np.subtract(*np.percentile(predicted, [75, 25])) or predicted.std()
        return cls(np.median(predicted), spread, scores.mean(), scores.std())

    def standardise(
        self, predicted: np.ndarray, scores: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return (predicted - self.centre) / self.spread, (scores - self.middle) / self.deviation

    def curve(self, mapping: LogisticMapping) -> np.ndarray:
        """A mapping as left, right, midpoint and width in these units."""
        left, right = (
            (end - self.middle) / self.deviation for end in (mapping.left, mapping.right)
        )
        return np.array(
            [
                left,
                right,
                (mapping.midpoint - self.centre) / self.spread,
                mapping.width / self.spread,
            ]
        )

    def mapping(self, curve: np.ndarray) -> LogisticMapping:
        """The way back from `curve`."""
        left, right, midpoint, width = curve
        return LogisticMapping(
            float(self.middle + self.deviation * left),
            float(self.middle + self.deviation * right),
            float(self.centre + self.spread * midpoint),
            float(self.spread * width),
        )


def _fit_logistic(predicted: np.ndarray, scores: np.ndarray) -> LogisticMapping:
    if _is_constant(predicted) or _is_constant(scores):
        middle = float(scores.mean())
        return LogisticMapping(middle, middle, float(np.median(predicted)), 1.0)
    units = _Units.of(predicted, scores)
    return units.mapping(_best_curve(*units.standardise(predicted, scores)))


def _best_curve(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Left, right, midpoint and width of the curve with the least squares."""
    found = optimize.least_squares(
        lambda curve: LogisticMapping(*curve)(x) - y,
        np.clip(_guess(x, y), _LOWEST, _HIGHEST),
        jac=lambda curve: np.moveaxis(_slopes(x, curve), 0, 1),
        bounds=(_LOWEST, _HIGHEST),
        ftol=_TOLERANCE,
        # Where there is nothing to fit, the parameters wander along a flat valley for ever.
        max_nfev=100,
    )
    return np.asarray(found.x)


_TOLERANCE = 1e-7
"""Part of the squared error that a last step still gains."""

_MOST_STEPS = 50
"""Of a resample. Where there is nothing to fit, curves wander along a flat valley for ever."""

_FLATTEST, _MOST_DAMPING = 1e-9, 1e6
"""Curvature that every direction has at least, and from where on no step is a better one."""

_FEWEST_AT_ONCE, _ROWS_AT_ONCE = 16, 2**17
"""Resamples that are fitted in step with each other: as many as fit into a processor's cache."""


def _fit_resamples(
    predicted: np.ndarray, scores: np.ndarray, draws: Sequence[np.ndarray]
) -> list[LogisticMapping]:
    """The mapping of each resample, fitted from the mapping of all rows on.

    The problem: a thousand fits one after the other take seconds, most of it in calls of functions
    on a few numbers. So many resamples take each step of Levenberg and Marquardt's together, which
    takes a quarter of the time or less. A resample is here how often each row was drawn.
    """
    whole = _fit_logistic(predicted, scores)
    mappings = [whole] * len(draws)
    varied = []
    for number, rows in enumerate(draws):
        if _is_constant(predicted[rows]) or _is_constant(scores[rows]):
            mappings[number] = _fit_logistic(predicted[rows], scores[rows])
        else:
            varied.append(number)
    at_once = max(_FEWEST_AT_ONCE, _ROWS_AT_ONCE // len(scores))
    for first in range(0, len(varied), at_once):
        part = varied[first : first + at_once]
        units = [_Units.of(predicted[draws[number]], scores[draws[number]]) for number in part]
        standardised = [unit.standardise(predicted, scores) for unit in units]
        x, y = (np.stack(rows) for rows in zip(*standardised, strict=True))
        counts = np.stack([np.bincount(draws[number], minlength=len(scores)) for number in part])
        curves = _refined(x, y, counts, np.stack([unit.curve(whole) for unit in units]))
        for number, unit, curve in zip(part, units, curves, strict=True):
            mappings[number] = unit.mapping(curve)
    return mappings


def _refined(x: np.ndarray, y: np.ndarray, counts: np.ndarray, curves: np.ndarray) -> np.ndarray:
    """Curves with the least squares, near those that are given.

    Args:
        x: predictions `(R, N)`, each row in the units of a resample.
        y: scores `(R, N)`, likewise.
        counts: how often they count, `(R, N)`.
        curves: left, right, midpoint and width to begin with, `(R, 4)`.

    Returns:
        curves `(R, 4)`.
    """
    curves = np.clip(curves, _LOWEST, _HIGHEST)
    damping = np.full((len(curves), 1), 1e-3)
    error, gradient, curvature = _squares(x, y, counts, curves)
    going = np.arange(len(curves))
    for _ in range(_MOST_STEPS):
        curve, slope = curves[going], gradient[going]
        stuck = (curve <= _LOWEST) & (slope > 0) | (curve >= _HIGHEST) & (slope < 0)
        bent = np.where(stuck[:, :, None] | stuck[:, None, :], 0.0, curvature[going])
        bent += _diagonal(np.where(stuck, 1.0, _FLATTEST))
        bent += _diagonal(damping[going] * np.diagonal(bent, axis1=1, axis2=2))
        step = np.linalg.solve(bent, np.where(stuck, 0.0, slope)[:, :, np.newaxis])
        tried = np.clip(curve - step[:, :, 0], _LOWEST, _HIGHEST)
        now = _squares(x[going], y[going], counts[going], tried)
        gain = error[going] - now[0]
        better = gain > 0
        ended = better & (gain <= _TOLERANCE * error[going]) | (damping[going, 0] > _MOST_DAMPING)
        curves[going[better]] = tried[better]
        for kept, new in zip((error, gradient, curvature), now, strict=True):
            kept[going[better]] = new[better]
        damping[going] *= np.where(better, 0.1, 10.0)[:, np.newaxis]
        going = going[~ended]
        if not going.size:
            break
    return curves


def _diagonal(values: np.ndarray) -> np.ndarray:
    return values[:, :, np.newaxis] * np.eye(values.shape[1])


def _squares(
    x: np.ndarray, y: np.ndarray, counts: np.ndarray, curves: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Squared errors `(R,)` of curves, half their slopes `(R, 4)`, their curvatures `(R, 4, 4)`."""
    slopes = _slopes(x, curves[:, :, np.newaxis])
    # The curve is a sum of left and right, weighed by its own slopes.
    missing = slopes[0] * curves[:, :1] + slopes[1] * curves[:, 1:2] - y
    weighed = counts * slopes
    return (
        np.einsum("rn,rn,rn->r", counts, missing, missing),
        np.einsum("prn,rn->rp", weighed, missing),
        np.einsum("prn,qrn->rpq", weighed, slopes, optimize=True),
    )


def _guess(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float, float]:
    """The best of a grid of midpoints and widths, each with asymptotes by linear regression."""
    best, least = (0.0, 0.0, 0.0, 1.0), np.inf
    for midpoint in _GUESSED_MIDPOINTS:
        for width in _GUESSED_WIDTHS:
            rise = expit((x - midpoint) / width)
            deviation = rise - rise.mean()
            height = (deviation @ y) / max(deviation @ deviation, np.finfo(float).tiny)
            left = y.mean() - height * rise.mean()
            curve = np.clip((left, left + height), _LOWEST[0], _HIGHEST[0])
            error = np.square(curve[0] + (curve[1] - curve[0]) * rise - y).sum()
            if error < least:
                best, least = (*curve, midpoint, width), error
    return best


def _slopes(x: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """Derivatives `(4, ..., N)` of curves, `(4,)` or `(..., 4, 1)`, by their parameters."""
    left, right, midpoint, width = np.moveaxis(curve, -2, 0) if curve.ndim > 1 else curve
    z = (x - midpoint) / width
    rise = expit(z)
    steepness = (right - left) * rise * (1 - rise) / width
    return np.stack([1 - rise, rise, -steepness, -steepness * z])


def _labels(groups: ArrayLike | None, count: int) -> np.ndarray:
    """The group of each row; without groups every row is its own."""
    if groups is None:
        return np.arange(count)
    groups = np.asarray(groups)
    if groups.shape != (count,):
        raise MetricError(
            "Expected `groups` to hold one label for every row, "
            f"shape ({count},). Received an array of shape {groups.shape}."
        )
    return groups


def _resampled_rows(labels: np.ndarray, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yields the row numbers of each resample, whole groups drawn with replacement."""
    if resamples < 1:
        raise MetricError(f"Expected `resamples` to be at least 1. Received: {resamples}.")
    numbers = np.unique(labels, return_inverse=True)[1]
    order = np.argsort(numbers, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    if len(members) < MINIMUM_ROWS:
        raise MetricError(
            f"Expected at least {MINIMUM_ROWS} groups: resampling fewer gives no interval. "
            f"Received: {len(members)}."
        )
    generator = np.random.default_rng(seed)
    for _ in range(resamples):
        drawn = generator.integers(len(members), size=len(members))
        yield np.concatenate([members[number] for number in drawn])


def _interval(figures: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """The middle `CONFIDENCE` of the figures that are defined: `(low, high)`."""
    defined = np.asarray(figures)[~np.isnan(figures)]
    if not defined.size:
        return float("nan"), float("nan")
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(defined, [tail, 100 - tail])
    return float(low), float(high)
