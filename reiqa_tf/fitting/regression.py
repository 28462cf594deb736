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

Beside scored photos a ridge learns from `Steps`: pairs of versions of a photo of which it is known
which one is worse, and by about how much, though nobody scored either.
"""

from __future__ import annotations

import dataclasses
import numbers
import warnings
from collections.abc import Iterable, Iterator, Sequence
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
        change: how far the score changes along a step.
        weight: how much a step counts, beside 1 for a photo: a number, or an array `(M,)`.

    Raises:
        ValueError: if differences are not finite, if rows or weights do not fit them or if a weight
            is not positive.
    """

    differences: np.ndarray
    rows: np.ndarray
    change: float
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
        if not np.isfinite(self.change):
            raise ValueError(f"Expected `change` to be finite. Received: {self.change}.")
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
    training = _TrainingRows(features, scores, rows, steps, scale_floor)
    row_count, column_count = training.shape
    if row_count < column_count:
        gram = np.zeros((row_count, row_count), order="F")
        for _, block in training.column_blocks():
            _add_gram(gram, block)
        duals = _solve_shifted(gram, training.targets, strengths)
        coefficients = np.empty((column_count, len(strengths)))
        for columns, block in training.column_blocks():
            coefficients[columns] = block.T @ duals
    else:
        gram = np.zeros((column_count, column_count), order="F")
        moments = np.zeros(column_count)
        for some, block in training.row_blocks():
            _add_gram(gram, block.T)
            moments += training.targets[some] @ block
        coefficients = _solve_shifted(gram, moments, strengths)
    return training.fold_in(strengths, coefficients)


