"""Wrong shapes are refused in the same words wherever pictures are taken."""

import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.distortions import distort
from reiqa_tf.image.scaling import half_size, resize
from reiqa_tf.image.shapes import require_batch, require_pictures
from reiqa_tf.runtimes.artifact_scorer import as_levels

WRONG = [(64, 64), (64,), (), (1, 64, 64), (1, 3, 64, 64), (1, 64, 64, 4), (64, 64, 1)]


@pytest.mark.parametrize("shape", [*WRONG, (64, 64, 3), (1, 1, 64, 64, 3)])
def test_scorers_and_encoders_say_what_they_expect(scorer, shape):
    images = np.zeros(shape, np.uint8)
    content = scorer.content
    for call in (
        scorer,
        scorer.predict,
        scorer.features,
        scorer.judge,
        scorer.compile_features(),
        content,
        content.features_at_one_scale,
        as_levels,
        require_batch,
    ):
        for given in (images, tf.constant(images)):
            with pytest.raises(
                ValueError, match=r"images: expected \(batch, H, W, 3\)\. Received: "
            ):
                call(given)


@pytest.mark.parametrize("shape", WRONG)
def test_what_takes_one_picture_as_well_says_so(shape):
    images = np.zeros(shape, np.float32)
    for call in (
        half_size,
        lambda images: resize(images, 16, 16),
        lambda images: distort(images, "jpeg", 0),
        require_pictures,
    ):
        with pytest.raises(ValueError, match=r"expected \(batch, H, W, 3\) or one picture"):
            call(images)


def test_one_picture_is_told_how_it_becomes_a_batch(scorer):
    with pytest.raises(ValueError, match=r"Received: \(64, 48, 3\)\. One picture: image\[None\]"):
        scorer(np.zeros((64, 48, 3), np.uint8))


def test_lists_are_told_how_they_become_a_batch(scorer):
    images = [np.zeros((64, 48, 3), np.uint8), np.zeros((48, 64, 3), np.uint8)]
    for call in (scorer, scorer.judge, scorer.predict, as_levels):
        with pytest.raises(ValueError, match=r"one array\. Received: a list of 2"):
            call(images)
    assert as_levels([images[0], images[0]]).shape == (2, 64, 48, 3)


def test_what_is_not_known_yet_is_let_through():
    require_batch(tf.keras.Input((None, None, 3)))
    require_batch(tf.data.Dataset.from_tensors(1))

    @tf.function(input_signature=[tf.TensorSpec(None)])
    def of_any_rank(images):
        require_batch(images)
        require_pictures(images)
        return images

    assert of_any_rank(tf.zeros((1, 8, 8, 3))).shape == (1, 8, 8, 3)
