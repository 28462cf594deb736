"""The backbones: published sizes, padding, policies, and a NumPy oracle of one unit."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.models.backbone import ConvolutionUnit
from reiqa_tf.models.efficientnet_lite import EfficientNetLiteBackbone
from reiqa_tf.models.resnet import ResNetBackbone
from tests.small_models import randomise


def _count(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


def test_resnet50_has_exactly_the_parameters_of_the_paper():
    backbone = ResNetBackbone()
    backbone.build((None, None, None, 3))
    assert _count(backbone.trainable_variables) == 23_508_032


def test_efficientnet_lite0_has_the_published_parameters_without_its_classifier():
    # 4,652,008 in all, as published with the Lite models, less 1,281 x 1,000 of the classifier.
    backbone = EfficientNetLiteBackbone()
    backbone.build((None, None, None, 3))
    assert _count(backbone.trainable_variables) == 4_652_008 - 1_281_000


def test_stages_have_the_sizes_and_channels_that_they_name():
    for backbone, strides in (
        (ResNetBackbone((1, 1, 1, 1), width=8), (2, 4, 8, 16, 32)),
        (EfficientNetLiteBackbone(), (2, 2, 4, 8, 16, 16, 32, 32, 32)),
    ):
        maps = backbone(np.zeros((2, 97, 131, 3), np.float32))
        assert tuple(maps) == backbone.stage_names
        stages = {name: each for name, each in maps.items() if "block" not in name}
        for (name, each), stride in zip(stages.items(), strides, strict=True):
            expected = (2, -(-97 // stride), -(-131 // stride), backbone.stage_channels[name])
            assert each.shape == expected
            assert backbone.stage_strides[name] == stride
        for name, each in maps.items():
            stride = backbone.stage_strides[name]
            assert each.shape[1:3] == (-(-97 // stride), -(-131 // stride)), name


def test_the_map_inside_a_block_is_what_its_projection_takes():
    backbone = EfficientNetLiteBackbone(last_stage="stage2")
    backbone.build((None, None, None, 3))
    randomise(backbone, seed=2)
    images = np.random.default_rng(0).uniform(size=(1, 37, 45, 3)).astype(np.float32)
    maps = backbone(images)
    assert backbone.stage_names == (
        "stem",
        "stage1_block1_depthwise",
        "stage1",
        "stage2_block1_depthwise",
        "stage2_block2_depthwise",
        "stage2",
    )
    inside = maps["stage1_block1_depthwise"].numpy()
    assert inside.shape[-1] == backbone.stage_channels["stage1_block1_depthwise"] == 32
    assert inside.min() == 0  # after ReLU6
    kernel, gamma, beta, mean, variance = (
        weight.astype(float) for weight in backbone.stages[0][0].project.get_weights()
    )
    projected = (inside.astype(float) @ kernel[0, 0] - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(maps["stage1"], projected * gamma + beta, rtol=1e-4, atol=1e-5)
    assert backbone.stage_channels["stage2_block2_depthwise"] == 6 * 24
    assert maps["stage2_block2_depthwise"].shape == (1, 10, 12, 144)


@pytest.mark.parametrize("filters", [None, 5])
@pytest.mark.parametrize(
    ("kernel_size", "strides", "symmetric"),
    [(3, 2, True), (3, 2, False), (3, 1, True), (7, 2, True)],
)
def test_a_convolution_unit_equals_a_loop_over_pixels(kernel_size, strides, symmetric, filters):
    generator = np.random.default_rng(0)
    images = generator.normal(size=(1, 11, 14, 3)).astype(np.float32)
    unit = ConvolutionUnit(
        filters,
        kernel_size,
        epsilon=1e-3,
        strides=strides,
        activation=keras.ops.relu6,
        symmetric_padding=symmetric,
    )
    unit.build(images.shape)
    randomise(unit, seed=1)
    kernel = unit.convolution.get_weights()[0].astype(float)
    gamma, beta, mean, variance = (w.astype(float) for w in unit.normalization.get_weights())

    height, width = (-(-size // strides) for size in images.shape[1:3])
    pads = []
    for size, out in ((11, height), (14, width)):
        total = max((out - 1) * strides + kernel_size - size, 0)
        before = kernel_size // 2 if symmetric else total // 2
        pads.append((before, kernel_size))
    padded = np.pad(images[0].astype(float), (*pads, (0, 0)))
    expected = np.empty((height, width, kernel.shape[-1] if filters else 3))
    for y in range(height):
        for x in range(width):
            window = padded[
                y * strides : y * strides + kernel_size, x * strides : x * strides + kernel_size
            ]
            expected[y, x] = (
                np.einsum("ijc,ijcf->f", window, kernel)
                if filters
                else np.einsum("ijc,ijc->c", window, kernel[..., 0])
            )
    expected = (expected - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    np.testing.assert_allclose(unit(images)[0], np.clip(expected, 0, 6), rtol=1e-4, atol=1e-5)


def test_no_two_convolutions_share_the_gradient_of_one_merged_offset():
    # TensorFlow would merge the offset's gradient with either of them, by chance.
    backbone = ResNetBackbone(blocks=(1, 1), width=4)
    backbone.build((None, 32, 32, 3))

    @tf.function
    def gradients(images):
        with tf.GradientTape() as tape:
            maps = tf.reduce_sum(list(backbone(images, training=False).values())[-1])
        weights = [variable.value for variable in backbone.trainable_variables]
        return tape.gradient(maps, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    operators = gradients.get_concrete_function(tf.ones((1, 32, 32, 3))).graph.get_operations()
    offsets = [each.inputs[0] for each in operators if each.type == "BiasAddGrad"]
    kernels = [each.inputs[2] for each in operators if each.type == "Conv2DBackpropFilter"]
    assert len(offsets) == 5
    for offset in offsets:
        assert sum(kernel is offset for kernel in kernels) == 1


def test_wider_and_deeper_members_of_the_lite_family_have_their_published_channels():
    # EfficientNet-Lite4 (width 1.4, depth 1.8): 13,006,568 parameters in all, as published.
    backbone = EfficientNetLiteBackbone(width=1.4, depth=1.8)
    backbone.build((None, None, None, 3))
    assert _count(backbone.trainable_variables) == 13_006_568 - 1_281_000


def test_a_backbone_that_ends_early_answers_the_same_maps_as_far_as_it_goes():
    images = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype(np.float32)
    whole = EfficientNetLiteBackbone(width=0.2)
    part = EfficientNetLiteBackbone(width=0.2, last_stage="stage3")
    for backbone in (whole, part):
        backbone.build((None, None, None, 3))
    randomise(whole, seed=4)
    part.set_weights(whole.get_weights()[: len(part.weights)])
    expected, received = whole(images), part(images)
    assert list(received) == list(expected)[: len(received)]
    assert list(received)[-1] == "stage3"
    for name, maps in received.items():
        np.testing.assert_array_equal(maps, expected[name])
    with pytest.raises(ValueError, match="last_stage: expected one of stem, stage1"):
        EfficientNetLiteBackbone(last_stage="stage8")


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_mixed_policy_reaches_every_layer_and_changes_little(policy):
    images = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype(np.float32)
    full = ResNetBackbone((1, 1), width=16)
    mixed = ResNetBackbone((1, 1), width=16, dtype=policy)
    for backbone in (full, mixed):
        backbone.build((None, None, None, 3))
    randomise(full, seed=2)
    mixed.set_weights(full.get_weights())
    expected = full(images)["stage2"].numpy()
    received = mixed(images)["stage2"]
    assert keras.backend.standardize_dtype(received.dtype) == policy.removeprefix("mixed_")
    for layer in mixed._flatten_layers(include_self=True):
        assert layer.dtype_policy.name == policy
    scale = np.abs(expected).max()
    received = keras.ops.convert_to_numpy(keras.ops.cast(received, "float32"))
    assert np.abs(received - expected).max() < 0.05 * scale


@pytest.mark.parametrize(
    "backbone", [ResNetBackbone((1, 2), width=8), EfficientNetLiteBackbone(width=0.5)]
)
def test_a_backbone_is_made_again_from_its_configuration(backbone):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(backbone))
    for each in (backbone, again):
        each.build((None, None, None, 3))
    assert [v.path for v in again.variables] == [v.path for v in backbone.variables]
    assert [v.shape for v in again.variables] == [v.shape for v in backbone.variables]
