"""`--no-export` of the commands that make a preset, and the file that they make without it."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from reiqa_tf.cli import terminal
from reiqa_tf.errors import ReiqaError

if TYPE_CHECKING:
    from reiqa_tf.typing import PathLike


def add_export_flag(parser: argparse.ArgumentParser) -> None:
    """Adds `--no-export`."""
    parser.add_argument(
        "--no-export",
        action="store_true",
        help="make no ONNX file in the preset, which scores photos without TensorFlow",
    )


def export_at_once(arguments: argparse.Namespace, preset: PathLike) -> None:
    """Makes the preset's ONNX file unless told not to, or says in one line how that is done."""
    if arguments.no_export:
        return
    from reiqa_tf.export.packages import require_packages

    try:
        require_packages("onnx")
        from reiqa_tf.export.exporting import export

        export(preset, formats=["onnx"], progress=terminal.show_progress)
    except ReiqaError as error:
        print(
            f"reiqa: {preset}: the preset is whole, but has no ONNX file ({error}). Make it later: "
            f"reiqa export --preset {preset} --format onnx",
            file=sys.stderr,
        )
