"""Linear regressors from features to scores, in the manner of scikit-learn.

`RidgeRegressor` and `ElasticNetRegressor` choose their strength by cross-validation, standardise
features on the training rows of each fold only, and end as one linear layer in raw feature units.

The penalty has scikit-learn's meaning, taken on standardised features `Z` (mean 0, deviation 1,
both over the training rows, as `StandardScaler` makes them) and centred scores `s`; the intercept
is never penalised:

- ridge (`sklearn.linear_model.Ridge(alpha=strength)`): `|s - Z w|^2 + strength |w|^2`
- elastic net (`sklearn.linear_model.ElasticNet(alpha=strength, l1_ratio=l1_ratio)`):
  `|s - Z w|^2 / (2 N) + strength l1_ratio |w|_1 + strength (1 - l1_ratio) |w|^2 / 2`

So the same number penalises N times more in the second.

Where the best strength is the weakest or the strongest of those that were to be tried, the range is
widened on that side until it lies inside, to `STRENGTH_LIMITS` at most.

A ridge may shrink towards the coefficients of a head that is there already, its prior, in place of
zero: `|s - Z w|^2 + strength |w - a w0|^2`. The factor `a` brings that head to the scale of the
scores: the slope of the scores over its predictions, by least squares over the training rows. With
few photos the head stays near the prior where they say nothing; with many the two are the same.

Beside scored photos a ridge learns from `Steps`: pairs of versions of a photo of which it is known
which one is worse, and by about how much, though nobody scored either.
"""

from __future__ import annotations

import dataclasses
import numbers
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from scipy.linalg import blas, lapack, solve_banded
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path
from sklearn.model_selection import GroupKFold, KFold, check_cv
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, check_X_y
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from reiqa_tf.errors import ReiqaError
from reiqa_tf.fitting.defaults import (
    ELASTIC_NET,
    KINDS,
    RIDGE,
    SCALE_FLOOR,
    STRENGTH_COUNT,
    STRENGTH_LIMITS,
    STRENGTH_RANGE,
)

Fold: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Training rows and validation rows."""


def strengths_between(weakest: float, strongest: float) -> tuple[float, ...]:
    """The strengths that are tried, `STRENGTH_COUNT` of them, evenly on a logarithmic scale.

    Args:
        weakest: the lowest, above 0.
        strongest: the highest.

    Returns:
        tuple of floats, rising.
    """
    return tuple(np.geomspace(weakest, strongest, STRENGTH_COUNT).tolist())


STRENGTHS = strengths_between(*STRENGTH_RANGE)
"""The strengths that are tried by default."""

_FLOATS = (np.float64, np.float32)
"""Types of features that are used as they lie; others are converted to the first."""

_BLOCK_BYTES = 2**25
"""Features are brought to float64 in blocks of this size, never all at once."""

_SWEEPS = 1000
"""When coordinate descent gives up: scikit-learn's own number, as is its tolerance. A tenth of
that tolerance took six times as long on 1,000 x 2,560 features and chose the same strength."""


_MOST_STRETCH = 10
"""How many times longer a step is made at most. Ours: shorter ones are rounding errors."""


@dataclasses.dataclass(frozen=True, eq=False)
class Steps:
    """Differences of features along which scores are known to change.

    A ridge adds `weight * |E w - change|^2` to what it minimises, with one row of E a step. E holds
    the differences in the units of standardised features, each brought to the length of the median
    one (or ten times its own, if that is less): a step tells a direction, and steps that change a
    picture much do not drown the others. Steps that change nothing are left out.

    Args:
        differences: float array `(M, D)`: features of one version of a photo less those of another,
            in raw units.
        rows: integers `(M,)`: the row of the photo that each step was made from. A step counts
            where its photo does, and is left out where that is held out.
        change: how far the score changes along a step: a number, or an array `(M,)`.
        weight: how much a step counts, beside 1 for a photo: a number, or an array `(M,)`.

    Raises:
        ValueError: if differences are not finite, if rows or weights do not fit them or if a weight
            is not positive.
    """

    differences: np.ndarray
    rows: np.ndarray
    change: float | np.ndarray
    weight: float | np.ndarray = 1.0

    def __post_init__(self) -> None:
        differences = check_array(self.differences, dtype=_FLOATS, input_name="differences")
        object.__setattr__(self, "differences", differences)
        rows = np.asarray(self.rows)
        if rows.shape != differences.shape[:1] or not np.issubdtype(rows.dtype, np.integer):
            raise ValueError(
                f"Expected `rows` to be {len(differences)} integers, one a step. "
                f"Received: {rows.dtype} of shape {rows.shape}."
            )
        object.__setattr__(self, "rows", rows)
        change = np.asarray(self.change, np.float64)
        if change.shape not in ((), rows.shape) or not np.isfinite(change).all():
            raise ValueError(
                f"Expected `change` to be finite, one number or {len(rows)}. "
                f"Received: {self.change}."
            )
        object.__setattr__(self, "change", change)
        weight = np.asarray(self.weight, np.float64)
        if weight.shape not in ((), rows.shape) or not (np.isfinite(weight) & (weight > 0)).all():
            raise ValueError(
                f"Expected `weight` to be finite and positive, one number or {len(rows)}. "
                f"Received: {self.weight}."
            )
        object.__setattr__(self, "weight", weight)


@dataclasses.dataclass(frozen=True, eq=False)
class LinearPath:
    """Linear regressors of several strengths, fitted on the same rows, in raw feature units.

    Args:
        strengths: float64 `(S,)`.
        coefficients: float64 `(S, D)`; the standardisation is folded in.
        intercepts: float64 `(S,)`.
        feature_mean: float64 `(D,)`, of the rows the path was fitted on.
        feature_scale: float64 `(D,)`, what features were divided by; see `RidgeRegressor`.
    """

    strengths: np.ndarray
    coefficients: np.ndarray
    intercepts: np.ndarray
    feature_mean: np.ndarray
    feature_scale: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predicts with every strength at once.

        Args:
            features: float array `(N, D)`.

        Returns:
            float64 array `(N, S)`.
        """
        return _apply(features, self.coefficients.T, self.intercepts)


