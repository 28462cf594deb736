"""Half size as the authors train on it: bicubic, corners aligned, no antialiasing.

(Scoring halves photos with Pillow's antialiased filter instead: `reiqa_tf.image.scaling`.)
"""

import tensorflow as tf

from reiqa_tf.distortions.engine.filters import COLUMNS, ROWS, reduce
from reiqa_tf.distortions.engine.programs import fused
from reiqa_tf.distortions.engine.windows import Size

_CUBIC = -0.75
"""The free parameter of the cubic convolution kernel, as in PyTorch's `interpolate`."""

_TAPS = 4

_PLACES = 6
"""Pixels, from twice a crop's pixel on, among which its taps lie: a step from one pixel of the crop
to the next is a little more than two, which adds up to two pixels at most over the whole photo."""


def source_span(patch: int) -> int:
    """Pixels of a photo, along one axis, that hold all that a crop of the half-size photo needs.

    Args:
        patch: side of the crop in pixels of the half-size photo.

    Returns:
        number of pixels of the photo.
    """
    return 2 * (patch - 1) + _PLACES


def first_source(offset: tf.Tensor, size: Size) -> tf.Tensor:
    """First pixel of such a span. It may lie one pixel before the photo, and the last three behind.

    Args:
        offset: first pixel of the crop in the half-size photo, an int32 tensor.
        size: pixels of the photo along this axis.

    Returns:
        int32 tensor.
    """
    return offset * (size - 1) // (size // 2 - 1) - 1


def tap_weights(offsets: tf.Tensor, size: Size, patch: int) -> tf.Tensor:
    """How much each pixel of a span weighs in the pixels of its crop.

    Args:
        offsets: int32 tensor `(T,)`, first pixels of crops in the half-size photo.
        size: pixels of the photo along this axis.
        patch: side of a crop.

    Returns:
        float32 tensor `(6, T, patch)`, as `engine.filters.reduce` takes it: pixel i of a crop is
        the sum of these weights times pixels 2 i to 2 i + 5 of its span. What lies beyond the photo
        weighs nothing.
    """
    steps = size // 2 - 1
    position = (offsets[:, tf.newaxis] + tf.range(patch)) * (size - 1)
    first = position // steps
    part = tf.cast(position - first * steps, tf.float32) / tf.cast(steps, tf.float32)
    distance = tf.abs(part[..., tf.newaxis] - tf.range(-1.0, _TAPS - 1))
    near = ((_CUBIC + 2.0) * distance - (_CUBIC + 3.0)) * distance * distance + 1.0
    far = _CUBIC * (((distance - 5.0) * distance + 8.0) * distance - 4.0)
    weights = tf.where(distance < 1.0, near, far)
    places = tf.clip_by_value(first[..., tf.newaxis] + tf.range(-1, _TAPS - 1), 0, size - 1)
    spans = first_source(offsets, size)[:, tf.newaxis] + 2 * tf.range(patch)
    is_here = (places - spans[..., tf.newaxis])[..., tf.newaxis] == tf.range(_PLACES)
    weights = tf.reduce_sum(weights[..., tf.newaxis] * tf.cast(is_here, tf.float32), axis=2)
    return tf.transpose(weights, (2, 0, 1))


@fused
def halved_rows(sources: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Every other row of what crops of a photo's half-size version are made from.

    Rows first: neighbours in memory are then summed alike, in vectors. A program of its own: XLA
    for CPUs would compute each row again for each of the six columns that ask for it.

    Args:
        sources: float32 tensor `(T, 3, source_span(patch), source_span(patch))` in [0, 1].
        weights: of `tap_weights`.

    Returns:
        float32 tensor `(T, 3, patch, source_span(patch))`.
    """
    return reduce(sources, weights, 2, ROWS)


def halved_columns(rows: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Crops of a photo's half-size version, made from no more of the photo than they need.

    Args:
        rows: of `halved_rows`.
        weights: of `tap_weights`.

    Returns:
        float32 tensor `(T, 3, patch, patch)` in [0, 1].
    """
    return tf.clip_by_value(reduce(rows, weights, 2, COLUMNS), 0.0, 1.0)
