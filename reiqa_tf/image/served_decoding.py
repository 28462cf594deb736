"""Decode photos in a graph that is served where there is no Python: JPEG and PNG, as Pillow does.

`reiqa_tf.image.decoding` reads every format, but hands some of them to Python. Here TensorFlow's
own operators do everything, a server needs nothing else, and what cannot be read is refused with
a message that says which photo and why.
"""

from collections.abc import Callable

import tensorflow as tf

from reiqa_tf.image.decoding import decode_jpeg, jpeg_orientation, tiff_orientation, turned
from reiqa_tf.image.reading import BACKGROUND, MINIMUM_SIDE

MOST_PIXELS = 178_956_970
"""Largest number of pixels: Pillow's limit against decompression bombs, which `read_image` has."""

_UNREADABLE = {
    b"GIF8": "a GIF",
    b"RIFF": "a WebP or another RIFF file",
    b"BM": "a BMP",
    b"II*\x00": "a TIFF",
    b"MM\x00*": "a TIFF",
    b"\x00\x00\x00": "a HEIC, an AVIF or another film-like file",
    b"%PDF": "a PDF",
    b"<": "XML or HTML",
    b"iVBOR": "a PNG in base64 that nobody decoded",
    b"/9j/": "a JPEG in base64 that nobody decoded",
}
"""First bytes of what people send instead of JPEG and PNG, and what to call it."""

_GREY, _GREY_AND_ALPHA, _RGBA = 0, 4, 6  # colour types in a PNG's header


def decode_served_photo(contents: tf.Tensor, name: tf.Tensor) -> tf.Tensor:
    """Decodes one JPEG or PNG to upright 8-bit RGB, or refuses it by name.

    The pixels are those of `read_image`: EXIF orientation is applied, transparent parts show
    white, CMYK, grey, palette and 16-bit pictures become 8-bit RGB.

    Args:
        contents: scalar string tensor, the bytes of the file.
        name: scalar string tensor, what error messages call the photo.

    Returns:
        uint8 tensor `(height, width, 3)`.

    Raises:
        tf.errors.InvalidArgumentError: if the photo is neither JPEG nor PNG, damaged, truncated,
            smaller than `MINIMUM_SIDE` in one direction or larger than `MOST_PIXELS`. (While the
            graph runs.)
    """
    is_jpeg = _begins(contents, b"\xff\xd8\xff")
    is_png = _begins(contents, b"\x89PNG\r\n\x1a\n")
    kind = tf.where(is_jpeg, "JPEG", "PNG")
    size = tf.case(
        [
            (is_jpeg, lambda: _unless_it_fails(_jpeg_size, contents, tf.zeros(2, tf.int32))),
            (is_png, lambda: _unless_it_fails(_png_size, contents, tf.zeros(2, tf.int32))),
        ],
        default=lambda: tf.zeros(2, tf.int32),
    )
    fits = (tf.reduce_min(size) >= MINIMUM_SIDE) & (_pixels(size) <= MOST_PIXELS)
    nothing = tf.zeros((0, 0, 3), tf.uint8)
    photo = tf.case(
        [
            (fits & is_jpeg, lambda: _unless_it_fails(_upright_jpeg, contents, nothing)),
            (fits & is_png, lambda: _unless_it_fails(_upright_png, contents, nothing)),
        ],
        default=lambda: nothing,
    )
    sides = tf.strings.join([_text(size[1]), " x ", _text(size[0]), " px"])
    damaged = tf.strings.join([kind, " data that cannot be decoded, damaged or truncated"])
    complaint = tf.case(
        [
            (tf.strings.length(contents) == 0, lambda: tf.constant("an empty file (0 bytes)")),
            (~(is_jpeg | is_png), lambda: _foreign(contents)),
            (tf.reduce_min(size) == 0, lambda: damaged),
            (
                tf.reduce_min(size) < MINIMUM_SIDE,
                lambda: tf.strings.join(
                    [sides, f", too small to judge; expected at least {MINIMUM_SIDE} px each way"]
                ),
            ),
            (
                ~fits,
                lambda: tf.strings.join(
                    [sides, f", too large; expected at most {MOST_PIXELS:,} pixels"]
                ),
            ),
            (tf.size(photo) == 0, lambda: damaged),
        ],
        default=lambda: tf.constant(""),
    )
    length = tf.strings.join([" (", _text(tf.strings.length(contents)), " bytes): "])
    checked = tf.debugging.Assert(
        complaint == "", [tf.strings.join([name, length, complaint])], name="photo"
    )
    with tf.control_dependencies([checked] if checked is not None else []):  # None when eager
        return tf.ensure_shape(tf.identity(photo), (None, None, 3))


def _begins(contents: tf.Tensor, magic: bytes) -> tf.Tensor:
    return tf.strings.substr(contents, 0, len(magic)) == magic


