"""The loss against a slow loop over one query after the other."""

import math

import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.pretraining.info_nce import info_nce, is_nearest, similarities


def _directions(generator, count, units=16):
    rows = generator.normal(size=(count, units))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def embeddings():
    generator = np.random.default_rng(3)
    queries = _directions(generator, 12)
    keys = _directions(generator, 12)
    keys[:5] = queries[:5]  # found at once
    return queries, keys, _directions(generator, 37)


def _loop(queries, keys, queue, temperature):
    losses, nearest = [], []
    for query, key in zip(queries.astype(float), keys.astype(float), strict=True):
        cosines = [query @ key] + [query @ other for other in queue.astype(float)]
        exponentials = [math.exp(cosine / temperature) for cosine in cosines]
        losses.append(-math.log(exponentials[0] / sum(exponentials)))
        nearest.append(cosines[0] > max(cosines[1:]))
    return losses, nearest


@pytest.mark.parametrize("temperature", [0.07, 0.2, 1.0])
@pytest.mark.parametrize("wrapper", [lambda f: f, tf.function])
def test_losses_are_those_of_a_loop_over_queries(embeddings, temperature, wrapper):
    compared = wrapper(similarities)(*embeddings, temperature)
    losses, nearest = _loop(*embeddings, temperature)
    np.testing.assert_allclose(wrapper(info_nce)(*compared), losses, rtol=2e-6, atol=2e-6)
    np.testing.assert_array_equal(is_nearest(*compared), nearest)
    assert 5 <= sum(nearest) < 12


def test_the_gradient_is_softmax_minus_the_own_key(embeddings):
    queries, keys, queue = map(tf.constant, embeddings)
    with tf.GradientTape() as tape:
        tape.watch(queries)
        loss = tf.reduce_sum(info_nce(*similarities(queries, keys, queue, 0.2)))
    columns = np.concatenate([np.sum(embeddings[0] * embeddings[1], 1)[:, None]], 1)
    columns = np.concatenate([columns, embeddings[0] @ embeddings[2].T], 1).astype(float) / 0.2
    shares = np.exp(columns) / np.exp(columns).sum(1, keepdims=True)
    expected = ((shares[:, :1] - 1) * embeddings[1] + shares[:, 1:] @ embeddings[2]) / 0.2
    np.testing.assert_allclose(tape.gradient(loss, queries), expected, rtol=1e-4, atol=1e-5)


def test_a_small_temperature_overflows_nothing(embeddings):
    losses = info_nce(*similarities(*embeddings, temperature=1e-3))
    assert np.isfinite(losses).all()


def test_a_tie_is_not_nearest():
    same = np.eye(4, dtype=np.float32)[:1]
    assert not is_nearest(*similarities(same, same, same, 0.2))[0]
