"""Read any database of the catalog from its folder, and check that it is as it was published."""

from __future__ import annotations

import numpy as np
from scipy import stats

from reiqa_tf.data.databases import readers
from reiqa_tf.data.databases.catalog import Database, DatabaseError, database_named
from reiqa_tf.data.databases.folder import Folder
from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.typing import PathLike

_NAMED = 5
"""How many missing photos a message names."""


def read_database(
    database: Database | str, folder: PathLike, partial: bool = False
) -> ScoredPhotos:
    """Reads a database from the folder that it was unpacked into, and checks it.

    Checked are the number of rows, the range and (where the tables hold something to check it by:
    levels, votes, references) the direction of the scores, and that every photo is there.

    Args:
        database: row of `DATABASES`, or its name.
        folder: the folder; tables and photos may lie anywhere below it.
        partial: whether to go on with what is there where rows or photos are missing.

    Returns:
        `ScoredPhotos`, higher is better, with groups, distortions, levels and the official split
        where the database has them. Rows that the official split leaves out have an empty split.

    Raises:
        DatabaseError: if something is missing, by file name, or not as it was published.

    Example:
    ```text
    from reiqa_tf.data.databases.loading import read_database

    scored = read_database("kadid10k", "databases/kadid10k")
    train = scored.rows(scored.groups != "I01.png")
    test = scored.rows(scored.groups == "I01.png")
    ```
    """
    if isinstance(database, str):
        database = database_named(database)
    files = Folder(folder)
    rows: readers.Rows = getattr(readers, database.reader)(files, **database.options)
    if len(rows.photos) != database.count and not (partial and len(rows.photos) < database.count):
        raise DatabaseError(
            f"{rows.table}: expected {database.count:,} scored photos of {database.title}. "
            f"Received: {len(rows.photos):,}"
        )
    _check_scores(database, rows)
    scores = rows.scores
    low, high = database.score_range or (float(scores.min()), float(scores.max()))
    paths = [files.find(name) for name in rows.photos]
    here = [index for index, path in enumerate(paths) if path is not None]
    if len(here) < len(paths) and not partial:
        missing = [name for name, path in zip(rows.photos, paths, strict=True) if path is None]
        named = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
        raise DatabaseError(
            f"{files.path}: {len(missing):,} of {len(paths):,} photos of {database.title} are "
            f"missing: {named}. Expected: {database.files}"
        )
    if not here:
        raise DatabaseError(f"{files.path}: none of the photos of {database.title} is there.")
    scored = ScoredPhotos(
        paths=[str(path or "") for path in paths],
        scores=low + high - scores if database.lower_is_better else scores,
        score_range=(float(low), float(high)),
        **{
            name: None if column is None else np.asarray(column)
            for name, column in (
                ("groups", rows.groups),
                ("splits", rows.splits),
                ("distortions", rows.distortions),
                ("levels", rows.levels),
            )
        },
    )
    return scored.rows(here)


def _check_scores(database: Database, rows: readers.Rows) -> None:
    low, high = database.limits
    outside = np.flatnonzero((rows.scores < low) | (rows.scores > high))
    if outside.size:
        raise DatabaseError(
            f"{rows.table}: expected scores from {low:g} to {high:g}. Received: "
            f"{rows.scores[outside[0]]:g} for {rows.photos[outside[0]]} ({outside.size} such rows)"
        )
    evidence = rows.rises_with_quality
    if evidence is None or np.ptp(evidence) == 0 or np.ptp(rows.scores) == 0:
        return
    quality = -rows.scores if database.lower_is_better else rows.scores
    if stats.spearmanr(evidence, quality).statistic <= 0:
        raise DatabaseError(
            f"{rows.table}: expected scores that "
            f"{'fall' if database.lower_is_better else 'rise'} with quality, as {database.title} "
            "was published. Levels or votes in the same files say that these run the other way."
        )
