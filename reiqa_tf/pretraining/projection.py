"""The projection head, which is there while an encoder is trained and thrown away after."""

from typing import Any

import keras
from keras import ops

from reiqa_tf.pretraining.config import Contrast
from reiqa_tf.typing import Shape, Tensor


@keras.saving.register_keras_serializable(package="reiqa_tf")
class ProjectionHead(keras.layers.Layer):
    """Two dense layers and unit length: features in, embeddings out.

    The embeddings are float32 whatever the policy, because the loss divides them by a small
    temperature.

    Args:
        units: numbers in an embedding.
        hidden_units: width of the hidden layer; None is the width of the features, which with
            ResNet-50 makes the paper's 2048-2048-128.
        name: name of the layer.
        **kwargs: further arguments of `keras.layers.Layer`.

    Example:
    ```python
    import keras

    from reiqa_tf.pretraining.projection import ProjectionHead

    head = ProjectionHead()
    embeddings = head(keras.random.normal((4, 2048)))  # each of length 1
    assert embeddings.shape == (4, 128)
    ```

    Reference:
        Chen, Fan, Girshick and He, Improved Baselines with Momentum Contrastive Learning (arXiv
        2003.04297), section 3.
    """

    def __init__(
        self,
        units: int = Contrast.units,
        hidden_units: int | None = Contrast.hidden_units,
        name: str = "head",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.units = units
        self.hidden_units = hidden_units
        # Made by `build`, which knows the width of the features.
        self.hidden: Any = None
        self.output_layer = keras.layers.Dense(units, dtype=self.dtype_policy, name="output")

    def build(self, input_shape: Shape) -> None:
        """Creates the weights for features of `input_shape`, `(N, F)`."""
        width = self.hidden_units or input_shape[-1]
        self.hidden = keras.layers.Dense(
            width, activation="relu", dtype=self.dtype_policy, name="hidden"
        )
        self.hidden.build(input_shape)
        self.output_layer.build((input_shape[0], width))

    def call(self, features: Tensor) -> Tensor:
        """Returns the embeddings, float32 `(N, units)` of length 1, of features `(N, F)`."""
        embeddings = ops.cast(self.output_layer(self.hidden(features)), "float32")
        return ops.normalize(embeddings, axis=-1, order=2)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the embeddings for features of `input_shape`."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this head again."""
        return {**super().get_config(), "units": self.units, "hidden_units": self.hidden_units}
