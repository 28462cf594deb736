"""Compiles operators into few passes over memory, where the platform can."""

import functools
import sys
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import tensorflow as tf

_COMPILES = sys.platform == "linux"
"""XLA for CPUs is tried and timed on Linux. Elsewhere the same operations run one by one."""


def fused(
    function: Callable[..., Any], open_axes: Sequence[Sequence[int]] | None = None
) -> Callable[..., Any]:
    """Decorates a function of tensors whose operations are worth compiling together.

    The problem: one by one, each operation reads and writes whole planes, which do not fit into a
    processor's cache. The cost: seconds of compiling for each combination of shapes.

    The function must be pure and its shapes must follow from those of its arguments. It is traced
    once for each combination of shapes, as far as they are known at the call. Left to itself,
    `tf.function` would use an older trace of open shapes for a call of known ones, and what was
    called before would decide on the last bit of a pixel.

    Args:
        function: takes and returns tensors, or nested lists and tuples of tensors.
        open_axes: for each argument, a tensor then, the axes whose lengths a trace leaves open.
            One trace serves windows of all sizes, where tracing is what takes long; compiled is
            still for each size. The results' lengths are not known to the graph around.

    Returns:
        the decorated function.
    """
    if not _COMPILES:
        return function
    traces: dict[Hashable, Callable[..., Any]] = {}

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        arguments = tf.nest.map_structure(tf.convert_to_tensor, arguments)
        if open_axes is None:
            signature = tf.nest.map_structure(
                lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), arguments
            )
        else:
            signature = tuple(_open_spec(*pair) for pair in zip(arguments, open_axes, strict=True))
        key = repr(signature)
        if key not in traces:
            traces[key] = tf.function(
                function, input_signature=signature, jit_compile=True, autograph=False
            )
        return traces[key](*arguments)

    return call


def _open_spec(tensor: tf.Tensor, axes: Sequence[int]) -> tf.TensorSpec:
    lengths = [None if axis in axes else length for axis, length in enumerate(tensor.shape)]
    return tf.TensorSpec(lengths, tensor.dtype)


def kept_whole(function: Callable[[], Any]) -> Callable[[], Any]:
    """Makes one node of a graph of a function without arguments, a branch of `tf.switch_case`.

    The problem: left to itself, TensorFlow spreads the nodes of all branches over the graph, and
    visits every one of them each time to find that most are not wanted. Outside of a graph nothing
    is spread.

    Args:
        function: without arguments; returns tensors, or nested lists and tuples of tensors.

    Returns:
        the function, as a `tf.function` inside of a graph.
    """
    if tf.executing_eagerly():
        return function
    whole: Callable[[], Any] = tf.function(
        function,
        input_signature=[],
        autograph=False,
        experimental_attributes={"_noinline": True},
    )
    return whole


_CHUNK = 2**15
"""Pixels that a fused function sees at a time where pictures may have any size."""


def in_chunks(
    function: Callable[[tf.Tensor], tf.Tensor], planes: tf.Tensor, channels: int
) -> tf.Tensor:
    """Applies a fused function of pixels to planes of any size, compiled for one size alone.

    Args:
        function: takes `(C, N)` and returns float32 `(D, N)`, each pixel on its own.
        planes: tensor `(C, H, W)`.
        channels: D.

    Returns:
        float32 tensor `(D, H, W)`.
    """
    rows, columns = tf.unstack(tf.shape(planes)[1:])
    count = rows * columns
    pixels = tf.pad(tf.reshape(planes, (planes.shape[0], -1)), ((0, 0), (0, -count % _CHUNK)))
    chunks = tf.transpose(tf.reshape(pixels, (planes.shape[0], -1, _CHUNK)), (1, 0, 2))
    made = tf.map_fn(
        function,
        chunks,
        fn_output_signature=tf.TensorSpec((channels, _CHUNK), tf.float32),
        parallel_iterations=1,
    )
    made = tf.reshape(tf.transpose(made, (1, 0, 2)), (channels, -1))[:, :count]
    return tf.reshape(made, (channels, rows, columns))
