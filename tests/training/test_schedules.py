"""The learning rate against the loop of the recipe: epochs outside, steps inside."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.training.schedules import WarmupCosine


def _rates(base, steps, epochs, warmup, start, final):
    """As a training script would go through them."""

    def cosine(epoch):
        lowest = base * final
        return lowest + (base - lowest) * (1 + math.cos(math.pi * epoch / epochs)) / 2

    for epoch in range(1, epochs + 1):
        for batch in range(steps):
            if epoch <= warmup:
                share = (batch + (epoch - 1) * steps) / (warmup * steps)
                yield start + share * (cosine(warmup) - start)
            else:
                yield cosine(epoch)


@pytest.mark.parametrize(
    ("base", "steps", "epochs", "warmup"),
    [(12.0, 7, 40, 5), (0.03, 3, 10, 0), (0.6, 1, 25, 5), (1.0, 5, 3, 3)],
)
def test_every_rate_of_a_run_is_that_of_the_recipe(base, steps, epochs, warmup):
    schedule = WarmupCosine(base, steps, epochs, warmup)
    expected = list(_rates(base, steps, epochs, warmup, 0.01, 1e-3))
    received = [float(schedule(tf.constant(step, tf.int64))) for step in range(steps * epochs)]
    np.testing.assert_allclose(received, expected, rtol=2e-6, atol=base * 1e-7)
    in_graph = tf.function(schedule)
    assert float(in_graph(tf.constant(3))) == pytest.approx(expected[min(3, len(expected) - 1)])


def test_the_paper_warms_up_from_a_hundredth_and_ends_at_a_thousandth():
    schedule = WarmupCosine(12.0, steps_per_epoch=100, epochs=40)
    assert float(schedule(0)) == pytest.approx(0.01)
    assert float(schedule(500)) == pytest.approx(
        12 * (0.001 + 0.999 * 0.5 * (1 + math.cos(0.15 * math.pi)))
    )
    assert float(schedule(3999)) == pytest.approx(0.012)
    assert float(schedule(10_000)) == pytest.approx(0.012)


def test_an_optimizer_takes_its_rate_from_it():
    optimizer = keras.optimizers.SGD(WarmupCosine(1.0, 1, 4, 0))
    optimizer.iterations.assign(1)
    assert float(optimizer.learning_rate) == pytest.approx(0.001 + 0.999 * 0.5)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="warmup_epochs=5, epochs=3"):
        WarmupCosine(1.0, 10, epochs=3)
