"""One worker of two: reads TF_CONFIG, trains, and writes what it ended with.

Usage: python train_worker.py RUN_FOLDER OUT EPOCHS
"""

import sys

import numpy as np

from reiqa_tf.pretraining.contrastive import train_encoder
from reiqa_tf.training.checkpoints import CheckpointFolder
from reiqa_tf.training.replicas import worker_count, worker_index
from reiqa_tf.training.strategy import make_strategy
from tests.oracles.stand_in import StandIn
from tests.pretraining.test_replicas import worker_config


def main(folder, out, epochs):
    strategy = make_strategy()
    index, count = worker_index(strategy), worker_count(strategy)
    assert (count, strategy.num_replicas_in_sync) == (2, 2)
    config = worker_config(int(epochs))
    result = train_encoder(config, StandIn(worker=index, workers=2), folder, strategy)
    weights = {f"{i:03d}": each for i, each in enumerate(result.scorer.quality.get_weights())}
    np.savez(out, step=result.step, interrupted=result.interrupted, **weights)
    assert CheckpointFolder(f"{folder}/checkpoints", 2).newest() is not None or index > 0


if __name__ == "__main__":
    main(*sys.argv[1:])
