"""Lists of scored photos, read from CSV files."""

from __future__ import annotations

import csv
import dataclasses
import difflib
import math
import os
import pathlib
import unicodedata
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from reiqa_tf.errors import ReiqaError
from reiqa_tf.remote import is_remote
from reiqa_tf.typing import PathLike

SPLITS = ("train", "val", "test")
"""Rows to fit on, to choose a strength on, and to test on."""

_NAMED = 3
"""How many photos a message names."""

_Rows: TypeAlias = list[tuple[int, dict[str, str]]]
"""Numbers of lines, and their cells by the names of the columns."""


class ScoredPhotosError(ReiqaError):
    """A list of scored photos that cannot be used. The message names file, line and way out."""


@dataclasses.dataclass(frozen=True)
class ScoredPhotos:
    """Scored photos, one row each.

    Attributes:
        paths: list of the photos' paths.
        scores: float64 array, higher is better.
        score_range: `(low, high)` of the scale.
        splits: array of `"train"`, `"val"` and `"test"`, or None.
        groups: array of names; a split keeps the photos of one group together. Or None.
        distortions: array of names: what was done to each photo, for tables of results. Or None.
        levels: float array: how strongly, higher is stronger. Or None.
    """

    paths: list[str]
    scores: np.ndarray
    score_range: tuple[float, float]
    splits: np.ndarray | None = None
    groups: np.ndarray | None = None
    distortions: np.ndarray | None = None
    levels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def rows(self, chosen: np.ndarray | Sequence[int] | slice) -> ScoredPhotos:
        """Takes some rows.

        Args:
            chosen: boolean mask or indices of the rows, or a slice.

        Returns:
            `ScoredPhotos`, of the same scale.
        """
        indices = np.arange(len(self))[chosen]
        columns = ("splits", "groups", "distortions", "levels")
        present = {name: getattr(self, name) for name in columns}
        return dataclasses.replace(
            self,
            paths=[self.paths[i] for i in indices],
            scores=self.scores[indices],
            **{name: column[indices] for name, column in present.items() if column is not None},
        )

    def split(self, *names: str) -> ScoredPhotos:
        """Takes the rows of some splits.

        Args:
            *names: out of `"train"`, `"val"` and `"test"`.

        Returns:
            `ScoredPhotos`.

        Raises:
            ScoredPhotosError: if there is no column `split`, or no such row.
        """
        if self.splits is None:
            raise ScoredPhotosError(f"no column `split`, so no rows of {' or '.join(names)}.")
        chosen = np.isin(self.splits, names)
        if not chosen.any():
            raise ScoredPhotosError(f"the column `split` has no row of {' or '.join(names)}.")
        return self.rows(chosen)


