"""Contestants on databases: every split of every one, and one document with all numbers."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from reiqa_tf import metrics
from reiqa_tf.data.near_duplicates import HASH_DISTANCE, HASH_NAME, find_leaks
from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.data.splits import SHARES, Split, photo_names
from reiqa_tf.errors import ReiqaError
from reiqa_tf.evaluation.baselines import hash_bits
from reiqa_tf.evaluation.benchmark_document import (
    Account,
    BenchmarkDocument,
    CrossFigures,
    DatabaseAbout,
    Difference,
    NamedDifference,
    SplitFigures,
    SplitResult,
)
from reiqa_tf.evaluation.contestants import WHOLE, Contestant
from reiqa_tf.evaluation.entries import Entry
from reiqa_tf.evaluation.parts import Parts
from reiqa_tf.evaluation.photo_functions import PhotoFunction, value_table
from reiqa_tf.evaluation.protocol import (
    Trial,
    by_label,
    lay_out_predictions,
    median_figures,
    run_protocol,
)
from reiqa_tf.evaluation.published import PUBLISHED
from reiqa_tf.evaluation.versions import versions
from reiqa_tf.fitting.regression import Regression
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import open_cache
from reiqa_tf.typing import PathLike

_Item = TypeVar("_Item")

FORMAT = 1
"""Version of the document."""

RESAMPLES = 1000
"""How many times photos are drawn for an interval, unless a caller says otherwise."""


class BenchmarkError(ReiqaError):
    """A benchmark that cannot be run on what it was given."""


@dataclasses.dataclass(frozen=True, eq=False)
class Benchmark:
    """What came of a benchmark.

    Attributes:
        document: everything that the result file holds, as JSON values.
        trials: list of `Trial`.
        predicted: `{database: {contestant: array (splits, rows)}}`, NaN where a split does not
            test a row.
    """

    document: BenchmarkDocument
    trials: list[Trial]
    predicted: dict[str, dict[str, np.ndarray]]

    @property
    def photos(self) -> int:
        """Number of photos that were asked for, those that are missing included."""
        return sum(about["photos"] for about in self._databases) + len(self.problems)

    @property
    def problems(self) -> list[str]:
        """Why photos are missing, a line a photo."""
        return [problem for about in self._databases for problem in about["problems"]]

    @property
    def _databases(self) -> list[DatabaseAbout]:
        return list(self.document["databases"].values())


@dataclasses.dataclass(frozen=True)
class Bootstrap:
    """How intervals over photos are drawn.

    Args:
        seed: of the draws.
        resamples: number of draws.
    """

    seed: int = 0
    resamples: int = RESAMPLES


def run_benchmark(
    entries: Sequence[Entry],
    contestants: Sequence[Contestant],
    out: PathLike,
    regression: Regression | None = None,
    ablation: bool = False,
    cache_file: PathLike | None = None,
    workers: int | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    progress: Progress = silent,
) -> Benchmark:
    """Measures contestants on databases.

    Whatever is finished is kept: features and scores of photos in the cache, every split of every
    contestant in `out/parts`. After an interruption the same call goes on where it was and ends
    with the same numbers.

    Args:
        entries: list of `Entry`.
        contestants: list of `Contestant`.
        out: folder for the parts.
        regression: `Regression`; None takes its defaults.
        ablation: whether experts and sizes are also measured by themselves.
        cache_file: SQLite file for what is computed of photos, or None.
        workers: processes for functions of photos; None takes one a core.
        seed: seed of the bootstraps.
        resamples: of the bootstraps over photos.
        progress: shows how far the work is.

    Returns:
        `Benchmark`.

    Raises:
        BenchmarkError: if names are not different, or hardly a photo can be read.
    """
    regression = regression or Regression()
    _check_names("database", [entry.name for entry in entries])
    _check_names("contestant", [contestant.name for contestant in contestants])
    parts = Parts(pathlib.Path(out) / "parts")
    bootstrap = Bootstrap(seed, resamples)
    trials: list[Trial] = []
    described: dict[str, DatabaseAbout] = {}
    for entry in entries:
        trial, described[entry.name] = _prepare(entry, contestants, cache_file, workers, progress)
        trials.append(trial)
    results: dict[str, dict[str, Account]] = {trial.name: {} for trial in trials}
    predicted: dict[str, dict[str, np.ndarray]] = {trial.name: {} for trial in trials}
    cross: dict[str, dict[str, dict[str, CrossFigures]]] = {}
    for trial, contestant in itertools.product(trials, contestants):
        others = [other for other in trials if other is not trial]
        variants = contestant.variants()
        if not ablation:
            variants = {WHOLE: variants[WHOLE]}
        found = run_protocol(contestant, trial, others, regression, variants, parts, progress)
        tables = {
            name: lay_out_predictions(trial.splits, of_splits, len(trial.scored))
            for name, of_splits in found.items()
        }
        account = _account(trial, found, tables[WHOLE], bootstrap)
        for name in variants.keys() - {WHOLE}:
            account["variants"][name]["whole_ahead"] = _difference(
                tables[WHOLE], tables[name], trial.scored, bootstrap, parts
            )
        results[trial.name][contestant.name] = account
        predicted[trial.name][contestant.name] = tables[WHOLE]
        for other in others if contestant.is_fitted else ():
            figures = [result["cross"][other.name] for result in found[WHOLE]]
            cross.setdefault(trial.name, {}).setdefault(other.name, {})[contestant.name] = {
                "summary": median_figures(figures),
                "splits": figures,
            }
    document: BenchmarkDocument = {
        "format": FORMAT,
        "versions": versions(),
        "protocol": {
            "shares": SHARES,
            "seed": seed,
            "resamples": resamples,
            "regressor": regression.kind,
            "strengths": [min(regression.strengths), max(regression.strengths)],
            "strengths_tried": len(regression.strengths),
            "scale_floor": regression.scale_floor,
            "confidence": metrics.CONFIDENCE,
        },
        "databases": described,
        "contestants": {contestant.name: contestant.describe() for contestant in contestants},
        "results": results,
        "cross": cross,
        "differences": _differences(trials, predicted, contestants, bootstrap, parts),
        "published": {name: PUBLISHED[name] for name in described if name in PUBLISHED},
    }
    return Benchmark(document, trials, predicted)


def _check_names(what: str, names: Sequence[str]) -> None:
    if not names or len(set(names)) < len(names):
        raise BenchmarkError(
            f"expected at least one {what}, with different names. Received: {', '.join(names)}"
        )


def _titled(progress: Progress, words: str) -> Progress:
    """The same progress under a title of ours, whatever the loop calls itself."""

    def show(items: Iterable[_Item], title: str, total: int) -> Iterator[_Item]:  # noqa: ARG001
        return progress(items, words, total)

    return show


def _prepare(
    entry: Entry,
    contestants: Sequence[Contestant],
    cache_file: PathLike | None,
    workers: int | None,
    progress: Progress,
) -> tuple[Trial, DatabaseAbout]:
    """Computes what every contestant needs, leaves out unreadable photos, looks for leaks."""
    photos = entry.scored.paths
    tables: dict[str, np.ndarray] = {}
    problems: dict[int, ReiqaError] = {}
    for contestant in contestants:
        shown = _titled(progress, f"{contestant.name}: {entry.name}")
        tables[contestant.name], here = contestant.table(photos, cache_file, shown, workers)
        problems.update(here)
    bits, here = _hashes(photos, cache_file, _titled(progress, f"hashes: {entry.name}"), workers)
    problems.update(here)
    kept = np.setdiff1d(np.arange(len(photos)), list(problems))
    if len(kept) < metrics.MINIMUM_ROWS:
        raise BenchmarkError(
            f"{entry.name}: {len(problems)} of {len(photos)} photos could not be judged, such as: "
            f"{next(iter(problems.values()))}"
        )
    splits = [
        Split(*(_renumbered(part, kept) for part in (split.train, split.val, split.test)))
        for split in entry.splits
    ]
    scored = entry.scored.rows(kept)
    trial = Trial(entry.name, scored, splits, {name: table[kept] for name, table in tables.items()})
    leaks = find_leaks(np.packbits(bits[kept].astype(bool), axis=1).view(">u8")[:, 0], splits)
    names = photo_names(scored)
    about: DatabaseAbout = {
        "title": entry.title,
        "photos": len(kept),
        "score_range": list(scored.score_range),
        "groups": None if scored.groups is None else len(np.unique(scored.groups)),
        "splits_are": entry.splits_are,
        "splits": [
            {
                "digest": split.digest(),
                "rows": [len(split.train), len(split.val), len(split.test)],
            }
            for split in splits
        ],
        "leaks": {
            "by": HASH_NAME,
            "distance": HASH_DISTANCE,
            "pairs": [
                {
                    "photos": [names[leak.first], names[leak.second]],
                    "distance": leak.distance,
                    "splits": [number + 1 for number in leak.splits],
                }
                for leak in leaks
            ],
        },
        "problems": [str(problems[index]) for index in sorted(problems)],
    }
    return trial, about


def _hashes(
    photos: Sequence[str], cache_file: PathLike | None, progress: Progress, workers: int | None
) -> tuple[np.ndarray, Mapping[int, ReiqaError]]:
    function = PhotoFunction("hash", hash_bits, HASH_NAME)
    with open_cache(cache_file, function.fingerprint) as cache:
        return value_table(
            function, photos, cache=cache, fit=512, workers=workers, progress=progress
        )


def _renumbered(rows: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Numbers of rows among those that are kept; the others are dropped."""
    return np.searchsorted(kept, np.intersect1d(rows, kept))


