"""One step: what moves, by how much, and in which company keys are normalised."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.pretraining import config as configuration
from reiqa_tf.pretraining.from_config import make_moco
from reiqa_tf.pretraining.moco import MoCo
from reiqa_tf.pretraining.step import TrainingStep
from reiqa_tf.training.optimizers import MomentumSGD, make_optimizer
from tests.oracles.stand_in import StandIn, tiny_config
from tests.small_models import randomise


def _model(synchronized=False):
    encoder = ReIQAEncoder(ResNetBackbone((1,), width=8))
    moco = MoCo(encoder, units=8, queue_size=20, synchronized=synchronized)
    moco.build((None, None, None, 3))
    for part in moco.query_network():
        randomise(part, 0)
    for part in moco.momentum_network():
        randomise(part, 1)
    optimizer = MomentumSGD(0.5)
    optimizer.build(moco.trainable_variables)
    return moco, optimizer


@pytest.fixture(scope="module")
def pairs():
    generator = np.random.default_rng(5)
    return {
        name: generator.uniform(size=(8, 32, 32, 3)).astype(np.float32) for name in ("query", "key")
    }


def _values(variables):
    return [np.array(variable) for variable in variables]


def _by_hand(moco, pairs, companies, part_of_key):
    """Loss, gradients, keys and moving statistics of a step, in plain eager operations.

    Args:
        companies: indices of the rows that are normalised together, of the queries.
        part_of_key: likewise of the keys.
    """
    before = {id(v): np.array(v) for v in moco.variables}
    statistics = {}

    def averaged(network, rows_of_parts, run):
        variables = moco.statistics(network)
        after = []
        for rows in rows_of_parts:
            for variable in variables:
                variable.assign(before[id(variable)])
            run(rows)
            after.append(_values(variables))
        for variable, values in zip(variables, zip(*after, strict=True), strict=True):
            statistics[id(variable)] = np.mean(values, axis=0)

    keys = np.empty((8, 8), np.float32)

    def embed(rows):
        keys[rows] = moco.embed_keys(pairs["key"][rows])

    averaged(moco.momentum_network(), part_of_key, embed)
    losses, gradients = [], []

    def learn(rows):
        with tf.GradientTape() as tape:
            queries = moco(pairs["query"][rows], training=True)
            cosines = tf.concat(
                [
                    tf.reduce_sum(queries * keys[rows], 1, keepdims=True),
                    queries @ tf.transpose(moco.queue.keys.value),
                ],
                1,
            )
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(
                    np.zeros(len(rows), np.int32), cosines / 0.2
                )
            )
        losses.append(float(loss))
        gradients.append(tape.gradient(loss, [v.value for v in moco.trainable_variables]))

    averaged(moco.query_network(), companies, learn)
    for variable in moco.variables:
        variable.assign(before[id(variable)])
    means = [np.mean(parts, axis=0) for parts in zip(*gradients, strict=True)]
    return np.mean(losses), means, keys, statistics


def _check(parts, pairs, part_of_key):
    moco, optimizer = _model()
    companies = np.split(np.arange(8), parts)
    loss, gradients, keys, statistics = _by_hand(moco, pairs, companies, part_of_key)
    weights = _values(moco.trainable_variables)
    followers = [v for layer in moco.momentum_network() for v in layer.variables]
    learners = [v for layer in moco.query_network() for v in layer.variables]
    old = _values(followers)

    step = TrainingStep(moco, optimizer, tf.distribute.get_strategy(), parts, seed=7)
    assert step(pairs)["loss"] == pytest.approx(loss, rel=1e-5)

    for variable, start, gradient in zip(moco.trainable_variables, weights, gradients, strict=True):
        expected = start - 0.5 * (gradient + 1e-4 * start)
        np.testing.assert_allclose(variable, expected, rtol=1e-3, atol=2e-5, err_msg=variable.path)
    for follower, learner, start in zip(followers, learners, old, strict=True):
        if learner.trainable:
            expected = 0.999 * start + 0.001 * np.array(learner)
            np.testing.assert_allclose(follower, expected, rtol=1e-5, atol=1e-6)
    for variable in moco.variables:
        if id(variable) in statistics:
            np.testing.assert_allclose(
                variable, statistics[id(variable)], rtol=1e-4, atol=1e-5, err_msg=variable.path
            )
    np.testing.assert_allclose(moco.queue.keys[:8], keys, rtol=1e-4, atol=1e-5)
    assert int(moco.queue.pointer) == 8
    assert int(optimizer.iterations) == 1


def test_a_step_is_the_recipe_written_out(pairs):
    _check(1, pairs, [np.arange(8)])


def test_a_step_in_parts_moves_once_and_shuffles_its_keys(pairs):
    order = tf.random.experimental.stateless_shuffle(tf.range(8), (7, 0)).numpy()
    assert sorted(order[:4]) not in ([0, 1, 2, 3], [4, 5, 6, 7])
    _check(2, pairs, np.split(order, 2))


def test_a_synchronised_model_is_not_shuffled(pairs):
    moco, optimizer = _model(synchronized=True)
    step = TrainingStep(moco, optimizer, tf.distribute.get_strategy(), parts=2)
    first = np.array(moco.embed_keys(pairs["key"][:4]))
    step(pairs)
    np.testing.assert_allclose(moco.queue.keys[:4], first, rtol=1e-4, atol=1e-5)


def _trained(precision, batches):
    """Losses and accuracies of a run of steps, with the configuration's own policy."""
    config = tiny_config(
        precision=precision,
        contrast=configuration.Contrast(units=16, queue_size=64, momentum=0.9),
        optimizer=configuration.Sgd(rate=0.1, per_photos=4),
        schedule=configuration.Schedule(epochs=1, warmup_epochs=0),
    )
    keras.utils.set_random_seed(0)
    moco = make_moco(config)
    optimizer = make_optimizer(
        config.optimizer,
        config.learning_rate,
        config.schedule,
        len(batches),
        moco.trainable_variables,
    )
    step = TrainingStep(moco, optimizer, tf.distribute.get_strategy())
    before = _values(moco.trainable_variables)
    losses = [step(batch)["loss"] for batch in batches]
    return moco, before, np.array(losses)


@pytest.mark.slow  # traces two more steps
def test_sixteen_bits_train_like_thirty_two_and_keep_weights_and_queue_in_thirty_two():
    batches = list(StandIn(pairs=4).dataset().take(8))
    whole, _, expected = _trained("float32", batches)
    half, before, losses = _trained("bfloat16", batches)
    assert half.encoder.backbone.compute_dtype == "bfloat16"
    np.testing.assert_allclose(losses, expected, rtol=0.03)
    assert np.ptp(expected) > 0.5  # so that being near says something
    for variable, start in zip(half.trainable_variables, before, strict=True):
        assert keras.backend.standardize_dtype(variable.dtype) == "float32"
        assert np.abs(np.array(variable) - start).max() > 0, variable.path
    # Sixteen bits have 8 of mantissa; weights that were kept in them would have no more.
    kernel = np.array(half.encoder.backbone.stem.convolution.kernel)
    assert np.abs(kernel - tf.cast(tf.cast(kernel, "bfloat16"), "float32")).max() > 0
    for variable in (half.queue.keys, *half.statistics(half.query_network())):
        assert keras.backend.standardize_dtype(variable.dtype) == "float32"
    keys = np.array(half.queue.keys)
    np.testing.assert_allclose(np.linalg.norm(keys, axis=1), 1, rtol=1e-5)  # not of 16 bits
    for one, other in zip(keys, np.array(whole.queue.keys), strict=True):
        assert one @ other > 0.9
