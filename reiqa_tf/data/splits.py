"""Which photos a regressor is fitted on, adjusted on and tested on; kept in files for others."""

from __future__ import annotations

import collections
import csv
import dataclasses
import hashlib
import pathlib
from collections.abc import Sequence

import numpy as np

from reiqa_tf.data.photos import short_names
from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.errors import ReiqaError
from reiqa_tf.files import written_whole
from reiqa_tf.typing import PathLike

SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}
"""Parts of the rows: the protocol of the Re-IQA paper and most others."""

_LETTERS = {"train": "r", "val": "v", "test": "t", "": "-"}


class SplitError(ReiqaError):
    """Photos that cannot be split, or a file of splits that does not fit them."""


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Rows of a list of photos, in three parts without a common row.

    Attributes:
        train: integers, the rows to fit on.
        val: integers, the rows to choose the strength of the regulariser on.
        test: integers, the rows to test on.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray

    def digest(self) -> str:
        """Hexadecimal SHA-256 of the three parts."""
        parts = (self.train, self.val, self.test)
        contents = b"|".join(np.asarray(part, "<i8").tobytes() for part in parts)
        return hashlib.sha256(contents).hexdigest()


def seeded_splits(scored: ScoredPhotos, count: int = 10, seed: int = 0) -> list[Split]:
    """Splits photos at random, always the same way for the same photos, seed and number.

    Groups are kept whole, and a photo without a group is a group of its own. The order of the rows
    does not matter: groups are shuffled from the alphabetical order of their names.

    Args:
        scored: `ScoredPhotos`.
        count: number of splits.
        seed: seed of the draws; split number k depends on seed and k alone.

    Returns:
        list of `Split`.

    Raises:
        SplitError: if there are too few groups for the three parts.
    """
    labels = _labels(scored)
    names, members = np.unique(labels, return_inverse=True)
    sizes = np.bincount(members)
    splits = []
    for number in range(count):
        order = np.random.default_rng((seed, number)).permutation(len(names))
        # The part in which the middle of a group falls, when all are laid end to end.
        middles = (np.cumsum(sizes[order]) - sizes[order] / 2) / sizes.sum()
        ends = np.cumsum([SHARES["test"], SHARES["val"]])
        part = np.empty(len(names), int)
        part[order] = np.searchsorted(ends, middles, side="right")  # 0 test, 1 val, 2 train
        split = Split(*(np.flatnonzero(part[members] == which) for which in (2, 1, 0)))
        if not (split.train.size and split.val.size and split.test.size):
            raise SplitError(
                "expected groups enough for 70 % training, 10 % validation and 20 % test rows. "
                f"Received: {len(names)} groups of {len(labels)} photos"
            )
        splits.append(split)
    return splits


def official_split(scored: ScoredPhotos, seed: int = 0) -> Split:
    """Makes the split that a database comes with.

    Where it has no validation rows, an eighth of the training rows is taken, whole groups at
    random, so that the shares are those of `SHARES`.

    Args:
        scored: `ScoredPhotos` with splits; rows with an empty one are left out.
        seed: seed of the validation rows, where they must be drawn.

    Returns:
        `Split`.

    Raises:
        SplitError: if there is none, or no training or no test row.
    """
    if scored.splits is None:
        raise SplitError("no official split is known for these photos: use seeded ones.")
    train, val, test = (np.flatnonzero(scored.splits == name) for name in SHARES)
    if not (train.size and test.size):
        raise SplitError(
            f"expected rows of train and test in the official split. Received: {train.size} of "
            f"train and {test.size} of test"
        )
    if not val.size:
        part = seeded_splits(scored.rows(train), count=1, seed=seed)[0]
        # The other parts go back to training; a tenth of the rows is near enough to an eighth.
        val = train[part.val]
        train = np.sort(train[np.concatenate([part.train, part.test])])
    return Split(train, val, test)


def write_splits(path: PathLike, scored: ScoredPhotos, splits: Sequence[Split]) -> None:
    """Writes splits to a CSV file that can be published and read again.

    One row for each photo: its name, and a word with one letter for each split: r training,
    v validation, t test, - left out.

    Args:
        path: the file.
        scored: `ScoredPhotos` of the photos.
        splits: list of `Split`.

    Raises:
        OutputError: if it cannot be written.
    """
    words = np.full((len(scored), len(splits)), _LETTERS[""])
    for number, split in enumerate(splits):
        for name in SHARES:
            words[getattr(split, name), number] = _LETTERS[name]
    rows = sorted(
        (name, "".join(word)) for name, word in zip(photo_names(scored), words, strict=True)
    )
    with written_whole(path) as scratch, open(scratch, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", "splits"])
        writer.writerows(rows)


def read_splits(path: PathLike, scored: ScoredPhotos) -> list[Split]:
    """Reads what `write_splits` wrote, for the same photos in whatever order and folder.

    Args:
        path: the file.
        scored: `ScoredPhotos` of the photos.

    Returns:
        list of `Split`.

    Raises:
        SplitError: if the file is missing or damaged, lacks a photo, or divides a group.
    """
    path = pathlib.Path(path)
    try:
        with open(path, newline="", encoding="utf-8") as file:
            words = {row["image"]: row["splits"] or "" for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise SplitError(f"{path}: not a file of splits (columns image,splits): {error}") from None
    names = photo_names(scored)
    missing = [name for name in names if name not in words]
    if missing:
        raise SplitError(
            f"{path}: holds no splits of {len(missing)} of {len(names)} photos, such as "
            f"{missing[0]}. It holds {len(words)} others: was it made for these photos?"
        )
    lengths = {len(word) for word in words.values()}
    letters = set("".join(words.values()))
    if len(lengths) != 1 or not letters <= set(_LETTERS.values()):
        raise SplitError(
            f"{path}: expected words of one length, made of {', '.join(_LETTERS.values())}."
        )
    table = np.array([list(words[name]) for name in names])
    splits = [
        Split(*(np.flatnonzero(column == _LETTERS[name]) for name in SHARES)) for column in table.T
    ]
    for number, split in enumerate(splits):
        _check_groups(scored, split, f"{path}, split {number + 1}")
    return splits


def photo_names(scored: ScoredPhotos) -> list[str]:
    """Names photos in a way that is the same on every machine.

    Args:
        scored: `ScoredPhotos`.

    Returns:
        list of paths relative to the folder that all share, with forward slashes.

    Raises:
        SplitError: if a name stands for two rows.
    """
    names = short_names(scored.paths)
    repeated = [name for name, count in collections.Counter(names).items() if count > 1]
    if repeated:
        raise SplitError(f"{repeated[0]} stands in two rows: expected each photo once.")
    return names


def _labels(scored: ScoredPhotos) -> np.ndarray:
    """The group of each row; a photo without one is a group of its own."""
    if scored.groups is None:
        return np.array(photo_names(scored))
    return np.asarray(scored.groups)


def _check_groups(scored: ScoredPhotos, split: Split, name: str) -> None:
    """Refuses a split that divides a group."""
    if scored.groups is None:
        return
    fitted = np.unique(scored.groups[np.concatenate([split.train, split.val])])
    divided = np.intersect1d(fitted, scored.groups[split.test])
    if divided.size:
        raise SplitError(
            f"{name}: photos of {divided.size} groups stand on both sides, such as {divided[0]!r}."
        )