def _account(
    trial: Trial,
    found: Mapping[str, Sequence[SplitResult]],
    table: np.ndarray,
    bootstrap: Bootstrap,
) -> Account:
    """What the document says about one contestant on one database."""
    scored = trial.scored
    account: Account = {"variants": {}}
    for name, results in found.items():
        account["variants"][name] = {
            "summary": median_figures([result["figures"] for result in results]),
            "splits": [_without_predictions(result) for result in results],
        }
    if len(trial.splits) == 1:  # then there is no spread over splits, but one over photos
        test = trial.splits[0].test
        groups = None if scored.groups is None else scored.groups[test]
        intervals = metrics.bootstrap_intervals(
            table[0, test], scored.scores[test], groups=groups, **dataclasses.asdict(bootstrap)
        )
        for name, (low, high) in intervals.items():
            account["variants"][WHOLE]["summary"][name].update(low=low, high=high)
    if scored.distortions is not None:
        account["distortions"] = by_label(scored.distortions, table, scored.scores)
    if scored.levels is not None:
        account["levels"] = by_label(scored.levels, table, scored.scores)
    return account


def _without_predictions(result: SplitResult) -> SplitFigures:
    kept: SplitFigures = {"figures": result["figures"]}
    if "strength" in result:
        kept["strength"] = result["strength"]
        kept["at_edge"] = result["at_edge"]
    return kept


