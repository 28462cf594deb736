"""Parts and maps of scores: both add up, and are where they should be."""

import numpy as np
import pytest
import tensorflow as tf

import reiqa_tf
from reiqa_tf.models.contributions import contributions, map_names, part_names
from reiqa_tf.scoring.parts import GRID


@pytest.fixture(scope="module")
def loaded(small_preset):
    return reiqa_tf.load_preset(small_preset)


def _picture(photo, height, width):
    return photo[None, :height, :width]


@pytest.mark.parametrize("size", [(96, 96), (70, 96), (33, 47)])
def test_map_and_parts_add_up_to_the_score(loaded, photo, size):
    images = _picture(photo, *size)
    average = np.linspace(0, 1, loaded.feature_count).astype(np.float32)
    found = contributions(loaded, images, average)
    expected = loaded(images) - loaded.head(average[None])
    assert np.allclose(tf.reduce_sum(found.parts, 1), expected, atol=1e-4)
    assert np.allclose(tf.reduce_sum(found.maps, (1, 2, 3)), expected, atol=1e-4)


def test_each_map_adds_up_to_its_parts(loaded, photo):
    found = contributions(loaded, _picture(photo, 80, 96))
    sums = tf.reduce_sum(found.maps, (2, 3)).numpy()[0]
    parts = found.parts.numpy()[0]
    for name, total in zip(map_names(loaded), sums, strict=True):
        of_it = [
            points
            for part, points in zip(part_names(loaded), parts, strict=True)
            if part.of_map == name
        ]
        assert np.isclose(total, sum(of_it), atol=1e-4)


def test_features_are_those_of_the_scorer(loaded, photo):
    images = _picture(photo, 80, 96)
    found = contributions(loaded, images).features
    assert np.allclose(found, loaded.features(images), rtol=1e-4, atol=1e-5)


def test_photos_of_a_batch_are_explained_alone(loaded, photo):
    images = np.stack([photo[:64, :96], photo[200:264, 300:396]])
    together = contributions(loaded, images).maps
    alone = [contributions(loaded, image[None]).maps[0] for image in images]
    assert np.allclose(together, alone, atol=1e-4)


def test_the_map_of_means_is_where_the_means_come_from(loaded, photo):
    """A channel's mean is made of its places: the first stage's map, weighed and summed by hand."""
    images = _picture(photo, 96, 96)
    encoder = loaded.content
    stages = encoder.maps_at_one_scale(images)
    kernel = loaded.head.kernel.numpy()
    expected, start = np.zeros((GRID, GRID)), 0
    for maps in stages:
        channels = maps.shape[-1]
        places = maps.numpy()[0] @ kernel[start : start + channels]
        start += 2 * channels
        side = GRID // places.shape[0]
        assert side * places.shape[0] == GRID or GRID % places.shape[0]
        expected += _shared_out(places / places.size)
    found = contributions(loaded, images).maps.numpy()[0, 0]
    assert np.allclose(found, expected, atol=1e-5)


def _shared_out(places):
    """By cutting every place into pieces that lie in one cell of the grid."""
    height, width = places.shape
    fine = np.kron(places, np.ones((GRID, GRID))) / GRID**2
    return fine.reshape(GRID, height, GRID, width).sum(axis=(1, 3))


def test_a_map_of_the_middle_is_empty_outside(loaded, photo):
    images = _picture(photo, 96, 96)
    names = map_names(loaded)
    found = contributions(loaded, images).maps.numpy()[0]
    middle = found[[name.kind == "center" for name in names]].sum(axis=0)
    assert not middle[:4].any()
    assert not middle[:, :4].any()
    assert middle[12:20, 12:20].all()
