"""Garbage goes at once while files are converted, whatever the process does otherwise."""

import gc
import weakref

import pytest

from reiqa_tf.export.graphs import graphs_given_back


class Graph:
    """Something that refers to itself."""

    def __init__(self):
        self.itself = self


@pytest.mark.parametrize("fails", [False, True])
def test_what_refers_to_itself_is_gone_and_the_setting_is_as_before(fails):
    before = gc.get_threshold()
    gc.set_threshold(90_000, 21, 22)
    try:
        known = weakref.ref(Graph())
        assert known() is not None
        try:
            with graphs_given_back():
                assert gc.get_threshold()[0] < 1000
                if fails:
                    raise RuntimeError
        except RuntimeError:
            assert fails
        assert known() is None
        assert gc.get_threshold() == (90_000, 21, 22)
    finally:
        gc.set_threshold(*before)
