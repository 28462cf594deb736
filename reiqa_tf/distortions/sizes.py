"""Photos that were made small and brought back to their size."""

import functools

import tensorflow as tf

from reiqa_tf.distortions.resampling import fill_windows, nearest_sources, shrunk, shrunken
from reiqa_tf.image.scaling import to_unit_range


@functools.cache
def cut_shrunken(kernel, factor):
    """How windows are cut whose photo is `factor` times smaller, to be brought back to its size.

    Args:
        kernel: of `resampling`: `cubic`, `triangle` or `lanczos`.
        factor: a whole number.

    Returns:
        function of windows, the factor again and what was drawn.
    """
    return lambda windows, value, drawn: shrunken(windows, kernel, factor)  # noqa: ARG005


def resized(pixels, factor, small, weights):  # noqa: ARG001
    """The rows of what was cut, brought back to the photo's size."""
    return tf.clip_by_value(fill_windows(pixels, small, weights), 0.0, 1.0)


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
