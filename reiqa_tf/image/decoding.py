"""Decode photos inside a TensorFlow graph, bit for bit as `reiqa_tf.image.reading` does."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from reiqa_tf.image.metadata_ops import said_in_jpeg
from reiqa_tf.image.reading import MINIMUM_SIDE, ImageError, read_image

LOSSY_FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
"""Marks of the frames of JPEG that TensorFlow decodes: coded by Huffman or arithmetic, in one go or
progressively. Those without loss and those of several layers it does not."""


def decode_jpeg(contents: tf.Tensor, reduction: int = 1) -> tf.Tensor:
    """Decodes one JPEG to 8-bit RGB.

    Equal to Pillow bit for bit: both use the accurate integer transform. (TensorFlow's own default
    and `tf.io.decode_image` differ by up to 4 levels.) EXIF orientation is not applied.

    Args:
        contents: scalar string tensor, the bytes of the file.
        reduction: 1, 2, 4 or 8: how many times smaller it is decoded, as Pillow's `draft` does.

    Returns:
        uint8 tensor `(height, width, 3)`.

    Raises:
        tf.errors.InvalidArgumentError: if the bytes are no whole JPEG.
    """
    return tf.io.decode_jpeg(contents, channels=3, ratio=reduction, dct_method="INTEGER_ACCURATE")


def decode_photo(contents: tf.Tensor) -> tf.Tensor:
    """Decodes one photo of any format that can be read to upright 8-bit sRGB.

    JPEG, grey or colour, is decoded by TensorFlow, in parallel and without Python, and turned as
    its EXIF or XMP data say. Everything else (other formats, JPEG in CMYK, without its end mark,
    coded without loss or with a colour profile) goes through `read_image`. Either way the pixels
    are those of `read_image`.

    Args:
        contents: scalar string tensor, the bytes of the file.

    Returns:
        uint8 tensor `(height, width, 3)`.

    Raises:
        tf.errors.InvalidArgumentError: if the photo cannot be read or is smaller than
            `MINIMUM_SIDE` in one direction.
    """
    is_whole = tf.strings.substr(contents, 0, 3) == b"\xff\xd8\xff"
    length = tf.strings.length(contents)
    is_whole &= tf.strings.substr(contents, tf.maximum(length - 2, 0), 2) == b"\xff\xd9"
    said = said_in_jpeg(tf.where(is_whole, contents, b""))
    # Four channels are CMYK, which Pillow converts in a way of its own.
    is_plain = tf.cond(
        is_whole & (said.profile == b"") & is_one_of(said.frame, LOSSY_FRAMES),
        lambda: tf.image.extract_jpeg_shape(contents)[2] < 4,
        lambda: tf.constant(False),
    )
    photo = tf.cond(
        is_plain,
        lambda: turned(decode_jpeg(contents), said.orientation),
        lambda: _by_pillow(contents),
    )
    size = tf.shape(photo)[:2]
    with tf.control_dependencies(
        [
            tf.debugging.assert_greater_equal(
                size, MINIMUM_SIDE, f"Expected a photo of at least {MINIMUM_SIDE} px each way."
            )
        ]
    ):
        return tf.ensure_shape(photo, (None, None, 3))


def is_one_of(number: tf.Tensor, numbers: Sequence[int]) -> tf.Tensor:
    """Tells whether a scalar is one of some numbers."""
    return tf.reduce_any(number == tf.constant(numbers))


def _by_pillow(contents: tf.Tensor) -> tf.Tensor:
    def read(contents: bytes) -> np.ndarray:
        try:
            return read_image(contents)
        except ImageError as error:
            raise ValueError(str(error)) from None  # TensorFlow's InvalidArgumentError

    photo = tf.numpy_function(read, [contents], tf.uint8, stateful=False)
    return tf.ensure_shape(photo, (None, None, 3))


def turned(photo: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns a photo upright, as Pillow's `ImageOps.exif_transpose` does.

    Args:
        photo: tensor `(height, width, 3)`.
        orientation: int32 tensor, what EXIF calls 1 to 8.

    Returns:
        tensor of the same dtype, `(height, width, 3)` or `(width, height, 3)`.
    """

    def transposed(photo: tf.Tensor) -> tf.Tensor:
        return tf.transpose(photo, (1, 0, 2))

    turns = [
        lambda: photo,
        lambda: photo[:, ::-1],
        lambda: photo[::-1, ::-1],
        lambda: photo[::-1],
        lambda: transposed(photo),
        lambda: transposed(photo)[:, ::-1],
        lambda: transposed(photo)[::-1, ::-1],
        lambda: transposed(photo)[::-1],
    ]
    return tf.switch_case(orientation - 1, turns)
