"""Decoding inside a graph against Pillow, for whatever a folder of photos holds."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from reiqa_tf.image.decoding import decode_photo
from reiqa_tf.image.metadata_ops import said_in_jpeg
from reiqa_tf.image.reading import read_image


def encoded(image, kind="JPEG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def picture(photo):
    return Image.fromarray(photo[100:197, 300:431])


decode = tf.function(decode_photo, input_signature=[tf.TensorSpec((), tf.string)], autograph=False)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("endian", ["<", ">"])
def test_a_jpeg_is_turned_as_its_exif_data_say(picture, orientation, endian):
    exif = Image.Exif()
    exif.endian = endian
    exif[0x010F] = "a maker whose name comes first"
    exif[0x0112] = orientation
    contents = encoded(picture, quality=90, exif=exif)
    assert int(said_in_jpeg(contents).orientation) == orientation
    np.testing.assert_array_equal(decode(contents), read_image(contents))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_of_any_kind_equals_pillow(picture, mode, progressive):
    contents = encoded(picture.convert(mode), quality=85, progressive=progressive)
    np.testing.assert_array_equal(decode(contents), read_image(contents))


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("WEBP", "RGB"), ("BMP", "L")]
)
def test_other_formats_go_through_pillow(picture, kind, mode):
    contents = encoded(picture.convert(mode), kind)
    np.testing.assert_array_equal(decode(contents), read_image(contents))


def test_damaged_exif_data_leave_a_photo_upright(picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    contents = bytearray(encoded(picture, exif=exif))
    place = contents.index(b"Exif\x00\x00") + 6
    contents[place + 4 : place + 8] = b"\xff\xff\xff\x7f"  # a directory far behind the end
    assert int(said_in_jpeg(bytes(contents)).orientation) == 1
    assert decode(bytes(contents)).shape == (97, 131, 3)
    contents[place + 4 : place + 8] = (60000).to_bytes(4, "little")
    assert int(said_in_jpeg(bytes(contents)).orientation) == 1
    assert int(said_in_jpeg(encoded(picture) + b"Exif\x00\x00").orientation) == 1


@pytest.mark.parametrize(
    "contents",
    [b"", b"hello", b"\xff\xd8\xff", "short.jpg", "short.png", "small.jpg"],
)
def test_what_is_no_whole_photo_is_refused(picture, contents):
    if isinstance(contents, str):
        small = picture.crop((0, 0, 31, 60))
        contents = {
            "short.jpg": encoded(picture)[:-800],
            "short.png": encoded(picture, "PNG")[:-800],
            "small.jpg": encoded(small),
        }[contents]
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(contents)
