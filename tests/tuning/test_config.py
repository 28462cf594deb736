"""Configurations of tuning: shipped ones, changes, and what is refused."""

import dataclasses

import pytest

from reiqa_tf.distillation.shipped_configs import shipped_configs as shipped_for_distillation
from reiqa_tf.pretraining.shipped_configs import shipped_configs as shipped_for_pretraining
from reiqa_tf.training.config_files import config_names
from reiqa_tf.tuning.config import (
    ConfigError,
    LossWeights,
    TuneConfig,
    load_config,
    override,
    shipped_configs,
)


@pytest.mark.parametrize("name", shipped_configs())
def test_a_shipped_configuration_loads(name):
    assert isinstance(load_config(name), TuneConfig)


def test_objectives_have_configurations_of_their_own():
    names = [*shipped_configs(), *shipped_for_pretraining(), *shipped_for_distillation()]
    assert sorted(names) == config_names()
    with pytest.raises(ConfigError, match="no such configuration"):
        load_config("quality_lite0")


def test_the_rate_goes_with_the_batch():
    config = override(load_config("tune_lite0"), "batch_size=32")
    assert config.learning_rate == 2 * config.optimizer.rate


@pytest.mark.parametrize(
    "change",
    [
        {"precision": "float16"},
        {"batch_size": 1},
        {"crop": 16},
        {"ladders": 17},
        {"averaging": 1.0},
        {"rate_by_depth": 0.0},
        {"losses": LossWeights(huber=0, plcc=0)},
    ],
)
def test_a_number_out_of_its_range_is_refused(change):
    with pytest.raises(ConfigError, match="Received"):
        dataclasses.replace(load_config("tune_lite0"), **change)
