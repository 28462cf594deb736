"""Sums of four pixels side by side, each read once for all the sums that it is part of.

The problem: a disk of radius 8 px sums 197 pixels. Where four of them stand side by side their sum
is read instead, which is a quarter of the reading for one more pass over memory.
"""

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.engine.filters import COLUMNS, ROWS, correlate
from reiqa_tf.distortions.engine.programs import fused
from reiqa_tf.image.scaling import to_unit_range


@fused
def four_columns(pixels: tf.Tensor) -> tf.Tensor:
    """Sums of four columns side by side, in [0, 4]: of `(T, 3, H, W)`, `(T, 3, H, W - 3)`."""
    return correlate(to_unit_range(pixels), tf.ones((4,)), COLUMNS)


@fused
def four_rows(pixels: tf.Tensor) -> tf.Tensor:
    """Sums of four rows, likewise: `(T, 3, H - 3, W)`."""
    return correlate(to_unit_range(pixels), tf.ones((4,)), ROWS)


def in_fours(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Splits places into those where four begin that stand side by side, and the others.

    Args:
        places: integer array `(N, 2)`: rows and columns, row after row, no gaps in a row.

    Returns:
        two integer arrays of rows and columns.
    """
    rows = places[:, 0]
    first, stop = np.searchsorted(rows, rows), np.searchsorted(rows, rows, "right")
    within = np.arange(len(rows)) - first
    is_in_four = within < (stop - first) // 4 * 4
    return places[is_in_four & (within % 4 == 0)], places[~is_in_four]
