"""Momentum contrast: a query network that learns and a key network that follows it."""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
import tensorflow as tf
from keras import ops

from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.normalization import batch_normalizations
from reiqa_tf.pretraining.config import Contrast
from reiqa_tf.pretraining.info_nce import info_nce, is_nearest, similarities
from reiqa_tf.pretraining.key_queue import KeyQueue
from reiqa_tf.pretraining.projection import ProjectionHead
from reiqa_tf.typing import Shape, Tensor

Network: TypeAlias = tuple[keras.Model, keras.Layer]
"""An encoder and the head upon it."""


@keras.saving.register_keras_serializable(package="reiqa_tf")
class MoCo(keras.Model):
    """An encoder with all that teaches it: heads, momentum network and queue of keys.

    `moco(images)` returns the queries, `moco.embed_keys(images)` the keys; `contrast` compares
    them with each other and with the queue. Nothing but `follow` and `enqueue` changes the state,
    batch normalisation's moving statistics apart.

    The momentum network starts as a copy of the query network, when the model is built, and is
    never trained; its batch normalisation uses the statistics of its batch, as the paper's does,
    unless it is frozen.

    Args:
        encoder: a `ReIQAEncoder`, built or not. What it learns from are pictures at one scale.
        units: numbers in an embedding.
        hidden_units: width of the heads' hidden layer; None is the width of the features.
        queue_size: number of keys in the queue.
        temperature: of the loss.
        momentum: share that the momentum network keeps of itself at each step.
        synchronized: whether batch normalisation has its statistics from all replicas. If not,
            queries and keys must not be normalised with the same others: see `TrainingStep`.
        frozen_normalization: whether batch normalisation stays as the encoder has it: moving
            statistics in place of the batch's, factors and offsets that nothing changes. For
            encoders that know something already.
        name: name of the model.
        **kwargs: further arguments of `keras.Model`.

    Raises:
        ValueError: if a number is out of its range.

    Example:
    ```python
    import keras

    from reiqa_tf.models.encoder import ReIQAEncoder
    from reiqa_tf.models.resnet import ResNetBackbone
    from reiqa_tf.pretraining.moco import MoCo

    moco = MoCo(ReIQAEncoder(ResNetBackbone((1, 1), width=8)), queue_size=100)
    moco.build((None, None, None, 3))
    queries, keys = keras.random.uniform((2, 4, 32, 32, 3))
    losses, nearest = moco.contrast(moco(queries, training=True), moco.embed_keys(keys))
    assert losses.shape == nearest.shape == (4,)
    ```

    Reference:
        He et al., Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020
        (arXiv 1911.05722). The numbers are those of Re-IQA (arXiv 2304.00451) and its code.
    """

    def __init__(
        self,
        encoder: ReIQAEncoder,
        units: int = Contrast.units,
        hidden_units: int | None = Contrast.hidden_units,
        queue_size: int = Contrast.queue_size,
        temperature: float = Contrast.temperature,
        momentum: float = Contrast.momentum,
        synchronized: bool = Contrast.synchronized,
        frozen_normalization: bool = Contrast.frozen_normalization,
        name: str = "moco",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, autocast=False, **kwargs)
        if not (temperature > 0 and 0 <= momentum <= 1):
            raise ValueError(
                "expected a temperature above 0 and a momentum from 0 to 1. "
                f"Received: temperature={temperature}, momentum={momentum}"
            )
        self.units = units
        self.hidden_units = hidden_units
        self.queue_size = queue_size
        self.temperature = temperature
        self.momentum = momentum
        self.synchronized = synchronized
        self.frozen_normalization = frozen_normalization
        self.encoder = encoder
        self.head = ProjectionHead(units, hidden_units, dtype=self.dtype_policy)
        self.momentum_encoder = type(encoder).from_config(
            {**encoder.get_config(), "name": "momentum_encoder"}
        )
        self.momentum_head = ProjectionHead(
            units, hidden_units, dtype=self.dtype_policy, name="momentum_head"
        )
        self.queue = KeyQueue(queue_size, units)

    def build(self, input_shape: Shape) -> None:
        """Creates the weights for images of `input_shape`, `(N, H, W, 3)`."""
        features = (None, self.encoder.feature_count // 2)
        for encoder in (self.encoder, self.momentum_encoder):
            if not encoder.built:
                encoder.build(input_shape)
        self.head.build(features)
        self.momentum_head.build(features)
        self.queue.build()
        for source, copy in zip(self.query_network(), self.momentum_network(), strict=True):
            for variable, follower in zip(source.variables, copy.variables, strict=True):
                follower.assign(variable)
                # One by one: `layer.trainable = False` would also put batch normalisation into
                # inference mode.
                follower.trainable = False
        for network in (self.query_network(), self.momentum_network()):
            for layer in batch_normalizations(network):
                layer.synchronized = self.synchronized
                if self.frozen_normalization:
                    layer.trainable = False  # in Keras that is inference mode, too

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Computes the queries of images.

        Args:
            images: `(N, H, W, 3)`, RGB, floats in [0, 1] or integer levels 0 to 255.
            training: whether batch normalisation uses the statistics of the batch.

        Returns:
            float32 tensor `(N, units)`, rows of length 1.
        """
        return self.head(self.encoder.features_at_one_scale(images, training=training))

    def embed_keys(self, images: Tensor) -> Tensor:
        """Computes the keys of images, by the momentum network; no gradient goes through it.

        Args:
            images: as in `call`.

        Returns:
            as `call`.
        """
        features = self.momentum_encoder.features_at_one_scale(images, training=True)
        return ops.stop_gradient(self.momentum_head(features))

    def contrast(self, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Compares queries with their own keys and with those in the queue.

        Args:
            queries: `(N, units)`, as `call` returns them.
            keys: `(N, units)`, as `embed_keys` returns them; row n belongs to query n.

        Returns:
            losses, float32 `(N,)`, and whether the own key was the nearest, bool `(N,)`.
        """
        compared = similarities(queries, keys, self.queue.keys, self.temperature)
        return info_nce(*compared), is_nearest(*compared)

    def follow(self) -> None:
        """Moves the momentum network a little towards the query network.

        Weights follow; the moving statistics of batch normalisation are each network's own.
        """
        for source, copy in zip(self.query_network(), self.momentum_network(), strict=True):
            for variable, follower in zip(source.variables, copy.variables, strict=True):
                if variable.trainable:
                    # One operation that moves in place; `m f + (1 - m) v` would be three.
                    tf.raw_ops.ResourceApplyGradientDescent(
                        var=follower.value.handle,
                        alpha=tf.constant(1 - self.momentum, follower.dtype),
                        delta=follower - variable,
                    )

    def enqueue(self, keys: Tensor) -> None:
        """Puts keys `(N, units)`, of all replicas, into the queue; see `KeyQueue.enqueue`."""
        self.queue.enqueue(keys)

    def query_network(self) -> Network:
        """The encoder and the head that learn."""
        return self.encoder, self.head

    def momentum_network(self) -> Network:
        """The encoder and the head that follow."""
        return self.momentum_encoder, self.momentum_head

    def statistics(self, network: Network) -> list[keras.Variable]:
        """Moving means and variances of batch normalisation in a network.

        Args:
            network: what `query_network` or `momentum_network` returns.

        Returns:
            list of variables.
        """
        return [
            variable
            for layer in batch_normalizations(network)
            for variable in (layer.moving_mean, layer.moving_variance)
        ]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this model again."""
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "units": self.units,
            "hidden_units": self.hidden_units,
            "queue_size": self.queue_size,
            "temperature": self.temperature,
            "momentum": self.momentum,
            "synchronized": self.synchronized,
            "frozen_normalization": self.frozen_normalization,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MoCo:
        """Makes a model from what `get_config` returned."""
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})
