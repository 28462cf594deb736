"""What a configuration describes: the weights that a run starts from."""

import dataclasses
import inspect

import numpy as np
import pytest

from reiqa_tf.models import designs
from reiqa_tf.models.efficientnet_lite import EfficientNetLiteBackbone
from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.pretraining import config as configuration
from reiqa_tf.pretraining.content_views import ContentViews
from reiqa_tf.pretraining.from_config import make_moco
from reiqa_tf.pretraining.moco import MoCo
from reiqa_tf.pretraining.quality_views import QualityViews
from reiqa_tf.training.optimizers import LARS, MomentumSGD
from reiqa_tf.training.schedules import WarmupCosine
from tests.oracles.stand_in import tiny_config
from tests.small_models import small_scorer

SMALL = ((1, 1), 8)


def _preset(folder, **experts):
    """A preset whose experts have backbones of these sizes and weights of their own."""
    encoders = {
        name: ReIQAEncoder(ResNetBackbone(*size), name=name) for name, size in experts.items()
    }
    scorer = small_scorer(seed=5, **{"content": None, "quality": None, **encoders}, head=None)
    scorer.save_to_preset(folder)
    return scorer


def _config(start):
    config = tiny_config()
    return dataclasses.replace(
        config,
        encoder=dataclasses.replace(
            config.encoder,
            backbone=configuration.ResNet((1,), width=8),
            stages=None,
            start=str(start),
        ),
    )


@pytest.mark.parametrize(
    ("experts", "source"),
    [(("content",), "content"), (("content", "quality"), "quality")],
)
def test_a_run_starts_from_the_first_stages_of_a_preset(tmp_path, experts, source):
    scorer = _preset(tmp_path / "start", **dict.fromkeys(experts, SMALL))
    moco = make_moco(_config(tmp_path / "start"))
    theirs = getattr(scorer, source).backbone.get_weights()
    for network in (moco.encoder, moco.momentum_encoder):
        ours = network.backbone.get_weights()
        assert 0 < len(ours) < len(theirs)
        for weight, start in zip(ours, theirs, strict=False):
            np.testing.assert_array_equal(weight, start)


@pytest.mark.parametrize(
    ("design", "made"),
    [
        (designs.ResNet, ResNetBackbone),
        (designs.EfficientNetLite, EfficientNetLiteBackbone),
        (designs.EncoderDesign, ReIQAEncoder),
        (configuration.QualityPairs, QualityViews),
        (configuration.ContentPairs, ContentViews),
        (configuration.Contrast, MoCo),
        (configuration.Lars, LARS),
        (configuration.Sgd, MomentumSGD),
        (configuration.Schedule, WarmupCosine),
    ],
)
def test_what_is_made_has_the_defaults_of_what_describes_it(design, made):
    arguments = inspect.signature(made).parameters
    defaults = {
        field.name: field.default
        for field in dataclasses.fields(design)
        if field.default is not dataclasses.MISSING
    }
    assert defaults
    assert {name: arguments[name].default for name in defaults} == defaults


def test_a_preset_with_another_backbone_is_refused_by_name(tmp_path):
    _preset(tmp_path / "wide", content=((1, 1), 16))
    with pytest.raises(
        configuration.ConfigError,
        match=r"encoder.start: expected .* ResNetBackbone\(blocks=\[1\], width=8\).*width=16",
    ):
        make_moco(_config(tmp_path / "wide"))
