"""Small models with weights that are as alive as trained ones."""

import pytest

from reiqa_tf.testing.models import small_scorer


@pytest.fixture(scope="module")
def scorer():
    return small_scorer()
