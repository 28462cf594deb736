"""A whole benchmark: databases and contestants in, one document with all numbers out."""

import dataclasses
import hashlib
import itertools

import numpy as np

from reiqa_tf import metrics
from reiqa_tf.data.near_duplicates import HASH_DISTANCE, HASH_NAME, find_leaks
from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.data.splits import SHARES, Split, photo_names
from reiqa_tf.errors import ReiqaError
from reiqa_tf.evaluation.baselines import hash_bits
from reiqa_tf.evaluation.contestants import WHOLE
from reiqa_tf.evaluation.parts import Parts
from reiqa_tf.evaluation.photo_functions import PhotoFunction, value_table
from reiqa_tf.evaluation.protocol import (
    Regression,
    Trial,
    by_label,
    judge,
    predictions,
    summarise,
)
from reiqa_tf.evaluation.published import PUBLISHED
from reiqa_tf.evaluation.versions import versions
from reiqa_tf.scoring.cache import FeatureCache

FORMAT = 1
"""Version of the document."""


class BenchmarkError(ReiqaError):
    """A benchmark that cannot be run on what it was given."""


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """A database that takes part.

    Attributes:
        name: what the report calls it.
        title: what papers call it.
        scored: `ScoredPhotos`.
        splits: list of `Split` of the rows of the scored photos.
        splits_are: how the splits were made, for the report.
    """

    name: str
    title: str
    scored: ScoredPhotos
    splits: list[Split]
    splits_are: str


@dataclasses.dataclass(frozen=True, eq=False)
class Benchmark:
    """What came of a benchmark.

    Attributes:
        document: everything that the result file holds, as JSON values.
        trials: list of `Trial`.
        predicted: `{database: {contestant: array (splits, rows)}}`, NaN where a split does not
            test a row.
    """

    document: dict
    trials: list[Trial]
    predicted: dict


def run_benchmark(
    entries,
    contestants,
    out,
    regression=None,
    ablation=False,
    cache_file=None,
    workers=None,
    seed=0,
    resamples=1000,
    progress=lambda description, total: iter,  # noqa: ARG005
):
    """Judges contestants on databases.

    Whatever is finished is kept: features and scores of photos in the cache, every split of every
    contestant in `out/parts`. After an interruption the same call goes on where it was and ends
    with the same numbers.

    Args:
        entries: list of `Entry`.
        contestants: list of `PresetContestant` and `FunctionContestant`.
        out: folder for the parts.
        regression: `Regression`; None takes ridge with the strengths of the paper.
        ablation: whether experts and sizes are also judged by themselves.
        cache_file: SQLite file for what is computed of photos, or None.
        workers: processes for functions of photos; None takes one a core.
        seed: seed of the bootstraps.
        resamples: of the bootstraps over photos.
        progress: function from a description and a total to a wrapper of iterators.

    Returns:
        `Benchmark`.

    Raises:
        BenchmarkError: if names are not different, or hardly a photo can be read.
    """
    regression = regression or Regression()
    for what, items in (("database", entries), ("contestant", contestants)):
        names = [each.name for each in items]
        if not names or len(set(names)) < len(names):
            raise BenchmarkError(
                f"expected at least one {what}, with different names. Received: {', '.join(names)}"
            )
    parts = Parts(out / "parts")
    bootstrap = {"seed": seed, "resamples": resamples}
    trials, described = [], {}
    for entry in entries:
        trial, about = _prepare(entry, contestants, cache_file, workers, progress)
        trials.append(trial)
        described[entry.name] = about
    results, predicted, cross = {}, {}, {}
    for trial in trials:
        others = [each for each in trials if each is not trial]
        results[trial.name], predicted[trial.name] = {}, {}
        for contestant in contestants:
            variants = contestant.variants()
            if not ablation:
                variants = {WHOLE: variants[WHOLE]}
            bar = progress(f"{contestant.name} on {trial.name}", len(variants) * len(trial.splits))
            judged = judge(contestant, trial, others, regression, variants, parts, bar)
            tables = {
                name: predictions(trial.splits, of_splits, len(trial.scored))
                for name, of_splits in judged.items()
            }
            predicted[trial.name][contestant.name] = tables[WHOLE]
            account = _account(trial, judged, tables[WHOLE], bootstrap)
            for name in variants.keys() - {WHOLE}:
                account["variants"][name]["whole_ahead"] = _difference(
                    tables[WHOLE], tables[name], trial.scored, bootstrap, parts
                )
            results[trial.name][contestant.name] = account
            for other in others if contestant.is_fitted else ():
                figures = [result["cross"][other.name] for result in judged[WHOLE]]
                cross.setdefault(trial.name, {}).setdefault(other.name, {})[contestant.name] = {
                    "summary": summarise(figures),
                    "splits": figures,
                }
    document = {
        "format": FORMAT,
        "versions": versions(),
        "protocol": {
            "shares": SHARES,
            **bootstrap,
            "regressor": regression.kind,
            "strengths": [min(regression.strengths), max(regression.strengths)],
            "strengths_tried": len(regression.strengths),
            "scale_floor": regression.scale_floor,
            "confidence": metrics.CONFIDENCE,
        },
        "databases": described,
        "contestants": {each.name: each.describe() for each in contestants},
        "results": results,
        "cross": cross,
        "differences": _differences(trials, predicted, contestants, bootstrap, parts),
        "published": {name: PUBLISHED[name] for name in described if name in PUBLISHED},
    }
    return Benchmark(document, trials, predicted)


