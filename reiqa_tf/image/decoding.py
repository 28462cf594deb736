"""Decode photos inside a TensorFlow graph, bit for bit as `reiqa_tf.image.reading` does."""

import numpy as np
import tensorflow as tf

from reiqa_tf.image.reading import MINIMUM_SIDE, ImageError, read_image

_HEAD = 65536
"""Bytes at the beginning of a JPEG within which its EXIF data are."""

_ORIENTATION = 0x0112
_ENTRY = 12
"""Bytes of an entry in a TIFF directory, which is what EXIF data are."""

_MOST_ENTRIES = 512


def decode_jpeg(contents: tf.Tensor) -> tf.Tensor:
    """Decodes one JPEG to 8-bit RGB.

    Equal to Pillow bit for bit: both use the accurate integer transform. (TensorFlow's own default
    and `tf.io.decode_image` differ by up to 4 levels.) EXIF orientation is not applied.

    Args:
        contents: scalar string tensor, the bytes of the file.

    Returns:
        uint8 tensor `(height, width, 3)`.

    Raises:
        tf.errors.InvalidArgumentError: if the bytes are no whole JPEG.
    """
    return tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE")


def decode_photo(contents: tf.Tensor) -> tf.Tensor:
    """Decodes one photo of any format that can be read to upright 8-bit RGB.

    JPEG, grey or colour, is decoded by TensorFlow, in parallel and without Python, and turned as
    its EXIF orientation says. Everything else (other formats, JPEG in CMYK) goes through
    `read_image`. Either way the pixels are those of `read_image`.

    Args:
        contents: scalar string tensor, the bytes of the file.

    Returns:
        uint8 tensor `(height, width, 3)`.

    Raises:
        tf.errors.InvalidArgumentError: if the photo cannot be read or is smaller than
            `MINIMUM_SIDE` in one direction.
    """
    is_jpeg = tf.strings.substr(contents, 0, 3) == b"\xff\xd8\xff"
    # Four channels are CMYK, which Pillow converts in a way of its own.
    is_plain = tf.cond(
        is_jpeg, lambda: tf.image.extract_jpeg_shape(contents)[2] < 4, lambda: tf.constant(False)
    )
    photo = tf.cond(
        is_plain,
        lambda: turned(decode_jpeg(contents), jpeg_orientation(contents)),
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


def _by_pillow(contents: tf.Tensor) -> tf.Tensor:
    def read(contents: bytes) -> np.ndarray:
        try:
            return read_image(contents)
        except ImageError as error:
            raise ValueError(str(error)) from None  # TensorFlow's InvalidArgumentError

    photo = tf.numpy_function(read, [contents], tf.uint8, stateful=False)
    return tf.ensure_shape(photo, (None, None, 3))


def jpeg_orientation(contents: tf.Tensor) -> tf.Tensor:
    """Reads the EXIF orientation of a JPEG.

    Args:
        contents: scalar string tensor, the bytes of the file.

    Returns:
        int32 tensor, 1 (upright, also where there is none) to 8.
    """
    head = tf.strings.substr(contents, 0, tf.minimum(tf.strings.length(contents), _HEAD))
    levels = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int32)
    mark = [*b"Exif\x00\x00"]
    last = tf.size(levels) - len(mark) + 1
    found = tf.reduce_all([levels[i : last + i] == byte for i, byte in enumerate(mark)], axis=0)
    return tf.cond(
        tf.reduce_any(found),
        lambda: tiff_orientation(levels[tf.argmax(found, output_type=tf.int32) + len(mark) :]),
        lambda: 1,
    )


def tiff_orientation(tiff: tf.Tensor) -> tf.Tensor:
    """Reads the orientation in EXIF data, however damaged they are.

    Args:
        tiff: int32 tensor `(L,)`, the bytes of the EXIF data, which are a TIFF directory; what
            follows them does no harm.

    Returns:
        int32 tensor, 1 (upright, also where there is none) to 8.
    """
    tiff = tiff[:_HEAD]
    # Zeros behind the end make every offset below readable, however damaged the data are.
    tiff = tf.concat([tiff, tf.zeros((_HEAD + _MOST_ENTRIES * _ENTRY,), tf.int32)], 0)
    first_is_lowest = tiff[0] == ord("I")

    def number(places: tf.Tensor, byte_count: int) -> tf.Tensor:
        parts = tf.gather(tiff, places[:, tf.newaxis] + tf.range(byte_count))
        rising = 256 ** tf.range(byte_count)
        weights = tf.where(first_is_lowest, rising, rising[::-1])
        return tf.reduce_sum(parts * weights, axis=1)

    directory = tf.clip_by_value(number(tf.constant([4]), 4)[0], 0, _HEAD)
    count = tf.minimum(number(directory[tf.newaxis], 2)[0], _MOST_ENTRIES - 1)
    entries = directory + 2 + _ENTRY * tf.range(count)
    is_orientation = number(entries, 2) == _ORIENTATION
    values = tf.boolean_mask(number(entries + 8, 2), is_orientation)
    value = tf.concat([values, [1]], 0)[0]
    return tf.where((value >= 1) & (value <= 8), value, 1)


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
