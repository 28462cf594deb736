"""JPEG compression."""

import tensorflow as tf

from reiqa_tf.distortions.windows import RIM, extend
from reiqa_tf.image.decoding import decode_jpeg
from reiqa_tf.image.scaling import to_unit_range

_BLOCK = 16
"""Side in pixels of what JPEG codes together when it halves the colours (4:2:0)."""


def cut_coded(windows, quality, drawn):  # noqa: ARG001
    """Windows of the photo after JPEG of the given quality, colours at half size.

    Blocks are coded one by one, so that whole blocks of the photo around a window are enough: one
    more on each side, because the colours of neighbouring blocks are interpolated.

    Returns:
        uint8 tensor `(T, rows, columns, 3)`.
    """
    photo = windows.photo
    made = []
    for top, left in zip(windows.tops, windows.lefts, strict=True):
        first_row, rows = _whole_blocks(top, windows.rows, photo.height)
        first_column, columns = _whole_blocks(left, windows.columns, photo.width)
        part = tf.slice(photo.image, (first_row, first_column, 0), (rows, columns, 3))
        if not part.dtype.is_integer:
            part = tf.cast(tf.floor(tf.clip_by_value(part * 255.0 + 0.5, 0.0, 255.0)), tf.uint8)
        contents = tf.raw_ops.EncodeJpegVariableQuality(
            images=part, quality=tf.cast(quality, tf.int32)
        )
        coded = extend(decode_jpeg(contents), (RIM,) * 4, "edge")
        first = (top - first_row + RIM, left - first_column + RIM, 0)
        made.append(tf.slice(coded, first, (windows.rows, windows.columns, 3)))
    return (tf.stack(made),)


def jpeg(pixels, quality, coded):  # noqa: ARG001
    """What `cut_coded` says."""
    return to_unit_range(tf.transpose(coded, (0, 3, 1, 2)))


def _whole_blocks(start, length, size):
    first = tf.maximum((start // _BLOCK - 1) * _BLOCK, 0)
    stop = tf.minimum((-(-(start + length) // _BLOCK) + 1) * _BLOCK, size)
    return first, stop - first
