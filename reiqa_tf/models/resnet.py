"""ResNet "v1.5" with bottleneck blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from reiqa_tf.models.backbone import CHANNELS_LAST, Backbone, ConvolutionUnit
from reiqa_tf.models.designs import ResNet
from reiqa_tf.models.rounding import rounded_maps
from reiqa_tf.presets.storage import storable
from reiqa_tf.typing import Shape, Tensor

_EXPANSION = 4
_EPSILON = 1e-5


@storable
class ResNetBackbone(Backbone):
    """ResNet with bottleneck blocks, the stride in the 3x3 convolution ("v1.5").

    The default is ResNet-50, the network of the Re-IQA paper: 23,508,032 trainable parameters and
    2,048 channels in the last stage. Padding is explicit and symmetric, batch normalisation has
    epsilon 1e-5 and no convolution has a bias, as in torchvision, so that weights trained there
    give the same features here. Stages: `stem`, `stage1` ... `stageN`.

    Args:
        blocks: number of bottleneck blocks in each stage; `(3, 4, 6, 3)` is ResNet-50,
            `(3, 4, 23, 3)` ResNet-101.
        width: channels of the stem, and of the first stage's 3x3 convolutions. Every further
            stage doubles them; a stage's output has four times as many.
        name: name of the model.
        **kwargs: further arguments of `keras.Model`, such as `dtype`.

    Example:
    ```python
    import keras
    from reiqa_tf import ResNetBackbone

    backbone = ResNetBackbone()
    maps = backbone(keras.random.uniform((1, 224, 224, 3)))
    assert maps["stage4"].shape == (1, 7, 7, 2048)
    ```

    Reference:
        He et al., Deep Residual Learning for Image Recognition, CVPR 2016 (arXiv 1512.03385);
        "v1.5" is the name that later implementations gave to the stride's place.
    """

    def __init__(
        self,
        blocks: Sequence[int] = ResNet.blocks,
        width: int = ResNet.width,
        name: str = "resnet",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.blocks = tuple(blocks)
        self.width = width
        widths = [width * 2**i for i in range(len(self.blocks))]
        self.stage_names = ("stem", *(f"stage{i + 1}" for i in range(len(self.blocks))))
        self.stage_channels = dict(
            zip(self.stage_names, (width, *(_EXPANSION * w for w in widths)), strict=True)
        )
        self.stage_strides = {stage: 2 ** (i + 1) for i, stage in enumerate(self.stage_names)}
        self.stem = ConvolutionUnit(
            width,
            7,
            _EPSILON,
            strides=2,
            activation=ops.relu,
            symmetric_padding=True,
            dtype=self.dtype_policy,
            name="stem",
        )
        self.padding = keras.layers.ZeroPadding2D(
            1, data_format=CHANNELS_LAST, dtype=self.dtype_policy, name="padding"
        )
        self.pooling = keras.layers.MaxPooling2D(
            3,
            strides=2,
            data_format=CHANNELS_LAST,
            dtype=self.dtype_policy,
            name="pooling",
        )
        self.stages = [
            [
                Bottleneck(
                    stage_width,
                    strides=2 if block == 0 and stage > 0 else 1,
                    projects=block == 0,
                    dtype=self.dtype_policy,
                    name=f"stage{stage + 1}_block{block + 1}",
                )
                for block in range(count)
            ]
            for stage, (count, stage_width) in enumerate(zip(self.blocks, widths, strict=True))
        ]

    def build(self, input_shape: Shape) -> None:
        """Creates the weights for images of `input_shape`, `(N, H, W, 3)`."""
        self.stem.build(input_shape)
        shape: Shape = (input_shape[0], None, None, self.width)
        for stage in self.stages:
            for block in stage:
                block.build(shape)
                shape = block.compute_output_shape(shape)

    def call(self, images: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Computes the feature maps of normalised images `(N, H, W, 3)` by stage name."""
        maps = self.stem(images, training=training)
        by_stage = {"stem": maps}
        # Zeros are as good as minus infinity around a map that ReLU made.
        maps = self.pooling(self.padding(maps))
        for name, stage in zip(self.stage_names[1:], self.stages, strict=True):
            for block in stage:
                maps = block(maps, training=training)
            by_stage[name] = maps
        return by_stage

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this network again."""
        return {**super().get_config(), "blocks": list(self.blocks), "width": self.width}


class Bottleneck(keras.layers.Layer):
    """1x1 down, 3x3, 1x1 up, added to a shortcut.

    Args:
        width: channels of the 3x3 convolution; the output has four times as many.
        strides: stride of the 3x3 convolution and of the shortcut.
        projects: whether the shortcut is a 1x1 convolution instead of the input itself.
    """

    def __init__(self, width: int, strides: int, projects: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        shared: dict[str, Any] = {
            "epsilon": _EPSILON,
            "symmetric_padding": True,
            "dtype": self.dtype_policy,
        }
        self.reduce = ConvolutionUnit(width, 1, activation=ops.relu, name="reduce", **shared)
        self.spatial = ConvolutionUnit(
            width, 3, strides=strides, activation=ops.relu, name="spatial", **shared
        )
        shared["shares_gradient"] = projects
        self.expand = ConvolutionUnit(width * _EXPANSION, 1, name="expand", **shared)
        self.shortcut = (
            ConvolutionUnit(width * _EXPANSION, 1, strides=strides, name="shortcut", **shared)
            if projects
            else None
        )

    def build(self, input_shape: Shape) -> None:
        """Creates the weights for maps of `input_shape`."""
        inner = (*input_shape[:-1], self.width)
        self.reduce.build(input_shape)
        self.spatial.build(inner)
        self.expand.build(inner)
        if self.shortcut is not None:
            self.shortcut.build(input_shape)

    def call(self, maps: Tensor, training: bool | None = None) -> Tensor:
        """Computes the block's output for `maps`."""
        shortcut = maps if self.shortcut is None else self.shortcut(maps, training=training)
        maps = self.reduce(maps, training=training)
        maps = self.spatial(maps, training=training)
        maps = self.expand(maps, training=training)
        return rounded_maps(ops.relu(maps + shortcut))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the output for maps of `input_shape`; height and width are left open."""
        return (input_shape[0], None, None, self.width * _EXPANSION)
