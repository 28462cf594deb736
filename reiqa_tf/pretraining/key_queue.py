"""The keys of the batches before this one: MoCo's negatives."""

from typing import Any

import keras
from keras import ops

from reiqa_tf.pretraining.config import Contrast
from reiqa_tf.typing import Shape, Tensor


@keras.saving.register_keras_serializable(package="reiqa_tf")
class KeyQueue(keras.layers.Layer):
    """A ring of embeddings, in which the newest take the place of the oldest.

    It starts with random directions, as MoCo's does. Nothing asks that a batch divide its size.

    Args:
        size: number of keys that it holds, K.
        units: numbers in a key, D.
        seed: seed of the first, random keys.
        name: name of the layer.
        **kwargs: further arguments of `keras.layers.Layer`.

    Example:
    ```python
    import keras

    from reiqa_tf.pretraining.key_queue import KeyQueue

    queue = KeyQueue(size=1000, units=128)
    queue.build()
    queue.enqueue(keras.random.normal((24, 128)))
    assert queue.keys.shape == (1000, 128)
    ```

    Reference:
        He et al., Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020
        (arXiv 1911.05722), section 3.2.
    """

    def __init__(
        self,
        size: int = Contrast.queue_size,
        units: int = Contrast.units,
        seed: int = 0,
        name: str = "queue",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **{**kwargs, "dtype": "float32"})
        if size < 1 or units < 1:
            raise ValueError(
                "size and units: expected whole numbers from 1 up. "
                f"Received: size={size}, units={units}"
            )
        self.size = size
        self.units = units
        self.seed = seed

    def build(self, input_shape: Shape | None = None) -> None:  # noqa: ARG002 -- of Keras
        """Creates the keys and the pointer; the shape does not matter."""
        self.keys = self.add_weight(
            shape=(self.size, self.units),
            initializer=self._random_directions,
            trainable=False,
            autocast=False,
            name="keys",
        )
        self.pointer = self.add_weight(
            shape=(), dtype="int32", initializer="zeros", trainable=False, name="pointer"
        )
        self.built = True

    def enqueue(self, keys: Tensor) -> None:
        """Puts keys in the place of the oldest ones.

        Args:
            keys: `(N, D)`, the oldest first. If N is larger than K, the last K of them stay.
        """
        count = ops.shape(keys)[0]
        kept = ops.minimum(count, self.size)
        places = (self.pointer + count - kept + ops.arange(kept)) % self.size
        self.keys.assign(
            ops.scatter_update(self.keys, places[:, None], ops.cast(keys[-kept:], "float32"))
        )
        self.pointer.assign((self.pointer + count) % self.size)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this queue again, empty of real keys."""
        return {
            **super().get_config(),
            "size": self.size,
            "units": self.units,
            "seed": self.seed,
        }

    def _random_directions(self, shape: Shape, dtype: str) -> Tensor:
        return ops.normalize(keras.random.normal(shape, dtype=dtype, seed=self.seed), axis=-1)
