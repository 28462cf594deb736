"""The protocol of the field for one contestant on one database: splits, regressors, figures."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from reiqa_tf import metrics
from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.data.splits import Split
from reiqa_tf.evaluation.benchmark_document import Figures, LabelFigures, SplitResult, Summary
from reiqa_tf.evaluation.contestants import WHOLE, Contestant
from reiqa_tf.evaluation.parts import Parts
from reiqa_tf.fitting.regression import Regression, Regressor
from reiqa_tf.progress import Progress, silent

PROTOCOL = 3
"""Counts changes of what is computed here, so that older parts are not taken for current ones."""


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
    """A database, and what every contestant says about its photos.

    Attributes:
        name: of the database.
        scored: `ScoredPhotos` of the photos that could be read by all contestants.
        splits: list of `Split` of its rows.
        tables: dictionary from a contestant's name to its float32 array `(N, F)`.
    """

    name: str
    scored: ScoredPhotos
    splits: list[Split]
    tables: dict[str, np.ndarray]

    def digest(self, contestant: str) -> str:
        """Hexadecimal SHA-256 of the scores and a contestant's table."""
        digest = hashlib.sha256(np.asarray(self.scored.scores, "<f8").tobytes())
        digest.update(np.ascontiguousarray(self.tables[contestant]).data)
        return digest.hexdigest()


def fit_on_split(
    regression: Regression, features: np.ndarray, scores: np.ndarray, split: Split
) -> Regressor:
    """Fits on training rows, chooses the strength on validation rows, fits again on both.

    Args:
        regression: `Regression`.
        features: float array `(N, F)` of all rows.
        scores: array `(N,)`.
        split: `Split`.

    Returns:
        fitted regressor.
    """
    rows = np.concatenate([split.train, split.val])
    places = np.arange(len(rows))
    fold = (places[: len(split.train)], places[len(split.train) :])
    return regression.regressor(cv=[fold]).fit(features[rows], scores[rows])


def run_protocol(
    contestant: Contestant,
    trial: Trial,
    others: Sequence[Trial],
    regression: Regression,
    variants: Mapping[str, np.ndarray],
    parts: Parts,
    progress: Progress = silent,
) -> dict[str, list[SplitResult]]:
    """Measures one contestant on every split of a database.

    Args:
        contestant: a `Contestant`.
        trial: `Trial`.
        others: list of `Trial` of other databases, which the regressors of this one predict as
            they are.
        regression: `Regression`.
        variants: dictionary from names to columns; see `Contestant.variants`.
        parts: `Parts`, where finished splits are kept.
        progress: shows how far the work is.

    Returns:
        dictionary from each variant to a list with a `SplitResult` a split; `cross` has figures
        for the whole contestant alone.
    """
    table = trial.tables[contestant.name]
    scores = trial.scored.scores
    digest = trial.digest(contestant.name)
    elsewhere = {other.name: other.digest(contestant.name) for other in others}
    results: dict[str, list[SplitResult]] = {name: [] for name in variants}
    work = [(name, split) for name in variants for split in trial.splits]
    for name, split in progress(work, f"{contestant.name} on {trial.name}", len(work)):
        columns = variants[name]
        further = others if name == WHOLE and contestant.is_fitted else []

        def make(
            split: Split = split,
            columns: np.ndarray = columns,
            further: Sequence[Trial] = further,
        ) -> SplitResult:
            if not contestant.is_fitted:
                return _measured(table[split.test, 0].astype(np.float64), scores[split.test])
            chosen = table if len(columns) == table.shape[1] else table[:, columns]
            regressor = fit_on_split(regression, chosen, scores, split)
            return {
                **_measured(regressor.predict(chosen[split.test]), scores[split.test]),
                "strength": regressor.strength_,
                "at_edge": bool(regressor.at_edge_),
                "cross": {
                    other.name: metrics.agreement(
                        regressor.predict(other.tables[contestant.name]), other.scored.scores
                    )
                    for other in further
                },
            }

        ingredients = {
            "protocol": PROTOCOL,
            "data": digest,
            "split": split.digest(),
            "columns": hashlib.sha256(np.asarray(columns, "<i8").tobytes()).hexdigest(),
            "fitted": dataclasses.astuple(regression) if contestant.is_fitted else None,
            "cross": elsewhere if further else {},
        }
        results[name].append(parts.get_or_make(ingredients, make))
    return results


def lay_out_predictions(
    splits: Sequence[Split], results: Sequence[SplitResult], count: int
) -> np.ndarray:
    """Lays the test predictions of all splits out over the rows.

    Args:
        splits: list of S `Split`.
        results: their `SplitResult`s.
        count: number of rows N.

    Returns:
        float64 array `(S, N)`, NaN where a split does not test a row.
    """
    table = np.full((len(splits), count), np.nan)
    for row, split, result in zip(table, splits, results, strict=True):
        row[split.test] = result["predicted"]
    return table


def median_figures(figures: Sequence[Figures]) -> Summary:
    """Medians over splits with their intervals.

    Args:
        figures: list of dictionaries of figures, one a split.

    Returns:
        dictionary from each figure to its `median`, `low` and `high`.
    """
    return {
        name: metrics.median_interval([of_split[name] for of_split in figures])
        for name in figures[0]
    }


def by_label(
    labels: np.ndarray, predicted: np.ndarray, scores: np.ndarray
) -> dict[str, LabelFigures]:
    """Figures of the rows of each label, such as a distortion or a level.

    Args:
        labels: array `(N,)`.
        predicted: float array `(S, N)`, NaN where a split does not test a row.
        scores: array `(N,)`.

    Returns:
        dictionary from each label, as text, to `count` (rows that have it), `srcc` and `plcc`
        (medians over the splits that test at least 5 of them; NaN where none does).
    """
    table: dict[str, LabelFigures] = {}
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        figures: dict[str, list[float]] = {"srcc": [], "plcc": []}
        for row in predicted:
            tested = rows[~np.isnan(row[rows])]
            if len(tested) >= metrics.MINIMUM_ROWS:
                for name, values in figures.items():
                    values.append(getattr(metrics, name)(row[tested], scores[tested]))
        text = f"{label:g}" if isinstance(label, np.floating) else str(label)
        srcc, plcc = (metrics.median_interval(values)["median"] for values in figures.values())
        table[text] = {"count": len(rows), "srcc": srcc, "plcc": plcc}
    return table


def _measured(predicted: np.ndarray, scores: np.ndarray) -> SplitResult:
    return {"figures": metrics.agreement(predicted, scores), "predicted": predicted.tolist()}
