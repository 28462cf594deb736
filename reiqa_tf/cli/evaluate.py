"""`reiqa evaluate`: how well a preset agrees with people."""

from reiqa_tf import presets
from reiqa_tf.cli import terminal
from reiqa_tf.cli.fit import add_cache_flags, agreement_rows, features_of, open_cache
from reiqa_tf.cli.startup import start_tensorflow

_EXAMPLES = """\
  reiqa evaluate scores.csv
  reiqa evaluate scores.csv --preset my_preset --split test
  reiqa evaluate scores.csv --json result.json --plot scatter.png

scores.csv is as in `reiqa fit --help`; its scale may differ from the preset's. SRCC and KRCC
compare ranks; PLCC is printed raw and after the usual 4-parameter logistic mapping, RMSE after
it. Intervals are 95 % bootstrap intervals over the photos (over the groups, where given)."""


def add_parser(subparsers):
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
    add_cache_flags(parser)


def run(arguments):
    """Evaluates the preset and answers the exit code."""
    start_tensorflow()
    import json
    import pathlib

    from reiqa_tf.data.scored_photos import read_scored_photos
    from reiqa_tf.evaluation.agreement import evaluate, plot_agreement
    from reiqa_tf.files import written_whole
    from reiqa_tf.models.scorer import load_preset

    scored = read_scored_photos(arguments.scores, lower_is_better=arguments.lower_is_better)
    if arguments.split:
        scored = scored.split(arguments.split)
    scorer = load_preset(arguments.preset)
    scorer.fitted_head()
    with open_cache(scorer, arguments) as cache:
        features, scored, problems = features_of(scorer, scored, cache)
    scores = scorer.judge_features(features)
    predicted = [float(score) for score in scores]
    result = evaluate(scored.scores, predicted, groups=scored.groups)
    if arguments.json:
        document = {
            **result,
            "scores_file": pathlib.Path(arguments.scores).name,
            "split": arguments.split,
            "preset": arguments.preset,
            "unfamiliar": sum(not score.familiar for score in scores),
            "problems": [str(problem) for problem in problems],
        }
        with written_whole(arguments.json) as scratch:
            scratch.write_text(json.dumps(document, indent=2) + "\n")
    if arguments.plot:
        with written_whole(arguments.plot) as scratch:
            plot_agreement(
                scored.scores,
                predicted,
                result,
                scratch,
                scored.score_range,
                f"{pathlib.Path(arguments.preset).name} on {pathlib.Path(arguments.scores).name}",
            )
    terminal.print_table(
        None,
        [("measure", "left"), ("value", "right"), ("95% interval", "right")],
        agreement_rows(result),
        caption=f"{arguments.preset} on {len(scored)} photos of {arguments.scores}",
    )
    terminal.report_failures(problems, len(scored) + len(problems))
    return 1 if problems else 0
