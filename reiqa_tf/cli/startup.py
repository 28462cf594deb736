"""Start TensorFlow and other runtimes without their remarks about themselves."""

import gc
import sys
from collections.abc import Callable
from typing import TypeVar

from reiqa_tf.backend import import_tensorflow, require_tensorflow, silenced

_Prepared = TypeVar("_Prepared")

SELDOM = (100_000, 20, 100)
"""Thresholds of `gc` with which Python looks for garbage a hundred times less often."""


def start_tensorflow(prepare: Callable[[], _Prepared] | None = None) -> _Prepared | None:
    """Imports TensorFlow, silently unless it fails.

    On every start TensorFlow writes lines about its build and about GPUs that it did not find
    to stderr, past Python and before any setting of its log level counts. They would stand above
    every score. If it does fail, they are shown: then they are what one needs.

    Args:
        prepare: function to call before TensorFlow first uses a device, which is the last chance to
            split or to connect devices.

    Returns:
        what `prepare` returned, or None.

    Raises:
        MissingExtraError: if TensorFlow is not installed.
        BackendError: if Keras is set to another backend.
    """
    require_tensorflow()
    if "tensorflow" in sys.modules:
        return prepare() if prepare else None
    import_tensorflow()
    _collect_seldom()
    with silenced():
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # its hints on tracing are for us, not for users
        prepared = prepare() if prepare else None
        tf.config.list_logical_devices()  # the remarks about GPUs come with the first use
    return prepared


def _collect_seldom() -> None:
    """Has Python look for garbage a hundred times less often.

    The problem: tracing a graph makes millions of objects that stay, and Python looks all of them
    through again and again. What TensorFlow made when it was imported is never looked at again.
    """
    gc.freeze()
    gc.set_threshold(*SELDOM)
