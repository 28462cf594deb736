"""The linear head: features in, score out, and how sure it is of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from reiqa_tf.presets.storage import storable
from reiqa_tf.scoring.calibration import Calibration
from reiqa_tf.typing import Shape, Tensor


@storable
class LinearHead(keras.layers.Layer):
    """A linear regressor that knows its scale, its uncertainty and what photos look like.

    Three linear functions of the features: the score, the logarithm of its spread, and a distance,
    which leads from photos towards what is none. Everything is computed in float32, whatever the
    policy of the encoders, that of Keras and `dtype`: a score is a sum of thousands of features,
    and 16 bits would not hold it. Fine-tuning changes the score alone: the other two belong to the
    features of the encoders that the head was fitted with.

    Args:
        calibration: what the three numbers mean: a `Calibration`, or the dictionary that
            `get_config` made of one. `Calibration.unknown()` is that of a head before a fit and
            after training that moved the weights.
        spread_limits: `(low, high)`, between which the spread stays however odd a photo is.
        name: name of the layer.
        **kwargs: further arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if a number is out of its range.

    Example:
    ```python
    import keras
    from reiqa_tf import LinearHead
    from reiqa_tf.scoring.calibration import Calibration

    head = LinearHead(Calibration.unknown((0, 100)))
    scores = head(keras.random.normal((4, 8192)))  # (4,)
    ```
    """

    def __init__(
        self,
        calibration: Calibration | Mapping[str, Any],
        spread_limits: Sequence[float] = (1e-6, 1e6),
        name: str = "head",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, autocast=False, **{**kwargs, "dtype": "float32"})
        low, high = (float(limit) for limit in spread_limits)
        if not 0 < low <= high:
            raise ValueError(
                f"spread_limits: expected (low, high), 0 < low <= high. Received: {low, high}"
            )
        self.calibration = Calibration.of(calibration)
        self.spread_limits = (low, high)

    @property
    def score_range(self) -> tuple[float, float]:
        """`(low, high)`, the scale of the scores; see `Calibration`."""
        return self.calibration.score_range

    @property
    def coverage(self) -> float:
        """Share of held-out photos whose score by people lay in the interval."""
        return self.calibration.coverage

    def build(self, input_shape: Shape) -> None:
        """Creates the weights for features of `input_shape`, `(N, F)`."""
        count = input_shape[-1] or 0
        self.kernel = self.add_weight(
            shape=(count,), initializer=keras.initializers.RandomNormal(stddev=0.01), name="kernel"
        )
        self.bias = self.add_weight(shape=(), initializer="zeros", name="bias")
        kept = {"initializer": "zeros", "trainable": False}
        self.spread_kernel = self.add_weight(shape=(count,), name="spread_kernel", **kept)
        self.spread_bias = self.add_weight(shape=(), name="spread_bias", **kept)
        self.distance_kernel = self.add_weight(shape=(count,), name="distance_kernel", **kept)
        self.distance_bias = self.add_weight(shape=(), name="distance_bias", **kept)

    def call(self, features: Tensor) -> Tensor:
        """Computes the scores `(N,)` of features `(N, F)`."""
        return _linear(features, self.kernel, self.bias)

    def spread(self, features: Tensor) -> Tensor:
        """How far off the scores may be.

        Args:
            features: `(N, F)`.

        Returns:
            float32 tensor `(N,)`, positive, on the scale of the scores. `Calibration` makes
            intervals of it and `Score.beats` probabilities.
        """
        logarithms = _linear(features, self.spread_kernel, self.spread_bias)
        low, high = (math.log(limit) for limit in self.spread_limits)
        return ops.exp(ops.clip(logarithms, low, high))

    def distance(self, features: Tensor) -> Tensor:
        """How far pictures are from photos, towards drawings, screens and damaged photos.

        Args:
            features: `(N, F)`.

        Returns:
            float32 tensor `(N,)`: about 0 for photos and 1 for what is none; above the
            calibration's `distance_limit` the score should not be trusted.
        """
        return _linear(features, self.distance_kernel, self.distance_bias)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the scores for features of `input_shape`."""
        return input_shape[:-1]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this head again."""
        values = dataclasses.asdict(self.calibration)
        return {
            **super().get_config(),
            "calibration": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in values.items()
            },
            "spread_limits": list(self.spread_limits),
        }


def _linear(features: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    return ops.sum(ops.cast(features, "float32") * kernel, axis=-1) + bias
