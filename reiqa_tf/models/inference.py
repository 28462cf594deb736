"""The fast way to a scorer's features: one graph for all sizes, with the weights folded in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import keras
import numpy as np
import tensorflow as tf

from reiqa_tf.image.shapes import require_batch
from reiqa_tf.scoring.features import ComputeFeatures

_IMAGES = tf.TensorSpec((None, None, None, 3), tf.uint8)
_Outputs = TypeVar("_Outputs")


class _WithFeatures(Protocol):
    variables: list[Any]

    def features(self, images: Any, training: bool | None = None) -> Any: ...


def compiled(scorer: _WithFeatures) -> ComputeFeatures:
    """Compiles `scorer.features` for inference; `scorer.compile_features()` calls it.

    The weights become constants of the graph, so that TensorFlow folds batch normalisation into
    the convolutions; one graph serves every batch size, height and width. Later changes of the
    scorer's weights do not reach it.

    Args:
        scorer: a built `ReIQAScorer`.

    Returns:
        function from uint8 `(N, H, W, 3)` to a float32 array `(N, feature_count)`.

    Example:
    ```python
    import numpy as np
    import reiqa_tf

    features = reiqa_tf.load_preset("content_lite0_biq2021").compile_features()
    rows = features(np.zeros((1, 64, 64, 3), np.uint8))
    ```
    """
    return _over_arrays(
        graph_of_constants(scorer, lambda images: scorer.features(images, training=False))
    )


def graph_of_constants(
    scorer: _WithFeatures, compute: Callable[[tf.Tensor], _Outputs]
) -> Callable[[tf.Tensor], _Outputs]:
    """One graph for every size, in which the weights are constants.

    Args:
        scorer: as in `compiled`.
        compute: what the graph computes with the scorer, from uint8 `(N, H, W, 3)`.

    Returns:
        the compiled function.
    """
    weights = [(variable, keras.ops.convert_to_numpy(variable)) for variable in scorer.variables]

    @tf.function(input_signature=[_IMAGES], autograph=False)
    def graph(images: tf.Tensor) -> _Outputs:
        constants = [(variable, tf.constant(array)) for variable, array in weights]
        with keras.StatelessScope(state_mapping=constants):
            return compute(images)

    return graph


def following(scorer: _WithFeatures) -> ComputeFeatures:
    """Compiles `scorer.features` like `compiled`, with the weights as they are at each call.

    For a scorer that learns meanwhile: its graph is made once.

    Args:
        scorer: a built `ReIQAScorer`.

    Returns:
        as `compiled`.
    """

    @tf.function(input_signature=[_IMAGES])
    def graph(images: tf.Tensor) -> tf.Tensor:
        return scorer.features(images, training=False)

    return _over_arrays(graph)


def _over_arrays(graph: Callable[[tf.Tensor], tf.Tensor]) -> ComputeFeatures:
    def compute(images: np.ndarray) -> np.ndarray:
        require_batch(images)
        rows: np.ndarray = graph(tf.convert_to_tensor(images, tf.uint8)).numpy()
        return rows

    return compute
