"""`reiqa benchmark`: presets and competitors, measured on databases as papers do it."""

from __future__ import annotations

import argparse
import pathlib
import sys
import textwrap
from typing import TYPE_CHECKING

from reiqa_tf import presets
from reiqa_tf.cli import cache_flags, regression_flags, terminal
from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.data.databases.catalog import DATABASES
from reiqa_tf.errors import ReiqaError
from reiqa_tf.evaluation.baseline_catalog import BASELINES
from reiqa_tf.evaluation.splitting import Splitting

if TYPE_CHECKING:
    from reiqa_tf.data.scored_photos import ScoredPhotos
    from reiqa_tf.evaluation.benchmark_document import BenchmarkDocument
    from reiqa_tf.typing import PathLike

_EXAMPLES = """\
  reiqa benchmark --database koniq10k=DIR --out judged
  reiqa benchmark --database kadid10k=DIR --database csv=scores.csv --preset mine --out judged
  reiqa benchmark --database csv=scores.csv --baseline sharpness --baseline mine:score --out judged
  reiqa benchmark --database spaq=DIR --ablation --worst 10 --out judged

Databases: {databases},
each in the layout in which it is distributed (docs/guides/databases.md), and csv: any list as in
`reiqa fit --help`, its scores higher is better unless --lower-is-better is given; its columns
`distortion` and `level` make tables of their own.

Features are computed once. On every seeded split (70 % training, 10 % validation, 20 % test;
references and groups whole) a regressor is fitted; its strength is chosen on the validation rows.
The folder gets report.html, benchmark.json, the splits and all predictions. Finished parts are
kept: after Ctrl-C or a power cut the same command goes on where it was."""