def ridge_path(
    features: np.ndarray,
    scores: np.ndarray,
    strengths: Sequence[float] | np.ndarray = STRENGTHS,
    rows: np.ndarray | None = None,
    steps: Steps | None = None,
    scale_floor: float = 0.0,
    prior: np.ndarray | None = None,
) -> LinearPath:
    """Fits ridge regressors of many strengths by one decomposition.

    The smaller of the two Gram matrices (rows by rows, or features by features) is brought to
    tridiagonal form once; each strength is then one solve of linear cost. Beside the features that
    are given, memory holds that matrix in float64 and blocks of 32 MiB.

    Args:
        features: float32 or float64 array `(N, D)`; not copied. Other types are converted.
        scores: array `(N,)`.
        strengths: positive numbers `(S,)`. The Gram matrix carries about 16 digits: below 1e-16 of
            its largest eigenvalue (at most `N * D`) a strength no longer steadies anything.
        rows: integers, the rows to fit on; None fits on all.
        steps: `Steps` of these photos, or None. Standardisation and intercept stay the photos' own.
        scale_floor: see `RidgeRegressor`.
        prior: float array `(D,)`, coefficients in raw feature units to shrink towards, on any
            scale; see the module's docstring. None shrinks towards zero.

    Returns:
        A `LinearPath`.

    Raises:
        ValueError: if features or scores are not finite or do not fit each other, or if strengths
            are not positive.

    Example:
    ```python
    import numpy as np
    from reiqa_tf.fitting.regression import ridge_path

    features = np.random.default_rng(0).normal(size=(50, 200))
    path = ridge_path(features, features[:, 0], strengths=[0.1, 1, 10])
    path.predict(features).shape  # (50, 3)
    ```
    """
    features, scores = check_X_y(
        features, scores, dtype=_FLOATS, y_numeric=True, ensure_min_samples=2
    )
    strengths = _checked_strengths(strengths)
    if rows is not None:
        rows = _checked_rows(rows, len(scores))
    if prior is not None:
        prior = _checked_prior(prior, features.shape[1])
    return _ridge_paths(features, scores, strengths, rows, steps, scale_floor, [prior])[0]


def _ridge_paths(
    features: np.ndarray,
    scores: np.ndarray,
    strengths: np.ndarray,
    rows: np.ndarray | None,
    steps: Steps | None,
    scale_floor: float,
    priors: Sequence[np.ndarray | None],
    column_weights: np.ndarray | None = None,
) -> list[LinearPath]:
    """`ridge_path` for several priors, by one decomposition."""
    training = _TrainingRows(features, scores, rows, steps, scale_floor, priors, column_weights)
    row_count, column_count = training.shape
    if row_count < column_count:
        gram = np.zeros((row_count, row_count), order="F")
        for _, block in training.column_blocks():
            _add_gram(gram, block)
        duals = _solve_shifted(gram, training.targets, strengths)
        coefficients = np.empty((column_count, *duals.shape[1:]))
        for columns, block in training.column_blocks():
            coefficients[columns] = np.tensordot(block, duals, (0, 0))
    else:
        gram = np.zeros((column_count, column_count), order="F")
        moments = np.zeros((column_count, len(priors)))
        for some, block in training.row_blocks():
            _add_gram(gram, block.T)
            moments += block.T @ training.targets[some]
        coefficients = _solve_shifted(gram, moments, strengths)
    return [
        training.fold_in(strengths, coefficients[:, number], number)
        for number in range(len(priors))
    ]


