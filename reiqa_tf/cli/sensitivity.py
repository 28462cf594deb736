"""`reiqa sensitivity`: does a preset's score fall as a photo gets worse?"""

from __future__ import annotations

import argparse
import math
import pathlib
from typing import TYPE_CHECKING

from reiqa_tf import presets
from reiqa_tf.cli import terminal
from reiqa_tf.cli.startup import start_tensorflow

if TYPE_CHECKING:
    from reiqa_tf.evaluation.sensitivity_document import Mean, SensitivityDocument

_EXAMPLES = """\
  reiqa sensitivity photos/ --out fall
  reiqa sensitivity scores.csv --split test --limit 100 --preset my_preset --out fall
  reiqa sensitivity 'photos/**/*.png' --limit 20 --seed 7 --out fall

Each photo is distorted in every way at every level (`reiqa distort` shows them) and scored, at the
preset's working size and without a file in between. A distortion is drawn once for each photo: its
levels differ in strength alone. For each of them the table says

  1 to 5           the mean score at each level, mildest first; below the table, of the clean photos
  means fall       whether that is lower at each level than at the one before
  tau              Kendall's tau-b between level and falling score within a photo, on average: 1
                   where the score always falls; a photo whose score does not move counts 0
  strictly         share of the photos whose score falls at every step

with 95 % bootstrap intervals over the photos (from 5 photos on). Of those marked with * a higher
level is not always a stronger change. sensitivity.json has every photo's scores, the changes from
level to level with their intervals, and tau with the clean photo as a sixth picture;
sensitivity.png draws the means. Finished photos are kept: after Ctrl-C the same command goes on
where it was, and the same seed gives the same numbers."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers,
        "sensitivity",
        run,
        "Measure how the score falls with distortions.",
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


def run(arguments: argparse.Namespace) -> int:
    """Measures, writes the results and returns the exit code."""
    from reiqa_tf.evaluation.sensitivity_photos import choose_photos, list_photos
    from reiqa_tf.presets.folders import read_metadata

    read_metadata(arguments.preset)
    listed = list_photos(arguments.photos, arguments.split)
    chosen = choose_photos(listed, arguments.limit, arguments.seed)
    start_tensorflow()
    from reiqa_tf.evaluation.sensitivity import DOCUMENT, PICTURE, sensitivity

    out = pathlib.Path(arguments.out)
    with terminal.says_on_interrupt("what is finished is kept; run the same command again"):
        found = sensitivity(
            chosen,
            out,
            arguments.preset,
            seed=arguments.seed,
            progress=terminal.show_progress,
        )
    _print_results(found.document)
    print(f"{out / DOCUMENT}, {out / PICTURE}")
    terminal.report_failures(found.problems, len(found.document["photos"]) + len(found.problems))
    return 1 if found.problems else 0


def _print_results(document: SensitivityDocument) -> None:
    distortions, preset = document["distortions"], document["preset"]
    low, high = preset["score_range"]
    in_scale = f".{max(0, 3 - int(math.log10(high - low)))}f"
    rows = [
        [
            name if about["ordered"] else f"{name} *",
            *(f"{mean['mean']:{in_scale}}" for mean in about["means"]),
            "yes" if about["means_fall"] else "no",
            _with_interval(about["tau"], ".2f"),
            f"{about['falls_strictly']:.0%}",
        ]
        for name, about in distortions.items()
    ]
    levels = range(1, 1 + len(next(iter(distortions.values()))["levels"]))
    columns = ["distortion", *map(str, levels), "means fall", "tau", "strictly"]
    clean = _with_interval(document["clean"], in_scale)
    ordered = [about for about in distortions.values() if about["ordered"]]
    falling = sum(about["means_fall"] for about in ordered)
    terminal.print_table(
        f"{preset['name']}: mean score by level",
        [(columns[0], "left"), *((heading, "right") for heading in columns[1:])],
        rows,
        caption=f"{len(document['photos'])} photos, clean {clean}; {low:g} to {high:g}, higher is "
        f"better; means of {falling} of {len(ordered)} ordered distortions fall; * not ordered",
    )


def _with_interval(about: Mean, form: str) -> str:
    if about["low"] is None:
        return format(about["mean"], form)
    return f"{about['mean']:{form}} [{about['low']:{form}}, {about['high']:{form}}]"
