"""Photos that were made small and brought back to their size."""

import tensorflow as tf

from reiqa_tf.distortions.resampling import (
    cubic,
    lanczos,
    nearest_sources,
    shrink_and_enlarge,
    shrunk,
    triangle,
)
from reiqa_tf.image.scaling import to_unit_range


def cut_bicubic(windows, factor, drawn):  # noqa: ARG001
    """Windows `factor` times smaller and back by cubic convolution."""
    return (shrink_and_enlarge(windows, cubic, factor),)


def cut_bilinear(windows, factor, drawn):  # noqa: ARG001
    """Windows `factor` times smaller and back by bilinear interpolation."""
    return (shrink_and_enlarge(windows, triangle, factor),)


def cut_lanczos(windows, factor, drawn):  # noqa: ARG001
    """Windows `factor` times smaller and back by Lanczos windows (a = 3)."""
    return (shrink_and_enlarge(windows, lanczos, factor),)


def resized(pixels, factor, windows):  # noqa: ARG001
    """What was cut, clipped."""
    return tf.clip_by_value(windows, 0.0, 1.0)


def cut_nearest(windows, factor, drawn):  # noqa: ARG001
    """Where pixels `factor` times smaller and back by nearest neighbours come from."""
    photo = windows.photo
    return nearest_sources(windows, shrunk(photo.height, factor), shrunk(photo.width, factor))


def cut_pixelated(windows, strength, drawn):  # noqa: ARG001
    """Where pixels smaller by .95 - strength^.6 and back by nearest neighbours come from."""
    scale = 0.95 - tf.pow(tf.cast(strength, tf.float32), 0.6)
    photo = windows.photo
    small_height = tf.maximum(1, tf.cast(scale * tf.cast(photo.height, tf.float32), tf.int32))
    small_width = tf.maximum(1, tf.cast(scale * tf.cast(photo.width, tf.float32), tf.int32))
    return nearest_sources(windows, small_height, small_width)


def looked_up(pixels, value, rows, columns):  # noqa: ARG001
    """Pixels from other rows and columns: int32 `(T, rows)` and `(T, columns)`."""
    return to_unit_range(
        tf.stack(
            [
                tf.gather(tf.gather(planes, rows[i], axis=1), columns[i], axis=2)
                for i, planes in enumerate(tf.unstack(pixels))
            ]
        )
    )
