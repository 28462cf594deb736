"""One worker of two, with two devices: reads TF_CONFIG, trains, and writes what it ended with.

Usage: python train_worker.py RUN_FOLDER OUT EPOCHS [DIES_AT]
"""

import os
import signal
import sys

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.distribute import collective_all_reduce_strategy

from reiqa_tf.pretraining.contrastive import train_encoder
from reiqa_tf.training.checkpoints import CheckpointFolder
from reiqa_tf.training.replicas import worker_count, worker_index
from reiqa_tf.training.strategy import make_strategy
from tests.oracles.stand_in import StandIn
from tests.pretraining.test_replicas import worker_config


class _Dies(keras.callbacks.Callback):
    """Kills this process before a step, while the other workers wait for it."""

    def __init__(self, step):
        super().__init__()
        self.left = step

    def on_train_batch_begin(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def part_cpu():
    """Makes two devices of the processor. TensorFlow lets workers have several GPUs alone."""
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    strategy = collective_all_reduce_strategy.CollectiveAllReduceExtended
    strategy._initialize_local_devices = lambda _, __, worker: (
        tuple(f"{worker}/device:CPU:{i}" for i in range(2)),
        "CPU",
    )


def main(folder, out, epochs, dies_at=0):
    part_cpu()
    strategy = make_strategy()
    index, count = worker_index(strategy), worker_count(strategy)
    assert (count, strategy.num_replicas_in_sync) == (2, 4)
    result = train_encoder(
        worker_config(int(epochs)),
        StandIn(worker=index, workers=2),
        folder,
        strategy,
        [_Dies(int(dies_at))] if dies_at else [],
    )
    weights = {f"{i:03d}": each for i, each in enumerate(result.scorer.quality.get_weights())}
    np.savez(out, step=result.step, interrupted=result.interrupted, **weights)
    assert CheckpointFolder(f"{folder}/checkpoints", 2).newest() is not None or index > 0


if __name__ == "__main__":
    main(*sys.argv[1:])
