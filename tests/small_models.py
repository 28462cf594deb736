"""Small models with random weights, built as the real ones are."""

import keras
import numpy as np

from reiqa_tf.models.efficientnet_lite import EfficientNetLiteBackbone
from reiqa_tf.models.encoder import EFFICIENTNET_LITE, ReIQAEncoder
from reiqa_tf.models.head import LinearHead
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.scoring.calibration import Calibration

CALIBRATION = Calibration(
    (0.0, 1.0),
    percentiles=tuple(np.linspace(0.1, 0.9, 101).tolist()),
    interval=2.0,
    expected=(0.8, 0.1),
    coverage=0.9,
    distance_limit=2.0,
)


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
        "head": LinearHead(CALIBRATION),
    }
    scorer = ReIQAScorer(**{**parts, **kwargs}, working_size=working_size)
    scorer.build((None, None, None, 3))
    randomise(scorer, seed)
    return scorer


def randomise(layer, seed):
    """Gives a layer random weights with which no feature is constant, and none explodes.

    Fresh weights are no test: batch normalisation is the identity and biases are zero. Kernels are
    drawn by He's rule over the fan-in; the parameters and statistics of batch normalisation around
    the values that training leaves.

    Args:
        layer: a built layer or model.
        seed: seed of the draw.
    """
    generator = np.random.default_rng(seed)
    for variable in layer.variables:
        name = variable.path.rsplit("/", 1)[-1]
        shape = variable.shape
        if name == "kernel" and len(shape) == 4:
            depthwise = "depthwise" in variable.path
            fan_in = shape[0] * shape[1] * (1 if depthwise else shape[2])
            values = generator.normal(scale=np.sqrt(2 / fan_in), size=shape)
        elif name in ("gamma", "moving_variance"):
            values = generator.uniform(0.5, 1.5, size=shape)
        else:
            values = generator.normal(scale=0.1, size=shape)
        variable.assign(keras.ops.cast(values, variable.dtype))
