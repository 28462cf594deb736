"""The model: its two networks, what moves them, and what does not."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.models.encoder import IMAGENET, ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.pretraining.moco import MoCo
from reiqa_tf.pretraining.projection import ProjectionHead
from tests.small_models import randomise


@pytest.fixture
def moco():
    encoder = ReIQAEncoder(ResNetBackbone((1, 1), width=8), normalization=IMAGENET)
    model = MoCo(encoder, units=16, queue_size=50)
    model.build((None, None, None, 3))
    return model


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(size=(6, 32, 32, 3)).astype(np.float32)


def _values(layers):
    return [np.array(variable) for layer in layers for variable in layer.variables]


def test_the_head_is_two_layers_and_unit_length():
    head = ProjectionHead(units=5)
    features = np.random.default_rng(0).normal(size=(7, 11)).astype(np.float32)
    head.build((None, 11))
    randomise(head, 1)
    weights = {v.path.split("head/")[1]: np.asarray(v, float) for v in head.variables}
    hidden = np.maximum(features @ weights["hidden/kernel"] + weights["hidden/bias"], 0)
    assert hidden.shape == (7, 11)
    rows = hidden @ weights["output/kernel"] + weights["output/bias"]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(head(features), rows, rtol=1e-4, atol=1e-6)


def test_the_momentum_network_starts_as_a_copy_and_is_never_trained(moco):
    for query, key in zip(
        _values(moco.query_network()), _values(moco.momentum_network()), strict=True
    ):
        np.testing.assert_array_equal(query, key)
    trained = {id(v) for v in moco.trainable_variables}
    learners = [v for part in moco.query_network() for v in part.trainable_variables]
    assert trained == {id(v) for v in learners}


def test_follow_is_a_moving_average_of_the_weights_alone(moco):
    for seed, part in enumerate(moco.query_network() + moco.momentum_network()):
        randomise(part, seed)
    queries, before = _values(moco.query_network()), _values(moco.momentum_network())
    moco.follow()
    learned = [v.trainable for part in moco.query_network() for v in part.variables]
    after = _values(moco.momentum_network())
    for query, old, new, learns in zip(queries, before, after, learned, strict=True):
        expected = 0.999 * old.astype(float) + 0.001 * query if learns else old
        np.testing.assert_allclose(new, expected, rtol=1e-6, atol=1e-7)
    assert not all(learned)
    for query, now in zip(queries, _values(moco.query_network()), strict=True):
        np.testing.assert_array_equal(query, now)


def test_keys_come_from_statistics_of_their_batch(moco, images):
    alone = np.array(moco.embed_keys(images[:3]))
    among = np.array(moco.embed_keys(images))[:3]
    assert np.abs(alone - among).max() > 1e-4


def test_contrast_changes_nothing_and_enqueue_changes_the_next_contrast(moco, images):
    queries, keys = moco(images), moco.embed_keys(images)
    first, _ = moco.contrast(queries, keys)
    again, nearest = moco.contrast(queries, keys)
    np.testing.assert_array_equal(first, again)
    assert first.shape == nearest.shape == (6,)
    moco.enqueue(keys)
    later, _ = moco.contrast(queries, keys)
    assert (np.asarray(later) > np.asarray(first)).all()  # its own key now is in the queue, too


def test_synchronized_reaches_every_batch_normalisation():
    encoder = ReIQAEncoder(ResNetBackbone((1, 1), width=8))
    moco = MoCo(encoder, queue_size=8, synchronized=True)
    moco.build((None, None, None, 3))
    layers = [
        layer
        for layer in moco._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(layers) == 2 * 9
    assert all(layer.synchronized for layer in layers)


def test_the_model_is_made_again_from_its_configuration(moco, images, tmp_path):
    moco.follow()
    moco.enqueue(moco.embed_keys(images))
    again = MoCo.from_config(moco.get_config())
    again.build((None, None, None, 3))
    moco.save_weights(tmp_path / "moco.weights.h5")
    again.load_weights(tmp_path / "moco.weights.h5")
    np.testing.assert_array_equal(again(images), moco(images))
    np.testing.assert_array_equal(again.queue.keys, moco.queue.keys)


@pytest.mark.parametrize("wrong", [{"temperature": 0}, {"momentum": 1.5}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="Received: temperature"):
        MoCo(ReIQAEncoder(ResNetBackbone((1,), width=8)), **wrong)


def test_frozen_normalization_stays_as_the_encoder_has_it_in_both_networks(images):
    encoder = ReIQAEncoder(ResNetBackbone((1, 1), width=8), normalization=IMAGENET)
    encoder.build((None, None, None, 3))
    randomise(encoder, 3)
    inference = np.asarray(encoder.features_at_one_scale(images, training=False))
    before = {variable.path: np.array(variable) for variable in encoder.weights}
    moco = MoCo(encoder, units=16, queue_size=50, frozen_normalization=True)
    moco.build((None, None, None, 3))
    for network in (moco.encoder, moco.momentum_encoder):
        shown = network.features_at_one_scale(images, training=True)
        np.testing.assert_allclose(shown, inference, rtol=1e-6)
    trained = {variable.path for variable in moco.trainable_variables}
    assert any("convolution" in path for path in trained)
    assert not any("normalization" in path for path in trained)
    optimizer = keras.optimizers.SGD(1.0)
    with tf.GradientTape() as tape:
        losses, _ = moco.contrast(moco(images, training=True), moco.embed_keys(images[::-1]))
    gradients = tape.gradient(losses, moco.trainable_variables)
    optimizer.apply_gradients(zip(gradients, moco.trainable_variables, strict=True))
    moco.follow()
    for variable in encoder.weights:
        same = np.array_equal(variable, before[variable.path])
        assert same == ("normalization" in variable.path), variable.path
    for one, other in zip(
        moco.statistics(moco.query_network()),
        moco.statistics(moco.momentum_network()),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
