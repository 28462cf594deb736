"""Decode photos in a graph that is served where there is no Python: JPEG and PNG, as Pillow does.

`reiqa_tf.image.decoding` reads every format, but hands some of them to Python. Here TensorFlow's
own operators do everything, a server needs nothing else, and what cannot be read is refused with
a message that says which photo and why.
"""

import tensorflow as tf

from reiqa_tf.image import profile_ops
from reiqa_tf.image.containers import JPEG_MAGIC, PNG_MAGIC
from reiqa_tf.image.decoding import LOSSY_FRAMES, decode_jpeg, is_one_of, turned
from reiqa_tf.image.metadata_ops import (
    Said,
    begins,
    said_in_jpeg,
    said_in_png,
    unless_it_fails,
    whole_number,
)
from reiqa_tf.image.reading import (
    BACKGROUND,
    END_NOISE,
    MAX_PIXELS,
    MINIMUM_SIDE,
    REDUCTIONS,
    SPARE,
)
from reiqa_tf.image.scaling import fit_into, to_unit_range

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


def decode_served_photo(contents: tf.Tensor, name: tf.Tensor, fit: int | None = None) -> tf.Tensor:
    """Decodes one JPEG or PNG to upright 8-bit sRGB, or refuses it by name.

    The pixels are those of `read_image`: the picture is turned as its EXIF or XMP data say,
    transparent parts show white, CMYK, grey, palette and 16-bit pictures become 8-bit RGB. Colour
    profiles of curves and a matrix, which cameras, phones and editors write, are applied, within a
    level of what `read_image` makes of them; a picture whose profile is made of tables is refused.
    Photos that are shrunk have its pixels, too; of those decoded at reduced scale a few in ten
    thousand are a level off.

    Args:
        contents: scalar string tensor, the bytes of the file.
        name: scalar string tensor, what error messages call the photo.
        fit: side in pixels of the square that it is shrunk to fit into, or None; see `read_image`.

    Returns:
        float32 tensor `(height, width, 3)` in [0, 1], on 8-bit levels.

    Raises:
        tf.errors.InvalidArgumentError: if the photo is neither JPEG nor PNG, damaged, truncated,
            smaller than `MINIMUM_SIDE` in one direction (once it is shrunk, too), larger than
            `MAX_PIXELS`, or of a kind that cannot be read here. (While the graph runs.)
    """
    is_jpeg = begins(contents, JPEG_MAGIC)
    is_png = begins(contents, PNG_MAGIC)
    kind = tf.where(is_jpeg, "JPEG", "PNG")
    shape = tf.case(
        [
            (is_jpeg, lambda: unless_it_fails(_jpeg_shape, contents, tf.zeros(3, tf.int32))),
            (is_png, lambda: unless_it_fails(_png_shape, contents, tf.zeros(3, tf.int32))),
        ],
        default=lambda: tf.zeros(3, tf.int32),
    )
    size, channels = shape[:2], shape[2]
    said = tf.cond(
        is_png,
        lambda: said_in_png(contents),
        lambda: said_in_jpeg(tf.where(is_jpeg, contents, b"")),
    )
    fate = profile_ops.fate(said.profile, channels)
    is_known = is_png | is_one_of(said.frame, LOSSY_FRAMES)
    is_large = (tf.reduce_min(size) >= MINIMUM_SIDE) & (_shrunk_side(size, fit) >= MINIMUM_SIDE)
    fits = is_large & (_pixels(size) <= MAX_PIXELS)
    is_wanted = fits & is_known & (fate != profile_ops.REFUSED)
    nothing = tf.zeros((0, 0, 3), tf.uint8)
    times = _reduction(size, fit)
    decoded = tf.case(
        [
            (
                is_wanted & is_jpeg,
                lambda: unless_it_fails(
                    lambda file: _jpeg(file, said, shape, times), contents, nothing
                ),
            ),
            (
                is_wanted & is_png,
                lambda: unless_it_fails(lambda file: _png(file, said, fate), contents, nothing),
            ),
        ],
        default=lambda: nothing,
    )
    sides = tf.strings.join([_text(size[1]), " x ", _text(size[0]), " px"])
    damaged = tf.strings.join([kind, " data that cannot be decoded, damaged or truncated"])
    complaint = tf.case(
        [
            (tf.strings.length(contents) == 0, lambda: tf.constant("an empty file (0 bytes)")),
            (~(is_jpeg | is_png), lambda: _foreign(contents)),
            (
                is_jpeg & (said.frame > 0) & ~is_known,
                lambda: tf.constant(
                    "a JPEG coded without loss or in layers; expected an ordinary one"
                ),
            ),
            (tf.reduce_min(size) == 0, lambda: damaged),
            (
                tf.reduce_min(size) < MINIMUM_SIDE,
                lambda: tf.strings.join(
                    [sides, f", too small to judge; expected at least {MINIMUM_SIDE} px each way"]
                ),
            ),
            (
                ~is_large,
                lambda: tf.strings.join(
                    [
                        sides,
                        f", too small once shrunk to fit {fit} px; expected at least "
                        f"{MINIMUM_SIDE} px each way",
                    ]
                ),
            ),
            (
                ~fits,
                lambda: tf.strings.join(
                    [sides, f", too large; expected at most {MAX_PIXELS:,} pixels"]
                ),
            ),
            (
                fate == profile_ops.REFUSED,
                lambda: tf.constant(
                    "a colour profile made of tables, as for printing; convert the photo to sRGB"
                ),
            ),
            (tf.size(decoded) == 0, lambda: damaged),
        ],
        default=lambda: tf.constant(""),
    )
    length = tf.strings.join([" (", _text(tf.strings.length(contents)), " bytes): "])
    checked = tf.debugging.Assert(
        complaint == "", [tf.strings.join([name, length, complaint])], name="photo"
    )
    with tf.control_dependencies([checked] if checked is not None else []):  # None when eager
        photo = tf.cond(
            is_jpeg & (fate == profile_ops.APPLIED),
            lambda: profile_ops.to_srgb(decoded, said.profile, channels),
            lambda: tf.identity(decoded),
        )
        photo = turned(photo, said.orientation)
        if fit is None:
            return tf.ensure_shape(to_unit_range(photo), (None, None, 3))
        return fit_into(photo, fit, is_rounded_between=~is_jpeg | (times == 1))


