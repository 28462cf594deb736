"""`reiqa export`: a preset in, artifacts for servers, phones and browsers out, each measured."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reiqa_tf import presets
from reiqa_tf.cli import terminal
from reiqa_tf.cli.startup import start_tensorflow

if TYPE_CHECKING:
    from reiqa_tf.export.comparison import ComparedArtifact, Comparison

_EXAMPLES = """\
  reiqa export --format onnx --out exported
  reiqa export --format saved_model,tflite,onnx --scores scores.csv --out exported
  reiqa export --format tflite --precision float16,full_integer --size 224,384x512 --out phone
  reiqa export --preset my_preset                  into my_preset/exports, where `score` looks
  reiqa verify exported                            later, on another machine

saved_model  a folder for TensorFlow Serving: files or pixels in, scores out (docs/serving)
tflite       phones and browsers: uint8 pixels in; fixed sizes (--size) for GPUs and NPUs
onnx         everywhere else: uint8 pixels in, any size

Every artifact is opened in its own runtime and compared with Keras on 50 pictures cut from real
photos; with --scores also by its rank correlation with people. Beside the artifacts stands
manifest.json with all of it. The exit code is 1 if one is farther from Keras than it should be:
float32 1e-4 of the score's range, float16 1e-3, SRCC 0.0005, 0.001, and 0.005 where weights are
integers. Artifacts appear together at the end or not at all."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "export", run, "Export a preset for servers, phones and browsers.", _EXAMPLES
    )
    parser.add_argument(
        "--preset",
        default=presets.DEFAULT,
        help="a folder or the name of a shipped preset (default: %(default)s)",
    )
    parser.add_argument(
        "--format",
        default="tflite,onnx",
        help="out of saved_model, tflite, onnx, separated by commas (default: %(default)s)",
    )
    parser.add_argument(
        "--precision",
        default="float32",
        help="out of float32, float16, dynamic_range, full_integer; each format is made in those "
        "that it has (default: %(default)s)",
    )
    parser.add_argument(
        "--size",
        help="sizes of the tflite files: 512, 384x512 (height x width), any, separated by commas "
        "(default: any, and the preset's working size for full_integer)",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="the folder to make (default: exports in the preset's folder)",
    )
    add_comparison_flags(parser)
    parser.add_argument(
        "--calibration",
        metavar="DIR",
        help="photos that full_integer is calibrated on (default: some of Kodak's)",
    )
    parser.add_argument(
        "--model-version",
        type=int,
        default=1,
        metavar="N",
        help="version of the saved_model on a server (default: %(default)s)",
    )


def add_comparison_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say what artifacts are compared on."""
    parser.add_argument(
        "--scores",
        metavar="scores.csv",
        help="scored photos (see `reiqa fit --help`): SRCC of Keras and of each artifact",
    )
    parser.add_argument("--split", help="take the rows of this split of --scores only")
    parser.add_argument(
        "--photos",
        metavar="DIR",
        help="photos that pictures are cut from (default: those of --scores, or some of Kodak's)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Exports the preset and returns the exit code."""
    start_tensorflow()
    from reiqa_tf.export.exporting import export
    from reiqa_tf.export.formats import parse_sizes

    with _stopping_on_termination():
        made = export(
            arguments.preset,
            arguments.out,
            arguments.format.split(","),
            arguments.precision.split(","),
            sizes=parse_sizes(arguments.size) if arguments.size else None,
            photos=arguments.photos,
            scores=arguments.scores,
            split=arguments.split,
            calibration=arguments.calibration,
            model_version=arguments.model_version,
            progress=terminal.show_progress,
        )
    print_comparison(made)
    return 0 if made.is_sound else 1


def print_comparison(comparison: Comparison) -> None:
    """Prints the table of artifacts, and on stderr what is wrong with them."""
    terminal.print_table(
        None,
        [
            ("artifact", "left"),
            ("MB", "right"),
            ("worst difference", "right"),
            ("mean", "right"),
            ("SRCC of Keras", "right"),
            ("of the artifact", "right"),
            ("ms, 1 thread", "right"),
            ("2 threads", "right"),
        ],
        [_cells(artifact) for artifact in comparison.artifacts],
        caption=f"{comparison.folder}: {comparison.preset}, {comparison.remark}",
    )
    for complaint in comparison.complaints:
        print(f"reiqa: {complaint}", file=sys.stderr)
    if comparison.not_compared and not comparison.complaints:
        print(
            f"reiqa: {', '.join(comparison.not_compared)}: whole, but not compared with Keras. "
            "Give the preset (--preset) or the photos of the export (--photos)",
            file=sys.stderr,
        )
    terminal.report_failures(comparison.problems, comparison.scored_photos)


def _cells(artifact: ComparedArtifact) -> list[str]:
    cells = [artifact.name, f"{artifact.byte_count / 1e6:.1f}"]
    measured = artifact.measured
    difference, ranks, latency = measured.difference, measured.srcc, measured.latency
    cells += [f"{difference.worst:.1e}", f"{difference.mean:.1e}"] if difference else ["", ""]
    cells += [f"{ranks.keras:.4f}", f"{ranks.artifact:.4f}"] if ranks else ["", ""]
    cells += [f"{time:.0f}" for time in latency.milliseconds.values()] if latency else ["", ""]
    return cells


@contextlib.contextmanager
def _stopping_on_termination() -> Iterator[None]:
    """Lets SIGTERM end the command as Ctrl-C does: with nothing half-made left behind."""
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
