"""Degradations get worse level by level, by figures that a book on optics would give."""

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.distortions.bank import LEVELS as LEVELS_OF_THE_BANK
from reiqa_tf.fitting.degradations import (
    DEGRADATIONS,
    LEVELS,
    lost_blocks,
    missing_part,
    overexposed,
)

PHOTO = np.asarray(Image.open("tests/photos/kodim23.png").convert("RGB"))[100:290, 200:420]


def _levels(name, seed=1):
    return [
        DEGRADATIONS[name](PHOTO, level, np.random.default_rng(seed)) for level in range(LEVELS)
    ]


def test_degradations_have_as_many_levels_as_distortions():
    assert LEVELS == LEVELS_OF_THE_BANK


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_each_level_is_farther_from_the_photo_than_the_one_before(name):
    errors = [np.abs(level.astype(int) - PHOTO).mean() for level in _levels(name)]
    assert errors[0] > 0
    assert np.all(np.diff(errors) > 0), errors


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_a_degradation_leaves_its_photo_alone_and_is_the_same_for_the_same_seed(name):
    before = PHOTO.copy()
    for level, again in zip(_levels(name), _levels(name), strict=True):
        assert level.shape == PHOTO.shape
        assert level.dtype == np.uint8
        np.testing.assert_array_equal(level, again)
    np.testing.assert_array_equal(PHOTO, before)


def test_a_stop_more_is_twice_the_light():
    grey = np.full((2, 2, 3), 100, np.uint8)  # 0.1274 of white, by IEC 61966-2-1
    brighter = overexposed(grey, 1, np.random.default_rng(0))
    assert (brighter == round(255 * (1.055 * (2 * 0.12744) ** (1 / 2.4) - 0.055))).all()


def test_half_of_a_photo_is_missing_at_the_fourth_level():
    plain = 0
    for seed in range(8):
        picture = missing_part(PHOTO, 3, np.random.default_rng(seed))
        kept = (picture == PHOTO).all(-1)
        assert 0.49 < kept.mean() < 0.52
        plain += len(np.unique(picture[~kept], axis=0)) == 1
    assert plain == 8


def test_lost_blocks_are_whole_blocks_and_as_many_as_said():
    lost = lost_blocks(PHOTO, 4, np.random.default_rng(2))
    changed = (lost != PHOTO).any(-1)[:176, :208].reshape(11, 16, 13, 16).any((1, 3))
    assert 0.4 < changed.mean() < 0.6
