"""Steps against NumPy in double precision, with the formulas written out."""

import keras
import numpy as np
import pytest

from reiqa_tf.training.optimizers import LARS, MomentumSGD, make_optimizer
from reiqa_tf.training.recipes import AdamW, Lars, Schedule, Sgd


def _run(optimizer, starts, gradients, rates):
    variables = [keras.Variable(start) for start in starts]
    for step, rate in zip(gradients, rates, strict=True):
        optimizer.learning_rate = rate
        optimizer.apply_gradients(zip(step, variables, strict=True))
    return [np.asarray(variable) for variable in variables]


@pytest.fixture
def problem():
    generator = np.random.default_rng(0)
    shapes = [(3, 3, 4, 8), (8,), (5, 6), (1,)]
    starts = [generator.normal(size=shape).astype(np.float32) for shape in shapes]
    gradients = [
        [generator.normal(scale=0.1, size=shape).astype(np.float32) for shape in shapes]
        for _ in range(4)
    ]
    return starts, gradients, [0.5, 2.0, 0.1, 1.0]


def test_lars_is_the_formula_of_the_recipe(problem):
    starts, gradients, rates = problem
    expected = []
    for i, start in enumerate(starts):
        weights, velocity = start.astype(float), np.zeros(start.shape)
        for step, rate in zip(gradients, rates, strict=True):
            change = step[i].astype(float)
            if weights.ndim > 1:
                change = change + 1e-4 * weights
                change = change * 1e-3 * np.linalg.norm(weights) / np.linalg.norm(change)
            velocity = 0.9 * velocity + change
            weights = weights - rate * velocity
        expected.append(weights)
    for received, wanted in zip(_run(LARS(1.0), *problem), expected, strict=True):
        np.testing.assert_allclose(received, wanted, rtol=1e-5, atol=1e-7)


def test_sgd_decays_inside_the_gradient_and_scales_by_the_rate_of_the_moment(problem):
    starts, gradients, rates = problem
    expected = []
    for i, start in enumerate(starts):
        weights, velocity = start.astype(float), np.zeros(start.shape)
        for step, rate in zip(gradients, rates, strict=True):
            velocity = 0.9 * velocity + (step[i] + 0.01 * weights)
            weights = weights - rate * velocity
        expected.append(weights)
    received = _run(MomentumSGD(1.0, decay=0.01), *problem)
    for each, wanted in zip(received, expected, strict=True):
        np.testing.assert_allclose(each, wanted, rtol=1e-5, atol=1e-6)


def test_weights_that_are_all_zero_still_move():
    start, gradient = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)
    (moved,) = _run(LARS(0.5), [start], [[gradient]], [0.5])
    np.testing.assert_allclose(moved, -0.5)


def test_a_gradient_of_zero_moves_nothing_into_nan():
    start = np.zeros((2, 3), np.float32)
    (moved,) = _run(LARS(0.5), [start], [[start]], [0.5])
    np.testing.assert_array_equal(moved, start)


def test_an_optimizer_is_made_again_from_its_configuration():
    optimizer = LARS(0.3, momentum=0.8, decay=1e-5, trust=1e-2)
    again = LARS.from_config(optimizer.get_config())
    assert (again.momentum, again.decay, again.trust) == (0.8, 1e-5, 1e-2)
    assert float(again.learning_rate) == pytest.approx(0.3)


@pytest.mark.parametrize("wrong", [{"momentum": 1.0}, {"decay": -1.0}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="Received: momentum"):
        LARS(0.1, **wrong)


@pytest.mark.parametrize("recipe", [AdamW(0.1, 1, 0.0), Sgd(0.1, 1), Lars(0.1, 1, trust=1.0)])
def test_a_factor_on_the_rate_of_a_variable_is_one_on_its_move(recipe):
    start = np.linspace(1, 2, 6, dtype=np.float32).reshape(2, 3)
    variables = [keras.Variable(start), keras.Variable(start)]
    schedule = Schedule(epochs=1, warmup_epochs=0)
    optimizer = make_optimizer(recipe, 0.1, schedule, 10, variables, [1.0, 0.25])
    for _ in range(3):
        before = [np.asarray(variable) for variable in variables]
        optimizer.apply([keras.ops.convert_to_tensor(start)] * 2)
        moves = [np.asarray(v) - old for v, old in zip(variables, before, strict=True)]
        if isinstance(recipe, AdamW):  # the others' gradients decay with the weights themselves
            np.testing.assert_allclose(moves[1], 0.25 * moves[0], rtol=1e-4, atol=1e-7)
        else:
            assert (np.abs(moves[1]) < 0.3 * np.abs(moves[0])).all()


def test_the_second_optimizer_of_a_process_has_the_names_of_the_first():
    # Checkpoints go by names: a run may go on in the process that began it.
    paths = []
    for _ in range(2):
        variable = keras.Variable([1.0], name="weights")
        made = make_optimizer(AdamW(0.1, 1), 0.1, Schedule(1, 0), 10, [variable])
        paths.append([own.path for own in made.variables])
    assert paths[0] == paths[1]
    assert paths[0][0] == "adam_w/iteration"
