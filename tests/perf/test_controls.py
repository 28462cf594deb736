"""The controls of an ablation have the weights that they are named after."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.models.scorer import load_preset, save_preset
from tests.small_models import small_scorer

SCRIPT = pathlib.Path(__file__).parents[2] / "perf" / "controls.py"


@pytest.mark.slow  # starts a process that loads TensorFlow
def test_controls_are_the_same_encoders_untrained_and_random(tmp_path):
    content, quality = (
        ReIQAEncoder(ResNetBackbone((1, 1), width=4), name=name) for name in ("content", "quality")
    )
    save_preset(small_scorer(content=content, quality=quality), tmp_path / "tiny")
    arguments = ["--preset", tmp_path / "tiny", "--out", tmp_path]
    subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, check=True)
    tiny, untrained, random = (
        load_preset(tmp_path / name) for name in ("tiny", "untrained", "random")
    )

    def same(one, other):
        pairs = zip(one.get_weights(), other.get_weights(), strict=True)
        return all(np.allclose(a, b, rtol=1e-3, atol=1e-6) for a, b in pairs)  # float16

    assert not same(tiny.quality, tiny.content)
    assert same(untrained.content, tiny.content)
    assert same(untrained.quality, tiny.content)
    assert not same(random.content, tiny.content)
    assert not same(random.quality, tiny.quality)
    assert not same(random.content, random.quality)
    assert untrained.feature_count == random.feature_count == tiny.feature_count
