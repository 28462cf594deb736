"""The photos of which the fall of scores is measured, chosen without TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from reiqa_tf.data.photos import find_photos
from reiqa_tf.data.scored_photos import is_table, read_photo_list
from reiqa_tf.errors import ReiqaError
from reiqa_tf.typing import PathLike

SEEDS = 2**31
"""Seeds are whole numbers below this one."""


class SensitivityError(ReiqaError):
    """Photos of which nothing can be said."""


def list_photos(sources: Sequence[PathLike], split: str | None = None) -> list[str]:
    """Lists the photos of files, folders, patterns and CSV files.

    Args:
        sources: what people named.
        split: of CSV files, the rows of this split; None takes all.

    Returns:
        list of paths.

    Raises:
        SensitivityError: if a split is asked for and there is no CSV file.
        ScoredPhotosError: if a CSV file cannot be used.
        ImageError: if nothing is there.
    """
    wanted = [split] if split else []
    if wanted and not any(is_table(source) for source in sources):
        raise SensitivityError("--split chooses rows of a CSV file. Received: none")
    photos: list[str] = []
    for source in sources:
        if is_table(source):
            photos += read_photo_list(source, *wanted, needs_split=bool(wanted))
        else:
            photos += find_photos(source)
    return photos


def choose_photos(photos: Sequence[str], limit: int | None, seed: int) -> list[str]:
    """Chooses some of many photos, the same for the same seed.

    Args:
        photos: list.
        limit: how many are wanted, or None for all. A larger limit adds to what a smaller chose.
        seed: of the choice.

    Returns:
        list of at most `limit` different photos, in the order that they had.

    Raises:
        SensitivityError: if the limit is below 1 or the seed out of its range.
    """
    require_seed(seed)
    photos = list({os.path.abspath(photo): photo for photo in photos}.values())
    if limit is None:
        return photos
    if limit < 1:
        raise SensitivityError(f"expected a limit of at least 1 photo. Received: {limit}")
    chosen = np.random.default_rng(seed).permutation(len(photos))[:limit]
    return [photos[index] for index in sorted(chosen)]


def require_seed(seed: int) -> None:
    """Refuses a seed outside of 0 up to `SEEDS`.

    Raises:
        SensitivityError: if it is.
    """
    if not 0 <= seed < SEEDS:
        raise SensitivityError(f"expected a seed from 0 to {SEEDS - 1}. Received: {seed}")
