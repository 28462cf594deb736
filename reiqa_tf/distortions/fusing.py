"""Compile hot inner loops into one pass over memory, where the platform can."""

import sys

import tensorflow as tf

_COMPILES = sys.platform == "linux"
"""XLA for CPUs is tried and timed on Linux. Elsewhere the same operations run one by one."""


def fused(function):
    """Decorates a function of tensors whose operations are worth compiling together.

    The function must be pure and its shapes must follow from those of its arguments. It is compiled
    once for each combination of shapes.

    Args:
        function: takes and returns tensors.

    Returns:
        the decorated function.
    """
    return tf.function(function, jit_compile=True, autograph=False) if _COMPILES else function
