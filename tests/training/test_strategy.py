"""Where a run computes, and what is refused."""

import pytest
import tensorflow as tf

from reiqa_tf.training.strategy import StrategyError, make_strategy


def test_without_devices_or_workers_to_choose_from_the_default_is_taken(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert make_strategy() is tf.distribute.get_strategy()
    assert make_strategy(1) is tf.distribute.get_strategy()


@pytest.mark.parametrize("text", ["{", '{"cluster": {}}', "[]"])
def test_a_cluster_that_makes_no_sense_is_refused(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(StrategyError, match="TF_CONFIG: expected JSON such as"):
        make_strategy()


def test_replicas_that_cannot_be_are_refused():
    with pytest.raises(StrategyError, match="Received: 0"):
        make_strategy(0)


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="parts a CPU")
def test_a_cpu_that_has_been_used_is_not_parted_any_more():
    tf.zeros(1)
    with pytest.raises(StrategyError, match="computed nothing yet"):
        make_strategy(2)
