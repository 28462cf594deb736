"""`reiqa evaluate`: how well a preset agrees with people."""

from __future__ import annotations

import argparse
import pathlib

from reiqa_tf import presets
from reiqa_tf.cli import cache_flags, terminal
from reiqa_tf.cli.startup import start_tensorflow

_EXAMPLES = """\
  reiqa evaluate scores.csv
  reiqa evaluate scores.csv --preset my_preset --split test
  reiqa evaluate scores.csv --json result.json --plot scatter.png

scores.csv is as in `reiqa fit --help`; its scale may differ from the preset's. SRCC and KRCC
compare ranks; PLCC is printed raw and after the usual 4-parameter logistic mapping, RMSE after
it. Intervals are 95 % bootstrap intervals over the photos (over the groups, where given)."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "evaluate", run, "Compare a preset's scores with people's.", _EXAMPLES
    )
    parser.add_argument("scores", metavar="scores.csv", help="the scored photos")
    parser.add_argument(
        "--preset",
        default=presets.DEFAULT,
        help="a folder or the name of a shipped preset (default: %(default)s)",
    )
    parser.add_argument("--split", help="take the rows of this split only: train, val or test")
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    parser.add_argument("--plot", metavar="FILE", help="draw a scatter plot here (png, svg, pdf)")
    parser.add_argument(
        "--lower-is-better", action="store_true", help="the scores are DMOS: mirror them"
    )
    cache_flags.add_cache_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Evaluates the preset and returns the exit code."""
    from reiqa_tf.data.scored_photos import read_scored_photos
    from reiqa_tf.presets.folders import read_metadata

    read_metadata(arguments.preset)
    scored = read_scored_photos(arguments.scores, lower_is_better=arguments.lower_is_better)
    if arguments.split is not None:
        scored = scored.split(arguments.split)
    start_tensorflow()
    from reiqa_tf.evaluation.evaluate import evaluate

    cache = cache_flags.cache_of(arguments)
    with terminal.says_on_interrupt(cache_flags.KEPT if cache else ""):
        evaluation = evaluate(
            scored,
            arguments.preset,
            cache=cache,
            progress=terminal.show_progress,
        )
    name = pathlib.Path(arguments.scores).name
    if arguments.json:
        evaluation.write_json(
            arguments.json, scores_file=name, split=arguments.split, preset=arguments.preset
        )
    if arguments.plot:
        evaluation.plot(arguments.plot, f"{pathlib.Path(arguments.preset).name} on {name}")
    photos = evaluation.agreement.count
    terminal.print_agreement(
        "measure",
        evaluation.agreement,
        f"{arguments.preset} on {photos} photos of {arguments.scores}",
    )
    terminal.report_failures(evaluation.problems, photos + len(evaluation.problems))
    return 1 if evaluation.problems else 0
