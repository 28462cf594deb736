"""Photos that look the same and stand on both sides of a split: leaks that no group names."""

import dataclasses

import numpy as np
from PIL import Image

DISTANCE = 6
"""Bits of 64 in which two hashes may differ for their photos to count as near-duplicates."""

HASH_NAME = "perceptual hash, imagehash.phash of 64 bits"

_BLOCK = 512


@dataclasses.dataclass(frozen=True)
class Leak:
    """Two photos that look the same, of which a split fits on one and judges on the other.

    Attributes:
        first: row of the one.
        second: row of the other.
        distance: bits in which their hashes differ.
        splits: numbers of the splits, from 0.
    """

    first: int
    second: int
    distance: int
    splits: tuple[int, ...]


def perceptual_hash(image):
    """Hash of what a photo looks like: 64 low frequencies of its grey version, each by its sign.

    Args:
        image: uint8 array `(H, W, 3)`, RGB.

    Returns:
        uint64.
    """
    import imagehash

    bits = imagehash.phash(Image.fromarray(image)).hash.ravel()
    return np.packbits(bits).view(">u8")[0].astype(np.uint64)


def similar_pairs(hashes, distance=DISTANCE):
    """Finds all pairs of hashes that differ in few bits.

    Args:
        hashes: uint64 array `(N,)`.
        distance: most bits in which they may differ.

    Returns:
        list of `(first, second, distance)`, rows in rising order.
    """
    hashes = np.asarray(hashes, np.uint64)
    pairs = []
    for start in range(0, len(hashes), _BLOCK):
        block = hashes[start : start + _BLOCK]
        differing = np.bitwise_count(block[:, None] ^ hashes[None, start:])
        for row, column in zip(*np.nonzero(differing <= distance), strict=True):
            if column > row:
                pairs.append((start + row, start + column, differing[row, column]))
    return [tuple(map(int, pair)) for pair in pairs]


def find_leaks(hashes, splits, distance=DISTANCE):
    """Finds the near-duplicates that splits tear apart.

    Args:
        hashes: uint64 array `(N,)`, one a row of the list that was split.
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
        torn = (tested[:, first] & fitted[:, second]) | (fitted[:, first] & tested[:, second])
        if torn.any():
            leaks.append(Leak(first, second, bits, tuple(map(int, np.flatnonzero(torn)))))
    return sorted(leaks, key=lambda leak: (leak.distance, leak.first, leak.second))
