"""Where the two crops of a training pair lie in a photo.

Sizes and offsets are in pixels of the scale that is cropped. The geometry is that of the Re-IQA
authors: two square crops of side p that overlap in 10 % to 30 % of their area, the second below and
to the right of the first.
"""

import math
import typing

import tensorflow as tf

from reiqa_tf.distortions.engine.windows import Size

LEAST_OVERLAP = 0.1
MOST_OVERLAP = 0.3
"""Overlap of a pair as a part of a crop's area (Re-IQA, section 3.1)."""

_CLOSEST = 0.7
_FARTHEST = 0.9
"""Vertical offset of a pair, in sides of a crop, as the authors draw it."""


class CropPair(typing.NamedTuple):
    """Places of two crops.

    Attributes:
        tops: int32 tensor `(2,)`, first rows.
        lefts: int32 tensor `(2,)`, first columns.
    """

    tops: tf.Tensor
    lefts: tf.Tensor


def smallest_sides(height: Size, width: Size, patch: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Size that a photo must have for a pair of crops, no smaller than it is.

    A pair fits where both offsets that the photo leaves, put together, keep the overlap at 30 % or
    less. A photo that is too small is first given enough along its longer side for a square to do,
    then as much along the shorter side as that leaves to ask for.

    Args:
        height: height of the photo at the scale that is cropped.
        width: its width.
        patch: side of a crop.

    Returns:
        pair of int32 tensors, height and width.
    """
    height, width = tf.convert_to_tensor(height), tf.convert_to_tensor(width)
    longer, shorter = tf.maximum(height, width), tf.minimum(height, width)
    square = math.ceil(patch * (2 - math.sqrt(MOST_OVERLAP)))
    longer = tf.maximum(longer, square)
    left = tf.cast(tf.maximum(2 * patch - longer, 1), tf.float32)  # what the longer side overlaps
    needed = 2 * patch - tf.cast(tf.floor(MOST_OVERLAP * patch * patch / left), tf.int32)
    shorter = tf.maximum(shorter, tf.maximum(patch, needed))
    shorter = tf.minimum(shorter, longer)
    upright = height > width
    return tf.where(upright, longer, shorter), tf.where(upright, shorter, longer)


def draw_crop_pair(seed: tf.Tensor, height: Size, width: Size, patch: int) -> CropPair:
    """Draws the places of two overlapping crops.

    The vertical offset y is uniform in [.7 p, .9 p), the horizontal offset uniform among those that
    leave an overlap of 10 % to 30 %, and the square of side p + y that holds both crops lies
    anywhere in the photo. Where a photo is too small for that, y is uniform among all offsets that
    fit in and allow such an overlap, and the rectangle that holds both crops lies anywhere.

    Args:
        seed: int32 tensor `(2,)`.
        height: height of the photo, at least what `smallest_sides` says.
        width: its width, likewise.
        patch: side of a crop, p.

    Returns:
        the `CropPair`, inside the photo.
    """
    seeds = tf.random.split(seed, 4)
    room_down = tf.minimum(height - patch, math.ceil(_FARTHEST * patch) - 1)
    room_right = tf.minimum(width - patch, patch - 1)
    lowest = tf.minimum(math.ceil(_CLOSEST * patch), _least_offset(room_right, patch))
    lowest = tf.where(room_down >= math.ceil(_CLOSEST * patch), math.ceil(_CLOSEST * patch), lowest)
    down = _uniform(seeds[0], tf.minimum(lowest, room_down), room_down)
    most = patch - tf.cast(
        tf.math.ceil(LEAST_OVERLAP * patch * patch / tf.cast(patch - down, tf.float32)), tf.int32
    )
    least = tf.minimum(_least_offset(down, patch), room_right)
    right = _uniform(seeds[1], least, tf.maximum(least, tf.minimum(most, room_right)))
    side = patch + tf.maximum(down, right)
    square_fits = (side <= height) & (side <= width)
    top = _uniform(seeds[2], 0, height - tf.where(square_fits, side, patch + down))
    left = _uniform(seeds[3], 0, width - tf.where(square_fits, side, patch + right))
    return CropPair(tf.stack([top, top + down]), tf.stack([left, left + right]))


def _least_offset(other: tf.Tensor, patch: int) -> tf.Tensor:
    """Least offset along one axis that, with the other, overlaps in no more than 30 %."""
    overlapped = tf.cast(patch - other, tf.float32)
    most = tf.cast(tf.floor(MOST_OVERLAP * patch * patch / overlapped), tf.int32)
    return tf.maximum(patch - most, 0)


def _uniform(seed: tf.Tensor, lowest: Size, highest: Size) -> tf.Tensor:
    """A uniform integer from `lowest` to `highest`, both included."""
    return tf.random.stateless_uniform((), seed, lowest, highest + 1, tf.int32)
