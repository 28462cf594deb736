"""`reiqa tune` in processes of its own: by its command, on parts of a CPU, on workers, killed."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import reiqa_tf
from reiqa_tf.training.checkpoints import CheckpointFolder
from reiqa_tf.training.history import read_history
from tests.small_models import small_scorer
from tests.workers import cluster

pytestmark = pytest.mark.slow  # each process starts TensorFlow and compiles a run

ROOT = pathlib.Path(__file__).parents[2]

# The correlation within a batch is one within each replica's part: with it, two are not one. And
# Adam makes a whole step of a gradient that is nothing but rounding. A map that is 0 but for its
# rounding may fall on either side of ReLU: with seed 0, velocities of kernels differ by 5e-5.
CONFIG = """
from reiqa_tf.tuning import config

def get_config():
    return config.TuneConfig(
        optimizer=config.Sgd(1e-3, 8),
        schedule=config.Schedule(2, 0, 1e-5, 0.1),
        losses=config.LossWeights(huber=1.0, plcc=0.0, rank=0.0),
        batch_size=8, crop=32, held_out=0.4, averaging=0.5, seed=1,
        checkpoints=config.Checkpoints(every=2, keep=2),
    )
"""


@pytest.fixture(scope="module")
def folder(scored_crops, tmp_path_factory):
    """A preset of one small expert, a configuration, and what a run on one device came to."""
    folder = tmp_path_factory.mktemp("runs")
    small_scorer(content=None).save_to_preset(folder / "preset")
    (folder / "config.py").write_text(CONFIG)
    process = _start(folder, scored_crops, "one")
    printed = process.communicate()[0]
    assert process.returncode == 0
    assert "SRCC, quality expert tuned" in printed
    assert "SRCC, tuned scorer, held-out photos" in printed
    return folder


def _start(folder, scores, run, *more, **environment):
    command = [sys.executable, "-c", "from reiqa_tf.cli.main import run; run()", "tune", scores]
    command += ["--preset", folder / "preset", "--config", folder / "config.py"]
    command += ["--out", folder / run, "--no-cache", "--no-export", *more]
    return subprocess.Popen(
        list(map(str, command)),
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def _end(folder, run):
    return CheckpointFolder(folder / run / "quality" / "checkpoints", 2).newest()


def _assert_close(one, other):
    assert one.step == other.step == 8
    for name, array in one.arrays.items():
        difference = np.abs(array - other.arrays[name]).max()
        assert difference <= 1e-5 * max(1.0, np.abs(array).max()), (name, difference)


def test_the_command_leaves_a_preset(folder):
    scorer = reiqa_tf.load_preset(folder / "one" / "preset")
    score = scorer.score(np.full((64, 64, 3), 90, np.uint8))
    assert score.low <= score <= score.high


def test_two_replicas_are_one_device(folder, scored_crops):
    process = _start(folder, scored_crops, "replicas", "--replicas", 2)
    assert (process.communicate()[0], process.returncode)[1] == 0
    _assert_close(_end(folder, "one"), _end(folder, "replicas"))


def test_two_workers_are_one_device(folder, scored_crops):
    workers = [_start(folder, scored_crops, "workers", TF_CONFIG=task) for task in cluster(2)]
    try:
        for worker in workers:
            worker.communicate(timeout=300)
        assert [worker.returncode for worker in workers] == [0, 0]
    finally:
        for worker in workers:
            worker.kill()
    _assert_close(_end(folder, "one"), _end(folder, "workers"))
    assert (folder / "workers" / "preset").is_dir()


def test_a_run_that_was_killed_ends_as_one_that_was_not(folder, scored_crops):
    history = folder / "killed" / "quality" / "history.csv"
    for moment in (4,):
        process = _start(folder, scored_crops, "killed")
        while process.poll() is None:
            if history.exists() and len(history.read_text().splitlines()) > moment:
                process.send_signal(signal.SIGKILL)
            time.sleep(0.002)
        process.communicate()
    assert not (folder / "killed" / "preset").exists()
    last = _start(folder, scored_crops, "killed")
    last.communicate()
    assert last.returncode == 0
    one, two = _end(folder, "one"), _end(folder, "killed")
    assert one.step == two.step == 8
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(two.arrays[name], array, err_msg=name)
    losses = [
        read_history(folder / run / "quality" / "history.csv")["loss"] for run in ("one", "killed")
    ]
    np.testing.assert_array_equal(*losses)
