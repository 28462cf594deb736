"""What networks are made of, as data: the home of their default sizes.

The models take their defaults from here, and configurations are written with these classes.
Nothing here needs TensorFlow or Keras.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class ResNet:
    """`reiqa_tf.models.resnet.ResNetBackbone`."""

    blocks: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64


@dataclasses.dataclass(frozen=True)
class EfficientNetLite:
    """`reiqa_tf.models.efficientnet_lite.EfficientNetLiteBackbone`."""

    width: float = 1.0
    depth: float = 1.0
    last_stage: str = "head"


@dataclasses.dataclass(frozen=True)
class Normalization:
    """What an encoder subtracts from and divides RGB in [0, 1] by."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class EncoderDesign:
    """`reiqa_tf.models.encoder.ReIQAEncoder`."""

    backbone: ResNet | EfficientNetLite
    normalization: Normalization | None = None
    stages: tuple[str, ...] | None = None
    pooling: str = "mean"
    scales: int = 2
