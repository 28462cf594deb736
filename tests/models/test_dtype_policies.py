"""`keras.config.set_dtype_policy` is respected: the backbones compute as it says, the rest not."""

import keras
import numpy as np
import pytest

from reiqa_tf.models.scorer import load_preset
from reiqa_tf.pretraining.moco import MoCo
from tests.small_models import small_scorer

POLICIES = {
    "mixed_bfloat16": ("bfloat16", "float32", 0.3),
    "mixed_float16": ("float16", "float32", 0.05),
    "bfloat16": ("bfloat16", "bfloat16", 0.3),
    "float16": ("float16", "float16", 0.05),
    "float64": ("float64", "float64", 1e-4),
}
"""By name: what is computed in, what weights are kept in, how far features may be from float32."""


@pytest.fixture(params=sorted(POLICIES))
def policy(request):
    former = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(former)


@pytest.fixture(scope="module")
def images(photo):
    return np.stack([photo[:64, :96], photo[200:264, 300:396]])


@pytest.fixture(scope="module")
def saved(tmp_path_factory, images):
    """A preset in float32, and the features that it gives."""
    folder = tmp_path_factory.mktemp("saved") / "preset"
    scorer = small_scorer()
    scorer.save_to_preset(folder)
    return folder, np.asarray(scorer.features(images))


def test_a_new_model_takes_the_policy_and_its_head_stays_in_float32(policy, images):
    computes, keeps, _ = POLICIES[policy]
    scorer = small_scorer()
    for encoder in scorer.experts().values():
        assert encoder.backbone.compute_dtype == computes
        for layer in encoder.backbone._flatten_layers():
            assert layer.compute_dtype == computes, layer.path
        for variable in encoder.backbone.trainable_variables:
            assert variable.dtype == keeps, variable.path
    assert scorer.head.dtype_policy.name == "float32"
    assert {variable.dtype for variable in scorer.head.variables} == {"float32"}
    assert scorer(images).dtype == scorer.features(images).dtype == "float32"


def test_it_trains(policy, images):
    scorer = small_scorer(content=None)
    moving = scorer.quality.backbone.stem.normalization.moving_mean
    before = np.array(keras.ops.cast(moving, "float32"))
    scorer.compile(optimizer="sgd", loss="mse")
    history = scorer.fit(images, np.array([0.2, 0.4], np.float32), verbose=0).history
    assert np.isfinite(history["loss"]).all()
    after = np.array(keras.ops.cast(moving, "float32"))
    assert np.isfinite(after).all()
    assert (after != before).any()


def test_a_preset_that_was_saved_in_float32_takes_the_policy_too(policy, saved, images):
    folder, expected = saved
    computes, _, tolerance = POLICIES[policy]
    scorer = load_preset(folder)
    assert scorer.content.backbone.compute_dtype == computes
    received = np.asarray(scorer.features(images))
    assert received.dtype == np.float32
    difference = np.abs(received - expected).max()
    assert difference <= tolerance
    assert difference > 0
    assert load_preset(folder, "float32").content.backbone.compute_dtype == "float32"


def test_a_preset_keeps_the_policy_that_it_was_saved_with(tmp_path):
    scorer = load_preset("content_lite0_biq2021", "mixed_bfloat16")
    scorer.save_to_preset(tmp_path / "half")
    again = load_preset(tmp_path / "half")
    assert again.content.backbone.dtype_policy.name == "mixed_bfloat16"


def test_pretraining_takes_the_policy_and_keeps_embeddings_and_queue_in_float32(policy, images):
    moco = MoCo(small_scorer().quality, queue_size=8)
    moco.build((None, None, None, 3))
    assert moco.head.compute_dtype == POLICIES[policy][0]
    assert moco.queue.compute_dtype == "float32"
    assert moco(images).dtype == "float32"
