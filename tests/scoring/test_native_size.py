"""Tiles of photos at their own size. What is merged: tests/models/test_encoder.py."""

import numpy as np
import pytest

from reiqa_tf.scoring.native_size import FeatureBlock, merge_tiles, tiles


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1024, 1024), (1025, 700), (5000, 3333)])
def test_tiles_cover_every_pixel_once(width, height):
    covered = np.zeros((height, width), np.uint8)
    for left, top, right, bottom in tiles(width, height, 1024):
        assert 0 < right - left <= 1024
        assert 0 < bottom - top <= 1024
        covered[top:bottom, left:right] += 1
    assert (covered == 1).all()


def test_tiles_of_other_features_are_refused():
    with pytest.raises(ValueError, match="not those of 6 features"):
        merge_tiles(np.zeros((2, 6)), [(0, 0, 1, 1), (1, 0, 2, 1)], [FeatureBlock(2, 2)])
