"""Rounding to 8 bits while a network learns: levels as integers have them, gradients untouched."""

import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.models.rounding import eight_bits, rounded_kernel, rounded_maps
from tests.small_models import small_scorer


def test_maps_have_the_nearest_of_256_levels_of_their_batch():
    maps = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype(np.float32)
    with eight_bits():
        found = rounded_maps(maps).numpy()
    step = (maps.max() - maps.min()) / 255
    assert len(np.unique(found)) <= 256
    assert np.abs(found - maps).max() <= 1.01 * step
    # Zero is a level of its own, so that what is nothing stays nothing; the others are steps of it.
    np.testing.assert_allclose(found / step, np.rint(found / step), atol=2e-3)


@pytest.mark.parametrize("is_depthwise", [False, True])
def test_each_channel_of_a_kernel_has_levels_of_its_own(is_depthwise):
    kernel = np.random.default_rng(1).normal(size=(3, 3, 4, 1 if is_depthwise else 6))
    kernel = (kernel * np.logspace(-3, 0, kernel.size // 36)[None, None, None]).astype(np.float32)
    if is_depthwise:
        kernel *= np.logspace(-3, 0, 4, dtype=np.float32)[:, None]
    with eight_bits():
        found = rounded_kernel(tf.constant(kernel), is_depthwise).numpy()
    axes = (0, 1, 3) if is_depthwise else (0, 1, 2)
    step = np.abs(kernel).max(axis=axes, keepdims=True) / 127
    np.testing.assert_allclose(found, np.rint(kernel / step) * step, atol=1e-3 * step.max())
    assert (np.abs(found - kernel) <= 0.51 * step).all()


def test_nothing_is_rounded_outside_and_a_scorer_differs_a_little_inside(photo):
    scorer, images = small_scorer(), photo[None, :64, :64]
    exact = scorer.features(images)
    with eight_bits(False):
        np.testing.assert_array_equal(scorer.features(images), exact)
    with eight_bits():
        rounded = scorer.features(images)
    np.testing.assert_array_equal(scorer.features(images), exact)
    error = np.abs(np.subtract(rounded, exact))
    assert error.max() > 0
    assert error.mean() < 0.05 * np.abs(exact).mean()


def test_gradients_pass_as_if_nothing_had_been_rounded():
    maps = tf.constant(np.linspace(-1, 3, 24, dtype=np.float32).reshape(1, 2, 4, 3))
    with tf.GradientTape() as tape, eight_bits():
        tape.watch(maps)
        total = tf.reduce_sum(rounded_maps(maps) * 2)
    gradient = tape.gradient(total, maps).numpy().ravel()
    np.testing.assert_array_equal(gradient, 2)
