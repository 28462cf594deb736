"""JPEG compression."""

import tensorflow as tf

from reiqa_tf.image.decoding import decode_jpeg
from reiqa_tf.image.scaling import to_unit_range

_BLOCK = 16
"""Side in pixels of what JPEG codes together when it halves the colours (4:2:0)."""


def jpeg(windows, quality, reach, drawn):  # noqa: ARG001
    """JPEG of the given quality, colours at half size.

    Blocks are coded one by one, so that whole blocks of the photo around a window are enough: one
    more on each side, because the colours of neighbouring blocks are interpolated.
    """
    photo = windows.photo
    coded = []
    for top, left in zip(windows.tops, windows.lefts, strict=True):
        first_row, rows = _whole_blocks(top, windows.rows, photo.height)
        first_column, columns = _whole_blocks(left, windows.columns, photo.width)
        part = tf.slice(photo.image, (first_row, first_column, 0), (rows, columns, 3))
        if not part.dtype.is_integer:
            part = tf.cast(tf.floor(tf.clip_by_value(part * 255.0 + 0.5, 0.0, 255.0)), tf.uint8)
        contents = tf.raw_ops.EncodeJpegVariableQuality(
            images=part, quality=tf.cast(quality, tf.int32)
        )
        coded.append(
            tf.slice(
                decode_jpeg(contents),
                (top - first_row, left - first_column, 0),
                (windows.rows, windows.columns, 3),
            )
        )
    return to_unit_range(tf.stack(coded))


def _whole_blocks(start, length, size):
    first = tf.maximum((start // _BLOCK - 1) * _BLOCK, 0)
    stop = tf.minimum((-(-(start + length) // _BLOCK) + 1) * _BLOCK, size)
    return first, stop - first