class _PathRegressor(RegressorMixin, BaseEstimator):
    """What `RidgeRegressor` and `ElasticNetRegressor` share: a strength chosen by cross-validation.

    Subclasses fit the path of one set of rows.
    """

    strengths: Sequence[float] | np.ndarray
    cv: Any
    scale_floor: float

    def fit(
        self,
        features: np.ndarray,
        scores: np.ndarray,
        groups: np.ndarray | None = None,
        steps: Steps | None = None,
    ) -> Self:
        """Chooses the strength on held-out rows, then fits on all rows.

        Args:
            features: float32 or float64 array `(N, D)`.
            scores: array `(N,)`.
            groups: array `(N,)` of labels. Rows of one label (one reference, one scene,
                near-duplicates) never stand on both sides of a fold.
            steps: `Steps` of these photos, or None; a ridge learns from them. They choose no
                strength: photos alone are held out.

        Returns:
            The regressor itself.

        Raises:
            ValueError: if inputs are not finite or do not fit each other, if strengths are not
                positive, or if a fold is empty, overlaps itself or divides a group; if an
                elastic net is given steps.
        """
        features, scores = validate_data(
            self, features, scores, dtype=_FLOATS, y_numeric=True, ensure_min_samples=2
        )
        strengths = _checked_strengths(self.strengths)
        folds = _checked_folds(self.cv, features, scores, groups)

        predictions = np.zeros((len(scores), len(strengths)))
        times_held_out = np.zeros(len(scores))
        squared_errors = np.zeros(len(strengths))
        for training, validation in folds:
            path = self._fit_path(features, scores, strengths, training, steps)
            predicted = path.predict(features[validation])
            predictions[validation] += predicted
            times_held_out[validation] += 1
            squared_errors += np.square(predicted - scores[validation, None]).sum(axis=0)

        chosen = int(np.argmin(squared_errors))
        self.strengths_ = strengths
        self.validation_errors_ = squared_errors / times_held_out.sum()
        self.strength_ = float(strengths[chosen])
        self.at_edge_ = self.strength_ in (strengths.min(), strengths.max())
        self.held_out_ = np.full(len(scores), np.nan)
        seen = times_held_out > 0
        self.held_out_[seen] = predictions[seen, chosen] / times_held_out[seen]

        # Stronger ones too: coordinate descent reaches the chosen one through them.
        path = self._fit_path(features, scores, strengths[strengths >= self.strength_], None, steps)
        last = int(np.argmin(path.strengths))
        self.coef_ = path.coefficients[last].copy()
        self.intercept_ = float(path.intercepts[last])
        self.feature_mean_ = path.feature_mean
        self.feature_scale_ = path.feature_scale
        return self

    def _fit_path(
        self,
        features: np.ndarray,
        scores: np.ndarray,
        strengths: np.ndarray,
        rows: np.ndarray | None,
        steps: Steps | None,
    ) -> LinearPath:
        """Fits some rows, or all of them, with each of the strengths."""
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
        strengths: positive numbers, the penalties to try.
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
        at_edge_: True if that is the weakest or the strongest one tried: a wider grid might do
            better.
        strengths_: float64 `(S,)`, all strengths tried.
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

    def __init__(
        self,
        strengths: Sequence[float] | np.ndarray = STRENGTHS,
        cv: Any = 5,
        scale_floor: float = 0.0,
    ) -> None:
        self.strengths = strengths
        self.cv = cv
        self.scale_floor = scale_floor

    def _fit_path(
        self,
        features: np.ndarray,
        scores: np.ndarray,
        strengths: np.ndarray,
        rows: np.ndarray | None,
        steps: Steps | None,
    ) -> LinearPath:
        return ridge_path(features, scores, strengths, rows, steps, self.scale_floor)


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

    def _fit_path(
        self,
        features: np.ndarray,
        scores: np.ndarray,
        strengths: np.ndarray,
        rows: np.ndarray | None,
        steps: Steps | None,
    ) -> LinearPath:
        if steps is not None:
            raise ValueError("Expected a RidgeRegressor for `steps`; an elastic net takes none.")
        if not 0 < self.l1_ratio <= 1:
            raise ValueError(
                "Expected `l1_ratio` above 0 and at most 1; for 0 use RidgeRegressor. "
                f"Received: {self.l1_ratio}."
            )
        training = _TrainingRows(features, scores, rows, None, self.scale_floor)
        standardised = np.empty(training.shape, order="F")
        for columns, block in training.column_blocks():
            standardised[:, columns] = block
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            descending, coefficients, _, sweeps = enet_path(
                standardised,
                training.targets,
                l1_ratio=self.l1_ratio,
                alphas=strengths,
                copy_X=False,
                max_iter=_SWEEPS,
                return_n_iter=True,
            )
        self.converged_ = bool(sweeps[-1] < _SWEEPS)  # the last path is that of all rows
        order = np.searchsorted(-descending, -strengths)
        return training.fold_in(strengths, coefficients[:, order])


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
        targets: float64, centred scores of the rows, then how far the steps' rows should change it.
    """

    def __init__(
        self,
        features: np.ndarray,
        scores: np.ndarray,
        rows: np.ndarray | None,
        steps: Steps | None,
        scale_floor: float,
    ) -> None:
        _check_scale_floor(scale_floor)
        self._features = features
        self._rows = np.arange(len(features)) if rows is None else np.asarray(rows)
        self._centre = scores[self._rows].mean(dtype=np.float64)
        self.targets = scores[self._rows] - self._centre
        scaler = StandardScaler(copy=False)
        for some in _slices(len(self._rows), 8 * features.shape[1]):
            scaler.partial_fit(features[self._rows[some]])
        self._mean, self._scale = scaler.mean_, scaler.scale_
        if scale_floor:
            deviations = np.sqrt(scaler.var_)
            floor = scale_floor * np.median(deviations)
            self._scale = np.where(deviations < floor, floor, self._scale)
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
        self._factors = (root * stretch)[:, None]
        self.targets = np.concatenate([self.targets, root * steps.change])

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

    def fold_in(self, strengths: np.ndarray, coefficients: np.ndarray) -> LinearPath:
        """Turns coefficients `(D, S)` of standardised features into a path in raw units."""
        raw = (coefficients / self._scale[:, None]).T
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
        right: float64 `(K,)`.
        strengths: float64 `(S,)`.

    Returns:
        float64 `(K, S)`.
    """
    size = len(gram)
    if size == 1:  # LAPACK's wrappers refuse an empty subdiagonal
        return right[:, None] / (gram + strengths)
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

    turned = turn(right[:, None], "T")
    bands = np.zeros((3, size))
    bands[0, 1:] = bands[2, :-1] = below
    solutions = np.empty((size, len(strengths)), order="F")
    for number, strength in enumerate(strengths):
        bands[1] = diagonal + strength
        solutions[:, number] = solve_banded((1, 1), bands, turned[:, 0], check_finite=False)
    return turn(solutions, "N")


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


def _check_scale_floor(scale_floor: float) -> None:
    if not 0 <= scale_floor < np.inf:
        raise ValueError(
            f"Expected `scale_floor` to be 0 or a positive number. Received: {scale_floor}."
        )


def _checked_folds(
    cv: Any, features: np.ndarray, scores: np.ndarray, groups: np.ndarray | None
) -> list[Fold]:
    """The folds as a list of (training rows, validation rows)."""
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
