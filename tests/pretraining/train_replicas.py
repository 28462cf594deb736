"""Trains on eight logical CPUs; a process of its own, because TensorFlow bears one strategy each.

Usage: python train_replicas.py OUT
"""

import pathlib
import sys

import numpy as np

from reiqa_tf.training.strategy import make_strategy
from tests.pretraining.test_replicas import train


def main(out):
    strategy = make_strategy(replicas=8)
    assert strategy.num_replicas_in_sync == 8
    for synchronized in (False, True):
        name = pathlib.Path(out) / f"synchronized_{synchronized}.npz"
        np.savez(name, **train(strategy, synchronized=synchronized, parts=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