def read_scored_photos(
    path: PathLike,
    score_range: tuple[float, float] | None = None,
    lower_is_better: bool = False,
) -> ScoredPhotos:
    """Reads a CSV file of scored photos.

    Columns: `image` (a path relative to the CSV file; written with backslashes or in other capitals
    than on disk, it stands for the one file that it can mean) and `mos` (a number); optionally
    `split` (train, val or test), `group` and `distortion` (any text) and `level` (a number). Other
    columns are ignored.

    Args:
        path: path of the CSV file, UTF-8, with a header line; comma, semicolon or tab.
        score_range: `(low, high)` of the scale; None takes the lowest and highest score.
        lower_is_better: whether the file's scores fall with quality (DMOS). They are mirrored
            within the range, once and here, so that everything after reads higher as better.

    Returns:
        `ScoredPhotos`.

    Raises:
        ScoredPhotosError: if the file is missing, if a column, a score or a split is not as above,
            or if a photo has two scores.

    Example:
    ```python
    from reiqa_tf.data.scored_photos import read_scored_photos

    scored = read_scored_photos("scores.csv")
    train, test = scored.split("train", "val"), scored.split("test")
    ```
    """
    path = pathlib.Path(path)
    header, rows = _read_rows(path)
    for column in ("image", "mos"):
        if column not in header:
            close = difflib.get_close_matches(column, header, n=1)
            hint = f" Did you mean to name {close[0]!r} so?" if close else ""
            raise ScoredPhotosError(
                f"{path}: no column {column!r}. Expected at least image,mos in the first line; "
                f"received {','.join(header)}.{hint}"
            )
    if not rows:
        raise ScoredPhotosError(f"{path}: a header and no rows.")
    paths: list[str] = []
    files = _Files(path.parent)
    scores = np.empty(len(rows))
    for i, (line, row) in enumerate(rows):
        if not row["image"]:
            raise ScoredPhotosError(f"{path}, line {line}: no image.")
        paths.append(files.path(row["image"]))
        scores[i] = _number(row["mos"], f"{path}, line {line}")
    _refuse_two_scores(path, rows, paths, scores)
    low, high = score_range or (float(scores.min()), float(scores.max()))
    outside = np.flatnonzero((scores < low) | (scores > high))
    if outside.size:
        raise ScoredPhotosError(
            f"{path}, line {rows[outside[0]][0]}: the score {scores[outside[0]]:g} lies outside "
            f"the range {low:g} to {high:g} ({outside.size} such rows)."
        )
    return ScoredPhotos(
        paths=paths,
        scores=low + high - scores if lower_is_better else scores,
        score_range=(float(low), float(high)),
        splits=_splits(rows, path) if "split" in header else None,
        groups=np.array([row["group"] for _, row in rows]) if "group" in header else None,
        distortions=(
            np.array([row["distortion"] for _, row in rows]) if "distortion" in header else None
        ),
        levels=(
            np.array([_number(row["level"], f"{path}, line {n}", "level") for n, row in rows])
            if "level" in header
            else None
        ),
    )


def _refuse_two_scores(
    path: pathlib.Path, rows: _Rows, paths: Sequence[str], scores: np.ndarray
) -> None:
    """A photo with two scores is a slip, or votes that were not averaged; both mislead a fit."""
    first: dict[str, int] = {}
    twice: list[tuple[int, int]] = []
    for row, photo in enumerate(paths):
        earlier = first.setdefault(os.path.normpath(photo), row)
        if scores[earlier] != scores[row]:
            twice.append((earlier, row))
    if not twice:
        return
    earlier, row = twice[0]
    more = f" ({len(twice)} such rows)" if len(twice) > 1 else ""
    raise ScoredPhotosError(
        f"{path}, lines {rows[earlier][0]} and {rows[row][0]}: {rows[row][1]['image']} has two "
        f"scores, {scores[earlier]:g} and {scores[row]:g}{more}. Leave one row to a photo: "
        "the mean, where people voted more than once."
    )


def is_table(source: PathLike) -> bool:
    """Whether what a person names as a source of photos is a CSV file, by its name alone."""
    return str(source).lower().endswith(".csv")


def read_photo_list(path: PathLike, *splits: str, needs_split: bool = False) -> list[str]:
    """Reads the photos of a CSV file, scored or not.

    Args:
        path: path of the CSV file, with at least a column `image`, otherwise as
            `read_scored_photos`.
        *splits: out of `"train"`, `"val"` and `"test"`: the rows to take where there is a column
            `split`. Without any, all rows are taken.
        needs_split: whether a file without a column `split` is refused.

    Returns:
        list of paths, in the order of the file.

    Raises:
        ScoredPhotosError: if there is no file, no column that is needed or no such row.
    """
    path = pathlib.Path(path)
    header, rows = _read_rows(path)
    if "image" not in header:
        raise ScoredPhotosError(
            f"{path}: no column 'image' in the first line. Received {','.join(header)}."
        )
    if needs_split and "split" not in header:
        raise ScoredPhotosError(
            f"{path}: no column 'split', so no rows of {' or '.join(splits)}. "
            f"Received {','.join(header)}."
        )
    if splits and "split" in header:
        names = _splits(rows, path)
        rows = [row for row, name in zip(rows, names, strict=True) if name in splits]
    for line, row in rows:
        if not row["image"]:
            raise ScoredPhotosError(f"{path}, line {line}: no image.")
    if not rows:
        raise ScoredPhotosError(f"{path}: no row to take photos from.")
    files = _Files(path.parent)
    return [files.path(row["image"]) for _, row in rows]


