"""The Re-IQA encoder: one backbone, two scales or one, one row of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from reiqa_tf.image.scaling import half_size, to_unit_range
from reiqa_tf.image.shapes import require_batch
from reiqa_tf.models.backbone import Backbone
from reiqa_tf.models.designs import EncoderDesign
from reiqa_tf.presets.storage import storable
from reiqa_tf.scoring.native_size import VARIANCE_FLOOR, FeatureBlock
from reiqa_tf.typing import Shape, Tensor

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
"""Normalisation of RGB in [0, 1] of most ImageNet networks; the paper's content encoder has it."""

EFFICIENTNET_LITE = {"mean": (127 / 255,) * 3, "std": (128 / 255,) * 3}
"""Normalisation of EfficientNet-Lite: (x - 127) / 128 on levels 0 to 255."""

POOLINGS = ("mean", "mean_and_deviation", "mean_deviation_and_center")
"""Each gives one number of a channel more than the one before it."""


@storable
class ReIQAEncoder(keras.Model):
    """Features of photos at full and at half size, side by side.

    The order of the features is: full size, then half size; within a size the stages as given;
    within a stage the means of its channels, then (if asked for) their standard deviations, then
    (if asked for) their means over the middle of the photo. With one scale there is full size
    alone.

    Args:
        backbone: a `Backbone`, such as `ResNetBackbone()`.
        normalization: `{"mean": (r, g, b), "std": (r, g, b)}` for RGB in [0, 1]; None feeds the
            picture as it is, as the paper's quality encoder does.
        stages: names of the backbone's stages whose maps are pooled, in this order. None is the
            last stage alone, as in the paper.
        pooling: `"mean"` for the average over each map, as in the paper;
            `"mean_and_deviation"` for the average and the standard deviation (the square root of
            the variance plus 1e-6); `"mean_deviation_and_center"` also for the average over the
            map's middle, the half of its height and of its width, where most photos have what they
            are of.
        scales: at how many sizes it sees a photo: 2, full and half, as in the paper; or 1, full
            size alone, for four fifths of the cost and half of the features.
        name: name of the model.
        **kwargs: further arguments of `keras.Model`, such as `dtype`.

    Raises:
        ValueError: if a stage, the pooling, the scales or the normalisation are not as above.

    Example:
    ```python
    import keras
    from reiqa_tf import ReIQAEncoder, ResNetBackbone
    from reiqa_tf.models.encoder import IMAGENET

    encoder = ReIQAEncoder(ResNetBackbone(), normalization=IMAGENET)
    features = encoder(keras.random.uniform((2, 384, 512, 3)))
    assert features.shape == (2, 4096)
    ```

    Reference:
        Saha, Mishra, Bovik, Re-IQA: Unsupervised Learning for Image Quality Assessment in the
        Wild, CVPR 2023 (arXiv 2304.00451), section 3.
    """

    def __init__(
        self,
        backbone: Backbone,
        normalization: Mapping[str, Sequence[float]] | None = None,
        stages: Sequence[str] | None = None,
        pooling: str = EncoderDesign.pooling,
        scales: int = EncoderDesign.scales,
        name: str = "encoder",
        **kwargs: Any,
    ) -> None:
        # The pictures must reach `call` in full precision; the backbone casts for itself.
        super().__init__(name=name, autocast=False, **kwargs)
        if not isinstance(backbone, Backbone):
            raise ValueError(
                "backbone: expected a reiqa_tf Backbone such as ResNetBackbone(). "
                f"Received: {backbone!r}"
            )
        stages = (backbone.stage_names[-1],) if stages is None else tuple(stages)
        unknown = [stage for stage in stages if stage not in backbone.stage_names]
        if unknown or not stages or len(set(stages)) < len(stages):
            raise ValueError(
                f"stages: expected different names out of {', '.join(backbone.stage_names)}. "
                f"Received: {', '.join(stages) or 'none'}"
            )
        if pooling not in POOLINGS:
            raise ValueError(f"pooling: expected one of {POOLINGS}. Received: {pooling!r}")
        if scales not in (1, 2):
            raise ValueError(f"scales: expected 1 or 2. Received: {scales!r}")
        self.backbone = backbone
        self.normalization = _checked(normalization)
        self.stages = stages
        self.pooling = pooling
        self.scales = scales

    @property
    def feature_count(self) -> int:
        """Number of features of one photo."""
        return sum(block.numbers * block.channels for block in self.feature_blocks)

    @property
    def feature_blocks(self) -> tuple[FeatureBlock, ...]:
        """What the features are, in their order."""
        numbers = 1 + POOLINGS.index(self.pooling)
        channels = (self.backbone.stage_channels[stage] for stage in self.stages)
        return self.scales * tuple(FeatureBlock(numbers, count) for count in channels)

    def build(self, input_shape: Shape) -> None:
        """Creates the weights for images of `input_shape`, `(N, H, W, 3)`."""
        if not self.backbone.built:
            self.backbone.build(input_shape)

    def __call__(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        """`call`, after a look at the shape of the images."""
        require_batch(images)
        return super().__call__(images, *args, **kwargs)

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Computes the features of a batch of photos.

        Args:
            images: `(N, H, W, 3)`, RGB, floats in [0, 1] or integer levels 0 to 255; H and W at
                least 2.
            training: whether batch normalisation uses the statistics of the batch.

        Returns:
            float32 tensor `(N, feature_count)`.
        """
        full = self.features_at_one_scale(images, training=training)
        if self.scales == 1:
            return full
        half = self.features_at_one_scale(half_size(images), training=training)
        return ops.concatenate([full, half], axis=-1)

    def features_at_one_scale(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Computes the features of pictures at the size they have: those of one of the scales.

        Args:
            images: `(N, H, W, 3)`, RGB, floats in [0, 1] or integer levels 0 to 255.
            training: whether batch normalisation uses the statistics of the batch.

        Returns:
            float32 tensor `(N, feature_count // scales)`.
        """
        maps = self.maps_at_one_scale(images, training=training)
        return ops.concatenate([part for stage_maps in maps for part in self._pool(stage_maps)], -1)

    def maps_at_one_scale(self, images: Tensor, training: bool | None = None) -> list[Tensor]:
        """Computes the maps that are pooled into features, at the size that pictures have.

        Args:
            images: `(N, H, W, 3)`, RGB, floats in [0, 1] or integer levels 0 to 255.
            training: whether batch normalisation uses the statistics of the batch.

        Returns:
            a float32 tensor `(N, h, w, C)` for each of `stages`.
        """
        require_batch(images)
        images = to_unit_range(images)
        if self.normalization is not None:
            mean, std = (_one_if_equal(self.normalization[key]) for key in ("mean", "std"))
            images = (images - mean) / std
        maps = self.backbone(images, training=training)
        # In float32 whatever the policy: sums over many pixels do not fit into 16 bits.
        return [ops.cast(maps[stage], "float32") for stage in self.stages]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this encoder again."""
        # Two scales are not said: the presets that were saved before there was a choice say none,
        # and keep the fingerprint that caches know them by.
        scales = {} if self.scales == EncoderDesign.scales else {"scales": self.scales}
        return {
            **super().get_config(),
            **scales,
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "normalization": self.normalization,
            "stages": list(self.stages),
            "pooling": self.pooling,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ReIQAEncoder:
        """Makes an encoder from what `get_config` returned."""
        backbone = keras.saving.deserialize_keras_object(config["backbone"])
        return cls(**{**config, "backbone": backbone})

    def _pool(self, maps: Tensor) -> list[Tensor]:
        if self.pooling == "mean":
            return [ops.mean(maps, axis=(1, 2))]
        mean, variance = tf.nn.moments(maps, axes=[1, 2])
        pooled = [mean, ops.sqrt(variance + VARIANCE_FLOOR)]
        if self.pooling == "mean_deviation_and_center":
            height, width = ops.shape(maps)[1:3]
            top, left = height // 4, width // 4
            middle = maps[:, top : height - top, left : width - left]
            pooled.append(ops.mean(middle, axis=(1, 2)))
        return pooled


def _one_if_equal(numbers: Sequence[float]) -> Tensor:
    """A number a channel, or one for all, with which onnxruntime takes 7 % less for a photo."""
    return ops.convert_to_tensor(numbers if len(set(numbers)) > 1 else numbers[0], "float32")


def _checked(
    normalization: Mapping[str, Sequence[float]] | None,
) -> dict[str, list[float]] | None:
    if normalization is None:
        return None
    checked: dict[str, list[float]] | None
    try:
        checked = {key: [float(v) for v in normalization[key]] for key in ("mean", "std")}
    except (KeyError, TypeError, ValueError):
        checked = None
    if checked is None or any(len(v) != 3 for v in checked.values()) or min(checked["std"]) <= 0:
        raise ValueError(
            'normalization: expected None or {"mean": (r, g, b), "std": (r, g, b)} with positive '
            f"std. Received: {normalization!r}"
        )
    return checked