def _text(number: tf.Tensor) -> tf.Tensor:
    return tf.strings.as_string(number)


def _pixels(size: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(tf.cast(size, tf.int64))


def _foreign(contents: tf.Tensor) -> tf.Tensor:
    known = tf.constant("something else")
    for magic, kind in _UNREADABLE.items():
        known = tf.where(_begins(contents, magic), kind, known)
    return tf.strings.join(["expected a JPEG or a PNG; received ", known])


def _unless_it_fails(
    decode: Callable[[tf.Tensor], tf.Tensor], contents: tf.Tensor, otherwise: tf.Tensor
) -> tf.Tensor:
    """What `decode` returns, or `otherwise` where it fails: a graph cannot catch, a dataset can."""
    options = tf.data.Options()
    # Tuning itself would cost a dataset of one element ten times what decoding costs.
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    tried = tf.data.Dataset.from_tensors(contents).map(decode).ignore_errors()
    either = tried.concatenate(tf.data.Dataset.from_tensors(otherwise)).take(1)
    return either.with_options(options).get_single_element()


def _jpeg_size(contents: tf.Tensor) -> tf.Tensor:
    return tf.image.extract_jpeg_shape(contents)[:2]


def _png_size(contents: tf.Tensor) -> tf.Tensor:
    numbers = tf.io.decode_raw(tf.strings.substr(contents, 16, 8), tf.uint8)
    # Lengths of 2**31 and more, which no PNG may have, become negative: too small.
    return tf.stack([_number(numbers[4:]), _number(numbers[:4])])


def _number(levels: tf.Tensor) -> tf.Tensor:
    """The number that four bytes are, the highest first."""
    return tf.reduce_sum(tf.cast(levels, tf.int32) * [1 << 24, 1 << 16, 1 << 8, 1])


def _upright_jpeg(contents: tf.Tensor) -> tf.Tensor:
    return turned(decode_jpeg(contents), jpeg_orientation(contents))


def _upright_png(contents: tf.Tensor) -> tf.Tensor:
    header = tf.cast(tf.io.decode_raw(tf.strings.substr(contents, 24, 2), tf.uint8), tf.int32)
    bit_depth, color_type = header[0], header[1]
    has_transparency, exif = _png_chunks(contents)
    is_deep_grey = (bit_depth == 16) & (color_type == _GREY)
    is_clear = has_transparency | (color_type == _GREY_AND_ALPHA) | (color_type == _RGBA)
    photo = tf.case(
        [
            (is_deep_grey, lambda: _deep_grey(contents)),
            (is_clear, lambda: _over_background(tf.io.decode_png(contents, channels=4))),
        ],
        default=lambda: tf.io.decode_png(contents, channels=3),
    )
    levels = tf.cast(tf.io.decode_raw(exif, tf.uint8), tf.int32)
    return turned(tf.ensure_shape(photo, (None, None, 3)), tiff_orientation(levels))


def _deep_grey(contents: tf.Tensor) -> tf.Tensor:
    """Grey of 16 bits, rounded to 8 as `read_image` does; TensorFlow alone would cut it off."""
    levels = tf.cast(tf.io.decode_png(contents, channels=1, dtype=tf.uint16), tf.int32)
    return tf.tile(tf.cast((levels * 255 + 32767) // 65535, tf.uint8), (1, 1, 3))


def _over_background(photo: tf.Tensor) -> tf.Tensor:
    """A photo with alpha over `BACKGROUND`, in the whole numbers of Pillow's `alpha_composite`."""
    levels = tf.cast(photo, tf.int32)
    color, alpha = levels[..., :3], levels[..., 3:]
    mixed = 128 * (color * alpha + tf.constant(BACKGROUND) * (255 - alpha)) + (128 << 7)
    # (Shifts by 8 and 15 bits; nothing here is negative.)
    return tf.cast((mixed // 256 + mixed) // 32768, tf.uint8)


def _png_chunks(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Walks over the chunks of a PNG: whether one makes it transparent, and its EXIF data."""
    end = tf.strings.length(contents)

    def step(
        offset: tf.Tensor, has_transparency: tf.Tensor, exif: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        numbers = tf.io.decode_raw(tf.strings.substr(contents, offset, 4), tf.uint8)
        name = tf.strings.substr(contents, offset + 4, 4)
        left = end - offset - 12
        length = _number(numbers)
        length = tf.where((length < 0) | (length > left), left, length)
        found = tf.cond(
            name == b"eXIf", lambda: tf.strings.substr(contents, offset + 8, length), lambda: exif
        )
        return offset + 12 + length, has_transparency | (name == b"tRNS"), found

    _, has_transparency, exif = tf.while_loop(
        lambda offset, *_: offset + 12 <= end, step, (8, tf.constant(False), tf.constant(b""))
    )
    return has_transparency, exif
