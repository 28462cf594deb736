"""`reiqa sensitivity`: does a preset's score fall as a photo gets worse?"""

import math
import pathlib
import sys

from reiqa_tf import presets
from reiqa_tf.cli import terminal
from reiqa_tf.cli.startup import start_tensorflow

_EXAMPLES = """\
  reiqa sensitivity photos/ --out fall
  reiqa sensitivity scores.csv --split test --limit 100 --preset my_preset --out fall
  reiqa sensitivity 'photos/**/*.png' --limit 20 --seed 7 --out fall

Each photo is distorted in all 26 ways at all five levels (`reiqa distort` shows them) and scored,
131 pictures in all, at the preset's working size and without a file in between. A distortion is
drawn once for each photo: its levels differ in strength alone. For each of them the table says

  0 to 4           the mean score at each level, mildest first; below the table, of the clean photos
  means fall       whether that is lower at each level than at the one before
  tau              Kendall's tau-b between level and falling score within a photo, on average: 1
                   where the score always falls; a photo whose score does not move counts 0
  strictly         share of the photos whose score falls at every step

with 95 % bootstrap intervals over the photos (from 5 photos on). Of those marked with * a higher
level is not always a stronger change. sensitivity.json has every photo's scores, the changes from
level to level with their intervals, and tau with the clean photo as a sixth picture;
sensitivity.png draws the means. Finished photos are kept: after Ctrl-C the same command goes on
where it was, and the same seed gives the same numbers."""


def add_parser(subparsers):
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers,
        "sensitivity",
        run,
        "Measure how the score falls with 26 distortions.",
        _EXAMPLES,
    )
    parser.add_argument(
        "photos",
        nargs="+",
        metavar="PHOTO|FOLDER|PATTERN|CSV",
        help="good photos to distort; of a CSV file, the column `image`",
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where results are written")
    parser.add_argument(
        "--preset",
        default=presets.DEFAULT,
        help="a folder or the name of a shipped preset (default: %(default)s)",
    )
    parser.add_argument("--split", help="of CSV files, the rows of this split: train, val or test")
    parser.add_argument(
        "--limit", type=int, metavar="N", help="choose N of the photos (default: all of them)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of choice, distortions and intervals (default: 0)"
    )


def run(arguments):
    """Measures, writes the results and answers the exit code."""
    start_tensorflow()
    from reiqa_tf.evaluation.sensitivity import (
        DOCUMENT,
        PICTURE,
        PresetJudge,
        choose,
        measure_sensitivity,
        write_sensitivity,
    )

    out = pathlib.Path(arguments.out)
    photos = choose(_find(arguments), arguments.limit, arguments.seed)
    judge = PresetJudge(arguments.preset)
    try:
        sensitivity = measure_sensitivity(
            judge, photos, out, seed=arguments.seed, progress=terminal.progress
        )
    except KeyboardInterrupt:
        print("what is finished is kept; run the same command again", file=sys.stderr)
        raise
    write_sensitivity(sensitivity, out)
    _print_results(sensitivity.document)
    print(f"{out / DOCUMENT}, {out / PICTURE}")
    terminal.report_failures(sensitivity.problems, len(photos))
    return 1 if sensitivity.problems else 0


def _find(arguments):
    from reiqa_tf.data.photos import find_photos
    from reiqa_tf.data.scored_photos import is_table, read_photo_list
    from reiqa_tf.errors import ReiqaError

    wanted = [arguments.split] if arguments.split else []
    lists = [source for source in arguments.photos if is_table(source)]
    if wanted and not lists:
        raise ReiqaError("--split chooses rows of a CSV file. Received: none")
    photos = []
    for source in arguments.photos:
        if source in lists:
            photos += read_photo_list(source, *wanted, needs_split=bool(wanted))
        else:
            photos += find_photos(source)
    return photos


def _print_results(document):
    distortions, preset = document["distortions"], document["preset"]
    low, high = preset["score_range"]
    in_scale = f".{max(0, 3 - int(math.log10(high - low)))}f"
    rows = [
        [
            name if about["ordered"] else f"{name} *",
            *(f"{each['mean']:{in_scale}}" for each in about["means"]),
            "yes" if about["means_fall"] else "no",
            _with_interval(about["tau"], ".2f"),
            f"{about['falls_strictly']:.0%}",
        ]
        for name, about in distortions.items()
    ]
    columns = ["distortion", *map(str, range(5)), "means fall", "tau", "strictly"]
    clean = _with_interval(document["clean"], in_scale)
    ordered = [about for about in distortions.values() if about["ordered"]]
    falling = sum(about["means_fall"] for about in ordered)
    terminal.print_table(
        f"{preset['name']}: mean score by level",
        [(heading, "right" if number else "left") for number, heading in enumerate(columns)],
        rows,
        caption=f"{len(document['photos'])} photos, clean {clean}; {low:g} to {high:g}, higher is "
        f"better; means of {falling} of {len(ordered)} ordered distortions fall; * not ordered",
    )


def _with_interval(about, form):
    if about["low"] is None:
        return format(about["mean"], form)
    return f"{about['mean']:{form}} [{about['low']:{form}}, {about['high']:{form}}]"