class _HeldOut:
    """What regressors of many strengths predict for rows that they have not seen.

    Args:
        features: array `(N, D)`.
        scores: array `(N,)`.
        folds: list of (training rows, validation rows).
        fit_paths: function from strengths and rows to a `LinearPath` for each of C candidates.
        candidate_count: C.
    """

    def __init__(
        self,
        features: np.ndarray,
        scores: np.ndarray,
        folds: Sequence[Fold],
        fit_paths: Callable[[np.ndarray, np.ndarray], list[LinearPath]],
        candidate_count: int,
    ) -> None:
        self._features, self._scores, self._folds = features, scores, folds
        self._fit_paths = fit_paths
        self._columns: dict[float, int] = {}  # of the strengths that were tried
        self._sums = np.zeros((candidate_count, len(scores), 0))
        self._squares = np.zeros((candidate_count, 0))
        self._times = np.zeros(len(scores))
        for _, validation in folds:
            self._times[validation] += 1

    def add(self, strengths: np.ndarray) -> None:
        """Tries the strengths that have not been tried yet."""
        new = strengths[[strength not in self._columns for strength in strengths.tolist()]]
        if not new.size:
            return
        sums = np.zeros((*self._sums.shape[:2], len(new)))
        squares = np.zeros((len(self._squares), len(new)))
        for training, validation in self._folds:
            for candidate, path in enumerate(self._fit_paths(new, training)):
                predicted = path.predict(self._features[validation])
                sums[candidate, validation] += predicted
                away = predicted - self._scores[validation, None]
                squares[candidate] += np.square(away).sum(axis=0)
        for strength in new.tolist():
            self._columns.setdefault(strength, len(self._columns))
        self._sums = np.concatenate([self._sums, sums], axis=2)
        self._squares = np.concatenate([self._squares, squares], axis=1)

    def errors(self, strengths: np.ndarray) -> np.ndarray:
        """Mean squared errors `(C, S)` of strengths that were tried."""
        columns = [self._columns[strength] for strength in strengths.tolist()]
        return self._squares[:, columns] / self._times.sum()

    def predictions(self, candidate: int, strength: float) -> np.ndarray:
        """Predictions `(N,)`; the mean, where several folds held a row out; NaN where none did."""
        predicted = np.full(len(self._scores), np.nan)
        seen = self._times > 0
        sums = self._sums[candidate, :, self._columns[strength]]
        predicted[seen] = sums[seen] / self._times[seen]
        return predicted


