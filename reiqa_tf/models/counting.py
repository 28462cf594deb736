"""How much a network computes for a photo, counted in the graph that computes it."""

from __future__ import annotations

import tensorflow as tf

from reiqa_tf.errors import ReiqaError
from reiqa_tf.models.encoder import ReIQAEncoder

_IN_FUNCTIONS = {"PartitionedCall", "StatefulPartitionedCall", "While", "StatelessWhile", "If"}


class CountingError(ReiqaError):
    """A network whose arithmetic cannot be counted."""


def multiply_adds(encoder: ReIQAEncoder, height: int, width: int) -> int:
    """Counts the multiply-adds of an encoder's convolutions for one photo, at all its scales.

    Each value of a convolution's output takes one for each weight that it is made with: height x
    width of the kernel, times the input's channels unless it is depthwise. Padding counts as
    pixels do. Not counted, and small beside them: normalisation, which inference folds into the
    kernels, activations, pooling, the making of the half-size photo, and the head, with one for
    each feature.

    Args:
        encoder: a built `ReIQAEncoder`.
        height: of the photo in pixels, at least 2.
        width: likewise.

    Returns:
        integer: those at full size and, of an encoder with two scales, those at half size.

    Raises:
        CountingError: if the graph holds functions, into which this does not look.

    Example:
    ```python
    import reiqa_tf
    from reiqa_tf.models.counting import multiply_adds

    scorer = reiqa_tf.load_preset("content_lite0_biq2021")
    sum(multiply_adds(expert, 512, 512) for expert in scorer.experts().values())
    ```
    """
    sizes = ((height, width), (height // 2, width // 2))
    return sum(_at_one_scale(encoder, *size) for size in sizes[: encoder.scales])


def _at_one_scale(encoder: ReIQAEncoder, height: int, width: int) -> int:
    traced = tf.function(
        lambda images: encoder.features_at_one_scale(images, training=False), autograph=False
    ).get_concrete_function(tf.TensorSpec((1, height, width, 3)))
    # From the features backwards: what they do not depend on is not computed either.
    count = 0
    seen: set[str] = set()
    waiting = [tensor.op for tensor in traced.outputs]
    while waiting:
        operation = waiting.pop()
        if operation.name in seen:
            continue
        seen.add(operation.name)
        waiting += [tensor.op for tensor in operation.inputs]
        if operation.type in _IN_FUNCTIONS:
            raise CountingError(
                f"{operation.name}: expected a graph without functions in it. "
                f"Received: {operation.type}"
            )
        if operation.type in _WEIGHTS_OF_A_VALUE:
            rows, columns, channels, _ = operation.inputs[1].shape
            weights = _WEIGHTS_OF_A_VALUE[operation.type](rows, columns, channels)
            count += operation.outputs[0].shape.num_elements() * weights
    return count


_WEIGHTS_OF_A_VALUE = {
    "Conv2D": lambda rows, columns, channels: rows * columns * channels,
    "DepthwiseConv2dNative": lambda rows, columns, _: rows * columns,
}
