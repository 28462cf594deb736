"""The average of weights against NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.training.averaging import AveragedWeights


def test_the_average_follows_faster_at_first_and_slowly_later():
    variable = keras.Variable([1.0, 2.0])
    averages = AveragedWeights([variable], decay=0.5)
    averages.start()
    expected = np.array([1.0, 2.0])
    for step in range(20):
        variable.assign(variable + 1)
        averages.follow(tf.constant(step))
        stays = min(0.5, (1 + step) / (10 + step))
        expected = stays * expected + (1 - stays) * variable.numpy()
    np.testing.assert_allclose(averages.values()[0], expected, rtol=1e-5)


def test_a_decay_of_one_is_refused():
    with pytest.raises(ValueError, match="decay"):
        AveragedWeights([], decay=1.0)