def require_photos(scored: ScoredPhotos, least: int) -> None:
    """Refuses a list of which so many photos are missing that too few are left.

    Called before the long step, so that what is said is which paths are wrong and not that there
    are no rows.

    Args:
        scored: the list.
        least: fewest photos that are needed.

    Raises:
        ScoredPhotosError: if photos are missing and fewer than `least` are there. The message
            names the first.
    """
    there = sum(map(os.path.exists, scored.paths))
    if there < min(least, len(scored)):
        raise ScoredPhotosError(
            f"{missing_photos(scored)}; expected at least {least} scored photos that are there. "
            "Paths are relative to the CSV file."
        )


def missing_photos(scored: ScoredPhotos) -> str:
    """Says which photos of a list are not there: how many, and the first; empty if all are."""
    missing = [path for path in scored.paths if not os.path.exists(path)]
    if not missing:
        return ""
    named = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
    return f"{len(missing):,} of {len(scored):,} photos are missing: {named}"


class _Files:
    """Finds the files that paths in a table mean, on a disk that spells them otherwise.

    Args:
        folder: the folder that paths are relative to.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._names: dict[pathlib.Path, dict[str, list[str]]] = {}

    def path(self, written: str) -> str:
        """The file's path; as it is written where there is no such file, or more than one."""
        if is_remote(written):
            return written
        exact = self._folder / written
        if os.path.exists(exact):
            return str(exact)
        found = [self._folder]
        for part in pathlib.PurePosixPath(written.replace("\\", "/")).parts:
            found = [folder / name for folder in found for name in self._spellings(folder, part)]
        return str(found[0] if len(found) == 1 else exact)

    def _spellings(self, folder: pathlib.Path, part: str) -> list[str]:
        """Names in a folder that are a part of a path but for capitals and composed letters."""
        if part in ("/", ".."):
            return [part]
        if folder not in self._names:
            names: dict[str, list[str]] = {}
            try:
                listed = sorted(os.listdir(folder))
            except OSError:  # no folder, or a closed one
                listed = []
            for name in listed:
                names.setdefault(_without_case(name), []).append(name)
            self._names[folder] = names
        spellings = self._names[folder].get(_without_case(part), [])
        return [part] if part in spellings else spellings


def _without_case(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _read_rows(path: pathlib.Path) -> tuple[list[str], _Rows]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            delimiter = max(",;\t", key=first.count)
            file.seek(0)
            reader = csv.DictReader(file, delimiter=delimiter, skipinitialspace=True)
            header = [(name or "").strip().lower() for name in reader.fieldnames or ()]
            reader.fieldnames = header
            rows = [
                (reader.line_num, {name: (row[name] or "").strip() for name in header})
                for row in reader
            ]
    except FileNotFoundError:
        raise ScoredPhotosError(f"{path}: no such file.") from None
    except OSError as error:
        raise ScoredPhotosError(f"{path}: cannot be read ({error.strerror}).") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ScoredPhotosError(f"{path}: not a CSV file in UTF-8 ({error}).") from None
    return header, rows


def _number(text: str, place: str, column: str = "mos") -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ScoredPhotosError(f"{place}: expected a number as {column}. Received: {text!r}")
    return number


def _splits(rows: _Rows, path: pathlib.Path) -> np.ndarray:
    for line, row in rows:
        if row["split"] not in SPLITS:
            raise ScoredPhotosError(
                f"{path}, line {line}: expected one of {', '.join(SPLITS)} as split. "
                f"Received: {row['split']!r}"
            )
    return np.array([row["split"] for _, row in rows])
