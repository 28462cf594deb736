"""Batch normalisation measured again: against sums done by hand, and what it leaves alone."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from reiqa_tf.models.encoder import EFFICIENTNET_LITE, ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.pretraining.clean_statistics import CleanStatisticsError, measure_statistics
from reiqa_tf.pretraining.contrastive import train_encoder
from tests.oracles.stand_in import StandIn, tiny_config

SIDE = 64


@pytest.fixture
def encoder():
    made = ReIQAEncoder(ResNetBackbone((1, 1), width=8), EFFICIENTNET_LITE)
    made.build((None, None, None, 3))
    return made


@pytest.fixture(scope="module")
def photos(photo, tmp_path_factory):
    """Sixteen squares, two that are too small and one that is no picture."""
    folder = tmp_path_factory.mktemp("photos")
    for i in range(18):
        side = SIDE if i < 16 else SIDE - 1
        Image.fromarray(photo[20 * i : 20 * i + side, 30 * i : 30 * i + SIDE]).save(
            folder / f"{i:02}.png"
        )
    (folder / "18.png").write_bytes(b"no picture")
    return sorted(folder.glob("*.png"))


def _moments_by_hand(encoder, photos):
    """Moments of the first convolution's map at both sizes, each a batch of its own."""
    pictures = np.stack([np.asarray(Image.open(path)) for path in photos])
    half = [np.asarray(Image.fromarray(each).resize((SIDE // 2,) * 2)) for each in pictures]
    moments = []
    for batch in (pictures, np.stack(half)):
        levels = (batch.astype(np.float32) - 127) / 128
        first = encoder.backbone.layers[0]
        maps = first.convolution(tf.pad(levels, [[0, 0], [3, 3], [3, 3], [0, 0]])).numpy()
        moments.append((maps.mean(axis=(0, 1, 2)), maps.var(axis=(0, 1, 2))))
    return np.mean(moments, axis=0)


def test_moving_moments_become_those_of_clean_photos_at_both_sizes(encoder, photos):
    before = encoder.get_weights()
    assert measure_statistics(encoder, photos[:8], 8, side=SIDE) == 8
    mean, variance = _moments_by_hand(encoder, photos[:8])
    normalization = encoder.backbone.layers[0].normalization
    np.testing.assert_allclose(normalization.moving_mean, mean, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(normalization.moving_variance, variance, rtol=1e-3, atol=1e-4)
    for variable, old in zip(encoder.weights, before, strict=True):
        if "moving" not in variable.path:
            np.testing.assert_array_equal(variable, old)
    assert normalization.momentum == 0.9


def test_several_batches_count_alike(encoder, photos):
    normalization = encoder.backbone.layers[0].normalization
    parts = []
    for some in (photos[:8], photos[8:16]):
        measure_statistics(encoder, some, 8, side=SIDE)
        parts.append(normalization.moving_mean.numpy())
    # Each part alone shuffles its own eight; together any eight come first.
    assert measure_statistics(encoder, photos, 16, seed=3, side=SIDE) == 16
    np.testing.assert_allclose(normalization.moving_mean, np.mean(parts, axis=0), rtol=1e-3)


def test_photos_too_small_or_unreadable_are_passed_over(encoder, photos):
    assert measure_statistics(encoder, photos, 1000, side=SIDE) == 16


def test_too_few_photos_are_named_with_the_way_out(encoder, photos):
    with pytest.raises(CleanStatisticsError, match=r"8 readable photos .* clean_photos=0"):
        measure_statistics(encoder, photos[12:], 8, side=SIDE)


@pytest.mark.slow  # trains twice
def test_a_run_measures_for_its_preset_and_not_for_its_checkpoints(tmp_path, photo):
    pipeline = StandIn()
    for name in pipeline.photos:
        Image.fromarray(photo[:512, :512]).save(tmp_path / name)
    pipeline.photos = [tmp_path / name for name in pipeline.photos]
    config = tiny_config(clean_photos=8)
    # The second one goes on from the checkpoint of the first.
    results = [train_encoder(config, pipeline, tmp_path / "run") for _ in range(2)]
    plain = train_encoder(tiny_config(), pipeline, tmp_path / "plain").scorer.quality
    for result in results:
        measured = result.scorer.quality
        differ = {
            variable.path
            for variable, other in zip(measured.weights, plain.weights, strict=True)
            if not np.array_equal(variable, other)
        }
        assert differ
        assert all("moving" in path for path in differ)
    for one, other in zip(*(each.scorer.quality.get_weights() for each in results), strict=True):
        np.testing.assert_array_equal(one, other)
