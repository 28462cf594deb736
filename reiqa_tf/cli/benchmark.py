"""`reiqa benchmark`: presets and competitors, judged on databases as papers judge them."""

import pathlib
import sys

from reiqa_tf import presets
from reiqa_tf.cli import regression_flags, terminal
from reiqa_tf.cli.fit import add_cache_flags
from reiqa_tf.cli.startup import start_tensorflow

_EXAMPLES = """\
  reiqa benchmark --database koniq10k=DIR --out judged
  reiqa benchmark --database kadid10k=DIR --database csv=scores.csv --preset mine --out judged
  reiqa benchmark --database csv=scores.csv --baseline sharpness --baseline mine:score --out judged
  reiqa benchmark --database spaq=DIR --ablation --worst 10 --out judged

Databases: {databases},
each in the layout in which it is distributed (docs/databases.md), and csv: any list as in
`reiqa fit --help`, its scores higher is better unless --lower-is-better is given; its columns
`distortion` and `level` make tables of their own.

Features are computed once. On each of 10 seeded splits (70 % training, 10 % validation, 20 % test;
references and groups whole) a regressor is fitted; its strength is chosen on the validation rows.
The folder gets report.html, benchmark.json, the splits and all predictions. Finished parts are
kept: after Ctrl-C or a power cut the same command goes on where it was."""

_DATABASES = (
    "koniq10k, koniq10k_512x384, clive, flive, spaq, live, csiq, tid2013, kadid10k,\n"
    "pipal, agiqa3k, biq2021"
)


