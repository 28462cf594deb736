"""Decoding without Python in the graph, against Pillow, and the messages of what is refused."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from reiqa_tf.image.reading import read_image
from reiqa_tf.image.served_decoding import decode_served_photo


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def picture(photo):
    return Image.fromarray(photo[100:197, 300:431])


@pytest.fixture(scope="module")
def clear(picture):
    """A picture whose parts are transparent to every degree."""
    alpha = np.linspace(0, 255, picture.width * picture.height).reshape(picture.size[::-1])
    picture = picture.copy()
    picture.putalpha(Image.fromarray(alpha.astype(np.uint8)))
    return picture


@tf.function(input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
def decode(contents):
    photo = decode_served_photo(contents, tf.constant("image_bytes[3]"))
    return tf.cast(255 * photo + 0.5, tf.uint8)


@tf.function(input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
def decode_to_fit(contents):
    return 255 * decode_served_photo(contents, tf.constant("image_bytes[3]"), 40)


def deep_png(levels, color_type):
    """A PNG of 16 bits a channel, which Pillow reads and does not write."""
    height, width = levels.shape[:2]

    def chunk(name, data):
        sealed = name + data
        return struct.pack(">I", len(data)) + sealed + struct.pack(">I", zlib.crc32(sealed))

    rows = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in levels)
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {}),
        ("L", {}),
        ("1", {}),
        ("P", {}),
        ("RGB", {"transparency": (0, 0, 0)}),
        ("L", {"transparency": 100}),
        ("1", {"transparency": 0}),
    ],
)
def test_png_of_every_mode_equals_pillow(picture, mode, options):
    contents = encoded(picture.convert(mode), **options)
    np.testing.assert_array_equal(decode(contents), read_image(contents))


@pytest.mark.parametrize("colors", [2, 4, 16, 200])
@pytest.mark.parametrize("transparency", [None, 1, bytes(range(0, 256, 17))])
def test_png_with_a_palette_equals_pillow(picture, colors, transparency):
    options = {} if transparency is None else {"transparency": transparency}
    contents = encoded(picture.quantize(colors), **options)
    np.testing.assert_array_equal(decode(contents), read_image(contents))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_stand_over_white(clear, mode):
    contents = encoded(clear.convert(mode))
    np.testing.assert_array_equal(decode(contents), read_image(contents))


@pytest.mark.parametrize(("color_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_png_of_sixteen_bits_equals_pillow(color_type, channels):
    levels = np.random.default_rng(0).integers(0, 65536, (40, 50, channels))
    contents = deep_png(levels, color_type)
    np.testing.assert_array_equal(decode(contents), read_image(contents))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_of_every_mode_equals_pillow(picture, mode, progressive):
    contents = encoded(picture.convert(mode), "JPEG", quality=85, progressive=progressive)
    np.testing.assert_array_equal(decode(contents), read_image(contents))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_photos_are_turned_as_their_exif_data_say(picture, kind, orientation):
    exif = Image.Exif()
    exif[0x010F] = "a maker whose name comes first"
    exif[0x0112] = orientation
    contents = encoded(picture, kind, exif=exif)
    np.testing.assert_array_equal(decode(contents), read_image(contents))


@pytest.mark.parametrize(
    "size",
    [pytest.param((121, 97), marks=pytest.mark.slow), (100, 117), (41, 45), (35, 33)],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_large_photos_are_shrunk_as_read_image_does(picture, size, kind):
    contents = encoded(picture.resize(size), kind)
    np.testing.assert_allclose(decode_to_fit(contents), read_image(contents, fit=40), atol=1e-4)


# Sides just below and from which on half, a quarter and an eighth is decoded; odd, turned, grey,
# CMYK with and without Adobe's mark, progressive, in layouts of chroma.
@pytest.mark.parametrize(
    ("width", "height", "mode", "options"),
    [
        (299, 251, "RGB", {}),
        (300, 250, "RGB", {"subsampling": 0}),
        (597, 599, "RGB", {"subsampling": 1}),
        (511, 601, "RGB", {"progressive": True, "exif": 6}),
        (1201, 1003, "RGB", {"exif": 5}),
        (301, 299, "L", {"exif": 3}),
        (303, 301, "CMYK", {}),
        (301, 299, "CMYK", {"mark": False}),
        (603, 597, "RGB", {"end": False}),
    ],
)
def test_large_jpegs_are_decoded_at_reduced_scale_alike(photo, width, height, mode, options):
    picture = Image.fromarray(photo).resize((width, height)).convert(mode)
    mark, end = options.pop("mark", True), options.pop("end", True)
    if "exif" in options:
        exif = Image.Exif()
        exif[0x0112] = options["exif"]
        options = {**options, "exif": exif}
    contents = encoded(picture, "JPEG", quality=90, **options)
    if not mark:
        start = contents.index(b"\xff\xee")
        contents = contents[:start] + contents[start + 16 :]
    expected = read_image(contents, fit=40)
    other = read_image(contents if end else contents[:-2], fit=40)
    np.testing.assert_array_equal(other, expected)
    differences = np.abs(np.rint(decode_to_fit(contents if end else contents[:-2])) - expected)
    assert differences.max() <= 1
    assert differences.mean() < 1e-3


def _refusals(picture):
    jpeg, png = encoded(picture, "JPEG"), encoded(picture)
    small = picture.crop((0, 0, 31, 60))
    huge = png[:16] + struct.pack(">II", 20000, 20000) + png[24:]
    damaged = bytearray(png)
    damaged[len(png) // 2] ^= 255
    return {
        "empty file": (b"", "an empty file"),
        "text": (b"hello", "expected a JPEG or a PNG; received something else"),
        "gif": (encoded(picture, "GIF"), "received a GIF"),
        "webp": (encoded(picture, "WEBP"), "received a WebP"),
        "tiff": (encoded(picture, "TIFF"), "received a TIFF"),
        "base64": (b"/9j/4AAQSkZJRg", "base64 that nobody decoded"),
        "three bytes": (b"\xff\xd8\xff", "JPEG data that cannot be decoded"),
        "short jpeg": (jpeg[:-800], "JPEG data that cannot be decoded, damaged or truncated"),
        "short png": (png[:-800], "PNG data that cannot be decoded, damaged or truncated"),
        "damaged png": (bytes(damaged), "PNG data that cannot be decoded, damaged or truncated"),
        "header of a png": (png[:20], "PNG data that cannot be decoded"),
        "small": (encoded(small, "JPEG"), "31 x 60 px, too small to judge; expected at least 32"),
        "huge": (huge, "20000 x 20000 px, too large; expected at most 268,435,456 pixels"),
    }


def test_what_is_refused_is_named_with_the_reason(picture):
    for contents, reason in _refusals(picture).values():
        with pytest.raises(tf.errors.InvalidArgumentError) as refusal:
            decode(contents)
        message = str(refusal.value)
        assert f"image_bytes[3] ({len(contents)} bytes): " in message
        assert reason in message


def test_the_graph_asks_for_no_python():
    graph = decode.get_concrete_function().graph.as_graph_def()
    operators = {node.op for node in graph.node}
    operators |= {node.op for function in graph.library.function for node in function.node_def}
    assert "DecodeJpeg" in operators
    assert not {op for op in operators if "PyFunc" in op}
