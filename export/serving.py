"""The graph functions that are exported: uint8 pictures in, named answers out."""

import keras
import tensorflow as tf

from reiqa_tf.export import contract


def answers(scorer, images):
    """What every artifact computes from pictures.

    Args:
        scorer: a built `ReIQAScorer`.
        images: uint8 tensor `(N, H, W, 3)`, RGB.

    Returns:
        dictionary from the names of `contract.output_names` to float32 tensors: `score` and
        `distance` `(N,)`, or `features` `(N, feature_count)` of a scorer without a head.
    """
    features = scorer.features(images, training=False)
    if scorer.head is None:
        return {contract.FEATURES: features}
    return {
        contract.SCORE: scorer.head(features),
        contract.DISTANCE: scorer.head.distance(features),
    }


def folded_function(scorer, size=None, batch_size=None):
    """Makes the graph function that the TFLite and ONNX converters take.

    The weights are constants of its graph, so that the converters fold batch normalisation into
    the convolutions. Later changes of the scorer's weights do not reach it.

    Args:
        scorer: a built `ReIQAScorer`.
        size: `(height, width)` in pixels, or None for any size.
        batch_size: number of pictures, or None for any.

    Returns:
        `tf.function` with one signature, from `images`, uint8 `(batch_size, *size, 3)`, to what
        `answers` says.

    Example:
    ```python
    function = folded_function(scorer, size=(384, 512), batch_size=1)
    concrete = function.get_concrete_function()
    ```
    """
    weights = [(variable, keras.ops.convert_to_numpy(variable)) for variable in scorer.variables]
    shape = (batch_size, *(size or (None, None)), 3)
    signature = [tf.TensorSpec(shape, tf.uint8, name=contract.IMAGES)]

    @tf.function(input_signature=signature, autograph=False)
    def folded(images):
        constants = [(variable, tf.constant(array)) for variable, array in weights]
        with keras.StatelessScope(state_mapping=constants):
            return answers(scorer, images)

    return folded
