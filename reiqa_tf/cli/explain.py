"""`reiqa explain`: why a photo has its score."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from reiqa_tf import presets
from reiqa_tf.backend import silenced
from reiqa_tf.cli import terminal
from reiqa_tf.errors import ReiqaError

if TYPE_CHECKING:
    from reiqa_tf.explanation.explanation import Explanation

_EXAMPLES = """\
  reiqa explain photo.jpg                              words and parts
  reiqa explain photo.jpg --out why.png                a picture: map, parts, diagnosis
  reiqa explain photo.jpg --out why.html               a page, one file, with a map to lay over
  reiqa explain photo.jpg --json                       all numbers

The score is linear in pooled features, so that it is a sum: of what each part of the features adds
to the score of the average photo, and of what each place of the photo adds. The diagnosis says
which faults the photo has, how surely, and how much of each. docs/guides/explain.md says what
is exact, and how far the rest can be trusted.

Presets are explained by their ONNX file if it was exported after `reiqa fit-diagnosis`, otherwise
by Keras, which needs TensorFlow (pip install 'reiqa_tf[tensorflow]')."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "explain", run, "Explain a score: map, parts, diagnosis.", _EXAMPLES
    )
    parser.add_argument("photo", metavar="PHOTO", help="what to explain")
    parser.add_argument(
        "--preset",
        default=presets.DEFAULT,
        help="a folder or the name of a shipped preset (default: %(default)s)",
    )
    parser.add_argument(
        "--out", metavar="FILE", help="write to this file: .png, .jpg, .webp, .html or .json"
    )
    parser.add_argument("--json", action="store_true", help="print all numbers as JSON")
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it exists")
    parser.add_argument(
        "--runtime",
        choices=("auto", "onnx", "keras"),
        default="auto",
        help="what computes the explanation (default: %(default)s, the fastest that there is)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Explains the photo and returns the exit code."""
    from reiqa_tf.explanation.explainer import open_explainer
    from reiqa_tf.explanation.saving import as_json, check_ending
    from reiqa_tf.files import check_new_file

    if arguments.out:
        try:
            check_ending(arguments.out)
        except ValueError as error:
            raise ReiqaError(str(error)) from None
        check_new_file(arguments.out, arguments.overwrite)
        if os.path.exists(arguments.out) and os.path.samefile(arguments.out, arguments.photo):
            raise ReiqaError(f"{arguments.out}: is the photo itself. Name another file.")
    with silenced():
        explainer = open_explainer(arguments.preset, arguments.runtime)
    why = explainer.explain(arguments.photo)
    if arguments.out:
        why.save(arguments.out, overwrite=arguments.overwrite)
    if arguments.json:
        sys.stdout.write(as_json(why))
    elif arguments.out:
        print(arguments.out)
    else:
        _print(why)
    return 0


def _print(why: Explanation) -> None:
    low, high = why.score_range
    form = ".3f" if high - low <= 10 else ".1f"
    score = why.score
    print(
        f"{why.name}: {float(score):{form}} {score.word}"
        + ("" if score.familiar else ", unfamiliar")
    )
    print(f"diagnosis: {why.diagnosis.text}")
    rows = [["average photo", f"{why.average:{form}}", ""]]
    for (expert, scale), points in why.parts_by("expert", "size").items():
        places = why.map(expert, scale)
        row, column = divmod(int(places.argmin()), places.shape[1])
        rows.append(
            [f"{expert}, {scale} size", f"{points:+{form}}", _where(row, column, places.shape)]
        )
    rows.append(["this photo", f"{float(score):{form}}", ""])
    terminal.print_table(
        "From the average photo to this one",
        [("part", "left"), ("points", "right"), ("lowest at", "left")],
        rows,
        caption=f"{low:g} to {high:g}, higher is better",
    )


def _where(row: int, column: int, shape: tuple[int, ...]) -> str:
    """Where a place lies, in words."""
    down = ("top", "middle", "bottom")[3 * row // shape[0]]
    right = ("left", "centre", "right")[3 * column // shape[1]]
    return f"{down} {right}"
