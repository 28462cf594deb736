"""The linear head: features in, score out, and how far the features are from what it has seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from reiqa_tf.presets.storage import storable
from reiqa_tf.typing import Shape, Tensor


@storable
class LinearHead(keras.layers.Layer):
    """A linear regressor that knows its scale, its uncertainty and the features it was fitted on.

    Everything is computed in float32, whatever the policy of the encoders, that of Keras and
    `dtype`: a score is a sum of thousands of features, and 16 bits would not hold it.

    Args:
        score_range: `(low, high)`, the scale of the scores that the head was fitted on. It is the
            scale's meaning, not a limit: the score of an extreme photo can lie a little outside.
        margin: half the width of the interval around a score, on the same scale.
        coverage: share of held-out photos whose score lay within `margin`, such as 0.95.
        distance_limit: distance above which a photo counts as unfamiliar; see `distance`.
        distance_features: `(first, end)`, which features the distance looks at; None: all.
        name: name of the layer.
        **kwargs: further arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if the range is not ascending, or another number is out of its range.

    Example:
    ```python
    import keras
    from reiqa_tf import LinearHead

    head = LinearHead(score_range=(0, 100), margin=12.0, distance_limit=3.0)
    scores = head(keras.random.normal((4, 8192)))  # (4,)
    ```
    """

    def __init__(
        self,
        score_range: Sequence[float],
        margin: float,
        distance_limit: float,
        coverage: float = 0.95,
        distance_features: Sequence[int] | None = None,
        name: str = "head",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, autocast=False, **{**kwargs, "dtype": "float32"})
        low, high = (float(limit) for limit in score_range)
        if not low < high:
            raise ValueError(
                f"score_range: expected (low, high), low < high. Received: {low, high}"
            )
        if not (margin >= 0 and distance_limit > 0 and 0 < coverage < 1):
            raise ValueError(
                "expected margin >= 0, distance_limit > 0 and coverage between 0 and 1. "
                f"Received: margin={margin}, distance_limit={distance_limit}, coverage={coverage}"
            )
        first, end = distance_features or (0, None)
        if first < 0 or (end is not None and end <= first):
            raise ValueError(
                "distance_features: expected (first, end), 0 <= first < end. "
                f"Received: {distance_features}"
            )
        self.score_range = (low, high)
        self.margin = float(margin)
        self.coverage = float(coverage)
        self.distance_limit = float(distance_limit)
        self.distance_features = (
            None
            if distance_features is None
            else (int(distance_features[0]), int(distance_features[1]))
        )

    def build(self, input_shape: Shape) -> None:
        """Creates the weights for features of `input_shape`, `(N, F)`."""
        count = input_shape[-1] or 0
        if self.distance_features is not None and self.distance_features[1] > count:
            raise ValueError(
                f"distance_features: expected to end within the {count} features. "
                f"Received: {self.distance_features}"
            )
        self.kernel = self.add_weight(
            shape=(count,), initializer=keras.initializers.RandomNormal(stddev=0.01), name="kernel"
        )
        self.bias = self.add_weight(shape=(), initializer="zeros", name="bias")
        self.feature_mean = self.add_weight(
            shape=(count,), initializer="zeros", trainable=False, name="feature_mean"
        )
        self.feature_scale = self.add_weight(
            shape=(count,), initializer="ones", trainable=False, name="feature_scale"
        )

    def call(self, features: Tensor) -> Tensor:
        """Computes the scores `(N,)` of features `(N, F)`."""
        return ops.sum(ops.cast(features, "float32") * self.kernel, axis=-1) + self.bias

    def distance(self, features: Tensor) -> Tensor:
        """How far features are from those that the head was fitted on.

        Args:
            features: `(N, F)`.

        Returns:
            float32 tensor `(N,)`: the root mean square of the standardised features, of those in
            `distance_features`. About 1 for a typical photo; above `distance_limit` the score
            should not be trusted.
        """
        seen = slice(*(self.distance_features or (None,)))
        away = ops.cast(features[..., seen], "float32") - self.feature_mean[seen]
        standardised = away / self.feature_scale[seen]
        return ops.sqrt(ops.mean(ops.square(standardised), axis=-1))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the scores for features of `input_shape`."""
        return input_shape[:-1]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this head again."""
        return {
            **super().get_config(),
            "score_range": list(self.score_range),
            "margin": self.margin,
            "coverage": self.coverage,
            "distance_limit": self.distance_limit,
            "distance_features": self.distance_features,
        }