def _prepare(entry, contestants, cache_file, workers, progress):
    """Computes what every contestant needs, leaves out unreadable photos, looks for leaks."""
    photos = entry.scored.paths
    tables, problems = {}, {}
    for contestant in contestants:
        bar = progress(f"{contestant.name}: {entry.name}", len(photos))
        tables[contestant.name], here = contestant.table(photos, cache_file, bar, workers)
        problems.update(here)
    bar = progress(f"hashes: {entry.name}", len(photos))
    bits, here = _hashes(photos, cache_file, bar, workers)
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
    trial = Trial(entry.name, scored, splits, {n: table[kept] for n, table in tables.items()})
    leaks = find_leaks(np.packbits(bits[kept].astype(bool), axis=1).view(">u8")[:, 0], splits)
    names = photo_names(scored)
    about = {
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


def _hashes(photos, cache_file, progress, workers):
    function = PhotoFunction("hash", hash_bits, HASH_NAME)
    options = {"fit": 512, "progress": progress, "workers": workers}
    if cache_file is None:
        return value_table(function, photos, **options)
    with FeatureCache(cache_file, function.fingerprint) as cache:
        return value_table(function, photos, cache=cache, **options)


def _renumbered(rows, kept):
    """Numbers of rows among those that are kept; the others are dropped."""
    return np.searchsorted(kept, np.intersect1d(rows, kept))


def _account(trial, judged, table, bootstrap):
    """What the document says about one contestant on one database."""
    scored = trial.scored
    account = {"variants": {}}
    for name, results in judged.items():
        kept = ("figures", "strength", "at_edge")
        account["variants"][name] = {
            "summary": summarise([result["figures"] for result in results]),
            "splits": [{key: result[key] for key in kept if key in result} for result in results],
        }
    if len(trial.splits) == 1:  # then there is no spread over splits, but one over photos
        test = trial.splits[0].test
        groups = None if scored.groups is None else scored.groups[test]
        intervals = metrics.bootstrap_intervals(
            table[0, test], scored.scores[test], groups=groups, **bootstrap
        )
        for name, (low, high) in intervals.items():
            account["variants"][WHOLE]["summary"][name].update(low=low, high=high)
    for key, labels in (("distortions", scored.distortions), ("levels", scored.levels)):
        if labels is not None:
            account[key] = by_label(labels, table, scored.scores)
    return account


def _differences(trials, predicted, contestants, bootstrap, parts):
    """Every pair of presets on every database, and whether the difference is one."""
    fitted = [each.name for each in contestants if each.is_fitted]
    rows = []
    for trial, names in itertools.product(trials, itertools.combinations(fitted, 2)):
        tables = (predicted[trial.name][name] for name in names)
        found = _difference(*tables, trial.scored, bootstrap, parts)
        first, second = names
        rows.append(
            {"database": trial.name, "metric": "srcc", "first": first, "second": second, **found}
        )
    return rows


def _difference(first, second, scored, bootstrap, parts):
    """SRCC of the first predictions minus SRCC of the second, with its interval."""

    def make():
        found = metrics.paired_bootstrap_over_splits(
            first, second, scored.scores, groups=scored.groups, **bootstrap
        )
        return dataclasses.asdict(found)

    ingredients = {
        "difference": [_digest(first), _digest(second)],
        "scores": _digest(scored.scores),
        "groups": None if scored.groups is None else [str(group) for group in scored.groups],
        **bootstrap,
    }
    return parts.get_or_make(ingredients, make)


def _digest(table):
    return hashlib.sha256(table.tobytes()).hexdigest()
