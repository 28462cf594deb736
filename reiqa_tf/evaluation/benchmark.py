"""Presets and baselines on the field's databases, in one call: what `reiqa benchmark` does."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import warnings
from collections.abc import Callable, Mapping, Sequence

from reiqa_tf.bulk.shards import fill_cache, shard_of
from reiqa_tf.errors import ReiqaError
from reiqa_tf.evaluation.baselines import baseline_named
from reiqa_tf.evaluation.benchmark_report import write_benchmark
from reiqa_tf.evaluation.contest import Benchmark, BenchmarkError, run_benchmark
from reiqa_tf.evaluation.contestants import Contestant, FunctionContestant, PresetContestant
from reiqa_tf.evaluation.entries import Source, read_entries
from reiqa_tf.evaluation.splitting import Splitting
from reiqa_tf.extras import require_extra
from reiqa_tf.fitting.encoders import Preset
from reiqa_tf.fitting.regression import Regression
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.presets import DEFAULT
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import FeatureCache
from reiqa_tf.typing import PathLike

_NO_CACHE = "--take, --shard and --workers need a cache: leave --no-cache out."


def benchmark(
    databases: Mapping[str, Source],
    out: PathLike,
    presets: Sequence[Preset] = (DEFAULT,),
    baselines: Sequence[str] = (),
    *,
    splitting: Splitting | None = None,
    regression: Regression | None = None,
    ablation: bool = False,
    worst: int = 0,
    partial: bool = False,
    cache: PathLike | None = None,
    take: Sequence[PathLike] = (),
    workers: int = 1,
    progress: Progress = silent,
    warn: Callable[[str], None] = warnings.warn,
) -> Benchmark:
    """Measures presets and baselines on databases as papers do, and writes a report.

    Features are computed once. On every split a regressor is fitted; its strength is chosen on the
    validation rows. Whatever is finished is kept: after an interruption the same call goes on
    where it was.

    Args:
        databases: for every name where it is: the folder of a database that
            `reiqa_tf.data.databases.catalog.DATABASES` names, or under a name of your own a CSV
            file as in `read_scored_photos`, or the `ScoredPhotos`.
        out: folder that gets `report.html`, `benchmark.json`, the splits and all predictions.
        presets: whose encoders take part: folders, names of shipped presets, or scorers.
        baselines: names of `reiqa_tf.evaluation.baselines.BASELINES`, or `module:function` of
            yours, from a uint8 RGB photo `(H, W, 3)` to a number, higher is better.
        splitting: `Splitting`; None takes its defaults. Its seed is also that of the intervals.
        regression: `Regression`; None takes its defaults.
        ablation: whether experts and sizes are also measured by themselves.
        worst: number of the photos to show whose score is farthest off. They are embedded in the
            report: publish it only if the database's terms allow that.
        partial: whether to go on with the photos that are there where a database is incomplete.
        cache: SQLite file that keeps features; `reiqa_tf.scoring.cache.default_cache_file()` is
            that of the command. None keeps nothing.
        take: files with what others computed, to be taken over into the cache: caches, or Parquet
            files of `reiqa beam-score --features`.
        workers: processes for the features.
        progress: shows how far the work is.
        warn: called with a line of text where splits are not those that papers take.

    Returns:
        `Benchmark`: its `document` holds every figure.

    Raises:
        BenchmarkError: if names are not different, hardly a photo can be read, or something is
            asked for that needs a cache.
        ReiqaError: its subclasses, if a database, a preset or a baseline cannot be used.

    Example:
    ```python
    import reiqa_tf
    from reiqa_tf.evaluation.splitting import Splitting

    result = reiqa_tf.benchmark(
        {"mine": "scores.csv"},
        "measured",
        presets=["content_lite0_biq2021"],
        baselines=["sharpness"],
        splitting=Splitting(count=2),
    )
    for name, account in result.document["results"]["mine"].items():
        print(name, account["variants"]["whole"]["summary"]["srcc"]["median"])
    ```
    """
    require_extra("benchmark", "a benchmark")
    splitting = splitting or Splitting()
    entries = read_entries(databases, splitting, partial, warn)
    contestants = _contestants(presets, baselines)
    _take_over(take, cache, workers)
    if cache is not None and workers > 1:
        photos = [path for entry in entries for path in entry.scored.paths]
        for preset in presets:
            if not isinstance(preset, ReIQAScorer):  # others are computed in this process
                fill_cache(preset, photos, cache, workers)
    result = run_benchmark(
        entries,
        contestants,
        out,
        regression,
        ablation=ablation,
        cache_file=cache,
        seed=splitting.seed,
        progress=progress,
    )
    write_benchmark(result, out, worst)
    return result


@dataclasses.dataclass(frozen=True)
class BenchmarkShard:
    """What one machine of several computed.

    Attributes:
        photos: number of photos of the shard.
        problems: why some of them are missing, one error a photo.
    """

    photos: int
    problems: list[ReiqaError]


def benchmark_shard(
    databases: Mapping[str, Source],
    number: int,
    count: int,
    cache: PathLike | None,
    presets: Sequence[Preset] = (DEFAULT,),
    baselines: Sequence[str] = (),
    *,
    splitting: Splitting | None = None,
    partial: bool = False,
    take: Sequence[PathLike] = (),
    workers: int = 1,
    progress: Progress = silent,
    warn: Callable[[str], None] = warnings.warn,
) -> BenchmarkShard:
    """Computes into a cache what a benchmark needs of some of the photos; no report.

    Machines compute a shard each; `benchmark(..., take=THEIR_CACHES)` joins them.

    Args:
        databases: as in `benchmark`.
        number: of the shard, from 1: every `count`-th photo from this one.
        count: number of shards.
        cache: SQLite file that gets the features.
        presets: as in `benchmark`.
        baselines: as in `benchmark`.
        splitting: as in `benchmark`.
        partial: as in `benchmark`.
        take: as in `benchmark`.
        workers: processes for the baselines.
        progress: as in `benchmark`.
        warn: as in `benchmark`.

    Returns:
        `BenchmarkShard`.

    Raises:
        ShardError: if there is no such shard.
        BenchmarkError: if there is no cache.
    """
    require_extra("benchmark", "a benchmark")
    entries = read_entries(databases, splitting or Splitting(), partial, warn)
    contestants = _contestants(presets, baselines)
    if cache is None:
        raise BenchmarkError(_NO_CACHE)
    _take_over(take, cache, workers)
    photos = shard_of([path for entry in entries for path in entry.scored.paths], number, count)
    problems: dict[int, ReiqaError] = {}
    for contestant in contestants:
        problems.update(contestant.table(photos, cache, progress, workers)[1])
    return BenchmarkShard(len(photos), list(problems.values()))


def _contestants(presets: Sequence[Preset], baselines: Sequence[str]) -> list[Contestant]:
    """Presets by short names, the whole path where two end alike; then the baselines."""
    different = list(dict.fromkeys(presets))  # one that is named twice takes part once
    whole = [
        preset.name if isinstance(preset, ReIQAScorer) else os.fspath(preset)
        for preset in different
    ]
    short = [pathlib.Path(name).name or name for name in whole]
    names = [
        name if short.count(name) == 1 else path for name, path in zip(short, whole, strict=True)
    ]
    return [
        *(PresetContestant(name, preset) for name, preset in zip(names, different, strict=True)),
        *(FunctionContestant(baseline_named(name)) for name in baselines),
    ]


def _take_over(files: Sequence[PathLike], cache: PathLike | None, workers: int) -> None:
    """Brings what others computed into the cache."""
    if cache is None:
        if files or workers > 1:
            raise BenchmarkError(_NO_CACHE)
        return
    for file in files:
        if os.fspath(file).endswith(".parquet"):
            from reiqa_tf.bulk.parquet import take_features

            take_features(file, cache)
        else:
            with FeatureCache(cache, "") as known:
                known.take(file)
