"""The losses of tuning against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.tuning import losses


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    return generator.normal(size=(3, 12)).astype(np.float32)


def _tensors(*arrays):
    return [tf.constant(array, tf.float32) for array in arrays]


def test_huber_is_squared_within_a_deviation_and_linear_beyond():
    found = losses.huber(*_tensors([0.0, 0.5, 3.0], [0.0, 0.0, 0.0], [1, 1, 1]))
    np.testing.assert_allclose(found, (0 + 0.125 + 2.5) / 3, rtol=1e-6)


def test_plcc_is_one_less_the_correlation(rows):
    x, y, _ = rows
    found = losses.plcc(*_tensors(x, y, np.ones(12)))
    np.testing.assert_allclose(found, 1 - np.corrcoef(x, y)[0, 1], rtol=1e-5)


def test_plcc_has_a_finite_gradient_where_all_predictions_are_equal(rows):
    x, y, weights = _tensors(np.zeros(12), rows[1], np.ones(12))
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = losses.plcc(x, y, weights)
    assert loss == 1
    assert np.isfinite(tape.gradient(loss, x)).all()


def test_rank_is_the_likelihood_of_bradley_and_terry(rows):
    x, y, _ = rows
    chance = 1 / (1 + np.exp(-(x - y) / losses.PREFERENCE_WIDTH))
    found = losses.rank(*_tensors(x, y, np.ones(12)))
    np.testing.assert_allclose(found, -np.log(chance).mean(), rtol=1e-4)


def test_no_pairs_cost_nothing():
    assert losses.rank(*_tensors([], [], [])) == 0


@pytest.mark.parametrize("name", ["huber", "plcc", "rank"])
def test_what_has_no_weight_does_not_count(name, rows):
    loss = getattr(losses, name)
    weights = np.array([1] * 7 + [0] * 5)
    kept = [row[:7] for row in (*rows[:2], weights)]
    np.testing.assert_allclose(
        loss(*_tensors(*rows[:2], weights)), loss(*_tensors(*kept)), rtol=1e-5
    )
