"""What every backbone is: a network that gives the feature maps of its stages by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from reiqa_tf.models.normalization import FusedBatchNormalization
from reiqa_tf.models.rounding import rounded_kernel, rounded_maps
from reiqa_tf.typing import Shape, Tensor

CHANNELS_LAST = "channels_last"
"""Where channels stand in every map, said to each layer: `keras.json` may set it otherwise."""


class Backbone(keras.Model):
    """A convolutional network that shows its stages.

    A subclass sets `stage_names`, `stage_channels` and `stage_strides` and returns, from `call`, a
    dictionary of one feature map `(N, h, w, C)` for each stage name, in that order. It takes
    normalised images `(N, H, W, 3)` of any height and width; scaling and mean/std are the encoder's
    business.
    """

    stage_names: tuple[str, ...]
    """Names of the stages, from the first to the last."""

    stage_channels: dict[str, int]
    """Number of channels of each stage's feature map, by the stage's name."""

    stage_strides: dict[str, int]
    """Pixels from a place of each stage's feature map to the next one, by the stage's name. Sides
    are rounded up: `h` is `ceil(H / stride)`."""

    def begin_as(self, other: Backbone) -> None:
        """Takes the weights of another backbone, which may go on where this one ends.

        Args:
            other: a built `Backbone`: this network, or this network and later stages.

        Raises:
            ValueError: if the other one is another network; then no weight is changed.

        Example:
        ```python
        import reiqa_tf
        from reiqa_tf import EfficientNetLiteBackbone

        short = EfficientNetLiteBackbone(last_stage="stage6")
        short.build((None, None, None, 3))
        short.begin_as(reiqa_tf.load_preset("content_lite0_biq2021").content.backbone)
        ```
        """
        weights = self.weights
        theirs = other.get_weights()[: len(weights)]
        if [weight.shape for weight in theirs] != [tuple(weight.shape) for weight in weights]:
            raise ValueError(
                f"Expected a network that begins as {self.name} does. Received: {other.name} with "
                f"weights of other shapes."
            )
        self.set_weights(theirs)


class ConvolutionUnit(keras.layers.Layer):
    """A convolution without bias, batch normalisation and an activation.

    Args:
        filters: channels of the output; None makes the convolution depthwise.
        kernel_size: side of the kernel in pixels.
        epsilon: added to the variance in batch normalisation.
        strides: stride in pixels.
        activation: function applied last; None leaves it out.
        symmetric_padding: whether zeros are put around the images alike on all sides (PyTorch's
            way). TensorFlow's own `"same"` puts the odd pixel right and below.
        shares_gradient: whether the maps are added to those of another such unit, so that both
            receive one gradient. TensorFlow would merge the sum of that gradient with either's
            convolution, by chance: steps of two processes would differ in their last digits.
    """

    def __init__(
        self,
        filters: int | None,
        kernel_size: int,
        epsilon: float,
        strides: int = 1,
        activation: Callable[[Tensor], Tensor] | None = None,
        symmetric_padding: bool = False,
        shares_gradient: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.activation = activation
        self.shares_gradient = shares_gradient
        # At stride 1 both kinds of padding are the same, and "same" needs no operator of its own.
        pads = symmetric_padding and strides > 1 and kernel_size > 1
        arguments: dict[str, Any] = {
            "strides": strides,
            "padding": "valid" if pads else "same",
            "use_bias": False,
            "data_format": CHANNELS_LAST,
            "dtype": self.dtype_policy,
            "name": "convolution",
        }
        # He initialisation over the fan-out, as both networks were published with.
        scaling = keras.initializers.VarianceScaling(2.0, "fan_out", "truncated_normal")
        self.padding = (
            keras.layers.ZeroPadding2D(
                kernel_size // 2,
                data_format=CHANNELS_LAST,
                dtype=self.dtype_policy,
                name="padding",
            )
            if pads
            else None
        )
        self.convolution = (
            keras.layers.DepthwiseConv2D(kernel_size, **arguments)
            if filters is None
            else keras.layers.Conv2D(filters, kernel_size, kernel_initializer=scaling, **arguments)
        )
        # Keras's momentum 0.9 is PyTorch's 0.1, with which both networks were published.
        self.normalization = FusedBatchNormalization(
            momentum=0.9, epsilon=epsilon, dtype=self.dtype_policy, name="normalization"
        )

    def build(self, input_shape: Shape) -> None:
        """Creates the weights for images of `input_shape`, `(N, H, W, C)`."""
        self.convolution.build(input_shape)
        self.normalization.build(self.compute_output_shape(input_shape))

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Computes the activated feature map of `images`."""
        if self.padding is not None:
            images = self.padding(images)
        if training and self.normalization.trainable:
            maps = self.normalization(self.convolution(images), training=True)
        else:
            maps = self._with_known_statistics(images)
        return rounded_maps(maps if self.activation is None else self.activation(maps))

    def _with_known_statistics(self, images: Tensor) -> Tensor:
        """Convolution and normalisation in one.

        Statistics that do not depend on the maps are a factor and an offset of each channel. Laid
        upon the kernel, the factor is multiplied with thousands of numbers instead of millions:
        tuning steps of EfficientNet-Lite0 take 0.69 of the time.
        """
        layer, statistics = self.convolution, self.normalization
        factor = statistics.gamma * ops.rsqrt(statistics.moving_variance + statistics.epsilon)
        offset = statistics.beta - statistics.moving_mean * factor
        is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        kernel = layer.kernel * (factor[:, None] if is_depthwise else factor)
        kernel = rounded_kernel(kernel, is_depthwise)
        convolve = ops.depthwise_conv if is_depthwise else ops.conv
        maps = convolve(
            images, ops.cast(kernel, images.dtype), layer.strides, layer.padding, CHANNELS_LAST
        )
        offset = ops.cast(offset, images.dtype)
        # TensorFlow merges `bias_add` with the convolution, and a plain addition it does not.
        return maps + offset if self.shares_gradient else tf.nn.bias_add(maps, offset)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the feature map for images of `input_shape`."""
        if self.padding is not None:
            input_shape = self.padding.compute_output_shape(input_shape)
        return self.convolution.compute_output_shape(input_shape)
