"""Several replicas are one: the same batch on two devices, or in two processes, moves alike."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.pretraining import config as configuration
from reiqa_tf.pretraining.contrastive import train_encoder
from reiqa_tf.pretraining.moco import MoCo
from reiqa_tf.pretraining.step import TrainingStep
from reiqa_tf.training.checkpoints import CheckpointFolder
from reiqa_tf.training.history import read_history
from reiqa_tf.training.optimizers import LARS
from tests.oracles.stand_in import StandIn, tiny_config
from tests.workers import cluster

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
STEPS = 3


def train(strategy, synchronized, parts):
    """Three steps of 12 pairs; answers losses, variables by name, and the statistics."""
    with strategy.scope():
        keras.utils.set_random_seed(0)
        encoder = ReIQAEncoder(ResNetBackbone((1, 1), width=8))
        moco = MoCo(encoder, units=16, queue_size=40, synchronized=synchronized)
        moco.build((None, None, None, 3))
        optimizer = LARS(1.0)
        optimizer.build(moco.trainable_variables)
    step = TrainingStep(moco, optimizer, strategy, parts, seed=3)
    pipeline = StandIn(batch_size=6, pairs=2)
    batches = strategy.experimental_distribute_dataset(pipeline.dataset().take(STEPS))
    losses = [list(step(batch).values()) for batch in batches]
    values = {variable.path.replace("/", "."): variable.numpy() for variable in moco.variables}
    return {"losses": np.array(losses), **values}


def worker_config(epochs=1):
    """Epochs of two steps with batch normalisation over all workers."""
    contrast = configuration.Contrast(units=16, queue_size=50, synchronized=True)
    schedule = configuration.Schedule(epochs=epochs, warmup_epochs=0)
    optimizer = configuration.Lars(rate=1.0, per_photos=4)
    return tiny_config(contrast=contrast, schedule=schedule, optimizer=optimizer)


def _environment(**more):
    return {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", **more}


def _close(one, other):
    assert set(one) == set(other)
    for name in one:
        difference = np.abs(one[name] - other[name]).max()
        assert difference <= 1e-5 * max(1.0, np.abs(one[name]).max()), (name, difference)


@pytest.fixture(scope="module")
def two_replicas(tmp_path_factory):
    out = tmp_path_factory.mktemp("replicas")
    subprocess.run(
        [sys.executable, HERE / "train_replicas.py", out], env=_environment(), check=True
    )
    return lambda synchronized: dict(np.load(out / f"synchronized_{synchronized}.npz"))


@pytest.mark.slow  # in another process, which trains twice
def test_two_synchronised_replicas_are_one_replica_with_the_whole_batch(two_replicas):
    one = train(tf.distribute.get_strategy(), synchronized=True, parts=1)
    _close(one, two_replicas(True))
    assert one["losses"][1:, 0].min() > 1  # from the second step on there are real keys


@pytest.mark.slow  # in another process, which trains twice
def test_two_shuffled_replicas_are_one_replica_with_two_parts(two_replicas):
    one = train(tf.distribute.get_strategy(), synchronized=False, parts=2)
    _close(one, two_replicas(False))
    whole = train(tf.distribute.get_strategy(), synchronized=False, parts=1)
    assert np.abs(whole["losses"] - one["losses"]).max() > 1e-3  # so that equality says something


@contextlib.contextmanager
def _two_workers(folder, epochs):
    """Two processes that train together into `folder/two`; they are ended if need be."""
    program = HERE / "train_worker.py"
    workers = [
        subprocess.Popen(
            [sys.executable, program, folder / "two", folder / f"{i}.npz", str(epochs)],
            env=_environment(TF_CONFIG=task),
        )
        for i, task in enumerate(cluster(2))
    ]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


@pytest.mark.slow  # two more processes, which start TensorFlow and compile a run
def test_two_worker_processes_are_one_process(tmp_path):
    with _two_workers(tmp_path, epochs=1) as workers:
        one = train_encoder(worker_config(), StandIn(), tmp_path / "one")
        assert [worker.wait(timeout=300) for worker in workers] == [0, 0]
    first, second = (dict(np.load(tmp_path / f"{i}.npz")) for i in range(2))
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])
    assert (first.pop("step"), first.pop("interrupted")) == (2, False)
    _close({f"{i:03d}": a for i, a in enumerate(one.scorer.quality.get_weights())}, first)
    histories = [
        np.loadtxt(tmp_path / run / "history.csv", delimiter=",", skiprows=1)
        for run in ("one", "two")
    ]
    np.testing.assert_allclose(histories[0][:, 2], histories[1][:, 2], rtol=1e-5)
    assert (tmp_path / "two" / "preset").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("receiver", [0, 1])
def test_a_signal_to_one_worker_stops_both_after_the_same_step(tmp_path, receiver):
    history = tmp_path / "two" / "history.csv"
    with _two_workers(tmp_path, epochs=100_000) as workers:
        deadline = time.monotonic() + 200
        while not history.exists() or len(history.read_text().splitlines()) < 4:
            assert time.monotonic() < deadline
            assert [worker.poll() for worker in workers] == [None, None]
            time.sleep(0.05)
        workers[receiver].send_signal(signal.SIGTERM)
        assert [worker.wait(timeout=100) for worker in workers] == [0, 0]
    first, second = (dict(np.load(tmp_path / f"{i}.npz")) for i in range(2))
    assert first["interrupted"]
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)
    newest = CheckpointFolder(tmp_path / "two" / "checkpoints", 2).newest()
    assert newest.step == first["step"] >= 3
    assert read_history(history)["step"][-1] == newest.step
    assert not (tmp_path / "two" / "preset").exists()
