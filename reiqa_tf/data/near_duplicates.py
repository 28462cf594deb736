"""Photos that look the same: leaks of a split that no group names, and bursts in an album."""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from reiqa_tf.data.splits import Split


HASH_DISTANCE = 6
"""Bits of 64 in which two hashes may differ for their photos to count as near-duplicates."""

HASH_NAME = "perceptual hash of 64 bits, as imagehash.phash"

BURST_SECONDS = 3.0
"""Most seconds between a photo of a burst and the next one."""

BURST_DISTANCE = 18
"""Bits of 64 in which the hashes of photos taken so soon after each other may differ for them to
count as a burst."""

_BLOCK = 512

_SIDE = 32  # what a photo is shrunk to before its frequencies are computed
_FREQUENCIES = 8  # along each side, of which a hash is made


@dataclasses.dataclass(frozen=True)
class Leak:
    """Two photos that look the same, of which a split fits on one and tests on the other.

    Attributes:
        first: row of one of them.
        second: row of the other.
        distance: bits in which their hashes differ.
        splits: numbers of the splits, from 0.
    """

    first: int
    second: int
    distance: int
    splits: tuple[int, ...]


def perceptual_hash(image: np.ndarray | Image.Image) -> np.uint64:
    """Computes a hash of what a photo looks like: the signs of its 64 lowest frequencies, in grey.

    Args:
        image: uint8 array `(H, W, 3)` or picture, RGB.

    Returns:
        uint64.

    Example:
    ```python
    import reiqa_tf
    from reiqa_tf.data.near_duplicates import perceptual_hash

    image = reiqa_tf.read_image("photo.jpg")
    assert perceptual_hash(image) == perceptual_hash(image.copy())
    ```

    Reference: the package imagehash, whose `phash` gives the same 64 bits.
    """
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    grey = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    lowest = _COSINES @ np.asarray(grey, np.float64) @ _COSINES.T
    # Their median; the first np.median of a process imports numpy.ma, which takes 8 ms.
    half = lowest.size // 2
    middle = np.sort(lowest, axis=None)[half - 1 : half + 1].mean()
    bits = (lowest > middle).ravel()
    return np.packbits(bits).view(">u8")[0].astype(np.uint64)


def _cosines() -> np.ndarray:
    """The lowest rows of the discrete cosine transform of type II, `(_FREQUENCIES, _SIDE)`."""
    frequency, place = np.arange(_FREQUENCIES)[:, None], np.arange(_SIDE)
    return 2 * np.cos(np.pi * frequency * (2 * place + 1) / (2 * _SIDE))


_COSINES = _cosines()


def similar_pairs(hashes: np.ndarray, distance: int = HASH_DISTANCE) -> list[tuple[int, int, int]]:
    """Finds all pairs of hashes that differ in few bits.

    Args:
        hashes: uint64 array `(N,)`.
        distance: most bits in which they may differ.

    Returns:
        list of `(first, second, distance)`, rows in rising order.
    """
    hashes = np.asarray(hashes, np.uint64)
    pairs: list[tuple[int, int, int]] = []
    for start in range(0, len(hashes), _BLOCK):
        block = hashes[start : start + _BLOCK]
        differing = np.bitwise_count(block[:, None] ^ hashes[None, start:])
        for row, column in zip(*np.nonzero(differing <= distance), strict=True):
            if column > row:
                bits = int(differing[row, column])
                pairs.append((start + int(row), start + int(column), bits))
    return pairs


def group_alike(
    hashes: np.ndarray,
    taken: Sequence[datetime.datetime | None],
    distance: int = HASH_DISTANCE,
) -> list[list[int]]:
    """Gathers near-duplicates and bursts.

    Two photos belong together if they look the same, or if they were taken within `BURST_SECONDS`
    and look alike; so do photos that a chain of such pairs connects.

    Args:
        hashes: uint64 array `(N,)`, of `perceptual_hash`.
        taken: N times at which the photos were taken, or None where that is not known.
        distance: as in `similar_pairs`.

    Returns:
        list of groups of two photos or more: rows in rising order.
    """
    hashes = np.asarray(hashes, np.uint64)
    pairs = [(first, second) for first, second, _ in similar_pairs(hashes, distance)]
    timed = sorted((time, row) for row, time in enumerate(taken) if time is not None)
    for place, (time, row) in enumerate(timed):
        for later, other in timed[place + 1 :]:
            if (later - time).total_seconds() > BURST_SECONDS:
                break
            if np.bitwise_count(hashes[row] ^ hashes[other]) <= BURST_DISTANCE:
                pairs.append((row, other))
    leader = list(range(len(hashes)))

    def find(row: int) -> int:
        while leader[row] != row:
            leader[row] = leader[leader[row]]
            row = leader[row]
        return row

    for first, second in pairs:
        low, high = sorted((find(first), find(second)))
        leader[high] = low
    groups: dict[int, list[int]] = collections.defaultdict(list)
    for row in range(len(hashes)):
        groups[find(row)].append(row)
    return [rows for rows in groups.values() if len(rows) > 1]


def find_leaks(
    hashes: np.ndarray, splits: Sequence[Split], distance: int = HASH_DISTANCE
) -> list[Leak]:
    """Finds the near-duplicates that splits put on both sides.

    Args:
        hashes: uint64 array `(N,)`, one for each row of the list that was split.
        splits: list of `Split`.
        distance: as in `similar_pairs`.

    Returns:
        list of `Leak`, the most alike first.
    """
    pairs = similar_pairs(hashes, distance)
    tested = np.zeros((len(splits), len(hashes)), bool)
    fitted = np.zeros_like(tested)
    for number, split in enumerate(splits):
        tested[number, split.test] = True
        fitted[number, np.concatenate([split.train, split.val])] = True
    leaks = []
    for first, second, bits in pairs:
        leaking = (tested[:, first] & fitted[:, second]) | (fitted[:, first] & tested[:, second])
        if leaking.any():
            leaks.append(Leak(first, second, bits, tuple(map(int, np.flatnonzero(leaking)))))
    return sorted(leaks, key=lambda leak: (leak.distance, leak.first, leak.second))
