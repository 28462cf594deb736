"""Lists of pairs of photos that people compared: which one is better."""

from __future__ import annotations

import csv
import pathlib
from collections.abc import Sequence
from typing import TypeAlias

from reiqa_tf.errors import ReiqaError
from reiqa_tf.typing import PathLike

Pairs: TypeAlias = Sequence[tuple[str, str]]
"""Pairs of paths of photos, the better photo first."""


def read_pairs(path: PathLike) -> Pairs:
    """Reads a CSV file of pairs.

    Args:
        path: CSV file, UTF-8, with the columns `better` and `worse`, paths relative to the file.

    Returns:
        list of pairs of paths, the better photo first.

    Raises:
        ReiqaError: if the file is missing, lacks a column or a photo, or has no rows.
    """
    path = pathlib.Path(path)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header = [(name or "").strip().lower() for name in reader.fieldnames or ()]
            reader.fieldnames = header
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReiqaError(f"{path}: expected a CSV file of pairs ({error}).") from None
    if not {"better", "worse"} <= set(header) or not rows:
        raise ReiqaError(
            f"{path}: expected the columns better,worse and at least one row. Received "
            f"{','.join(header)} and {len(rows)} rows."
        )
    pairs = [
        (str(path.parent / row["better"].strip()), str(path.parent / row["worse"].strip()))
        for row in rows
    ]
    for line, pair in enumerate(pairs, start=2):
        for photo in pair:
            if not pathlib.Path(photo).is_file():
                raise ReiqaError(f"{path}, line {line}: no such photo: {photo}")
    return pairs
