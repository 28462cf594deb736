"""How one contestant is judged on one database: splits, regressors, figures."""

import dataclasses
import hashlib

import numpy as np

from reiqa_tf import metrics
from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.data.splits import Split
from reiqa_tf.evaluation.contestants import WHOLE
from reiqa_tf.fitting.regression import REGRESSORS, STRENGTHS

PROTOCOL = 2
"""Counts changes of what is computed here, so that older parts are not taken for current ones."""


@dataclasses.dataclass(frozen=True)
class Regression:
    """How regressors are fitted.

    Args:
        kind: key of `reiqa_tf.fitting.regression.REGRESSORS`.
        strengths: positive numbers; the best on a split's validation rows is taken.
        scale_floor: as in `RidgeRegressor`.
    """

    kind: str = "ridge"
    strengths: tuple[float, ...] = STRENGTHS
    scale_floor: float = 0.0

    def fit(self, features, scores, split):
        """Fits on training rows, chooses on validation rows, fits again on both.

        Args:
            features: float array `(N, F)` of all rows.
            scores: array `(N,)`.
            split: `Split`.

        Returns:
            fitted regressor.
        """
        rows = np.concatenate([split.train, split.val])
        places = np.arange(len(rows))
        fold = (places[: len(split.train)], places[len(split.train) :])
        regressor = REGRESSORS[self.kind](
            strengths=self.strengths, cv=[fold], scale_floor=self.scale_floor
        )
        return regressor.fit(features[rows], scores[rows])


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
    """A database that is ready to be judged on.

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

    def digest(self, contestant):
        """Hexadecimal SHA-256 of the scores and a contestant's table."""
        digest = hashlib.sha256(np.asarray(self.scored.scores, "<f8").tobytes())
        digest.update(np.ascontiguousarray(self.tables[contestant]))
        return digest.hexdigest()


def judge(contestant, trial, others, regression, variants, parts, progress=iter):
    """Judges one contestant on every split of a database.

    Args:
        contestant: `PresetContestant` or `FunctionContestant`.
        trial: `Trial`.
        others: list of `Trial` of other databases, which the regressors of this one predict as
            they are.
        regression: `Regression`.
        variants: dictionary from names to columns; see `PresetContestant.variants`.
        parts: `Parts`, where finished splits are kept.
        progress: wraps the iterator over splits of variants.

    Returns:
        dictionary from each variant to a list with a dictionary a split: `figures` on its test
        rows, `predicted` for them in the order of `split.test`, `strength`, `at_edge`, and for the
        whole contestant `cross`: the figures on each of the others.
    """
    table = trial.tables[contestant.name]
    scores = trial.scored.scores
    digest = trial.digest(contestant.name)
    elsewhere = {each.name: each.digest(contestant.name) for each in others}
    results = {name: [] for name in variants}
    for name, split in progress([(v, split) for v in variants for split in trial.splits]):
        columns = variants[name]
        further = others if name == WHOLE and contestant.is_fitted else []

        def make(split=split, columns=columns, further=further):
            if not contestant.is_fitted:
                return _judged(table[split.test, 0].astype(np.float64), scores[split.test])
            chosen = table if len(columns) == table.shape[1] else table[:, columns]
            regressor = regression.fit(chosen, scores, split)
            return {
                **_judged(regressor.predict(chosen[split.test]), scores[split.test]),
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


def predictions(splits, results, count):
    """Lays the test predictions of all splits out over the rows.

    Args:
        splits: list of S `Split`.
        results: list of what `judge` answered for each.
        count: number of rows N.

    Returns:
        float64 array `(S, N)`, NaN where a split does not test a row.
    """
    table = np.full((len(splits), count), np.nan)
    for row, split, result in zip(table, splits, results, strict=True):
        row[split.test] = result["predicted"]
    return table


def summarise(figures):
    """Medians over splits with their intervals.

    Args:
        figures: list of dictionaries of figures, one a split.

    Returns:
        dictionary from each figure to its `median`, `low` and `high`.
    """
    return {name: metrics.median_interval([each[name] for each in figures]) for name in figures[0]}


def by_label(labels, predicted, scores):
    """Figures of the rows of each label, such as a distortion or a level.

    Args:
        labels: array `(N,)`.
        predicted: float array `(S, N)`, NaN where a split does not test a row.
        scores: array `(N,)`.

    Returns:
        dictionary from each label, as text, to `count` (rows that have it), `srcc` and `plcc`
        (medians over the splits that test at least 5 of them; NaN where none does).
    """
    table = {}
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        figures = {"srcc": [], "plcc": []}
        for row in predicted:
            tested = rows[~np.isnan(row[rows])]
            if len(tested) >= metrics.MINIMUM_ROWS:
                for name, values in figures.items():
                    values.append(getattr(metrics, name)(row[tested], scores[tested]))
        text = f"{label:g}" if isinstance(label, np.floating) else str(label)
        table[text] = {
            "count": len(rows),
            **{name: metrics.median_interval(values)["median"] for name, values in figures.items()},
        }
    return table


def _judged(predicted, scores):
    return {"figures": metrics.agreement(predicted, scores), "predicted": predicted.tolist()}
