"""The encoder: two scales, stages and pooling in the stated order, tiles merged as one map."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from reiqa_tf.models.counting import multiply_adds
from reiqa_tf.models.encoder import EFFICIENTNET_LITE, IMAGENET, POOLINGS, ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.scoring.native_size import merge_tiles
from tests.small_models import randomise


def _encoder(**options):
    encoder = ReIQAEncoder(ResNetBackbone((1, 1), width=8), **options)
    encoder.build((None, None, None, 3))
    randomise(encoder, seed=3)
    return encoder


def _described(encoder, levels, stages, pooling):
    """Features by the paper's words: Pillow halves, NumPy normalises and pools."""
    height, width = levels.shape[:2]
    half = Image.fromarray(levels).resize((width // 2, height // 2))
    features = []
    for scale in (levels, np.asarray(half)):
        image = scale / 255
        if encoder.normalization is not None:
            image = (image - encoder.normalization["mean"]) / encoder.normalization["std"]
        maps = encoder.backbone(image[None].astype(np.float32), training=False)
        for stage in stages:
            pixels = maps[stage].numpy()[0].astype(float)
            features.append(pixels.mean(axis=(0, 1)))
            if "deviation" in pooling:
                features.append(np.sqrt(pixels.var(axis=(0, 1)) + 1e-6))
            if "center" in pooling:
                rows, columns = (range(side // 4, side - side // 4) for side in pixels.shape[:2])
                features.append(pixels[np.ix_(rows, columns)].mean(axis=(0, 1)))
    return np.concatenate(features)


@pytest.mark.parametrize("normalization", [None, IMAGENET, EFFICIENTNET_LITE])
@pytest.mark.parametrize("stages", [None, ("stem", "stage2"), ("stage2", "stem")])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_features_are_full_then_half_size_stage_by_stage(photo, normalization, stages, pooling):
    encoder = _encoder(normalization=normalization, stages=stages, pooling=pooling)
    levels = photo[50:146, 30:158]
    expected = _described(encoder, levels, stages or ("stage2",), pooling)
    received = encoder(levels[None])[0]
    assert encoder.feature_count == len(expected)
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=2e-4)


def test_one_scale_is_the_first_half_of_two(photo):
    two = _encoder(stages=("stem", "stage2"), pooling="mean_and_deviation")
    one = _encoder(stages=("stem", "stage2"), pooling="mean_and_deviation", scales=1)
    levels = photo[None, 50:146, 30:158]
    assert one.feature_count == two.feature_count // 2
    np.testing.assert_array_equal(one(levels), two(levels)[:, : one.feature_count])
    assert (
        multiply_adds(one, 64, 64) < multiply_adds(two, 64, 64) < 1.3 * multiply_adds(one, 64, 64)
    )


def test_the_number_of_scales_is_kept_where_it_is_not_that_of_older_presets():
    assert ReIQAEncoder.from_config(_encoder(scales=1).get_config()).scales == 1
    assert "scales" not in _encoder().get_config()
    assert ReIQAEncoder.from_config(_encoder().get_config()).scales == 2


def test_levels_and_floats_of_the_same_photo_have_the_same_features(photo):
    encoder = _encoder()
    levels = photo[None, :65, :97]
    np.testing.assert_allclose(
        encoder(levels), encoder(levels.astype(np.float32) / 255), rtol=1e-5, atol=1e-6
    )


def test_features_are_the_same_eagerly_in_a_graph_and_alone_or_in_a_batch(photo):
    encoder = _encoder(stages=("stem", "stage1", "stage2"), pooling="mean_and_deviation")
    batch = np.stack([photo[:65, :97], photo[200:265, 300:397], photo[400:465, 500:597]])
    eager = encoder(batch).numpy()
    graph = tf.function(encoder, input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)])
    np.testing.assert_allclose(graph(batch), eager, rtol=1e-5, atol=1e-6)
    for row, image in zip(eager, batch, strict=True):
        np.testing.assert_allclose(encoder(image[None])[0], row, rtol=1e-5, atol=1e-6)


def test_pictures_reach_the_backbone_in_full_precision_under_a_mixed_policy(photo):
    # In bfloat16 neighbouring levels near white are one: the half size would show steps.
    levels = photo[None, :64, :64]
    full, mixed = _encoder(), _encoder(dtype="mixed_bfloat16")
    np.testing.assert_allclose(mixed(levels), full(levels), rtol=1e-5)
    assert mixed.backbone.compute_dtype == "float32"  # its own policy counts, not the encoder's


@pytest.mark.parametrize("scales", [1, 2])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_merged_tiles_are_the_features_of_one_map(pooling, scales):
    encoder = _encoder(stages=("stem", "stage2"), pooling=pooling, scales=scales)
    generator = np.random.default_rng(0)
    maps = [  # of two stages at each scale, as wide as the encoder says
        generator.normal(size=(12, 20, channels)) for channels in (8, 64) * scales
    ]

    def pooled(part):
        rows = [
            [part(m).mean((0, 1)), np.sqrt(part(m).var((0, 1)) + 1e-6), middle(part(m))]
            for m in maps
        ]
        kept = 1 + POOLINGS.index(pooling)
        return np.concatenate([each for row in rows for each in row[:kept]])

    def middle(m):
        rows, columns = (slice(side // 4, side - side // 4) for side in m.shape[:2])
        return m[rows, columns].mean((0, 1))

    # No edge of the middle, rows 3 to 9 and columns 5 to 15, goes through a tile.
    boxes = [(0, 0, 5, 12), (5, 0, 20, 3), (5, 3, 15, 9), (15, 3, 20, 9), (5, 9, 20, 12)]
    tiles = [pooled(lambda m, box=box: m[box[1] : box[3], box[0] : box[2]]) for box in boxes]
    merged = merge_tiles(tiles, boxes, encoder.feature_blocks)
    np.testing.assert_allclose(merged, pooled(lambda m: m), rtol=1e-5, atol=1e-6)


def test_gradients_are_finite_where_a_channel_is_constant():
    encoder = _encoder(pooling="mean_and_deviation")
    flat = np.full((1, 32, 32, 3), 0.5, np.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(flat, training=False))
    for gradient in tape.gradient(loss, encoder.trainable_variables):
        assert np.isfinite(gradient).all()


def test_an_encoder_is_made_again_from_its_configuration(photo, tmp_path):
    encoder = _encoder(normalization=IMAGENET, stages=("stem", "stage1"))
    encoder.save(tmp_path / "encoder.keras")
    again = keras.saving.load_model(tmp_path / "encoder.keras")
    levels = photo[None, :65, :97]
    np.testing.assert_array_equal(again(levels), encoder(levels))
    assert again.backbone.get_config() == encoder.backbone.get_config()
    for name in ("normalization", "stages", "pooling"):
        assert again.get_config()[name] == encoder.get_config()[name]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stages": ("stage9",)}, "stages: expected different names out of stem, stage1, stage2"),
        ({"stages": ("stem", "stem")}, "stages: expected different names"),
        ({"stages": ()}, "Received: none"),
        ({"pooling": "max"}, "pooling: expected one of"),
        ({"scales": 3}, "scales: expected 1 or 2. Received: 3"),
        ({"normalization": {"mean": (0, 0, 0)}}, "normalization: expected None or"),
        ({"normalization": {"mean": (0, 0, 0), "std": (1, 0, 1)}}, "positive std"),
        ({"normalization": "imagenet"}, "normalization: expected None or"),
    ],
)
def test_wrong_arguments_are_refused_with_what_was_expected(options, message):
    with pytest.raises(ValueError, match=message):
        ReIQAEncoder(ResNetBackbone((1, 1), width=8), **options)


def test_something_that_is_no_backbone_is_refused():
    with pytest.raises(ValueError, match="expected a reiqa_tf Backbone"):
        ReIQAEncoder(keras.Sequential())