def add_parser(subparsers):
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers,
        "benchmark",
        run,
        "Judge presets and baselines on the field's databases.",
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
        help="whose encoders are judged: a folder or the name of a shipped preset; may be given "
        f"several times (default: {presets.DEFAULT})",
    )
    parser.add_argument(
        "--baseline",
        action="append",
        default=[],
        metavar="NAME",
        help="sharpness, entropy, brisque, or module:function of yours, from a uint8 RGB photo "
        "(H, W, 3) to a number, higher is better; may be given several times",
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where results are written")
    parser.add_argument("--splits", type=int, default=10, help="number (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of splits and intervals (default: 0)")
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
    regression_flags.add_to(parser)
    parser.add_argument(
        "--ablation",
        action="store_true",
        help="also judge each expert and each size by itself",
    )
    parser.add_argument(
        "--worst",
        type=int,
        default=0,
        metavar="N",
        help="show the N worst judged photos in the report (default: none, for the databases' "
        "terms)",
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
    add_cache_flags(parser)


def run(arguments):
    """Runs the benchmark and answers the exit code."""
    _require_packages()
    start_tensorflow()
    from reiqa_tf.bulk.shards import fill_cache
    from reiqa_tf.evaluation.baselines import baseline_named
    from reiqa_tf.evaluation.benchmark import run_benchmark
    from reiqa_tf.evaluation.contestants import FunctionContestant, PresetContestant
    from reiqa_tf.evaluation.report import PAGE, write_report

    # Whatever is wrong with what was asked for is said before the first long step.
    entries = [_entry(text, arguments) for text in arguments.database]
    regression = _regression(arguments)
    chosen = _named(arguments.preset or [presets.DEFAULT])
    contestants = [PresetContestant(name, preset) for name, preset in chosen.items()]
    contestants += [FunctionContestant(baseline_named(name)) for name in arguments.baseline]
    cache_file = _cache_file(arguments, contestants)
    out = pathlib.Path(arguments.out)
    if arguments.shard:
        return _compute_shard(arguments.shard, entries, contestants, cache_file, arguments)
    try:
        if arguments.workers > 1:
            photos = [path for entry in entries for path in entry.scored.paths]
            for preset in chosen.values():
                fill_cache(preset, photos, cache_file, arguments.workers)
        benchmark = run_benchmark(
            entries,
            contestants,
            out,
            regression,
            ablation=arguments.ablation,
            cache_file=cache_file,
            seed=arguments.seed,
            progress=terminal.progress,
        )
    except KeyboardInterrupt:
        print("what is finished is kept; run the same command again", file=sys.stderr)
        raise
    write_report(benchmark, out, worst=arguments.worst)
    for trial in benchmark.trials:
        _print_results(trial.name, benchmark.document)
    print(f"report: {out / PAGE}")
    databases = benchmark.document["databases"].values()
    problems = [problem for about in databases for problem in about["problems"]]
    terminal.report_failures(problems, sum(len(entry.scored) for entry in entries))
    return 1 if problems else 0


def _require_packages():
    import importlib.util

    from reiqa_tf.errors import ReiqaError

    needed = ("imagehash", "jinja2", "openpyxl")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ReiqaError(
            f"the benchmark needs {', '.join(missing)}: pip install 'reiqa_tf[benchmark]'"
        )


def _entry(text, arguments):
    """A database as it was asked for, read and split."""
    from reiqa_tf.data.databases.catalog import database_named
    from reiqa_tf.data.databases.loading import read_database
    from reiqa_tf.data.scored_photos import read_scored_photos
    from reiqa_tf.data.splits import official_split, read_splits, seeded_splits
    from reiqa_tf.errors import ReiqaError
    from reiqa_tf.evaluation.benchmark import Entry

    name, _, path = text.partition("=")
    if not path:
        raise ReiqaError(f"--database: expected NAME=FOLDER or csv=FILE. Received: {text!r}")
    official = arguments.official_splits
    if name == "csv":
        scored = read_scored_photos(path, lower_is_better=arguments.lower_is_better)
        resolved = pathlib.Path(path).resolve()
        name = title = f"{resolved.parent.name}/{resolved.stem}"
        official = official and scored.splits is not None
    else:
        database = database_named(name)
        scored, title = read_database(database, path, arguments.partial), database.title
        official = scored.splits is not None and (official or database.official_split_only)
        if database.official_split_only and not official:
            print(
                f"{name}: the tables of the official split are not there, so splits are drawn "
                f"(expected: {database.files})",
                file=sys.stderr,
            )
    if arguments.splits_from:
        file = pathlib.Path(arguments.splits_from, f"{name.replace('/', '_')}.csv")
        return Entry(name, title, scored, read_splits(file, scored), f"of {file.name}")
    if official:
        split = official_split(scored, arguments.seed)
        return Entry(name, title, scored, [split], "the official one")
    if arguments.splits < 1:
        raise ReiqaError(f"--splits: expected at least 1. Received: {arguments.splits}")
    splits = seeded_splits(scored, arguments.splits, arguments.seed)
    return Entry(name, title, scored, splits, f"drawn with seed {arguments.seed}")


def _named(chosen):
    """Short names for presets; the whole path where two end alike."""
    short = [pathlib.Path(preset).name or preset for preset in chosen]
    return {
        name if short.count(name) == 1 else preset: preset
        for name, preset in zip(short, chosen, strict=True)
    }


def _regression(arguments):
    from reiqa_tf.evaluation.protocol import Regression

    return Regression(
        arguments.regressor,
        tuple(regression_flags.strengths_of(arguments).tolist()),
        regression_flags.scale_floor_of(arguments),
    )


def _cache_file(arguments, contestants):
    """The cache, with what others computed taken over; None where there is to be none."""
    from reiqa_tf.errors import ReiqaError
    from reiqa_tf.scoring.cache import FeatureCache, default_cache_file

    if arguments.no_cache:
        if arguments.take or arguments.shard or arguments.workers > 1:
            raise ReiqaError("--take, --shard and --workers need a cache: leave --no-cache out.")
        return None
    file = arguments.cache or default_cache_file()
    for path in arguments.take:
        if path.endswith(".parquet"):
            from reiqa_tf.bulk.parquet import take_features

            take_features(path, file)
        else:
            with FeatureCache(file, contestants[0].fingerprint) as cache:
                cache.take(path)
    return file


def _compute_shard(text, entries, contestants, cache_file, arguments):
    from reiqa_tf.bulk.shards import shard_of
    from reiqa_tf.errors import ReiqaError

    try:
        number, count = map(int, text.split("/"))
    except ValueError:
        raise ReiqaError(f"--shard: expected K/N, such as 2/5. Received: {text!r}") from None
    photos = [path for entry in entries for path in entry.scored.paths]
    photos = shard_of(photos, number, count)
    problems = {}
    for contestant in contestants:
        bar = terminal.progress(f"{contestant.name}, shard {text}", len(photos))
        problems.update(contestant.table(photos, cache_file, bar, arguments.workers)[1])
    print(f"shard {text}: {len(photos)} photos in {cache_file}")
    terminal.report_failures(list(problems.values()), len(photos))
    return 1 if problems else 0


def _print_results(name, document):
    from reiqa_tf.evaluation.contestants import WHOLE

    measures = ("srcc", "krcc", "plcc", "plcc_logistic", "rmse")
    rows = []
    for contestant, account in document["results"][name].items():
        for variant, judged in account["variants"].items():
            label = contestant if variant == WHOLE else f"  {variant}"
            medians = [f"{judged['summary'][each]['median']:.3f}" for each in measures]
            rows.append([label, *medians])
            if ahead := judged.get("whole_ahead"):
                rows[-1].append("{difference:+.3f} [{low:+.3f}, {high:+.3f}]".format(**ahead))
    headings = list(measures)
    if any(len(row) > 1 + len(measures) for row in rows):
        headings.append("all features are ahead by (srcc)")
    for method, (srcc, plcc) in document["published"].get(name, {}).items():
        mapped = f"{plcc:.3f}" if plcc else ""
        rows.append([f"published: {method}", f"{srcc:.3f}", "", "", mapped])
    about = document["databases"][name]
    terminal.print_table(
        about["title"],
        [("contestant", "left"), *((heading, "right") for heading in headings)],
        rows,
        caption=f"{about['photos']:,} photos, medians over {len(about['splits'])} splits "
        f"({about['splits_are']}); {len(about['leaks']['pairs'])} near-duplicates straddle one",
    )
