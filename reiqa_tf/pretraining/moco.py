"""Momentum contrast: a query network that learns and a key network that follows it."""

import keras
import tensorflow as tf
from keras import ops

from reiqa_tf.pretraining.info_nce import info_nce, is_nearest, similarities
from reiqa_tf.pretraining.key_queue import KeyQueue
from reiqa_tf.pretraining.projection import ProjectionHead


@keras.saving.register_keras_serializable(package="reiqa_tf")
class MoCo(keras.Model):
    """An encoder with all that teaches it: heads, momentum network and queue of keys.

    `moco(images)` answers the queries, `moco.embed_keys(images)` the keys; `contrast` compares
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
            queries and keys must not be normalised in the same company: see `TrainingStep`.
        frozen_normalization: whether batch normalisation stays as the encoder has it: moving
            statistics in place of the batch's, factors and offsets that nothing changes. For
            encoders that know something already.
        name: name of the model.
        **kwargs: further arguments of `keras.Model`.

    Raises:
        ValueError: if a number is out of its range.

    Example:
    ```python
    moco = MoCo(ReIQAEncoder(ResNetBackbone()))
    moco.build((None, None, None, 3))
    losses, nearest = moco.contrast(moco(queries, training=True), moco.embed_keys(keys))
    ```

    Reference:
        He et al., Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020
        (arXiv 1911.05722). The numbers are those of Re-IQA (arXiv 2304.00451) and its code.
    """

    def __init__(
        self,
        encoder,
        units=128,
        hidden_units=None,
        queue_size=65_536,
        temperature=0.2,
        momentum=0.999,
        synchronized=False,
        frozen_normalization=False,
        name="moco",
        **kwargs,
    ):
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

    def build(self, input_shape):
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

    def call(self, images, training=None):
        """Answers the queries of images.

        Args:
            images: `(N, H, W, 3)`, RGB, floats in [0, 1] or integer levels 0 to 255.
            training: whether batch normalisation uses the statistics of the batch.

        Returns:
            float32 tensor `(N, units)`, rows of length 1.
        """
        return self.head(self.encoder.features_at_one_scale(images, training=training))

    def embed_keys(self, images):
        """Answers the keys of images, by the momentum network; no gradient goes through it.

        Args:
            images: as in `call`.

        Returns:
            as `call`.
        """
        features = self.momentum_encoder.features_at_one_scale(images, training=True)
        return ops.stop_gradient(self.momentum_head(features))

    def contrast(self, queries, keys):
        """Compares queries with their own keys and with those in the queue.

        Args:
            queries: `(N, units)`, as `call` answers them.
            keys: `(N, units)`, as `embed_keys` answers them; row n belongs to query n.

        Returns:
            losses, float32 `(N,)`, and whether the own key was the nearest, bool `(N,)`.
        """
        compared = similarities(queries, keys, self.queue.keys, self.temperature)
        return info_nce(*compared), is_nearest(*compared)

    def follow(self):
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

    def enqueue(self, keys):
        """Puts keys `(N, units)`, of all replicas, into the queue; see `KeyQueue.enqueue`."""
        self.queue.enqueue(keys)

    def query_network(self):
        """The encoder and the head that learn."""
        return self.encoder, self.head

    def momentum_network(self):
        """The encoder and the head that follow."""
        return self.momentum_encoder, self.momentum_head

    def statistics(self, network):
        """Moving means and variances of batch normalisation in a network.

        Args:
            network: what `query_network` or `momentum_network` answers.

        Returns:
            list of variables.
        """
        return [
            variable
            for layer in batch_normalizations(network)
            for variable in (layer.moving_mean, layer.moving_variance)
        ]

    def get_config(self):
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
    def from_config(cls, config):
        """Makes a model from what `get_config` answered."""
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})


def batch_normalizations(network):
    """All layers of batch normalisation in some models.

    Args:
        network: iterable of Keras models or layers.

    Returns:
        list of layers, in the order of the models.
    """
    return [
        each
        for part in network
        for each in part._flatten_layers()  # Keras has no public way
        if isinstance(each, keras.layers.BatchNormalization)
    ]
