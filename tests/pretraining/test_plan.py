"""What a run needs, counted before it is begun."""

import os
import pathlib
import subprocess
import sys

import pytest

import reiqa_tf
from reiqa_tf.cli.main import main, parse
from reiqa_tf.pretraining import config
from reiqa_tf.pretraining.content_views import ContentViews
from reiqa_tf.pretraining.pipelines import ViewPipeline
from reiqa_tf.pretraining.plan import StepMemory, measure_pairs_per_core
from reiqa_tf.pretraining.training_photos import training_photos
from reiqa_tf.training.objective import TrainingError
from tests.oracles.stand_in import SIDE, tiny_config

ROOT = pathlib.Path(__file__).parents[2]
PICTURE = SIDE * SIDE * 3


@pytest.fixture(scope="module")
def memory():
    """That of a step on four replicas."""
    return StepMemory(tiny_config(), replicas=4)


def test_state_and_pictures_are_those_of_the_configuration(memory):
    found = memory.of_replica(photos=100, parts=1)
    assert found.queue == 50 * 16 * 4 + 4  # keys and a pointer
    assert found.momentum == found.weights
    assert found.optimizer == found.gradients + 4 + 4  # a velocity each, rate and steps
    # 400 queries and keys, those of the next step, and the shuffled keys.
    assert found.pictures == 400 * PICTURE * 5
    assert found.total == sum(getattr(found, name) for name in (
        "weights", "momentum", "queue", "optimizer", "gradients", "pictures", "activations",
        "working",
    ))  # fmt: skip


def test_parts_share_what_is_kept_for_the_gradient(memory):
    whole, halves = (memory.of_replica(400, parts) for parts in (1, 2))
    assert whole.moment == halves.moment == "learning"
    assert halves.activations == pytest.approx(whole.activations / 2, rel=0.01)
    assert halves.pictures == whole.pictures
    # Keys of all replicas are shuffled as 16-bit floats, two copies at a time, however many parts.
    many = memory.of_replica(400, 1600)
    assert many.moment == "shuffling the keys"
    assert many.working + 1600 * PICTURE >= 2 * 4 * 1600 * PICTURE * 2


@pytest.mark.parametrize("parts", [1, 3])
def test_the_largest_batch_fits_and_a_larger_one_does_not(memory, parts):
    photos = memory.largest_batch(1e9, parts)
    assert photos * memory.pairs_per_photo % parts == 0
    assert memory.of_replica(photos, parts).total <= 1e9
    assert memory.of_replica(photos + parts, parts).total > 1e9
    assert memory.largest_batch(1000, parts) == 0


def test_steps_hours_and_cores_follow_from_photos_and_throughput(monkeypatch, memory):
    monkeypatch.setattr("reiqa_tf.pretraining.plan.StepMemory", lambda *_: memory)
    chosen = tiny_config(batch_size=8, schedule=config.Schedule(epochs=10))
    plan = reiqa_tf.plan_pretraining(
        [f"{i}.png" for i in range(100)], chosen, replicas=4, pairs_per_core=5.0,
        pairs_per_second=100.0,
    )  # fmt: skip
    assert (plan.pairs, plan.steps_per_epoch, plan.steps) == (32, 12, 120)
    assert plan.hours == pytest.approx(120 * 32 / 100 / 3600)
    assert plan.cores == pytest.approx(100 / 4 / 5)
    assert plan.host_bytes == 4 * 2 * 32 * PICTURE
    assert plan.by_parts[8][0] is not None
    assert plan.by_parts[16][0] is None  # eight pairs on each replica
    with pytest.raises(TrainingError, match="3 replicas can share"):
        reiqa_tf.plan_pretraining(["a.png"] * 8, chosen, replicas=3, pairs_per_core=5.0)


def test_the_command_shows_memory_batches_and_the_run_and_begins_nothing(
    memory, monkeypatch, capsys, photos_folder, tmp_path
):
    monkeypatch.setattr("reiqa_tf.pretraining.plan.StepMemory", lambda *_: memory)
    monkeypatch.chdir(tmp_path)
    command = f"reiqa pretrain {photos_folder} --config smoke --plan --replicas 1 --set parts=1"
    numbers = "--pairs-per-core 4 --pairs-per-second 8"
    assert main(parse([*command.split(), *numbers.split()])) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "smoke: 2 photos a step, 1 GPU, 1 part, float32",
        "kept for the gradient, of a part",
        "photos a step and GPU that fit",
        "in 24 GB in 40 GB in 80 GB",
        "pairs a second that a core prepares, as told 4.00",
        "hours at 8 pairs a second 0.0",
        "cores that feed each GPU at that pace 2.0",
    ):
        assert words in shown
    assert not list(tmp_path.iterdir())
    assert main(parse(["reiqa", "pretrain", str(photos_folder), "--config", "smoke"])) == 1
    assert "--out: expected a folder" in capsys.readouterr().err


@pytest.mark.slow  # compiles a pipeline
def test_how_fast_a_core_is_is_measured_on_the_photos_themselves(photos_folder, monkeypatch):
    monkeypatch.setattr("reiqa_tf.pretraining.plan._MEASURED_SECONDS", 0.5)
    pipeline = ViewPipeline(training_photos(photos_folder), ContentViews(patch=32), batch_size=3)
    assert 1 < measure_pairs_per_core(pipeline) < 1000


MEASURE = """
import tensorflow as tf
from reiqa_tf.pretraining.contrastive import ContrastiveObjective
from reiqa_tf.pretraining.plan import StepMemory
from tests.gpu_kernels import made_step
from tests.oracles.stand_in import StandIn, tiny_config

tf.config.threading.set_inter_op_parallelism_threads(1)
tf.config.threading.set_intra_op_parallelism_threads(1)
step = made_step(ContrastiveObjective(tiny_config(), StandIn()))
pictures = {name: tf.zeros((768, 32, 32, 3), tf.uint8) for name in ("query", "key")}
for _ in range(2):
    tf.config.experimental.reset_memory_stats("CPU:0")
    step(pictures)
measured = tf.config.experimental.get_memory_info("CPU:0")["peak"]
print(StepMemory(tiny_config()).of_replica(768 / 4, 1).total / measured)
"""


@pytest.mark.slow  # a process of its own, whose memory TensorFlow counts
def test_the_memory_that_is_counted_is_near_the_one_that_is_measured():
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPU_ALLOCATOR_USE_BFC": "1"}
    found = subprocess.run(
        [sys.executable, "-c", MEASURE],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    # What kernels for processors need for themselves is in no graph: of maps so small a fifth to
    # a third, by processor.
    assert 0.6 < float(found.stdout) < 1.05
