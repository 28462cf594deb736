"""Photos that look the same but lie on both sides of a split: leaks that no group names."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from PIL import Image

from reiqa_tf.data.splits import Split

HASH_DISTANCE = 6
"""Bits of 64 in which two hashes may differ for their photos to count as near-duplicates."""

HASH_NAME = "perceptual hash, imagehash.phash of 64 bits"

_BLOCK = 512


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


def perceptual_hash(image: np.ndarray) -> np.uint64:
    """Computes a hash of what a photo looks like: the signs of its 64 lowest frequencies, in grey.

    Args:
        image: uint8 array `(H, W, 3)`, RGB.

    Returns:
        uint64.
    """
    import imagehash

    bits = imagehash.phash(Image.fromarray(image)).hash.ravel()
    return np.packbits(bits).view(">u8")[0].astype(np.uint64)


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
