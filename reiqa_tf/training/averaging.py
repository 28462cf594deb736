"""Averages of weights along a run, which a checkpoint holds as it holds the weights."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from reiqa_tf.typing import Tensor


class AveragedWeights(keras.layers.Layer):
    """The exponential moving average of some variables.

    At step t, counted from 0, min(decay, (1 + t) / (10 + t)) of the average stays: a short run is
    not an average over its start.

    Args:
        variables: Keras variables. The average begins with their values when `start` is called.
        decay: how much of the average stays, from 0 to below 1.
        name: name of the layer.
    """

    def __init__(
        self, variables: Sequence[keras.Variable], decay: float, name: str = "averages"
    ) -> None:
        super().__init__(name=name, dtype="float32")
        if not 0 <= decay < 1:
            raise ValueError(f"decay: expected 0 to below 1. Received: {decay}")
        self.decay = decay
        self._sources = tuple(variables)
        self.averages = [
            self.add_weight(
                shape=variable.shape, initializer="zeros", trainable=False, name=f"average_{i:04d}"
            )
            for i, variable in enumerate(variables)
        ]
        self.built = True

    def start(self) -> None:
        """Begins anew with what the variables hold."""
        for average, source in zip(self.averages, self._sources, strict=True):
            average.assign(source.value)

    def follow(self, step: Tensor) -> None:
        """Moves the averages towards the variables.

        Args:
            step: number of steps before this one, an integer scalar.
        """
        step = tf.cast(step, tf.float32)
        stays = tf.minimum(self.decay, (1 + step) / (10 + step))
        for average, source in zip(self.averages, self._sources, strict=True):
            average.assign(stays * average.value + (1 - stays) * source.value)

    def values(self) -> list[np.ndarray]:
        """The averages as arrays, in the order of the variables."""
        return [average.numpy() for average in self.averages]