def _shrunk_side(size: tf.Tensor, fit: int | None) -> tf.Tensor:
    """The shorter side of a picture once it is shrunk, as `size_to_fit` computes it."""
    shorter, longer = tf.reduce_min(size), tf.reduce_max(size)
    if fit is None:
        return shorter
    # In 64 bits: a damaged header may say any size.
    wide, long = tf.cast(shorter, tf.int64), tf.maximum(tf.cast(longer, tf.int64), 1)
    shrunk = tf.cast((2 * wide * fit + long) // (2 * long), tf.int32)
    return tf.where(longer <= fit, shorter, shrunk)


def _text(number: tf.Tensor) -> tf.Tensor:
    return tf.strings.as_string(number)


def _pixels(size: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(tf.cast(size, tf.int64))


def _foreign(contents: tf.Tensor) -> tf.Tensor:
    known = tf.constant("something else")
    for magic, kind in _UNREADABLE.items():
        known = tf.where(begins(contents, magic), kind, known)
    return tf.strings.join(["expected a JPEG or a PNG; received ", known])


def _jpeg_shape(contents: tf.Tensor) -> tf.Tensor:
    return tf.image.extract_jpeg_shape(contents)


def _png_shape(contents: tf.Tensor) -> tf.Tensor:
    numbers = tf.io.decode_raw(tf.strings.substr(contents, 16, 10), tf.uint8)
    is_grey = numbers[9] == _GREY
    # Lengths of 2**31 and more, which no PNG may have, become negative: too small.
    return tf.stack(
        [whole_number(numbers[4:8]), whole_number(numbers[:4]), tf.where(is_grey, 1, 3)]
    )


def _reduction(size: tf.Tensor, fit: int | None) -> tf.Tensor:
    """How many times smaller a JPEG is decoded: see `reiqa_tf.image.reading.reduction`."""
    reduced = tf.constant(1)
    if fit is not None:
        times = tf.reduce_max(size) // int(SPARE * fit)
        for fewer in reversed(REDUCTIONS):
            reduced = tf.where(times >= fewer, fewer, reduced)
    return reduced


def _jpeg(contents: tf.Tensor, said: Said, shape: tf.Tensor, times: tf.Tensor) -> tf.Tensor:
    """Decodes a JPEG as it lies, at reduced scale where `read_image` does."""
    is_unsure = (shape[2] == 4) & ~said.has_adobe_mark
    return tf.cond(
        is_unsure,
        lambda: _brighter_reading(contents, times),
        lambda: tf.cond(
            _has_end(contents, said.scans),
            lambda: _at_scale(contents, times),
            lambda: _without_end(contents, times),
        ),
    )


def _at_scale(contents: tf.Tensor, times: tf.Tensor) -> tf.Tensor:
    return tf.case(
        [
            (times == fewer, lambda fewer=fewer: decode_jpeg(contents, fewer))
            for fewer in REDUCTIONS
        ],
        default=lambda: decode_jpeg(contents),
    )


def _has_end(contents: tf.Tensor, scans: tf.Tensor) -> tf.Tensor:
    """Whether the mark at the end of a JPEG is there; not always the last thing in the file."""
    length = tf.strings.length(contents)

    def somewhere() -> tf.Tensor:
        levels = tf.io.decode_raw(tf.strings.substr(contents, scans, length - scans), tf.uint8)
        return tf.reduce_any((levels[:-1] == 0xFF) & (levels[1:] == 0xD9))

    return tf.cond(
        tf.strings.substr(contents, length - 2, 2) == b"\xff\xd9", lambda: True, somewhere
    )


def _without_end(contents: tf.Tensor, times: tf.Tensor) -> tf.Tensor:
    """Decodes a JPEG without its end mark; fails if pixels are missing, too.

    As `read_image` finds out: see `reiqa_tf.image.reading`.
    """
    photo = _at_scale(contents + b"\xff\xd9", times)
    other = _at_scale(contents + END_NOISE + b"\xff\xd9", times)
    with tf.control_dependencies([tf.debugging.assert_equal(photo, other)]):
        return tf.identity(photo)


def _brighter_reading(contents: tf.Tensor, times: tf.Tensor) -> tf.Tensor:
    """A JPEG in CMYK that does not say how it counts ink: see `reiqa_tf.image.reading`."""
    mark = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
    lack = _at_scale(_with_mark(contents, mark), times)
    ink = _at_scale(contents, times)
    lack_is_brighter = tf.reduce_sum(tf.cast(lack, tf.int64)) >= tf.reduce_sum(
        tf.cast(ink, tf.int64)
    )
    return tf.where(lack_is_brighter, lack, ink)


def _with_mark(contents: tf.Tensor, mark: bytes) -> tf.Tensor:
    rest = tf.strings.substr(contents, 2, tf.strings.length(contents) - 2)
    return tf.strings.join([b"\xff\xd8", mark, rest])


def _png(contents: tf.Tensor, said: Said, fate: tf.Tensor) -> tf.Tensor:
    """Decodes a PNG as it lies, in sRGB."""
    header = tf.cast(tf.io.decode_raw(tf.strings.substr(contents, 24, 2), tf.uint8), tf.int32)
    bit_depth, color_type = header[0], header[1]
    is_clear = said.is_clear | (color_type == _GREY_AND_ALPHA) | (color_type == _RGBA)
    # Grey that is clear in places becomes colour before its profile would be looked at.
    channels = tf.where((color_type == _GREY) & ~is_clear, 1, 3)
    is_applied = (fate == profile_ops.APPLIED) & ((channels == 1) == (color_type == _GREY))

    def in_srgb(photo: tf.Tensor) -> tf.Tensor:
        return tf.cond(
            is_applied,
            lambda: profile_ops.to_srgb(photo, said.profile, channels),
            lambda: photo,
        )

    def clear() -> tf.Tensor:
        levels = tf.io.decode_png(contents, channels=4)
        return _over_background(tf.concat([in_srgb(levels[..., :3]), levels[..., 3:]], -1))

    photo = tf.case(
        [
            ((bit_depth == 16) & (color_type == _GREY), lambda: in_srgb(_deep_grey(contents))),
            (is_clear, clear),
        ],
        default=lambda: in_srgb(tf.io.decode_png(contents, channels=3)),
    )
    return tf.ensure_shape(photo, (None, None, 3))


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
