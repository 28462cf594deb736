"""Compile operators into few passes over memory, where the platform can."""

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
        function: takes and returns tensors, or nested lists and tuples of tensors.

    Returns:
        the decorated function.
    """
    if not _COMPILES:
        return function
    traces = {}

    @functools.wraps(function)
    def call(*arguments):
        arguments = tf.nest.map_structure(tf.convert_to_tensor, arguments)
        signature = tf.nest.map_structure(
            lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), arguments
        )
        key = repr(signature)
        if key not in traces:
            traces[key] = tf.function(
                function, input_signature=signature, jit_compile=True, autograph=False
            )
        return traces[key](*arguments)

    return call


def kept_whole(function):
    """Makes one node of a graph of a function without arguments, a branch of `tf.switch_case`.

    Left to itself, TensorFlow spreads the nodes of all branches over the graph, and visits every
    one of them each time to find that most are not wanted. Outside of a graph nothing is spread.

    Args:
        function: without arguments; returns tensors, or nested lists and tuples of tensors.

    Returns:
        the function, as a `tf.function` inside of a graph.
    """
    if tf.executing_eagerly():
        return function
    return tf.function(
        function,
        input_signature=[],
        autograph=False,
        experimental_attributes={"_noinline": True},
    )


_CHUNK = 2**15
"""Pixels that a fused function sees at a time where pictures may have any size."""


def in_chunks(function, planes, made_channels):
    """Applies a fused function of pixels to planes of any size, compiled for one size alone.

    Args:
        function: takes `(C, N)` and returns float32 `(D, N)`, each pixel on its own.
        planes: tensor `(C, H, W)`.
        made_channels: D.

    Returns:
        float32 tensor `(D, H, W)`.
    """
    channels, rows, columns = planes.shape[0], *tf.unstack(tf.shape(planes)[1:])
    pixels = tf.reshape(planes, (channels, -1))
    count = rows * columns
    padded = tf.pad(pixels, ((0, 0), (0, -count % _CHUNK)))
    chunks = tf.transpose(tf.reshape(padded, (channels, -1, _CHUNK)), (1, 0, 2))
    made = tf.map_fn(
        function,
        chunks,
        fn_output_signature=tf.TensorSpec((made_channels, _CHUNK), tf.float32),
        parallel_iterations=1,
    )
    made = tf.reshape(tf.transpose(made, (1, 0, 2)), (made_channels, -1))[:, :count]
    return tf.reshape(made, (made_channels, rows, columns))