_DATABASES = "\n".join(textwrap.wrap(", ".join(database.name for database in DATABASES), 78))


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers,
        "benchmark",
        run,
        "Measure presets and baselines on the field's databases.",
        _EXAMPLES.format(databases=_DATABASES),
    )
    parser.add_argument(
        "--database",
        action="append",
        required=True,
        metavar="NAME=PATH",
        help="a database and its folder, or csv=FILE; may be given several times",
    )
    parser.add_argument(
        "--preset",
        action="append",
        help="whose encoders take part: a folder or the name of a shipped preset; may be given "
        f"several times (default: {presets.DEFAULT})",
    )
    parser.add_argument(
        "--baseline",
        action="append",
        default=[],
        metavar="NAME",
        help=f"{', '.join(BASELINES)}, or module:function of yours, from a uint8 RGB photo "
        "(H, W, 3) to a number, higher is better; may be given several times",
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where results are written")
    parser.add_argument(
        "--splits", type=int, default=Splitting.count, help="number (default: %(default)s)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=Splitting.seed,
        help="of splits and intervals (default: %(default)s)",
    )
    parser.add_argument(
        "--official-splits",
        action="store_true",
        help="take the split that a database comes with, once, where it has one (FLIVE: always)",
    )
    parser.add_argument(
        "--splits-from",
        metavar="FOLDER",
        help="take the splits that another run wrote into its folder `splits`",
    )
    regression_flags.add_regression_flags(parser)
    parser.add_argument(
        "--ablation",
        action="store_true",
        help="also measure each expert and each size by itself",
    )
    parser.add_argument(
        "--worst",
        type=int,
        default=0,
        metavar="N",
        help="show the N photos whose score is farthest off in the report (default: none, for "
        "the databases' terms)",
    )
    parser.add_argument(
        "--partial",
        action="store_true",
        help="go on with the photos that are there where a database is incomplete",
    )
    parser.add_argument(
        "--lower-is-better", action="store_true", help="the scores of csv=FILE are DMOS"
    )
    parser.add_argument(
        "--workers", type=int, default=1, help="processes for the features (default: 1)"
    )
    parser.add_argument(
        "--shard",
        metavar="K/N",
        help="only compute what is needed of every N-th photo, from the K-th, into --cache; no "
        "report",
    )
    parser.add_argument(
        "--take",
        action="append",
        default=[],
        metavar="FILE",
        help="take over what others computed: the caches of shards, or Parquet files of "
        "`reiqa beam-score --features`",
    )
    cache_flags.add_cache_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the benchmark, or a shard of it, and returns the exit code."""
    from reiqa_tf.evaluation.baselines import baseline_named
    from reiqa_tf.presets.folders import read_metadata

    if arguments.splits < 1:
        raise ReiqaError(f"--splits: expected at least 1. Received: {arguments.splits}")
    splitting = Splitting(
        arguments.splits, arguments.seed, arguments.official_splits, arguments.splits_from
    )
    shard_numbers = _numbers_of(arguments.shard) if arguments.shard else None
    regression = regression_flags.regression_of(arguments)
    chosen = arguments.preset or [presets.DEFAULT]
    for preset in chosen:
        read_metadata(preset)
    for name in arguments.baseline:
        baseline_named(name)
    databases = _databases(arguments)
    start_tensorflow()
    from reiqa_tf.evaluation.benchmark import benchmark, benchmark_shard
    from reiqa_tf.evaluation.benchmark_report import PAGE

    shared = {
        "presets": chosen,
        "baselines": arguments.baseline,
        "splitting": splitting,
        "partial": arguments.partial,
        "cache": cache_flags.cache_of(arguments),
        "take": arguments.take,
        "workers": arguments.workers,
        "progress": terminal.show_progress,
        "warn": _warn,
    }
    with terminal.says_on_interrupt("what is finished is kept; run the same command again"):
        if shard_numbers:
            number, count = shard_numbers
            shard = benchmark_shard(databases, number, count, **shared)
            print(f"shard {arguments.shard}: {shard.photos} photos in {shared['cache']}")
            terminal.report_failures(shard.problems, shard.photos)
            return 1 if shard.problems else 0
        result = benchmark(
            databases,
            arguments.out,
            regression=regression,
            ablation=arguments.ablation,
            worst=arguments.worst,
            **shared,
        )
    for trial in result.trials:
        _print_results(trial.name, result.document)
    print(f"report: {pathlib.Path(arguments.out) / PAGE}")
    terminal.report_failures(result.problems, result.photos)
    return 1 if result.problems else 0


def _warn(text: str) -> None:
    print(text, file=sys.stderr)


def _databases(arguments: argparse.Namespace) -> dict[str, PathLike | ScoredPhotos]:
    """What `--database` asks for, by name; lists are read."""
    from reiqa_tf.data.scored_photos import read_scored_photos

    databases: dict[str, PathLike | ScoredPhotos] = {}
    for text in arguments.database:
        name, _, path = text.partition("=")
        if not path:
            raise ReiqaError(f"--database: expected NAME=FOLDER or csv=FILE. Received: {text!r}")
        source: PathLike | ScoredPhotos = path
        if name == "csv":
            resolved = pathlib.Path(path).resolve()
            name = f"{resolved.parent.name}/{resolved.stem}"
            source = read_scored_photos(path, lower_is_better=arguments.lower_is_better)
        if name in databases:
            raise ReiqaError(f"--database: expected different names. Received twice: {name}")
        databases[name] = source
    return databases


def _numbers_of(shard: str) -> tuple[int, int]:
    try:
        number, count = map(int, shard.split("/"))
    except ValueError:
        raise ReiqaError(f"--shard: expected K/N, such as 2/5. Received: {shard!r}") from None
    return number, count


def _print_results(name: str, document: BenchmarkDocument) -> None:
    from reiqa_tf.evaluation.contestants import WHOLE

    measures = ("srcc", "krcc", "plcc", "plcc_logistic", "rmse")
    rows = []
    for contestant, account in document["results"][name].items():
        for variant, found in account["variants"].items():
            label = contestant if variant == WHOLE else f"  {variant}"
            medians = [f"{found['summary'][measure]['median']:.3f}" for measure in measures]
            rows.append([label, *medians])
            if ahead := found.get("whole_ahead"):
                rows[-1].append("{difference:+.3f} [{low:+.3f}, {high:+.3f}]".format(**ahead))
    headings = list(measures)
    if any(len(row) > 1 + len(measures) for row in rows):
        headings.append("all features are ahead by (srcc)")
    for method, (srcc, plcc) in document["published"].get(name, {}).items():
        mapped = f"{plcc:.3f}" if plcc else ""
        rows.append([f"published: {method}", f"{srcc:.3f}", "", "", mapped])
    rows = [row + [""] * (1 + len(headings) - len(row)) for row in rows]
    about = document["databases"][name]
    terminal.print_table(
        about["title"],
        [("contestant", "left"), *((heading, "right") for heading in headings)],
        rows,
        caption=f"{about['photos']:,} photos, medians over {len(about['splits'])} splits "
        f"({about['splits_are']}); {len(about['leaks']['pairs'])} near-duplicates straddle one",
    )
