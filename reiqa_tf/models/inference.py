"""The fast way to a scorer's features: one graph for all sizes, with the weights folded in."""

import keras
import tensorflow as tf


def compile_features(scorer):
    """Compiles `scorer.features` for inference.

    The weights become constants of the graph, so that TensorFlow folds batch normalisation into
    the convolutions; one graph serves every batch size, height and width. Later changes of the
    scorer's weights do not reach it.

    Args:
        scorer: a built `ReIQAScorer`.

    Returns:
        function from uint8 `(N, H, W, 3)` to a float32 array `(N, feature_count)`.

    Example:
    ```python
    features = compile_features(ReIQAScorer.from_preset("content_lite0_biq2021"))
    rows = features(images)
    ```
    """
    weights = [(variable, keras.ops.convert_to_numpy(variable)) for variable in scorer.variables]

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)])
    def compiled(images):
        constants = [(variable, tf.constant(array)) for variable, array in weights]
        with keras.StatelessScope(state_mapping=constants):
            return scorer.features(images, training=False)

    return lambda images: compiled(tf.convert_to_tensor(images, tf.uint8)).numpy()
