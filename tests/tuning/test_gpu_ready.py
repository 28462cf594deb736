"""The graphs of real tuning steps have a GPU kernel for each operator, though no GPU is here."""

import dataclasses
import sys

import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.training import recipes
from reiqa_tf.tuning.batches import TuningBatches
from reiqa_tf.tuning.config import TuneConfig
from reiqa_tf.tuning.objective import TuneObjective
from tests.gpu_kernels import assert_ready, made_step, new_graphs
from tests.small_models import small_scorer

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="wheels of other systems register no CUDA kernels"
)

CONFIG = TuneConfig(
    optimizer=recipes.AdamW(1e-3, 4),
    schedule=recipes.Schedule(epochs=1, warmup_epochs=0),
    batch_size=4,
    crop=32,
    ladders=2,
    ladder_levels=2,
)


# All that a step can learn from: photos, ladders and pairs.
BATCH = {
    "image": tf.TensorSpec((4, 32, 32, 3), tf.uint8),
    "score": tf.TensorSpec((4,)),
    "weight": tf.TensorSpec((4,)),
    "ladder": tf.TensorSpec((2, 2, 32, 32, 3), tf.uint8),
    "ladder_weight": tf.TensorSpec((2,)),
    "pair": tf.TensorSpec((2, 2, 32, 32, 3), tf.uint8),
    "pair_weight": tf.TensorSpec((2,)),
}


def step_of(config):
    """A step of a small scorer that learns from photos, ladders and pairs."""
    size = np.full((4, 2), 32)
    batches = TuningBatches(
        ["photo"] * 4, np.linspace(0, 1, 4), size, 4, 32, ladders=2,
        pair_paths=[("photo", "photo")] * 2, pair_sizes=size[:2], pairs=2,
    )  # fmt: skip
    return made_step(TuneObjective(config, small_scorer(content=None), batches))


@pytest.mark.slow  # traces four steps
@pytest.mark.parametrize(
    "changes",
    [
        {"freezes_normalization": False, "optimizer": recipes.Sgd(1e-3, 4)},
        {"precision": "bfloat16"},
    ],
    ids=["learning, SGD", "frozen in bfloat16"],
)
def test_tuning_finds_a_kernel_for_each_operator(changes):
    step = step_of(dataclasses.replace(CONFIG, **changes))
    with new_graphs() as graphs:
        step._compiled.get_concrete_function(BATCH)
    assert_ready(graphs)
