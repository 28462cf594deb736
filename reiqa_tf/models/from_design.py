"""What a design describes, made: a new encoder, with random weights or those of another one."""

from __future__ import annotations

import dataclasses
from typing import Any

from reiqa_tf.models.backbone import Backbone
from reiqa_tf.models.designs import EfficientNetLite, EncoderDesign, ResNet
from reiqa_tf.models.efficientnet_lite import EfficientNetLiteBackbone
from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone

_BACKBONES = {ResNet: ResNetBackbone, EfficientNetLite: EfficientNetLiteBackbone}
_SIZES = {field.name for design in _BACKBONES for field in dataclasses.fields(design)}


def make_encoder(design: EncoderDesign, name: str, policy: str = "float32") -> ReIQAEncoder:
    """Makes an encoder, not built.

    Args:
        design: the `EncoderDesign`.
        name: name of the model.
        policy: dtype policy of the backbone.

    Returns:
        `ReIQAEncoder`.
    """
    return ReIQAEncoder(
        _BACKBONES[type(design.backbone)](**entries(design.backbone), dtype=policy),
        normalization=None if design.normalization is None else entries(design.normalization),
        stages=design.stages,
        pooling=design.pooling,
        scales=design.scales,
        name=name,
    )


def entries(part: Any) -> dict[str, Any]:
    """The entries of a design, by name, as arguments for what it describes.

    Args:
        part: a dataclass.

    Returns:
        dictionary; values are as they are.
    """
    return {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}


def in_short(backbone: Backbone) -> str:
    """A backbone and its sizes, in a few words for an error message."""
    sizes = {name: size for name, size in backbone.get_config().items() if name in _SIZES}
    return (
        f"{type(backbone).__name__}({', '.join(f'{name}={size}' for name, size in sizes.items())})"
    )
