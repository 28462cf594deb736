"""Checkpoints are whole or not there, and damage is seen."""

import os
import resource
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from reiqa_tf.files import OutputError
from reiqa_tf.training.checkpoints import Checkpoint, CheckpointError, CheckpointFolder


def _checkpoint(step, size=1000):
    arrays = {"model/kernel": np.arange(size, dtype=np.float32) * step, "pointer": np.int32(step)}
    return Checkpoint(step, arrays, {"sums": {"loss": 0.1 * step}})


@pytest.fixture
def checkpoints(tmp_path):
    return CheckpointFolder(tmp_path / "checkpoints", keep=2)


def _names(checkpoints):
    return sorted(path.name for path in checkpoints.folder.iterdir())


def test_a_checkpoint_comes_back_bit_for_bit(checkpoints):
    saved = _checkpoint(3)
    checkpoints.save(saved)
    read = checkpoints.newest()
    assert (read.step, read.about) == (3, saved.about)
    assert set(read.arrays) == set(saved.arrays)
    for name, array in saved.arrays.items():
        assert read.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(read.arrays[name], array)


def test_the_newest_few_are_kept(checkpoints):
    assert checkpoints.newest() is None
    for step in (9, 10, 100, 1000):
        checkpoints.save(_checkpoint(step))
    assert _names(checkpoints) == ["step-000000100.npz", "step-000001000.npz"]
    assert checkpoints.newest().step == 1000


@pytest.mark.parametrize("damage", ["cut", "one bit", "empty", "zeros"])
def test_a_damaged_checkpoint_is_seen_and_the_one_before_taken(checkpoints, damage):
    checkpoints.save(_checkpoint(1))
    checkpoints.save(_checkpoint(2))
    path = checkpoints.folder / "step-000000002.npz"
    contents = bytearray(path.read_bytes())
    if damage == "one bit":
        contents[len(contents) // 2] ^= 1
    damaged = {"cut": contents[:-100], "empty": b"", "zeros": bytes(len(contents))}
    path.write_bytes(damaged.get(damage, contents))
    with pytest.warns(UserWarning, match="step-000000002.npz: damaged"):
        assert checkpoints.newest().step == 1


def test_damaged_ones_take_nobodys_place_and_halves_are_cleared(checkpoints):
    for step in (1, 2):
        checkpoints.save(_checkpoint(step))
    (checkpoints.folder / "step-000000003.npz").write_bytes(b"PK")
    half = checkpoints.folder / ".step-000000003.abc"
    half.mkdir()
    (half / "step-000000003.npz").write_bytes(b"PK")
    with pytest.warns(UserWarning, match="damaged"):
        newest = checkpoints.newest()
    checkpoints.clear_after(newest.step)
    checkpoints.save(_checkpoint(3))
    assert _names(checkpoints) == [
        "step-000000002.npz",
        "step-000000003.damaged",
        "step-000000003.npz",
    ]


def test_all_damaged_is_an_error_and_no_fresh_start(checkpoints):
    checkpoints.save(_checkpoint(1))
    (checkpoints.folder / "step-000000001.npz").write_bytes(b"nothing")
    with (
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(CheckpointError, match="all 1 checkpoints are damaged"),
    ):
        checkpoints.newest()


def test_a_full_disk_loses_nothing_that_was_saved(checkpoints):
    for step in (1, 2):
        checkpoints.save(_checkpoint(step))
    # The system refuses to write more than 64 KiB to a file, in the middle of the third one.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, limits[1]))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            checkpoints.save(_checkpoint(3, size=100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert _names(checkpoints) == ["step-000000001.npz", "step-000000002.npz"]
    assert checkpoints.newest().step == 2


def test_a_process_killed_while_it_saves_leaves_no_checkpoint_that_is_not_whole(tmp_path):
    code = f"""
        import numpy as np
        from reiqa_tf.training.checkpoints import Checkpoint, CheckpointFolder
        checkpoints = CheckpointFolder({str(tmp_path)!r}, keep=2)
        for step in range(1, 10_000):
            checkpoints.save(Checkpoint(step, {{"weights": np.full(200_000, step)}}, {{}}))
            print(step, flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if int(line) == 5:
            break
    process.kill()
    process.wait()
    process.stdout.close()
    newest = CheckpointFolder(tmp_path, keep=2).newest()
    assert newest.step >= 5
    assert (newest.arrays["weights"] == newest.step).all()
    assert os.listdir(tmp_path)