class _PathRegressor(RegressorMixin, BaseEstimator):
    """What `RidgeRegressor` and `ElasticNetRegressor` share: a strength chosen by cross-validation.

    Subclasses fit the path of one set of rows.
    """

    strengths: Sequence[float] | np.ndarray
    cv: Any
    scale_floor: float

    _all_at_once = False
    """Whether many strengths cost hardly more than one: then all are computed in one go."""

    def fit(
        self,
        features: np.ndarray,
        scores: np.ndarray,
        groups: np.ndarray | None = None,
        steps: Steps | None = None,
        prior: np.ndarray | None = None,
        column_weights: np.ndarray | None = None,
    ) -> Self:
        """Chooses the strength on held-out rows, then fits on all rows.

        Args:
            features: float32 or float64 array `(N, D)`.
            scores: array `(N,)`.
            groups: array `(N,)` of labels. Rows of one label (one reference, one scene,
                near-duplicates) never stand on both sides of a fold.
            steps: `Steps` of these photos, or None; a ridge learns from them. They choose no
                strength: photos alone are held out.
            prior: float array `(D,)`, coefficients in raw feature units that a ridge may shrink
                towards in place of zero, whichever is better on the held-out rows; or None. Rows
                that the prior was fitted on are not held out from it: give it none of those.
            column_weights: positive float array `(D,)`: a ridge's penalty on a standardised
                feature is divided by its weight (`reiqa_tf.fitting.part_weights` chooses them);
                None is 1 for all.

        Returns:
            The regressor itself.

        Raises:
            ValueError: if inputs are not finite or do not fit each other, if strengths or weights
                are not positive, or if a fold is empty, overlaps itself or divides a group; if an
                elastic net is given steps, a prior or weights.
        """
        features, scores = validate_data(
            self, features, scores, dtype=_FLOATS, y_numeric=True, ensure_min_samples=2
        )
        strengths = _checked_strengths(self.strengths)
        folds = checked_folds(self.cv, features, scores, groups)

        priors = [None] if prior is None else [None, _checked_prior(prior, features.shape[1])]
        if column_weights is not None:
            column_weights = _checked_column_weights(column_weights, features.shape[1])

        def fit_paths(strengths: np.ndarray, rows: np.ndarray | None) -> list[LinearPath]:
            return self._fit_paths(features, scores, strengths, rows, steps, priors, column_weights)

        held_out = _HeldOut(features, scores, folds, fit_paths, len(priors))
        weaker, stronger = _decades_beyond(strengths)
        if self._all_at_once:
            held_out.add(np.concatenate([strengths, *weaker, *stronger]))
        while True:
            held_out.add(strengths)
            errors = held_out.errors(strengths)
            best = strengths[errors.argmin(axis=1)]  # of each candidate
            wider = []
            if weaker and strengths.min() in best:
                wider.append(weaker.pop(0))
            if stronger and strengths.max() in best:
                wider.append(stronger.pop(0))
            if not wider:
                break
            strengths = np.concatenate([strengths, *wider])

        candidate, chosen = np.unravel_index(int(errors.argmin()), errors.shape)
        self.strengths_ = strengths
        self.validation_errors_ = errors[candidate]
        self.strength_ = float(strengths[chosen])
        self.at_edge_ = self.strength_ in (strengths.min(), strengths.max())
        self.around_prior_ = bool(candidate)
        self.held_out_ = held_out.predictions(int(candidate), self.strength_)

        # Coordinate descent reaches the chosen one through the stronger ones.
        through = strengths[chosen : chosen + 1]
        if not self._all_at_once:
            through = strengths[strengths >= self.strength_]
        path = fit_paths(through, None)[candidate]
        last = int(np.argmin(path.strengths))
        self.coef_ = path.coefficients[last].copy()
        self.intercept_ = float(path.intercepts[last])
        self.feature_mean_ = path.feature_mean
        self.feature_scale_ = path.feature_scale
        return self

    def _fit_paths(
        self,
        features: np.ndarray,
        scores: np.ndarray,
        strengths: np.ndarray,
        rows: np.ndarray | None,
        steps: Steps | None,
        priors: Sequence[np.ndarray | None],
        column_weights: np.ndarray | None,
    ) -> list[LinearPath]:
        """Fits some rows, or all of them, with each of the strengths, around each of the priors."""
        raise NotImplementedError

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predicts scores.

        Args:
            features: float array `(N, D)`.

        Returns:
            float64 array `(N,)`.
        """
        check_is_fitted(self)
        features = validate_data(self, features, dtype=_FLOATS, reset=False)
        return _apply(features, self.coef_, self.intercept_)


class RidgeRegressor(_PathRegressor):
    """Ridge regression whose strength is chosen by cross-validation.

    One decomposition a fold serves all strengths (see `ridge_path`). A strength means what `alpha`
    means in `sklearn.linear_model.Ridge` on standardised features; see the module's docstring.

    Args:
        strengths: positive numbers, the penalties to try at first. If the best of several is the
            weakest or the strongest, weaker or stronger ones are tried until it is not, at the
            same ratio, a decade at a time, within `STRENGTH_LIMITS`.
        cv: an integer is a number of folds: whole groups are dealt out to them if `fit` is given
            groups, shuffled rows (always in the same order) if not. Otherwise a splitter of
            scikit-learn, or an iterable of pairs (training rows, validation rows).
        scale_floor: share of the median deviation below which no feature's own counts. 0 divides
            every feature by its own, as `StandardScaler` does. But a channel that hardly ever fires
            has next to none: where it does fire it is thousands of its deviations away, and so is
            the score. So heads are fitted with `SCALE_FLOOR`: see `Regression`.

    Attributes:
        coef_: float64 `(D,)`, in raw feature units: the standardisation is folded in.
        intercept_: float.
        strength_: the chosen strength: least mean squared error over the held-out rows.
        at_edge_: True if that is the weakest or the strongest one tried: the range was widened to
            its limit, or one strength was given.
        around_prior_: whether shrinking towards the prior was better than towards zero.
        strengths_: float64 `(S,)`, all strengths tried: those given, then those beyond.
        validation_errors_: float64 `(S,)`, mean squared error of each over the held-out rows.
        held_out_: float64 `(N,)`, for each row of `fit` what a regressor of the chosen strength
            predicts that has not seen it; the mean, where several folds held it out; NaN where
            none did. Their residuals tell how far off predictions are.
        feature_mean_: float64 `(D,)`, mean of the features over all rows.
        feature_scale_: float64 `(D,)`, what they are divided by: their standard deviation, or the
            floor; 1 for a constant feature where there is none.
        n_features_in_: D.

    Example:
    ```python
    import numpy as np
    from reiqa_tf.fitting.regression import RidgeRegressor

    generator = np.random.default_rng(0)
    features = generator.normal(size=(100, 300)).astype(np.float32)
    scores = features[:, :5].sum(axis=1) + generator.normal(size=100)
    photographers = np.arange(100) // 4
    regressor = RidgeRegressor(cv=5).fit(features, scores, groups=photographers)
    regressor.predict(features[:3])
    ```
    """

    _all_at_once = True

    def __init__(
        self,
        strengths: Sequence[float] | np.ndarray = STRENGTHS,
        cv: Any = 5,
        scale_floor: float = 0.0,
    ) -> None:
        self.strengths = strengths
        self.cv = cv
        self.scale_floor = scale_floor

    def _fit_paths(
        self,
        features: np.ndarray,
        scores: np.ndarray,
        strengths: np.ndarray,
        rows: np.ndarray | None,
        steps: Steps | None,
        priors: Sequence[np.ndarray | None],
        column_weights: np.ndarray | None,
    ) -> list[LinearPath]:
        return _ridge_paths(
            features, scores, strengths, rows, steps, self.scale_floor, priors, column_weights
        )


class ElasticNetRegressor(_PathRegressor):
    """Elastic net (least absolute and ridge penalties mixed), strength chosen by cross-validation.

    Made of scikit-learn's coordinate descent, which goes from the strongest penalty to the weakest
    and starts each where the last one ended. It works on a standardised float64 copy of the
    training rows. Where it has not converged after 1,000 sweeps it stays where it is: the error on
    held-out rows says what the result is worth, as for any other.

    A strength means what `alpha` means in `sklearn.linear_model.ElasticNet` on standardised
    features; see the module's docstring.

    Args:
        strengths: as in `RidgeRegressor`.
        l1_ratio: part of the absolute penalty, above 0 and at most 1.
        cv: as in `RidgeRegressor`.
        scale_floor: as in `RidgeRegressor`.

    Attributes:
        converged_: whether coordinate descent converged at the chosen strength on all rows.

    The other attributes are those of `RidgeRegressor`.
    """

    def __init__(
        self,
        strengths: Sequence[float] | np.ndarray = STRENGTHS,
        l1_ratio: float = 0.5,
        cv: Any = 5,
        scale_floor: float = 0.0,
    ) -> None:
        self.strengths = strengths
        self.l1_ratio = l1_ratio
        self.cv = cv
        self.scale_floor = scale_floor

    def _fit_paths(
        self,
        features: np.ndarray,
        scores: np.ndarray,
        strengths: np.ndarray,
        rows: np.ndarray | None,
        steps: Steps | None,
        priors: Sequence[np.ndarray | None],
        column_weights: np.ndarray | None,
    ) -> list[LinearPath]:
        if steps is not None or priors != [None] or column_weights is not None:
            raise ValueError(
                "Expected a RidgeRegressor for `steps`, `prior` and `column_weights`; an elastic "
                "net takes none."
            )
        if not 0 < self.l1_ratio <= 1:
            raise ValueError(
                "Expected `l1_ratio` above 0 and at most 1; for 0 use RidgeRegressor. "
                f"Received: {self.l1_ratio}."
            )
        training = _TrainingRows(features, scores, rows, None, self.scale_floor, priors)
        standardised = np.empty(training.shape, order="F")
        for columns, block in training.column_blocks():
            standardised[:, columns] = block
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            descending, coefficients, _, sweeps = enet_path(
                standardised,
                training.targets[:, 0],
                l1_ratio=self.l1_ratio,
                alphas=strengths,
                copy_X=False,
                max_iter=_SWEEPS,
                return_n_iter=True,
            )
        self.converged_ = bool(sweeps[-1] < _SWEEPS)  # the last path is that of all rows
        order = np.searchsorted(-descending, -strengths)
        return [training.fold_in(strengths, coefficients[:, order], 0)]


Regressor: TypeAlias = RidgeRegressor | ElasticNetRegressor

REGRESSORS: dict[str, type[Regressor]] = {
    RIDGE: RidgeRegressor,
    ELASTIC_NET: ElasticNetRegressor,
}
"""The regressors by the names that commands and reports give them; see `KINDS`."""


class RegressionError(ReiqaError):
    """Settings with which no regressor can be fitted."""


@dataclasses.dataclass(frozen=True)
class Regression:
    """How regressors are fitted for a head, or anew for every split of a benchmark.

    `RidgeRegressor` and `ElasticNetRegressor` by themselves have scikit-learn's defaults; what is
    good for heads is here.

    Args:
        kind: one of `KINDS`.
        strengths: positive numbers; the best on held-out rows is taken.
        scale_floor: as in `RidgeRegressor`.

    Raises:
        RegressionError: if there is no such kind, or a number is out of its range.

    Example:
    ```python
    from reiqa_tf.fitting.regression import Regression, strengths_between

    regression = Regression("elastic-net", strengths_between(1e-2, 1e2))
    regressor = regression.regressor(cv=10)
    ```
    """

    kind: str = RIDGE
    strengths: tuple[float, ...] = STRENGTHS
    scale_floor: float = SCALE_FLOOR

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RegressionError(
                f"kind: expected one of {', '.join(KINDS)}. Received: {self.kind!r}"
            )
        try:
            _checked_strengths(self.strengths)
            _check_scale_floor(self.scale_floor)
        except ValueError as error:
            raise RegressionError(str(error)) from error

    def regressor(self, cv: Any = 5) -> Regressor:
        """A regressor, not fitted.

        Args:
            cv: as in `RidgeRegressor`.

        Returns:
            `RidgeRegressor` or `ElasticNetRegressor`.
        """
        return REGRESSORS[self.kind](strengths=self.strengths, cv=cv, scale_floor=self.scale_floor)


class _TrainingRows:
    """What a fit learns from: some rows of a feature matrix, standardised, and steps below them.

    Attributes:
        shape: number of rows, those of the steps included, and of columns.
        targets: float64 `(rows, P)`, what each of P priors leaves to be explained: of the centred
            scores of the rows, then of how far the steps' rows should change them.
    """

    def __init__(
        self,
        features: np.ndarray,
        scores: np.ndarray,
        rows: np.ndarray | None,
        steps: Steps | None,
        scale_floor: float,
        priors: Sequence[np.ndarray | None],
        column_weights: np.ndarray | None = None,
    ) -> None:
        _check_scale_floor(scale_floor)
        self._features = features
        self._rows = np.arange(len(features)) if rows is None else np.asarray(rows)
        self._centre = scores[self._rows].mean(dtype=np.float64)
        centred = scores[self._rows] - self._centre
        self.targets = np.tile(centred[:, None].astype(np.float64), len(priors))
        self._priors = np.zeros((features.shape[1], len(priors)))
        for number, prior in enumerate(priors):
            if prior is None:
                continue
            predicted = _apply(features, prior, 0.0)[self._rows]
            predicted -= predicted.mean()
            spread = predicted @ predicted
            slope = predicted @ centred / spread if spread > 0 else 0.0
            self._priors[:, number] = slope * prior
            self.targets[:, number] -= slope * predicted
        scaler = StandardScaler(copy=False)
        for some in _slices(len(self._rows), 8 * features.shape[1]):
            scaler.partial_fit(features[self._rows[some]])
        self._mean, self._scale = scaler.mean_, scaler.scale_
        if scale_floor:
            deviations = np.sqrt(scaler.var_)
            floor = scale_floor * np.median(deviations)
            self._scale = np.where(deviations < floor, floor, self._scale)
        if column_weights is not None:
            self._scale = self._scale / np.sqrt(column_weights)
        self._differences = np.empty((0, features.shape[1]))
        self._steps = np.empty(0, np.intp)  # the rows of the differences that are used
        if steps is not None:
            self._take(steps, len(features))
        self.shape = (len(self._rows) + len(self._steps), features.shape[1])

    def _take(self, steps: Steps, row_count: int) -> None:
        differences = steps.differences
        if (
            differences.shape[1] != self._features.shape[1]
            or not ((steps.rows >= 0) & (steps.rows < row_count)).all()
        ):
            raise ValueError(
                f"Expected steps of {self._features.shape[1]} features and of photos 0 to "
                f"{row_count - 1}. Received: {differences.shape[1]} features of photos "
                f"{steps.rows.min()} to {steps.rows.max()}."
            )
        lengths = np.zeros(len(differences))
        for some in _slices(len(differences), 8 * differences.shape[1]):
            lengths[some] = np.linalg.norm(differences[some] / self._scale, axis=1)
        used = np.flatnonzero(np.isin(steps.rows, self._rows) & (lengths > 0))
        if not used.size:
            return
        stretch = np.minimum(np.median(lengths[used]) / lengths[used], _MOST_STRETCH)
        self._differences, self._steps = differences, used
        root = np.sqrt(np.broadcast_to(steps.weight, steps.rows.shape)[used])
        change = np.broadcast_to(steps.change, steps.rows.shape)[used]
        self._factors = (root * stretch)[:, None]
        known = self._factors * _apply(differences, self._priors, 0.0)[used]
        self.targets = np.concatenate([self.targets, (root * change)[:, None] - known])

    def row_blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yields (slice of the rows, standardised float64 block), the block C-contiguous."""
        row_bytes = 8 * self.shape[1]
        for some in _slices(len(self._rows), row_bytes):
            yield some, self._standardise(self._features[self._rows[some]], slice(None))
        for some in _slices(len(self._steps), row_bytes):
            below = slice(len(self._rows) + some.start, len(self._rows) + some.stop)
            yield below, self._stretch(self._differences[self._steps[some]], some, slice(None))

    def column_blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yields (slice of the columns, standardised float64 block), the block C-contiguous."""
        for columns in _slices(self.shape[1], 8 * self.shape[0]):
            block = self._standardise(self._features[self._rows, columns], columns)
            if len(self._steps):
                below = self._differences[self._steps, columns]
                block = np.concatenate([block, self._stretch(below, slice(None), columns)])
            yield columns, block

    def _standardise(self, block: np.ndarray, columns: slice) -> np.ndarray:
        block = block.astype(np.float64, order="C", copy=False)  # indexing made a copy
        block -= self._mean[columns]
        block /= self._scale[columns]
        return block

    def _stretch(self, block: np.ndarray, some: slice, columns: slice) -> np.ndarray:
        block = block.astype(np.float64, order="C", copy=False)
        block /= self._scale[columns]
        block *= self._factors[some]
        return block

    def fold_in(self, strengths: np.ndarray, coefficients: np.ndarray, number: int) -> LinearPath:
        """Turns coefficients `(D, S)` of standardised features into a path in raw units.

        They are those of the targets of one prior, which is counted by `number` and added again.
        """
        raw = (coefficients / self._scale[:, None]).T + self._priors[:, number]
        return LinearPath(strengths, raw, self._centre - raw @ self._mean, self._mean, self._scale)


def _slices(count: int, item_bytes: int) -> list[slice]:
    step = max(1, _BLOCK_BYTES // item_bytes)
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _apply(
    features: np.ndarray, coefficients: np.ndarray, intercepts: np.ndarray | float
) -> np.ndarray:
    """`features @ coefficients + intercepts` in float64, without a float64 copy of the features."""
    predicted = np.empty((len(features), *coefficients.shape[1:]))
    for some in _slices(len(features), 8 * features.shape[1]):
        predicted[some] = features[some] @ coefficients + intercepts
    return predicted


def _add_gram(gram: np.ndarray, block: np.ndarray) -> None:
    """Adds `block @ block.T` to the lower triangle of a Fortran-ordered matrix, in place."""
    # BLAS wants columns contiguous: it gets the transpose of what NumPy holds, as a view.
    transposed = block.flags.c_contiguous
    blas.dsyrk(
        1.0,
        block.T if transposed else block,
        beta=1.0,
        c=gram,
        trans=transposed,
        lower=1,
        overwrite_c=1,
    )


def _solve_shifted(gram: np.ndarray, right: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """Solves `(gram + strength I) x = right` for many strengths; destroys `gram`.

    With `gram = Q T Q'`, Q orthogonal and T tridiagonal, all strengths share Q and each is a
    tridiagonal solve. That costs a third of the eigenvalue decomposition, and none of its memory.

    Args:
        gram: float64 `(K, K)` in Fortran order, symmetric; only the lower triangle is read.
        right: float64 `(K, P)`.
        strengths: float64 `(S,)`.

    Returns:
        float64 `(K, P, S)`.
    """
    size = len(gram)
    if size == 1:  # LAPACK's wrappers refuse an empty subdiagonal
        return right[:, :, None] / (gram[0, 0] + strengths)
    work = int(lapack.dsytrd_lwork(size, lower=1)[0])
    packed, diagonal, below, factors, _ = lapack.dsytrd(gram, lower=1, lwork=work, overwrite_a=1)
    # Q leaves the first entry alone and acts on the others by reflections, which LAPACK stores
    # under the subdiagonal: read from the second number on, the matrix holds them as dormqr
    # expects them, with no copy made.
    reflections = packed.reshape(-1, order="F")[1 : 1 + size * (size - 1)]
    reflections = reflections.reshape((size, size - 1), order="F")

    def turn(vectors: np.ndarray, transposed: str) -> np.ndarray:
        work = 64 * (vectors.shape[1] + 65)  # what dormqr asks for at its largest block, 64
        turned, _, _ = lapack.dormqr("L", transposed, reflections, factors, vectors[1:], work)
        return np.concatenate([vectors[:1], turned])

    turned = turn(right, "T")
    bands = np.zeros((3, size))
    bands[0, 1:] = bands[2, :-1] = below
    solutions = np.empty((size, right.shape[1], len(strengths)))
    for number, strength in enumerate(strengths):
        bands[1] = diagonal + strength
        solutions[:, :, number] = solve_banded((1, 1), bands, turned, check_finite=False)
    return turn(solutions.reshape(size, -1), "N").reshape(solutions.shape)


def _checked_strengths(strengths: Sequence[float] | np.ndarray) -> np.ndarray:
    strengths = np.asarray(strengths, np.float64)
    if (
        strengths.ndim != 1
        or not strengths.size
        or not np.all((strengths > 0) & np.isfinite(strengths))
    ):
        raise ValueError(
            "Expected `strengths` to be one or more finite positive numbers, for example "
            f"np.geomspace(1e-3, 1e3, 100). Received: {strengths}."
        )
    return strengths


def _decades_beyond(strengths: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Strengths below and above some, up to the limits, in parts of a decade, the nearest first.

    They go on at the ratio of those given; at that of the default ones where that is larger.
    One strength alone is meant as it is.
    """
    low, high = strengths.min(), strengths.max()
    if low == high:
        return [], []
    weakest, strongest = STRENGTH_RANGE
    ratio = max(
        (high / low) ** (1 / (len(strengths) - 1)),
        (strongest / weakest) ** (1 / (STRENGTH_COUNT - 1)),
    )
    decade = max(1, round(np.log(10) / np.log(ratio)))

    def parts(start: float, room: float, factor: float) -> list[np.ndarray]:
        count = int(np.floor(np.log(max(room, 1.0)) / np.log(ratio) + 1e-9))
        further = start * factor ** np.arange(1, count + 1)
        return [further[first : first + decade] for first in range(0, count, decade)]

    weakest, strongest = STRENGTH_LIMITS
    return parts(low, low / weakest, 1 / ratio), parts(high, strongest / high, ratio)