def _differences(
    trials: Sequence[Trial],
    predicted: Mapping[str, Mapping[str, np.ndarray]],
    contestants: Sequence[Contestant],
    bootstrap: Bootstrap,
    parts: Parts,
) -> list[NamedDifference]:
    """Every pair of presets on every database, and whether the difference is one."""
    fitted = [contestant.name for contestant in contestants if contestant.is_fitted]
    rows: list[NamedDifference] = []
    for trial, (first, second) in itertools.product(trials, itertools.combinations(fitted, 2)):
        tables = predicted[trial.name]
        found = _difference(tables[first], tables[second], trial.scored, bootstrap, parts)
        rows.append(
            {"database": trial.name, "metric": "srcc", "first": first, "second": second, **found}
        )
    return rows


def _difference(
    first: np.ndarray,
    second: np.ndarray,
    scored: ScoredPhotos,
    bootstrap: Bootstrap,
    parts: Parts,
) -> Difference:
    """SRCC of the first predictions minus SRCC of the second, with its interval."""
    settings = dataclasses.asdict(bootstrap)

    def make() -> dict[str, float]:
        found = metrics.paired_bootstrap_over_splits(
            first, second, scored.scores, groups=scored.groups, **settings
        )
        return dataclasses.asdict(found)

    ingredients = {
        "difference": [_digest(first), _digest(second)],
        "scores": _digest(scored.scores),
        "groups": None if scored.groups is None else [str(group) for group in scored.groups],
        **settings,
    }
    difference: Difference = parts.get_or_make(ingredients, make)
    return difference


def _digest(table: np.ndarray) -> str:
    return hashlib.sha256(table.tobytes()).hexdigest()
