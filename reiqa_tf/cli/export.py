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

saved_model  a folder for TensorFlow Serving: files or pixels in, scores out (docs/guides/server.md)
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
        "(default: any; the preset's working size for full_integer)",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="the folder to make (default: exports in the preset's folder)",
    )
    add_comparison_flags(parser)
    parser.add_argument(
        "--pixels",
        default="rgb",
        help="what the tflite files take: rgb, rgba (bitmaps as they are) or float (RGB in 0 to 1) "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--rotation",
        type=int,
        default=0,
        metavar="DEGREES",
        help="by how much the tflite files turn a picture clockwise: 0, 90, 180 or 270; --size is "
        "that of the upright one (default: %(default)s)",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="artifacts explain scores as well: a map and a diagnosis (after reiqa fit-diagnosis)",
    )
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
    from reiqa_tf.export.formats import parse_sizes
    from reiqa_tf.export.packages import require_packages

    formats = arguments.format.split(",")
    for name in formats:
        require_packages(name)
    from reiqa_tf.export.planning import plan_export

    plan = plan_export(
        arguments.preset,
        arguments.out,
        formats,
        arguments.precision.split(","),
        sizes=parse_sizes(arguments.size) if arguments.size else None,
        photos=arguments.photos,
        scores=arguments.scores,
        split=arguments.split,
        calibration=arguments.calibration,
        explain=arguments.explain,
        model_version=arguments.model_version,
        pixels=arguments.pixels,
        rotation=arguments.rotation,
    )
    start_tensorflow()
    from reiqa_tf.export.exporting import carry_out

    with _stopping_on_termination():
        made = carry_out(plan, terminal.show_progress)
    print_comparison(made)
    return 0 if made.is_sound else 1


def print_comparison(comparison: Comparison) -> None:
    """Prints the table of artifacts, and on stderr what is wrong with them."""
    measured = [artifact.measured for artifact in comparison.artifacts]
    legend = ["difference: the largest from Keras, as a share of the score's range"]
    if any(found.srcc for found in measured):
        photos = max(found.srcc.photos for found in measured if found.srcc)
        legend.append(f"SRCC: with people on {photos} photos; change: from Keras's")
    legend.append("ms: of a picture, on 1 and 2 threads")
    terminal.print_table(
        None,
        [
            ("artifact", "left"),
            ("MB", "right"),
            ("difference\n(allowed)", "right"),
            ("SRCC", "right"),
            ("change\n(allowed)", "right"),
            ("ms", "right"),
            ("verdict", "left"),
        ],
        [_cells(artifact) for artifact in comparison.artifacts],
        caption="\n".join(
            [f"{comparison.folder}: {comparison.preset}, {comparison.remark}", *legend]
        ),
    )
    for artifact in comparison.artifacts:
        if artifact.is_gpu_ready is not None:
            remark = "ready" if artifact.is_gpu_ready else "not ready"
            reasons = "".join(f"; {reason}" for reason in artifact.gpu_obstacles or ())
            print(f"{artifact.name}: {remark} for a phone's GPU{reasons}")
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
    measured = artifact.measured
    difference, ranks, latency = measured.difference, measured.srcc, measured.latency
    cells = [artifact.name, f"{artifact.byte_count / 1e6:.1f}"]
    cells.append(f"{_short(difference.worst)}{_allowed(artifact.tolerance)}" if difference else "")
    cells += (
        [f"{ranks.artifact:.4f}", f"{ranks.change:+.4f}{_allowed(artifact.srcc_tolerance)}"]
        if ranks
        else ["", ""]
    )
    cells.append(
        " ".join(f"{time:.0f}" for time in latency.milliseconds.values()) if latency else ""
    )
    return [*cells, artifact.verdict]


def _allowed(tolerance: float | None) -> str:
    return "" if tolerance is None else f" ({_short(tolerance)})"


def _short(share: float) -> str:
    """Two digits at most, such as 0.024, 1e-4 and 2.4e-6."""
    if share >= 1e-3 or not share:
        return f"{share:.2g}"
    digits, exponent = f"{share:.1e}".split("e")
    return f"{digits.removesuffix('.0')}e{int(exponent)}"


@contextlib.contextmanager
def _stopping_on_termination() -> Iterator[None]:
    """Lets SIGTERM end the command as Ctrl-C does: with nothing half-made left behind."""
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