def _checked_prior(prior: np.ndarray, column_count: int) -> np.ndarray:
    prior = np.asarray(prior, np.float64)
    if prior.shape != (column_count,) or not np.isfinite(prior).all():
        raise ValueError(
            f"Expected `prior` to be {column_count} finite numbers, one a feature. "
            f"Received: {prior.dtype} of shape {prior.shape}."
        )
    return prior


def _checked_column_weights(weights: np.ndarray, column_count: int) -> np.ndarray:
    weights = np.asarray(weights, np.float64)
    if weights.shape != (column_count,) or not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError(
            f"Expected `column_weights` to be {column_count} positive numbers. "
            f"Received: an array of shape {weights.shape}."
        )
    return weights


def _check_scale_floor(scale_floor: float) -> None:
    if not 0 <= scale_floor < np.inf:
        raise ValueError(
            f"Expected `scale_floor` to be 0 or a positive number. Received: {scale_floor}."
        )


def checked_folds(
    cv: Any, features: np.ndarray, scores: np.ndarray, groups: np.ndarray | None
) -> list[Fold]:
    """The folds as a list.

    Args:
        cv: as in `RidgeRegressor`.
        features: array `(N, D)`.
        scores: array `(N,)`.
        groups: array `(N,)` of labels that stay on one side, or None.

    Returns:
        list of pairs of training rows and validation rows.

    Raises:
        ValueError: if a fold is empty, overlaps itself or divides a group.
    """
    check_consistent_length(features, scores, groups)
    if isinstance(cv, numbers.Integral):
        splitter = KFold(cv, shuffle=True, random_state=0) if groups is None else GroupKFold(cv)
    else:
        splitter = check_cv(cv)
    folds = [
        (_checked_rows(training, len(scores)), _checked_rows(validation, len(scores)))
        for training, validation in splitter.split(features, scores, groups)
    ]
    for training, validation in folds:
        shared = np.intersect1d(training, validation)
        if shared.size:
            raise ValueError(
                "Expected training and validation rows of a fold to have none in common. Received "
                f"row {shared[0]} in both; leave it out of one of them."
            )
        if groups is not None:
            labels = np.asarray(groups)
            torn = np.intersect1d(labels[training], labels[validation])
            if torn.size:
                raise ValueError(
                    "Expected every group on one side of a fold. Received rows of group "
                    f"{torn[0]!r} on both; use a splitter that keeps groups together, such as "
                    "sklearn.model_selection.GroupKFold, or give `cv` as an integer."
                )
    return folds


def _checked_rows(rows: Iterable[int] | np.ndarray, count: int) -> np.ndarray:
    rows = np.asarray(rows)
    if (
        rows.ndim != 1
        or not rows.size
        or not np.issubdtype(rows.dtype, np.integer)
        or rows.min() < 0
        or rows.max() >= count
    ):
        raise ValueError(
            "Expected the rows to fit on, and both sides of every fold, to be one or more row "
            f"numbers, integers from 0 to {count - 1}. Received: {rows}."
        )
    return rows
