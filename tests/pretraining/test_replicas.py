"""Several replicas are one: the same batch on eight devices, or on two of each of two workers."""

import contextlib
import os
import pathlib
import shutil
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
    """Three steps of 16 pairs; returns losses, variables by name, and the statistics."""
    with strategy.scope():
        keras.utils.set_random_seed(0)
        encoder = ReIQAEncoder(ResNetBackbone((1,), width=8))  # eight of them are compiled
        moco = MoCo(encoder, units=16, queue_size=40, synchronized=synchronized)
        moco.build((None, None, None, 3))
        optimizer = LARS(1.0)
        optimizer.build(moco.trainable_variables)
    step = TrainingStep(moco, optimizer, strategy, parts, seed=3)
    pipeline = StandIn(batch_size=8, pairs=2)
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


def assert_close(one, other, tolerance=1e-5):
    """Two runs ended with the same numbers, but for rounding."""
    assert set(one) == set(other)
    for name in one:
        difference = np.abs(one[name] - other[name]).max()
        assert difference <= tolerance * max(1.0, np.abs(one[name]).max()), (name, difference)


def _on_replicas(out, replicas, synchronized):
    """What `train` returns on parts of a CPU, in another process."""
    command = [sys.executable, HERE / "train_replicas.py", out, replicas, synchronized]
    subprocess.run(list(map(str, command)), env=_environment(), check=True)
    return _arrays(out)


def _arrays(path):
    with np.load(path) as stored:
        return dict(stored)


@pytest.mark.slow  # compiles eight replicas
def test_eight_synchronised_replicas_are_one_replica_with_the_whole_batch(tmp_path):
    one = train(tf.distribute.get_strategy(), synchronized=True, parts=1)
    assert_close(one, _on_replicas(tmp_path / "eight.npz", 8, synchronized=True))
    assert one["losses"][1:, 0].min() > 1  # from the second step on there are real keys


@pytest.mark.slow  # compiles two replicas
def test_two_shuffled_replicas_are_one_replica_with_two_parts(tmp_path):
    one = train(tf.distribute.get_strategy(), synchronized=False, parts=2)
    assert_close(one, _on_replicas(tmp_path / "two.npz", 2, synchronized=False))
    whole = train(tf.distribute.get_strategy(), synchronized=False, parts=1)
    assert np.abs(whole["losses"] - one["losses"]).max() > 1e-3  # so that equality says something


@contextlib.contextmanager
def _two_workers(folder, epochs, dies_at=()):
    """Two processes of two devices that train together into `folder/two`; ended if need be.

    `dies_at` names a step before which the second of them kills itself.
    """
    workers = []
    for i, task in enumerate(cluster(2)):
        command = [sys.executable, HERE / "train_worker.py", folder / "two", folder / f"{i}.npz"]
        command += [epochs, *(dies_at if i == 1 else ())]
        workers.append(
            subprocess.Popen(
                list(map(str, command)),
                env=_environment(TF_CONFIG=task),
                stderr=subprocess.PIPE if dies_at and i == 0 else None,
                text=True,
            )
        )
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run of two workers of which one was killed; how the other ended, and what it said."""
    folder = tmp_path_factory.mktemp("killed")
    with _two_workers(folder, epochs=3, dies_at=[6]) as (first, second):
        assert second.wait(timeout=600) == -signal.SIGKILL
        since = time.monotonic()
        _, said = first.communicate(timeout=600)
    return folder, first.returncode, said, time.monotonic() - since


@pytest.mark.slow  # two more processes, which start TensorFlow and compile a run
def test_a_worker_whose_partner_is_killed_ends_with_a_line_and_does_not_wait(killed):
    folder, code, said, seconds = killed
    assert code == 1
    assert "another worker is gone" in said
    assert "Start all workers again to go on" in said
    assert seconds < 120
    assert CheckpointFolder(folder / "two" / "checkpoints", 2).newest().step == 4
    assert read_history(folder / "two" / "history.csv")["step"][-1] == 5


@pytest.mark.slow  # likewise
def test_the_run_goes_on_with_the_same_workers_or_one_to_what_one_process_comes_to(
    killed, tmp_path
):
    folder = killed[0]
    before = read_history(folder / "two" / "history.csv")
    shutil.copytree(folder / "two", tmp_path / "alone")
    with _two_workers(folder, epochs=3) as workers:
        untouched = train_encoder(worker_config(3), StandIn(), tmp_path / "one")
        alone = train_encoder(worker_config(3), StandIn(), tmp_path / "alone")
        assert [worker.wait(timeout=600) for worker in workers] == [0, 0]
    first, second = (_arrays(folder / f"{i}.npz") for i in range(2))
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])
    assert (first.pop("step"), first.pop("interrupted")) == (6, False)
    one, other = (
        {f"{i:03d}": array for i, array in enumerate(run.scorer.quality.get_weights())}
        for run in (untouched, alone)
    )
    assert_close(one, first)
    assert_close(one, other)
    after = read_history(folder / "two" / "history.csv")
    # The step that was lost is made again from the same weights and pictures, to the last bit.
    for name in ("loss", "accuracy", "learning_rate"):
        np.testing.assert_array_equal(after[name][:5], before[name], err_msg=name)
    history = read_history(tmp_path / "one" / "history.csv")
    np.testing.assert_allclose(after["loss"], history["loss"], rtol=1e-5)
    assert (folder / "two" / "preset").is_dir()


@pytest.mark.slow
def test_a_signal_to_one_worker_stops_both_after_the_same_step(tmp_path):
    receiver = 1  # not the one that writes
    history = tmp_path / "two" / "history.csv"
    with _two_workers(tmp_path, epochs=100_000) as workers:
        deadline = time.monotonic() + 200
        while not history.exists() or len(history.read_text().splitlines()) < 4:
            assert time.monotonic() < deadline
            assert [worker.poll() for worker in workers] == [None, None]
            time.sleep(0.05)
        workers[receiver].send_signal(signal.SIGTERM)
        assert [worker.wait(timeout=100) for worker in workers] == [0, 0]
    first, second = (_arrays(tmp_path / f"{i}.npz") for i in range(2))
    assert first["interrupted"]
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)
    newest = CheckpointFolder(tmp_path / "two" / "checkpoints", 2).newest()
    assert newest.step == first["step"] >= 3
    assert read_history(history)["step"][-1] == newest.step
    assert not (tmp_path / "two" / "preset").exists()
