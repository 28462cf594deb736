"""JPEG compression."""

import tensorflow as tf

from reiqa_tf.distortions.distortion import LEVELS, Distortion, Tensors
from reiqa_tf.distortions.engine.windows import RIM, Size, Windows, extend
from reiqa_tf.image.decoding import decode_jpeg
from reiqa_tf.image.scaling import to_unit_range

_BLOCK = 16
"""Side in pixels of what JPEG codes together when it halves the colours (4:2:0)."""


class Jpeg(Distortion):
    """JPEG compression, colours at half size.

    Blocks are coded one by one, so that whole blocks of the photo around a window are enough: one
    more on each side, because the colours of neighbouring blocks are interpolated.
    """

    name = "jpeg"
    levels = (70, 43, 36, 24, 7)
    unit = "quality"
    neighbourhood = (2 * _BLOCK - 1,) * LEVELS

    def prepare(self, windows: Windows, value: tf.Tensor, drawn: Tensors) -> Tensors:
        photo = windows.photo
        coded = []
        for top, left in zip(windows.tops, windows.lefts, strict=True):
            first_row, rows = _whole_blocks(top, windows.rows, photo.height)
            first_column, columns = _whole_blocks(left, windows.columns, photo.width)
            part = tf.slice(photo.image, (first_row, first_column, 0), (rows, columns, 3))
            if not part.dtype.is_integer:
                part = tf.cast(tf.floor(tf.clip_by_value(part * 255.0 + 0.5, 0.0, 255.0)), tf.uint8)
            contents = tf.raw_ops.EncodeJpegVariableQuality(
                images=part, quality=tf.cast(value, tf.int32)
            )
            decoded = extend(decode_jpeg(contents), (RIM,) * 4, "edge")
            first = (top - first_row + RIM, left - first_column + RIM, 0)
            coded.append(tf.slice(decoded, first, (windows.rows, windows.columns, 3)))
        return tf.stack(coded)

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        return to_unit_range(tf.transpose(prepared, (0, 3, 1, 2)))


def _whole_blocks(start: Size, length: Size, size: Size) -> tuple[tf.Tensor, tf.Tensor]:
    first = tf.maximum((start // _BLOCK - 1) * _BLOCK, 0)
    stop = tf.minimum((-(-(start + length) // _BLOCK) + 1) * _BLOCK, size)
    return first, stop - first
