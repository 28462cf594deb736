"""Fused batch normalisation against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.models.normalization import FusedBatchNormalization
from tests.small_models import randomise


def _both(dtype="float32"):
    layers = []
    for kind in (FusedBatchNormalization, keras.layers.BatchNormalization):
        layer = kind(momentum=0.9, epsilon=1e-5, dtype=dtype)
        layer.build((None, None, None, 6))
        randomise(layer, 0)
        layers.append(layer)
    return layers


@pytest.fixture
def maps():
    return np.random.default_rng(0).normal(3, 2, size=(4, 5, 7, 6)).astype(np.float32)


def test_training_inference_and_statistics_are_those_of_keras(maps):
    fused, own = _both()
    np.testing.assert_array_equal(fused(maps, training=False), own(maps, training=False))
    received = tf.function(lambda x: fused(x, training=True))(maps)
    np.testing.assert_allclose(received, own(maps, training=True), rtol=1e-4, atol=1e-5)
    for one, other in zip(fused.variables, own.variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, err_msg=one.path)


def test_gradients_are_those_of_keras(maps):
    gradients = []
    for layer in _both():
        with tf.GradientTape() as tape:
            inputs = tf.constant(maps)
            tape.watch(inputs)
            loss = tf.reduce_sum(layer(inputs, training=True) ** 3)
        gradients.append(tape.gradient(loss, [inputs, layer.gamma.value, layer.beta.value]))
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_a_frozen_layer_uses_what_it_has_learned(maps):
    fused, own = _both()
    fused.trainable = own.trainable = False
    np.testing.assert_array_equal(fused(maps, training=True), own(maps, training=True))


def test_sixteen_bits_stay_sixteen_and_statistics_thirty_two(maps):
    fused, own = _both("mixed_bfloat16")
    received, expected = (layer(tf.cast(maps, "bfloat16"), training=True) for layer in (fused, own))
    assert received.dtype == tf.bfloat16
    np.testing.assert_allclose(
        tf.cast(received, "float32"), tf.cast(expected, "float32"), rtol=0.03, atol=0.03
    )
    np.testing.assert_allclose(fused.moving_mean, own.moving_mean, rtol=0.01, atol=0.01)


def test_one_value_a_channel_has_no_variance():
    fused, own = _both()
    single = np.full((1, 1, 1, 6), 2.0, np.float32)
    fused(single, training=True)
    own(single, training=True)
    np.testing.assert_allclose(fused.moving_variance, own.moving_variance, rtol=1e-6)
