"""Killed with SIGKILL at a random moment, a run ends as if nobody had touched it, bit for bit."""

import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from reiqa_tf.training.checkpoints import CheckpointFolder
from reiqa_tf.training.history import read_history

ROOT = pathlib.Path(__file__).parents[2]
KILLS = 1  # each start compiles for a minute; every run is killed at another step


def _start(photos, run):
    settings = ["schedule.epochs=12", "checkpoints.every=3", "parts=1"]
    program = "from reiqa_tf.cli.main import run; run()"
    command = [sys.executable, "-c", program, "pretrain", photos, "--out", run]
    command += ["--config", "smoke", *(word for each in settings for word in ("--set", each))]
    return subprocess.Popen(
        list(map(str, command)),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )


def _steps(run):
    try:
        steps = read_history(run / "history.csv")["step"]
    except (OSError, ValueError):
        return 0
    return int(steps[-1]) if len(steps) else 0


@pytest.mark.slow
def test_a_run_that_was_killed_ends_as_one_that_was_not(photos_folder, tmp_path):
    untouched, killed = tmp_path / "untouched", tmp_path / "killed"
    assert _start(photos_folder, untouched).wait() == 0
    generator = np.random.default_rng()
    # Steps at which to kill, then a random moment later: within a step, or within a checkpoint.
    moments = np.sort(generator.choice(np.arange(1, 10), KILLS, replace=False))
    for moment in moments:
        process = _start(photos_folder, killed)
        while _steps(killed) < moment and process.poll() is None:
            time.sleep(0.002)
        time.sleep(generator.uniform(0, 0.05))
        process.kill()
        process.wait()
    assert not (killed / "preset").exists()
    assert _start(photos_folder, killed).wait() == 0
    one, two = (CheckpointFolder(run / "checkpoints", 2).newest() for run in (untouched, killed))
    assert one.step == two.step == 12
    assert one.about == two.about
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, two.arrays[name], err_msg=f"{name}, {moments}")
    # The same losses to the last bit, so the same photos and views in the same order.
    histories = [read_history(run / "history.csv") for run in (untouched, killed)]
    for name in ("step", "epoch", "loss", "accuracy", "learning_rate"):
        np.testing.assert_array_equal(histories[0][name], histories[1][name], err_msg=name)
