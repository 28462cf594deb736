"""What only a machine with Nvidia's GPUs can show; `perf/gpu.sh` runs it there."""

import ctypes
import os
import re

import numpy as np
import pytest

import reiqa_tf

pytestmark = pytest.mark.gpu

SCORES_MAY_DIFFER = 1e-4
"""Of a scale from 0 to 1: sums in another order. With TensorFloat-32, which tests switch off and
Keras leaves on, expect 100 times that."""

_COMPUTES = re.compile(r"Conv2D|MatMul|BatchNorm|MaxPool|Relu|Momentum|Adam|LogSumExp|BiasAdd")
"""Operators of which none may be left on the host."""


@pytest.fixture(scope="module", autouse=True)
def gpus():
    """The GPUs of the machine, each of which computes in whole float32."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "-1":
        pytest.skip("tests hide GPUs from TensorFlow; perf/gpu.sh shows them to these")
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    if not found:
        pytest.skip("no GPU was found")
    tf.config.experimental.enable_tensor_float_32_execution(False)
    for gpu in found:
        tf.config.experimental.set_memory_growth(gpu, True)
    return found


def test_scores_are_those_of_the_processor(photo):
    import tensorflow as tf

    scores = {}
    for place in ("CPU:0", "GPU:0"):
        with tf.device(place):
            scorer = reiqa_tf.ReIQAScorer.from_preset("reiqa_lite0_biq2021")
            images = tf.constant(np.stack([photo[:384, :512], photo[-384:, -512:]]))
            scores[place] = scorer(images).numpy()
    np.testing.assert_allclose(scores["GPU:0"], scores["CPU:0"], atol=SCORES_MAY_DIFFER)


def _places(step, batch, capfd):
    """Where each operator of a step was placed: types by `CPU` and `GPU`."""
    import tensorflow as tf

    capfd.readouterr()
    tf.debugging.set_log_device_placement(True)
    try:
        step(batch)
    finally:
        tf.debugging.set_log_device_placement(False)
    ctypes.CDLL(None).fflush(None)  # TensorFlow prints places past Python
    said = "".join(capfd.readouterr())
    found = {"CPU": set(), "GPU": set()}
    for operator, place in re.findall(r"\((\w+)\): \S*device:(CPU|GPU):", said):
        found[place].add(operator)
    return found


def _assert_on_gpu(places):
    assert any("Conv2DBackpropFilter" in operator for operator in places["GPU"])
    assert {operator for operator in places["CPU"] if _COMPUTES.search(operator)} == set()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_pretraining_step_computes_nothing_on_the_host(precision, capfd):
    from reiqa_tf.pretraining.contrastive import ContrastiveObjective
    from tests.gpu_kernels import made_step
    from tests.oracles.stand_in import StandIn, tiny_config

    objective = ContrastiveObjective(tiny_config(precision=precision), StandIn())
    step = made_step(objective)
    (batch,) = objective.dataset(0).take(1)
    _assert_on_gpu(_places(step, batch, capfd))
    assert np.isfinite(step(batch)["loss"])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_tuning_step_computes_nothing_on_the_host(precision, capfd):
    import dataclasses

    import tensorflow as tf

    from tests.tuning.test_gpu_ready import BATCH, CONFIG, step_of

    config = dataclasses.replace(CONFIG, precision=precision, freezes_normalization=False)
    batch = {name: tf.ones(spec.shape, spec.dtype) for name, spec in BATCH.items()}
    _assert_on_gpu(_places(step_of(config), batch, capfd))


def test_the_memory_that_is_planned_is_the_one_that_is_needed():
    """Within a third; cuDNN's workspaces are in no graph."""
    import tensorflow as tf

    from reiqa_tf.pretraining.contrastive import ContrastiveObjective
    from reiqa_tf.pretraining.plan import StepMemory
    from tests.gpu_kernels import made_step
    from tests.oracles.stand_in import StandIn, tiny_config

    step = made_step(ContrastiveObjective(tiny_config(), StandIn()))
    pictures = {name: tf.zeros((4096, 32, 32, 3), tf.uint8) for name in ("query", "key")}
    step(pictures)
    tf.config.experimental.reset_memory_stats("GPU:0")
    step(pictures)
    measured = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    planned = StepMemory(tiny_config()).of_replica(4096 / 4, 1).total
    assert planned == pytest.approx(measured, rel=0.33)


def test_all_gpus_together_are_one_device(gpus):
    import tensorflow as tf

    from tests.pretraining.test_replicas import assert_close, train

    if 8 % len(gpus):
        pytest.skip(f"eight photos cannot be shared by {len(gpus)} GPUs")
    one = train(tf.distribute.get_strategy(), synchronized=True, parts=1)
    all_of_them = train(tf.distribute.MirroredStrategy(), synchronized=True, parts=1)
    assert_close(one, all_of_them, 1e-4)
