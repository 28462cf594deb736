"""How a head is fitted, asked for alike in `reiqa fit` and `reiqa benchmark`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from reiqa_tf.errors import ReiqaError
from reiqa_tf.fitting import defaults

if TYPE_CHECKING:
    from reiqa_tf.fitting.regression import Regression


def add_regression_flags(parser: argparse.ArgumentParser) -> None:
    """Adds `--regressor`, `--strengths` and `--scale-floor`."""
    parser.add_argument(
        "--regressor",
        choices=defaults.KINDS,
        default=defaults.KINDS[0],
        help="(default: %(default)s)",
    )
    low, high = defaults.STRENGTH_RANGE
    parser.add_argument(
        "--strengths",
        nargs=2,
        type=float,
        default=defaults.STRENGTH_RANGE,
        metavar=("LOW", "HIGH"),
        help=f"weakest and strongest regulariser of the {defaults.STRENGTH_COUNT} that are tried "
        f"at first (default: {low:g} {high:g}); where the best one stands at an end, the range is "
        "widened until it does not",
    )
    parser.add_argument(
        "--scale-floor",
        type=float,
        default=defaults.SCALE_FLOOR,
        metavar="SHARE",
        help="features that vary less than this share of the median do not weigh more for it; 0 "
        "divides each by its own deviation (default: %(default)s)",
    )


def regression_of(arguments: argparse.Namespace) -> Regression:
    """The `Regression` that the flags ask for."""
    from reiqa_tf.fitting.regression import Regression, strengths_between

    low, high = arguments.strengths
    if not 0 < low < high < float("inf"):
        raise ReiqaError(f"--strengths: expected 0 < LOW < HIGH. Received: {low:g} {high:g}")
    if not 0 <= arguments.scale_floor < float("inf"):
        raise ReiqaError(
            f"--scale-floor: expected 0 or a positive number. Received: {arguments.scale_floor:g}"
        )
    return Regression(arguments.regressor, strengths_between(low, high), arguments.scale_floor)
