"""Photos that look the same, and photos of one burst."""

import datetime

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.data.near_duplicates import BURST_DISTANCE, group_alike, perceptual_hash


def test_the_hash_is_that_of_imagehash(photo):
    imagehash = pytest.importorskip("imagehash")
    for top in range(0, 400, 40):
        for left in range(0, 640, 80):
            crop = photo[top : top + 100, left : left + 120]
            bits = imagehash.phash(Image.fromarray(crop)).hash.ravel()
            expected = int("".join(map(str, bits.astype(int))), 2)
            assert int(perceptual_hash(crop)) == expected


def test_an_array_and_a_picture_have_one_hash(photo):
    assert perceptual_hash(photo) == perceptual_hash(Image.fromarray(photo))


def seconds(*times):
    noon = datetime.datetime(2026, 7, 1, 12)
    return [None if time is None else noon + datetime.timedelta(seconds=time) for time in times]


def differing(bits):
    return (1 << bits) - 1


def test_photos_that_look_the_same_are_together_whenever_they_were_taken():
    hashes = np.array([0, 2**64 - 1, 1, 3], np.uint64)
    assert group_alike(hashes, seconds(0, 0, 900, None)) == [[0, 2, 3]]


def test_photos_that_look_alike_are_a_burst_if_taken_within_three_seconds():
    hashes = np.array([0, differing(BURST_DISTANCE)], np.uint64)
    assert group_alike(hashes, seconds(0, 3)) == [[0, 1]]
    assert group_alike(hashes, seconds(0, 3.1)) == []
    assert group_alike(hashes, seconds(0, None)) == []
    assert group_alike(hashes, [None, None]) == []


def test_photos_of_one_second_that_look_different_are_no_burst():
    hashes = np.array([0, differing(BURST_DISTANCE + 1)], np.uint64)
    assert group_alike(hashes, seconds(0, 0)) == []


def test_a_long_burst_hangs_together_by_its_neighbours():
    step = BURST_DISTANCE - 6
    hashes = np.array([differing(step * number) for number in (2, 0, 3, 1)], np.uint64)
    assert group_alike(hashes, seconds(4, 0, 6, 2)) == [[0, 1, 2, 3]]


def test_no_photos_have_no_groups():
    assert group_alike(np.array([], np.uint64), []) == []
