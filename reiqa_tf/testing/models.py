"""Models with random weights, for tests and benchmarks, built as the real ones are."""

from reiqa_tf.models.efficientnet_lite import EfficientNetLiteBackbone
from reiqa_tf.models.encoder import EFFICIENTNET_LITE, ReIQAEncoder
from reiqa_tf.models.head import LinearHead
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.testing.weights import randomise


def small_scorer(working_size=96, seed=0, **kwargs):
    """A scorer of both experts with random weights, some 30,000 parameters in all.

    Args:
        working_size: as in `ReIQAScorer`.
        seed: seed of the weights.
        **kwargs: further arguments of `ReIQAScorer`; they replace the small experts and head.

    Returns:
        built `ReIQAScorer`.
    """
    parts = {
        "content": ReIQAEncoder(
            EfficientNetLiteBackbone(width=0.1, last_stage="stage4"),
            normalization=EFFICIENTNET_LITE,
            stages=("stage2", "stage4"),
            pooling="mean_and_deviation",
            name="content",
        ),
        "quality": ReIQAEncoder(ResNetBackbone((1, 1), width=8), name="quality"),
        "head": LinearHead((0, 1), margin=0.1, distance_limit=2.0),
    }
    scorer = ReIQAScorer(**{**parts, **kwargs}, working_size=working_size)
    scorer.build((None, None, None, 3))
    randomise(scorer, seed)
    if scorer.head is not None:
        scorer.head.feature_scale.assign(scorer.head.feature_scale * 0 + 1)
    return scorer


def resnet50_pair(working_size=None, seed=0):
    """A scorer of the paper's size: two ResNet-50, means of their last stage, random weights.

    Args:
        working_size: as in `ReIQAScorer`.
        seed: seed of the weights.

    Returns:
        built `ReIQAScorer`.
    """
    return small_scorer(
        working_size,
        seed,
        content=ReIQAEncoder(ResNetBackbone(), name="content"),
        quality=ReIQAEncoder(ResNetBackbone(), name="quality"),
    )
