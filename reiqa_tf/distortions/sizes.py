"""Photos that were made small and brought back to their size."""

import tensorflow as tf

from reiqa_tf.distortions.resampling import (
    cubic,
    lanczos,
    repeat_nearest,
    shrink_and_enlarge,
    shrunk,
    triangle,
)


def resize_bicubic(windows, factor, reach, drawn):  # noqa: ARG001
    """`factor` times smaller and back by cubic convolution."""
    return shrink_and_enlarge(windows, cubic, factor)


def resize_bilinear(windows, factor, reach, drawn):  # noqa: ARG001
    """`factor` times smaller and back by bilinear interpolation."""
    return shrink_and_enlarge(windows, triangle, factor)


def resize_lanczos(windows, factor, reach, drawn):  # noqa: ARG001
    """`factor` times smaller and back by Lanczos windows (a = 3)."""
    return shrink_and_enlarge(windows, lanczos, factor)


def resize_nearest(windows, factor, reach, drawn):  # noqa: ARG001
    """`factor` times smaller and back by nearest neighbours."""
    photo = windows.photo
    return repeat_nearest(windows, shrunk(photo.height, factor), shrunk(photo.width, factor))


def pixelate(windows, strength, reach, drawn):  # noqa: ARG001
    """Smaller by .95 - strength^.6 and back by nearest neighbours."""
    scale = 0.95 - tf.pow(tf.cast(strength, tf.float32), 0.6)
    photo = windows.photo
    small_height = tf.maximum(1, tf.cast(scale * tf.cast(photo.height, tf.float32), tf.int32))
    small_width = tf.maximum(1, tf.cast(scale * tf.cast(photo.width, tf.float32), tf.int32))
    return repeat_nearest(windows, small_height, small_width)
