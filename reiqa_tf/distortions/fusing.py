"""Compile hot inner loops into one pass over memory, where the platform can."""

import functools
import sys

import tensorflow as tf

_COMPILES = sys.platform == "linux"
"""XLA for CPUs is tried and timed on Linux. Elsewhere the same operations run one by one."""


def fused(function):
    """Decorates a function of tensors whose operations are worth compiling together.

    The function must be pure and its shapes must follow from those of its arguments. It is traced
    once for each combination of shapes, as far as they are known at the call. Left to itself,
    `tf.function` would answer a call of known shapes with an older trace of open ones, and what was
    called before would decide on the last bit of a pixel.

    Args:
        function: takes and returns tensors.

    Returns:
        the decorated function.
    """
    if not _COMPILES:
        return function
    traces = {}

    @functools.wraps(function)
    def call(*tensors):
        tensors = [tf.convert_to_tensor(tensor) for tensor in tensors]
        key = tuple((tensor.dtype, str(tensor.shape)) for tensor in tensors)
        if key not in traces:
            signature = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors]
            traces[key] = tf.function(
                function, input_signature=signature, jit_compile=True, autograph=False
            )
        return traces[key](*tensors)

    return call


_CHUNK = 2**15
"""Pixels that a fused function sees at a time where pictures may have any size."""


def in_chunks(function, images):
    """Applies a fused function of pixels to pictures of any size, compiled for one size alone.

    Args:
        function: from float32 `(N, C)` to float32 `(N, D)`, pixel by pixel.
        images: float32 tensor `(..., C)`.

    Returns:
        float32 tensor `(..., D)`.
    """
    shape = tf.shape(images)
    channels = images.shape[-1]
    pixels = tf.reshape(images, (-1, channels))
    count = tf.shape(pixels)[0]
    padded = tf.pad(pixels, ((0, -count % _CHUNK), (0, 0)))
    chunks = tf.reshape(padded, (-1, _CHUNK, channels))
    made = tf.map_fn(function, chunks, parallel_iterations=1)
    made = tf.reshape(made, (-1, made.shape[-1]))[:count]
    return tf.reshape(made, tf.concat([shape[:-1], tf.shape(made)[-1:]], 0))
