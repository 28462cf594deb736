"""Configurations: the shipped ones, and what `--set` takes and refuses."""

import dataclasses
import json
import pathlib
import re

import pytest

from reiqa_tf.pretraining.config import ConfigError, load_config, override, shipped_configs
from reiqa_tf.training.settings import as_dictionary, differences

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"


def test_the_shipped_ones_are_the_files():
    assert shipped_configs() == [
        "content_lite0",
        "content_resnet50",
        "quality_lite0",
        "quality_lite0_biq2021",
        "quality_lite0_small",
        "quality_resnet50",
        "smoke",
    ]


@pytest.mark.parametrize("name", shipped_configs())
def test_each_says_its_command_and_what_it_trains(name):
    text = (CONFIGS / f"{name}.py").read_text()
    assert re.search(rf"^    reiqa pretrain \S+ --config {name} --out \S+", text, re.MULTILINE)
    config = load_config(name)
    assert config.expert == ("content" if name.startswith("content") else "quality")
    assert json.loads(json.dumps(as_dictionary(config)))["is"] == "PretrainConfig"


def test_the_published_runs_have_the_published_numbers():
    quality, content = load_config("quality_resnet50"), load_config("content_resnet50")
    assert quality.learning_rate == pytest.approx(0.6 * 630 * 2 / 64)
    assert (quality.batch_size, quality.pairs.patch, quality.pairs.distorted) == (630, 160, 11)
    assert (quality.schedule.epochs, quality.schedule.warmup_epochs) == (40, 5)
    assert quality.encoder.normalization is None
    assert content.learning_rate == pytest.approx(0.03)
    assert content.encoder.normalization.mean == (0.485, 0.456, 0.406)
    for config in (quality, content):
        assert (config.contrast.queue_size, config.contrast.units) == (65_536, 128)
        assert (config.contrast.temperature, config.contrast.momentum) == (0.2, 0.999)
        assert config.encoder.backbone.blocks == (3, 4, 6, 3)


@pytest.mark.parametrize(
    ("setting", "read"),
    [
        ("batch_size=64", lambda c: c.batch_size == 64),
        ("optimizer.rate=1", lambda c: c.optimizer.rate == 1.0 and type(c.optimizer.rate) is float),
        ("schedule.warmup_from=1e-3", lambda c: c.schedule.warmup_from == 0.001),
        ("contrast.synchronized=True", lambda c: c.contrast.synchronized is True),
        ("contrast.hidden_units=None", lambda c: c.contrast.hidden_units is None),
        ("contrast.hidden_units = 64", lambda c: c.contrast.hidden_units == 64),
        ("encoder.backbone.blocks=(1, 1)", lambda c: c.encoder.backbone.blocks == (1, 1)),
        ("encoder.backbone.blocks=[2]", lambda c: c.encoder.backbone.blocks == (2,)),
        ("encoder.stages=('stage1',)", lambda c: c.encoder.stages == ("stage1",)),
        ("precision=bfloat16", lambda c: c.precision == "bfloat16"),
        ("precision='bfloat16'", lambda c: c.precision == "bfloat16"),
    ],
)
def test_a_setting_is_read_as_its_type(setting, read):
    config = load_config("quality_resnet50")
    changed = override(config, setting)
    assert read(changed)
    assert len(differences(as_dictionary(config), as_dictionary(changed))) == 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("bach_size=3", r"bach_size: no entry 'bach_size'\. Did you mean batch_size\?"),
        ("optimizer.rat=3", r"optimizer\.rat: no entry 'rat'\. Did you mean rate\?"),
        ("optimizer.zzz=3", r"Known are: rate, per_photos, momentum, decay, trust"),
        ("batch_size=3.5", r"batch_size: expected a whole number\. Received: 3\.5"),
        ("batch_size=True", r"expected a whole number\. Received: True"),
        ("batch_size=many", r"expected a whole number\. Received: many"),
        ("optimizer.rate=fast", r"optimizer\.rate: expected a number\. Received: fast"),
        ("contrast.synchronized=1", r"expected True or False\. Received: 1"),
        ("contrast.hidden_units=big", r"expected a whole number or None\. Received: big"),
        ("encoder.backbone.blocks=(1, x)", r"expected a list, each a whole number"),
        ("encoder.backbone.blocks=3", r"expected a list, each a whole number\. Received: 3"),
        ("precision=float16", r"precision: expected float32 or bfloat16\. Received: 'float16'"),
        ("optimizer=Sgd", r"optimizer: has parts\. Set one of them: rate, per_photos"),
        ("seed.x=1", r"seed\.x: seed is 0 and has no parts"),
        ("batch_size", r"expected NAME=VALUE"),
        ("parts=0", r"parts: expected 1 or more\. Received: 0"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(setting, message):
    with pytest.raises(ConfigError, match=message):
        override(load_config("quality_resnet50"), setting)


def test_a_file_of_ones_own_is_a_configuration(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from reiqa_tf.pretraining.config import load_config, override\n"
        "def get_config():\n    return override(load_config('smoke'), 'seed=5')\n"
    )
    assert load_config(str(path)) == dataclasses.replace(load_config("smoke"), seed=5)
    path.write_text("x = 1\n")
    with pytest.raises(ConfigError, match=r"expected a function get_config\(\)"):
        load_config(str(path))
    with pytest.raises(ConfigError, match="no such file"):
        load_config(str(tmp_path / "nothing.py"))


def test_a_name_that_is_nearly_right_is_suggested():
    with pytest.raises(ConfigError, match="Did you mean quality_lite0"):
        load_config("quality_lite")
