"""Memory of graphs that were converted."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

_BY_DEFAULT = (700, 10, 10)  # those of Python 3.11 and 3.12


@contextlib.contextmanager
def graphs_given_back() -> Iterator[None]:
    """Has Python look for garbage as often as by default, and once more at the end.

    The problem: converters make several copies of a graph with its weights, which refer to
    themselves and stay until Python looks for them. The commands have it look seldom, since that
    saves time elsewhere: with that, two ONNX files of a pair of ResNet-50 took all of 24 GB, and
    without it they take 8.
    """
    before = gc.get_threshold()
    gc.set_threshold(*_BY_DEFAULT)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.collect()
