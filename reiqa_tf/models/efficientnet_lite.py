"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation, with ReLU6, made for phones."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from reiqa_tf.models.backbone import Backbone, ConvolutionUnit
from reiqa_tf.models.designs import EfficientNetLite
from reiqa_tf.models.rounding import rounded_maps
from reiqa_tf.presets.storage import storable
from reiqa_tf.typing import Shape, Tensor

_EPSILON = 1e-3

# (expansion, kernel, stride, channels, blocks) of each stage, before scaling.
# Source: EfficientNet (Tan and Le, ICML 2019, arXiv 1905.11946), table 1.
_STAGES = {
    "stage1": (1, 3, 1, 16, 1),
    "stage2": (6, 3, 2, 24, 2),
    "stage3": (6, 5, 2, 40, 2),
    "stage4": (6, 3, 2, 80, 3),
    "stage5": (6, 5, 1, 112, 3),
    "stage6": (6, 5, 2, 192, 4),
    "stage7": (6, 3, 1, 320, 1),
}
_STAGE_NAMES = ("stem", *_STAGES, "head")
_STEM_CHANNELS = 32
_HEAD_CHANNELS = 1280


@storable
class EfficientNetLiteBackbone(Backbone):
    """EfficientNet-Lite; the default is Lite0 with 1,280 features.

    Inverted bottlenecks with ReLU6 and without squeeze-and-excitation; stem and head keep their
    width in every member of the family, and the first and the last stage their depth.
    Stages: `stem`, `stage1` ... `stage7`, `head`, and between them, for each block of a stage, such
    as `stage3_block2_depthwise`, the activated map before the block is projected to few channels:
    six times as wide as the stage's own and not negative, it tells more of a photo's quality.

    Args:
        width: factor on the channels of the stages; 1.0 for Lite0 and Lite1, 1.1 for Lite2,
            1.2 for Lite3, 1.4 for Lite4.
        depth: factor on the blocks of a stage; 1.0, 1.1, 1.2, 1.4 and 1.8 for Lite0 to Lite4.
        last_stage: name of the last stage that is made, for features that need no later one.
        name: name of the model.
        **kwargs: further arguments of `keras.Model`, such as `dtype`.

    Example:
    ```python
    import keras
    from reiqa_tf import EfficientNetLiteBackbone

    backbone = EfficientNetLiteBackbone()
    maps = backbone(keras.random.uniform((1, 224, 224, 3)))
    assert maps["head"].shape == (1, 7, 7, 1280)
    ```

    Reference:
        Tan and Le, EfficientNet, ICML 2019 (arXiv 1905.11946); the Lite variants and their
        factors are those of the TensorFlow TPU repository, `efficientnet/lite`.
    """

    def __init__(
        self,
        width: float = EfficientNetLite.width,
        depth: float = EfficientNetLite.depth,
        last_stage: str = EfficientNetLite.last_stage,
        name: str = "efficientnet_lite",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if last_stage not in _STAGE_NAMES:
            raise ValueError(
                f"last_stage: expected one of {', '.join(_STAGE_NAMES)}. Received: {last_stage!r}"
            )
        self.width = width
        self.depth = depth
        made = _STAGE_NAMES[: _STAGE_NAMES.index(last_stage) + 1]
        shared: dict[str, Any] = {
            "epsilon": _EPSILON,
            "activation": ops.relu6,
            "dtype": self.dtype_policy,
        }
        self.stem = ConvolutionUnit(_STEM_CHANNELS, 3, strides=2, name="stem", **shared)
        self.stage_channels, self.stage_strides = {"stem": _STEM_CHANNELS}, {"stem": 2}
        self.stages: list[list[InvertedBottleneck]] = []
        channels, stride = _STEM_CHANNELS, 2
        for name in made[1:]:
            if name == "head":
                continue
            expansion, kernel, strides, filters, blocks = _STAGES[name]
            if name not in ("stage1", "stage7"):
                blocks = math.ceil(blocks * depth)
            stride *= strides
            stage = []
            for number in range(1, blocks + 1):
                block = InvertedBottleneck(
                    _round_to_eights(filters * width),
                    expansion,
                    kernel,
                    strides=strides if number == 1 else 1,
                    dtype=self.dtype_policy,
                    name=f"{name}_block{number}",
                )
                self.stage_channels[_inside(block)] = channels * expansion
                self.stage_strides[_inside(block)] = stride
                channels = block.filters
                stage.append(block)
            self.stage_channels[name], self.stage_strides[name] = channels, stride
            self.stages.append(stage)
        self.head = None
        if last_stage == "head":
            self.head = ConvolutionUnit(_HEAD_CHANNELS, 1, name="head", **shared)
            self.stage_channels["head"], self.stage_strides["head"] = _HEAD_CHANNELS, stride
        self.stage_names = tuple(self.stage_channels)

    def build(self, input_shape: Shape) -> None:
        """Creates the weights for images of `input_shape`, `(N, H, W, 3)`."""
        self.stem.build(input_shape)
        shape: Shape = (input_shape[0], None, None, _STEM_CHANNELS)
        for stage in self.stages:
            for block in stage:
                block.build(shape)
                shape = block.compute_output_shape(shape)
        if self.head is not None:
            self.head.build(shape)

    def call(self, images: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Computes the feature maps of normalised images `(N, H, W, 3)` by stage name."""
        maps = self.stem(images, training=training)
        by_stage = {"stem": maps}
        for name, stage in zip(_STAGES, self.stages, strict=False):
            for block in stage:
                inside = block.widen(maps, training=training)
                by_stage[_inside(block)] = inside
                maps = block.narrow(inside, maps, training=training)
            by_stage[name] = maps
        if self.head is not None:
            by_stage["head"] = self.head(maps, training=training)
        return by_stage

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this network again."""
        return {
            **super().get_config(),
            "width": self.width,
            "depth": self.depth,
            "last_stage": self.stage_names[-1],
        }


class InvertedBottleneck(keras.layers.Layer):
    """1x1 up, depthwise, 1x1 down; added to its input where the shapes allow.

    Args:
        filters: channels of the output.
        expansion: factor on the input's channels; at 1 the first convolution is left out.
        kernel_size: side of the depthwise kernel in pixels.
        strides: stride of the depthwise convolution.
    """

    def __init__(
        self, filters: int, expansion: int, kernel_size: int, strides: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.expansion = expansion
        self.strides = strides
        self.expand: ConvolutionUnit | None = (
            None  # made by `build`, which knows the number of channels
        )
        self.depthwise = ConvolutionUnit(
            None,
            kernel_size,
            _EPSILON,
            strides=strides,
            activation=ops.relu6,
            dtype=self.dtype_policy,
            name="depthwise",
        )
        self.project = ConvolutionUnit(
            filters, 1, _EPSILON, dtype=self.dtype_policy, name="project"
        )
        self.adds_input = False

    def build(self, input_shape: Shape) -> None:
        """Creates the weights for maps of `input_shape`."""
        inner = (*input_shape[:-1], input_shape[-1] * self.expansion)
        if self.expansion > 1:
            self.expand = ConvolutionUnit(
                inner[-1],
                1,
                _EPSILON,
                activation=ops.relu6,
                dtype=self.dtype_policy,
                name="expand",
            )
            self.expand.build(input_shape)
        self.depthwise.build(inner)
        self.project.build(inner)
        self.adds_input = self.strides == 1 and input_shape[-1] == self.filters

    def call(self, maps: Tensor, training: bool | None = None) -> Tensor:
        """Computes the block's output for `maps`."""
        return self.narrow(self.widen(maps, training=training), maps, training=training)

    def widen(self, maps: Tensor, training: bool | None = None) -> Tensor:
        """The first half of the block: what the depthwise convolution makes of `maps`."""
        if self.expand is not None:
            maps = self.expand(maps, training=training)
        return self.depthwise(maps, training=training)

    def narrow(self, inside: Tensor, maps: Tensor, training: bool | None = None) -> Tensor:
        """The second half: the block's output from what `widen` made of `maps`."""
        projected = self.project(inside, training=training)
        return rounded_maps(projected + maps) if self.adds_input else projected

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the output for maps of `input_shape`; height and width are left open."""
        return (input_shape[0], None, None, self.filters)


def _inside(block: InvertedBottleneck) -> str:
    """Name of the map between a block's halves."""
    return f"{block.name}_depthwise"


def _round_to_eights(channels: float) -> int:
    """The nearest multiple of 8, but never more than a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
