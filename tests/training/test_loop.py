"""The loop with an objective that has nothing to do with photos: a straight line."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.training.callbacks import BatchCallback
from reiqa_tf.training.checkpoints import CheckpointFolder
from reiqa_tf.training.history import read_history
from reiqa_tf.training.loop import train
from reiqa_tf.training.objective import TrainingError
from reiqa_tf.training.recipes import Checkpoints, Schedule, Sgd


class _Config:
    optimizer = Sgd(rate=0.1, per_photos=1, decay=0.0)
    schedule = Schedule(epochs=4, warmup_epochs=0)
    learning_rate = 0.1
    checkpoints = Checkpoints(every=3, keep=2)
    seed = 0


class _Line:
    """Learns y = 3 x; the rows of a step are a function of its number."""

    columns = ("loss", "error")
    counted = "points"
    config = _Config()
    steps_per_epoch = 5
    count_of_step = 8

    def __init__(self, slope=3.0):
        self.slope = slope
        self.described = {"config": {"slope": slope}}
        self.noted = []

    def check(self, replicas):
        assert replicas == 1

    def make_model(self, from_start):
        # Names of their own: checkpoints go by them, and Keras counts on in a process.
        layer = keras.layers.Dense(1, use_bias=False, name="slope")
        model = keras.Sequential([layer], name="line")
        model.build((None, 1))
        return model

    def rate_factors(self, model):
        return None

    def make_step(self, model, optimizer, strategy):
        def step(batch):
            with tf.GradientTape() as tape:
                differences = model(batch["x"]) - batch["y"]
                loss = tf.reduce_mean(differences**2)
            variables = [variable.value for variable in model.trainable_variables]
            optimizer.apply(tape.gradient(loss, variables))
            return {"loss": float(loss), "error": float(tf.reduce_mean(tf.abs(differences)))}

        return step

    def dataset(self, first_step):
        def rows(step):
            x = tf.random.stateless_normal((8, 1), tf.stack([step, 0]))
            return {"x": x, "y": self.slope * x}

        return tf.data.Dataset.range(first_step, 2**31).map(rows)

    def note(self, batch):
        self.noted.append(set(batch))


class _Watcher(BatchCallback):
    def __init__(self, stop_at=None):
        super().__init__()
        self.stop_at = stop_at
        self.seen = []

    def on_batch(self, step, batch):
        self.seen.append((step, batch["x"].shape))
        if step == self.stop_at:
            raise RuntimeError("power cut")


def _weights(folder):
    return CheckpointFolder(folder / "checkpoints", 2).newest().arrays


def test_another_objective_trains_with_columns_and_a_speed_of_its_own(tmp_path):
    objective, watcher = _Line(), _Watcher()
    trained = train(objective, tmp_path, callbacks=[watcher])
    assert (trained.step, trained.steps, trained.complete) == (20, 20, True)
    columns = read_history(tmp_path / "history.csv")
    assert list(columns) == [
        "step", "epoch", "loss", "error", "learning_rate", "points_per_second",
    ]  # fmt: skip
    assert columns["error"][-1] < 0.2 * columns["error"][0]
    assert json.loads((tmp_path / "config.json").read_text()) == {"config": {"slope": 3.0}}
    assert watcher.seen == [(step, (8, 1)) for step in range(20)]
    assert watcher.params == {"epochs": 4, "steps": 5}
    assert objective.noted == 20 * [{"x", "y"}]


def test_another_objective_goes_on_bit_for_bit_after_a_crash(tmp_path):
    train(_Line(), tmp_path / "whole")
    with pytest.raises(RuntimeError, match="power cut"):
        train(_Line(), tmp_path / "crashed", callbacks=[_Watcher(stop_at=7)])
    again = _Watcher()
    train(_Line(), tmp_path / "crashed", callbacks=[again])
    assert again.seen[0][0] == 6  # the newest checkpoint
    whole, crashed = _weights(tmp_path / "whole"), _weights(tmp_path / "crashed")
    assert set(whole) == set(crashed)
    for name, array in whole.items():
        np.testing.assert_array_equal(array, crashed[name], err_msg=name)


def test_another_objective_in_the_same_folder_is_refused(tmp_path):
    train(_Line(), tmp_path)
    with pytest.raises(TrainingError, match=r"config\.slope: 3\.0 and 2\.0"):
        train(_Line(slope=2.0), tmp_path)
