"""The databases of a benchmark: read, and split as papers split them."""

from __future__ import annotations

import dataclasses
import pathlib
import warnings
from collections.abc import Callable, Mapping
from typing import TypeAlias

from reiqa_tf.data.databases.catalog import database_named
from reiqa_tf.data.databases.loading import read_database
from reiqa_tf.data.scored_photos import (
    ScoredPhotos,
    is_table,
    missing_photos,
    read_scored_photos,
    require_photos,
)
from reiqa_tf.data.splits import Split, official_split, read_splits, seeded_splits
from reiqa_tf.errors import ReiqaError
from reiqa_tf.evaluation.splitting import Splitting
from reiqa_tf.metrics import MINIMUM_ROWS
from reiqa_tf.typing import PathLike

Source: TypeAlias = PathLike | ScoredPhotos
"""A database as people name it: its folder, a CSV file, or the photos themselves."""


class EntryError(ReiqaError):
    """A database that cannot take part as it was asked for."""


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """A database that takes part.

    Attributes:
        name: what the report calls it.
        title: what papers call it.
        scored: `ScoredPhotos`.
        splits: list of `Split` of the rows of the scored photos.
        splits_are: how the splits were made, for the report.
    """

    name: str
    title: str
    scored: ScoredPhotos
    splits: list[Split]
    splits_are: str


def read_entries(
    databases: Mapping[str, Source],
    splitting: Splitting,
    partial: bool = False,
    warn: Callable[[str], None] = warnings.warn,
) -> list[Entry]:
    """Reads and splits databases.

    Args:
        databases: for every name where it is. The name is that of a row of
            `reiqa_tf.data.databases.catalog.DATABASES` where it is a folder, and free where it is
            a CSV file or the `ScoredPhotos`.
        splitting: `Splitting`.
        partial: whether to go on with the photos that are there where a database is incomplete.
        warn: called with a line of text where splits are not those that papers take.

    Returns:
        list of `Entry`.

    Raises:
        DatabaseError: if a database cannot be read.
        ScoredPhotosError: if a CSV file cannot be used.
        SplitError: if photos cannot be split so.
        EntryError: if fewer than one split is asked for.
    """
    return [_entry(name, source, splitting, partial, warn) for name, source in databases.items()]


def _entry(
    name: str, source: Source, splitting: Splitting, partial: bool, warn: Callable[[str], None]
) -> Entry:
    title, always_official = name, False
    if isinstance(source, ScoredPhotos):
        scored = source
    elif is_table(source):
        scored = read_scored_photos(source)
    else:
        database = database_named(name)
        scored, title = read_database(database, source, partial), database.title
        always_official = database.official_split_only
        if always_official and scored.splits is None:
            warn(
                f"{name}: the tables of the official split are not there, so splits are drawn "
                f"(expected: {database.files})"
            )
    require_photos(scored, MINIMUM_ROWS)
    missing = missing_photos(scored)
    if missing:  # said at once: a split may then have too few rows
        warn(f"{name}: {missing}")
    if splitting.folder is not None:
        file = pathlib.Path(splitting.folder, f"{name.replace('/', '_')}.csv")
        return Entry(name, title, scored, read_splits(file, scored), f"of {file.name}")
    if scored.splits is not None and (splitting.official or always_official):
        split = official_split(scored, splitting.seed)
        return Entry(name, title, scored, [split], "the official one")
    if splitting.count < 1:
        raise EntryError(f"splits: expected at least 1. Received: {splitting.count}")
    splits = seeded_splits(scored, splitting.count, splitting.seed)
    return Entry(name, title, scored, splits, f"drawn with seed {splitting.seed}")
