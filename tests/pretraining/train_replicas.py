"""Trains on logical CPUs; a process of its own, because TensorFlow bears one strategy each.

Usage: python train_replicas.py OUT REPLICAS SYNCHRONIZED
"""

import sys

import numpy as np

from reiqa_tf.training.strategy import make_strategy
from tests.pretraining.test_replicas import train


def main(out, replicas, synchronized):
    strategy = make_strategy(replicas=int(replicas))
    assert strategy.num_replicas_in_sync == int(replicas)
    np.savez(out, **train(strategy, synchronized=synchronized == "True", parts=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
