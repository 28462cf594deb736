"""The queue against a deque that forgets its oldest keys."""

import collections

import keras
import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.pretraining.key_queue import KeyQueue


def _queue(size, units=3):
    queue = KeyQueue(size, units)
    queue.build()
    return queue


def _oldest_first(queue):
    return np.roll(np.asarray(queue.keys), -int(queue.pointer), axis=0)


@pytest.mark.parametrize("batches", [[4, 4, 4], [3, 3, 3, 3, 3], [7, 2, 9, 1], [8, 5], [9], [25]])
@pytest.mark.parametrize("wrapper", [lambda f: f, tf.function])
def test_enqueue_wraps_without_losing_or_doubling_keys(batches, wrapper):
    queue = _queue(8)
    enqueue = wrapper(queue.enqueue)
    remembered = collections.deque(np.asarray(queue.keys), maxlen=8)
    generator = np.random.default_rng(0)
    for count in batches:
        keys = generator.normal(size=(count, 3)).astype(np.float32)
        enqueue(keys)
        remembered.extend(keys)
        np.testing.assert_array_equal(_oldest_first(queue), np.array(remembered))
    assert int(queue.pointer) == sum(batches) % 8


def test_the_first_keys_are_directions_that_a_seed_repeats():
    one, same, other = KeyQueue(500, 128), KeyQueue(500, 128), KeyQueue(500, 128, seed=1)
    for queue in (one, same, other):
        queue.build()
    np.testing.assert_allclose(np.linalg.norm(one.keys, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(one.keys, same.keys)
    assert np.abs(np.asarray(one.keys) - np.asarray(other.keys)).mean() > 0.01


def test_nothing_of_the_queue_is_trained_and_nothing_is_lost_on_disk(tmp_path):
    model = keras.Sequential([keras.layers.Dense(2)])
    model.queue = _queue(8)
    model.build((None, 3))
    model.queue.enqueue(np.ones((3, 3), np.float32))
    assert not model.queue.trainable_variables
    model.save_weights(tmp_path / "queue.weights.h5")
    again = keras.Sequential([keras.layers.Dense(2)])
    again.queue = _queue(8)
    again.build((None, 3))
    again.load_weights(tmp_path / "queue.weights.h5")
    np.testing.assert_array_equal(again.queue.keys, model.queue.keys)
    assert int(again.queue.pointer) == 3


def test_a_queue_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"from 1 up.*size=0"):
        KeyQueue(0)
