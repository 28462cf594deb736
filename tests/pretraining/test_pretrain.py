"""`reiqa_tf.pretrain`: what the command does, in one call."""

import dataclasses
import importlib.util
import os
import signal

import keras
import numpy as np
import pytest
from PIL import Image

import reiqa_tf
from reiqa_tf.data.scored_photos import read_scored_photos
from reiqa_tf.pretraining.config import ConfigError, ContentPairs, load_config
from reiqa_tf.remote import read_file, size_of
from reiqa_tf.training.objective import TrainingError

CONFIG = dataclasses.replace(load_config("smoke"), pairs=ContentPairs(patch=32))


@pytest.fixture(scope="module")
def scored(photo, tmp_path_factory):
    """Forty crops, the more coarse the lower their score."""
    folder = tmp_path_factory.mktemp("scored")
    generator = np.random.default_rng(0)
    lines = ["image,mos"]
    for i in range(40):
        y, x = generator.integers(400), generator.integers(600)
        crop = Image.fromarray(photo[y : y + 64, x : x + 64])
        coarse = crop.resize((64 >> (i % 4),) * 2).resize((64, 64), Image.Resampling.NEAREST)
        coarse.save(folder / f"{i}.png")
        lines.append(f"{i}.png,{4 - i % 4 + 0.01 * i}")
    (folder / "scores.csv").write_text("\n".join(lines) + "\n")
    return folder / "scores.csv"


class _Watcher(keras.callbacks.Callback):
    """Remembers the logs of epochs, and asks to stop after some steps."""

    def __init__(self, stop_after=None):
        super().__init__()
        self.left = stop_after
        self.epochs = []

    def on_train_batch_end(self, batch, logs=None):
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGINT)

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(dict(logs))


@pytest.mark.slow  # compiles distortions; tests/cli/test_pretrain.py looks at the folder of a run
def test_a_call_leaves_the_folder_and_returns_what_came_of_it(photos_folder, scored, tmp_path):
    watcher, display = _Watcher(), _Watcher()
    run = reiqa_tf.pretrain(
        photos_folder,
        tmp_path / "run",
        CONFIG,
        ["optimizer.rate=0.3"],
        probe=read_scored_photos(scored),
        tensorboard=True,
        callbacks=[watcher],
        display=display,
    )
    assert isinstance(run, reiqa_tf.Pretrained)
    assert (run.step, run.steps, run.interrupted, run.writes) == (2, 2, False, True)
    assert (run.photos, run.skipped, run.config.optimizer.rate) == (3, {}, 0.3)
    assert {path.name for path in run.folder.iterdir()} == {
        "checkpoints", "config.json", "curves.png", "history.csv", "preset", "probe.csv",
        "report.html", "tensorboard", "views.png",
    }  # fmt: skip
    assert [row.step for row in run.probes] == [0, 1, 2]
    assert run.retrievals == []
    assert np.isfinite(run.loss)
    # Callbacks of the caller's own see what was measured; the display comes before.
    assert [logs["probe_srcc"] for logs in watcher.epochs] == [row.srcc for row in run.probes[1:]]
    assert all("probe_srcc" not in logs for logs in display.epochs)
    preset = reiqa_tf.load_preset(run.folder / "preset")
    for ours, kept in zip(run.scorer.weights, preset.weights, strict=True):
        np.testing.assert_array_equal(ours, kept)


@pytest.mark.slow  # compiles distortions three times; tests of the engine stop runs in seconds
def test_ctrl_c_returns_and_the_same_call_goes_on_from_a_pack_and_on_a_store_too(
    photos_folder, tmp_path
):
    photos = sorted(photos_folder.glob("*.png"))
    whole = reiqa_tf.pretrain(photos, tmp_path / "whole", CONFIG)
    packed = reiqa_tf.pack(photos, tmp_path / "packed", shard_photos=2).folder
    is_remote = importlib.util.find_spec("fsspec") is not None
    out = "memory://run" if is_remote else str(tmp_path / "run")
    stopped = reiqa_tf.pretrain(packed, out, CONFIG, callbacks=[_Watcher(1)])
    assert (stopped.step, stopped.interrupted) == (1, True)
    assert size_of(f"{out}/checkpoints/step-000000001.npz") is not None
    assert size_of(f"{out}/preset/config.json") is None
    ended = reiqa_tf.pretrain(packed, out, CONFIG)
    assert (ended.step, ended.interrupted) == (2, False)
    assert os.fspath(ended.folder) == out
    assert size_of(f"{out}/preset/config.json") is not None
    assert read_file(f"{out}/history.csv").count(b"\n") == 3
    for one, other in zip(whole.scorer.weights, ended.scorer.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_cannot_be_is_said_before_anything_is_written(photos_folder, tmp_path):
    with pytest.raises(ConfigError, match="Did you mean quality_lite0"):
        reiqa_tf.pretrain(photos_folder, tmp_path / "run", "quality_lit0")
    with pytest.raises(ConfigError, match="Did you mean rate"):
        reiqa_tf.pretrain(photos_folder, tmp_path / "run", CONFIG, ["optimizer.rat=1"])
    with pytest.raises(TrainingError, match="at most as many as there are photos, 3"):
        reiqa_tf.pretrain(photos_folder, tmp_path / "run", CONFIG, ["batch_size=4"])
    assert not (tmp_path / "run").exists()
