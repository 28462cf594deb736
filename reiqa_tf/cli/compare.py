"""`reiqa compare`: which of these photos is the better one, and how sure is that."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from reiqa_tf import presets
from reiqa_tf.cli import terminal
from reiqa_tf.cli.score_inputs import find_inputs

if TYPE_CHECKING:
    from reiqa_tf.runtimes.comparison import Place

_EXAMPLES = """\
  reiqa compare first.jpg second.jpg
  reiqa compare burst/                                     which shot to keep
  reiqa compare *.jpg --format json
  find . -name '*.jpg' | reiqa compare -                   paths on standard input (or -print0)

The probability is that people would find one photo better than the other. It is made of both scores
and of how sure each is, and was set on pairs of photos that the head had not seen; when it says
85 %, about 85 of 100 such pairs are so. Below 75 % two photos are a tie: they share a place."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "compare", run, "Compare photos: which is better, how sure is it.", _EXAMPLES
    )
    parser.add_argument(
        "photos", nargs="+", metavar="PHOTO|FOLDER|PATTERN|-", help="two photos or more"
    )
    parser.add_argument(
        "--preset",
        default=presets.DEFAULT,
        help="a folder or the name of a shipped preset (default: %(default)s)",
    )
    parser.add_argument(
        "--format", choices=("table", "json"), default="table", help="of the output"
    )
    parser.add_argument(
        "--runtime",
        choices=("auto", "onnx", "tflite", "keras"),
        default="auto",
        help="what computes the scores (default: %(default)s, the fastest that there is)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Compares the photos and returns the exit code."""
    from reiqa_tf.cli.startup import silenced
    from reiqa_tf.runtimes.comparison import compare

    inputs = find_inputs(arguments.photos)
    if inputs.problems and len(inputs.photos) < 2:
        terminal.report_failures(inputs.problems, inputs.asked)
        return 1
    with silenced():  # LiteRT tells what it is about to do
        found = compare(inputs.photos, arguments.preset, arguments.runtime, terminal.show_progress)
    problems = [*inputs.problems, *found.problems]
    if arguments.format == "json":
        rows = [
            {
                "place": place.place,
                "photo": _name(place),
                "score": float(place.score),
                "word": place.score.word,
                "percentile": place.score.percentile,
                "familiar": place.score.familiar,
                "beaten_by_the_best": place.beaten,
            }
            for place in found.places
        ]
        document = {
            "preset": arguments.preset,
            "photos": rows,
            "problems": [str(problem) for problem in problems],
        }
        print(json.dumps(document, indent=2))
    elif found.places:
        _print_table(found.places)
    terminal.report_failures(problems, inputs.asked)
    return 1 if problems else 0


def _name(place: Place) -> str:
    return "-" if isinstance(place.photo, bytes) else str(place.photo)  # of standard input


def _print_table(places: list[Place]) -> None:
    best = places[0]
    terminal.print_table(
        None,
        [
            ("", "right"),
            ("photo", "left"),
            ("score", "right"),
            ("", "left"),
            ("the best is better", "right"),
            ("", "left"),
        ],
        [
            (
                str(place.place),
                _name(place),
                f"{place.score:.3f}",
                place.score.word,
                "" if place is best else f"{place.beaten:.0%}",
                "unfamiliar" if place.score.familiar is False else "",
            )
            for place in places
        ],
        caption="photos of one place are a tie: below 75 %",
    )
