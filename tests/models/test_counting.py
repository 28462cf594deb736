"""Multiply-adds, against what one counts by hand."""

import pytest

from reiqa_tf.models.counting import multiply_adds
from reiqa_tf.models.efficientnet_lite import EfficientNetLiteBackbone
from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone


def built(backbone, **options):
    encoder = ReIQAEncoder(backbone, **options)
    encoder.build((None, None, None, 3))
    return encoder


def test_full_convolutions_are_counted_at_full_and_half_size():
    encoder = built(ResNetBackbone((1,), width=4))
    by_hand = sum(
        (
            32 * 24 * 4 * (7 * 7 * 3),  # stem, stride 2
            16 * 12 * 4 * 4,  # after pooling by 2: reduce
            16 * 12 * 4 * (3 * 3 * 4),  # spatial
            16 * 12 * 16 * 4,  # expand
            16 * 12 * 16 * 4,  # shortcut
        )
    )
    assert by_hand == 506_880
    assert multiply_adds(encoder, 64, 48) == by_hand + by_hand // 4


def test_depthwise_convolutions_count_one_channel_and_odd_sizes_round_as_they_are():
    encoder = built(EfficientNetLiteBackbone(last_stage="stage1"))

    def by_hand(pixels):
        stem, depthwise, project = 32 * (3 * 3 * 3), 32 * (3 * 3), 16 * 32
        return pixels * (stem + depthwise + project)

    assert multiply_adds(encoder, 64, 64) == by_hand(32 * 32) + by_hand(16 * 16)
    # 45 x 33: half of it is 22 x 16; a stride of 2 rounds 45 up to 23, and 33 to 17.
    assert multiply_adds(encoder, 45, 33) == by_hand(23 * 17) + by_hand(11 * 8)


def test_what_no_feature_needs_is_not_counted():
    encoder = built(EfficientNetLiteBackbone(last_stage="stage1"), stages=("stem",))
    assert multiply_adds(encoder, 64, 64) == 32 * 27 * (32 * 32 + 16 * 16)


@pytest.mark.slow  # builds the network of the paper
def test_resnet50_costs_what_is_published():
    # 4.089e9 for 224 x 224 with its classifier of 2,048 x 1,000, says torchvision of its weights.
    # 448 x 448 px has the four times of it, and half of that size is 224 x 224.
    both = multiply_adds(built(ResNetBackbone()), 448, 448)
    assert both / 5 + 2048 * 1000 == pytest.approx(4.089e9, abs=0.5e6)
