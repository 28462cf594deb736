"""What is said beside the pixels of a JPEG or PNG, read by operators of a graph.

The same rules as in `reiqa_tf.image.containers`, for training, where Python for each photo would
hold up the others, and for servers that have none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from reiqa_tf.image.containers import EXIF_PREFIX, PROFILE_PREFIX, XMP_PREFIX

_ORIENTATION = 0x0112
_ENTRY = 12
"""Bytes of an entry in a TIFF directory, which is what EXIF data are."""

_MOST_ENTRIES = 512
_MOST_EXIF = 65536
"""Bytes of EXIF data that are looked at; a JPEG has no room for more."""

_EXIF_PREFIXES = 3
"""Prefixes `Exif` that are skipped, one after the other; real files have at most two."""

_LONGEST_WORD = 4096
"""Bytes within which the words before a text in a PNG end; a keyword may have 79."""

# Any byte is \C: metadata need not be valid UTF-8.
_XMP_ORIENTATION = r"(?s)\C*?tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])\C*"


class Said(NamedTuple):
    """What is said beside the pixels of a file.

    Attributes:
        orientation: int32 scalar, 1 (upright, also where nothing is said) to 8.
        profile: string scalar, the ICC profile; empty where there is none.
        frame: int32 scalar, the mark of a JPEG's frame, which names its way of coding; 0 of a PNG.
        has_adobe_mark: bool scalar, whether a JPEG says how it counts ink.
        is_clear: bool scalar, whether a PNG has transparent colours.
        scans: int32 scalar, where the pixels of a JPEG begin.
    """

    orientation: tf.Tensor
    profile: tf.Tensor
    frame: tf.Tensor
    has_adobe_mark: tf.Tensor
    is_clear: tf.Tensor
    scans: tf.Tensor


def said_in_jpeg(contents: tf.Tensor) -> Said:
    """Reads what a JPEG says beside its pixels, segment by segment.

    Args:
        contents: string scalar, the bytes of the file.

    Returns:
        `Said`.
    """
    end = tf.strings.length(contents)

    def step(offset: tf.Tensor, _: tf.Tensor, found: dict[str, tf.Tensor]) -> tuple:
        head = _numbers(tf.strings.substr(contents, offset, 4))
        mark, length = head[1], tf.maximum(256 * head[2] + head[3], 2)
        is_stray = (head[0] != 0xFF) | (mark == 0xFF)
        is_bare = ~is_stray & ((mark <= 0x01) | ((mark >= 0xD0) & (mark <= 0xD8)))
        is_last = ~is_stray & ((mark == 0xD9) | (mark == 0xDA))
        is_segment = ~(is_stray | is_bare | is_last)
        is_frame = is_segment & (mark >= 0xC0) & (mark <= 0xCF)
        is_frame &= (mark != 0xC4) & (mark != 0xC8) & (mark != 0xCC)
        holds_words = is_segment & ((mark == 0xE1) | (mark == 0xE2) | (mark == 0xEE))
        payload = tf.cond(
            holds_words,
            lambda: _part(contents, offset + 4, length - 2),
            lambda: tf.constant(b""),
        )
        is_exif = (mark == 0xE1) & begins(payload, EXIF_PREFIX) & (found["exif"] == b"")
        is_xmp = (mark == 0xE1) & begins(payload, XMP_PREFIX)
        is_profile = (mark == 0xE2) & begins(payload, PROFILE_PREFIX)
        is_profile &= tf.strings.length(payload) > 14
        found = {
            "exif": tf.where(is_exif, payload, found["exif"]),
            "xmp": found["xmp"] + _if(is_xmp, _without(payload, len(XMP_PREFIX))),
            "profile": found["profile"] + _if(is_profile, _without(payload, 14)),
            "adobe": found["adobe"] | ((mark == 0xEE) & begins(payload, b"Adobe")),
            "frame": tf.where(is_frame, mark, found["frame"]),
        }
        steps = tf.where(is_stray, 1, tf.where(is_bare, 2, tf.where(is_last, 0, 2 + length)))
        return offset + steps, is_last, found

    nothing = tf.constant(b"")
    scans, _, found = tf.while_loop(
        lambda offset, is_last, _: (offset + 4 <= end) & ~is_last,
        step,
        (
            tf.constant(2),
            tf.constant(False),
            {
                "exif": nothing,
                "xmp": nothing,
                "profile": nothing,
                "adobe": tf.constant(False),
                "frame": tf.constant(0),
            },
        ),
    )
    return Said(
        orientation(found["exif"], found["xmp"]),
        found["profile"],
        found["frame"],
        found["adobe"],
        tf.constant(False),
        scans,
    )


def said_in_png(contents: tf.Tensor) -> Said:
    """Reads what a PNG says beside its pixels, chunk by chunk.

    Args:
        contents: string scalar, the bytes of the file.

    Returns:
        `Said`.
    """
    end = tf.strings.length(contents)

    def step(offset: tf.Tensor, found: dict[str, tf.Tensor]) -> tuple:
        length = whole_number(_numbers(tf.strings.substr(contents, offset, 4)))
        name = tf.strings.substr(contents, offset + 4, 4)
        left = end - offset - 12
        length = tf.where((length < 0) | (length > left), left, length)
        is_text = (name == b"iTXt") | (name == b"zTXt") | (name == b"tEXt")
        holds_words = is_text | (name == b"eXIf") | (name == b"iCCP")
        payload = tf.cond(
            holds_words, lambda: _part(contents, offset + 8, length), lambda: tf.constant(b"")
        )
        keyword, text = tf.cond(
            is_text, lambda: _png_text(name, payload), lambda: (tf.constant(b""),) * 2
        )
        is_raw_exif = (keyword == b"Raw profile type exif") | (keyword == b"Raw profile type APP1")
        exif = tf.case(
            [
                (found["exif"] != b"", lambda: found["exif"]),
                (name == b"eXIf", lambda: payload),
                (is_raw_exif, lambda: _from_hexadecimal(text)),
            ],
            default=lambda: tf.constant(b""),
        )
        xmp = tf.case(
            [
                (keyword == b"XML:com.adobe.xmp", lambda: text),
                (keyword == b"Raw profile type xmp", lambda: _from_hexadecimal(text)),
            ],
            default=lambda: tf.constant(b""),
        )
        profile = tf.cond(
            name == b"iCCP",
            lambda: _unpacked(_without(_behind_zero(payload), 1)),
            lambda: found["profile"],
        )
        return offset + 12 + length, {
            "exif": exif,
            "xmp": found["xmp"] + xmp,
            "profile": profile,
            "clear": found["clear"] | (name == b"tRNS"),
        }

    nothing = tf.constant(b"")
    _, found = tf.while_loop(
        lambda offset, _: offset + 12 <= end,
        step,
        (
            tf.constant(8),
            {"exif": nothing, "xmp": nothing, "profile": nothing, "clear": tf.constant(False)},
        ),
    )
    return Said(
        orientation(found["exif"], found["xmp"]),
        found["profile"],
        tf.constant(0),
        tf.constant(False),
        found["clear"],
        tf.constant(0),
    )


def orientation(exif: tf.Tensor, xmp: tf.Tensor) -> tf.Tensor:
    """Tells which side of a picture is up.

    Args:
        exif: string scalar, EXIF data, empty where there are none.
        xmp: string scalar, XMP data, likewise.

    Returns:
        int32 scalar, 1 (upright, also where nothing is said) to 8; EXIF's word comes first.
    """
    by_exif = tf.cond(exif == b"", lambda: 0, lambda: _exif_orientation(exif))
    return tf.cond(
        (by_exif > 0) | (xmp == b""), lambda: tf.maximum(by_exif, 1), lambda: _xmp_orientation(xmp)
    )


def _xmp_orientation(xmp: tf.Tensor) -> tf.Tensor:
    found = tf.strings.regex_full_match(xmp, _XMP_ORIENTATION)
    digit = tf.strings.regex_replace(xmp, _XMP_ORIENTATION, r"\1", replace_global=False)
    return tf.cond(found, lambda: tf.strings.to_number(digit, tf.int32), lambda: 1)


def _exif_orientation(exif: tf.Tensor) -> tf.Tensor:
    """The orientation in EXIF data, however damaged; 0 where nothing is said."""
    for _ in range(_EXIF_PREFIXES):
        has_prefix = begins(exif, EXIF_PREFIX)
        exif = tf.where(has_prefix, _without(exif, len(EXIF_PREFIX)), exif)
    tiff = _numbers(exif)[:_MOST_EXIF]
    size = tf.size(tiff)
    # Zeros behind the end make every offset below readable, however damaged the data are.
    tiff = tf.concat([tiff, tf.zeros((_MOST_EXIF + _MOST_ENTRIES * _ENTRY,), tf.int32)], 0)
    has_order = (tiff[0] == tiff[1]) & ((tiff[0] == ord("I")) | (tiff[0] == ord("M")))

    def number(places: tf.Tensor, byte_count: int) -> tf.Tensor:
        parts = tf.gather(tiff, places[:, tf.newaxis] + tf.range(byte_count))
        rising = 256 ** tf.range(byte_count)
        weights = tf.where(tiff[0] == ord("I"), rising, rising[::-1])
        return tf.reduce_sum(parts * weights, axis=1)

    directory = number(tf.constant([4]), 4)[0]
    is_inside = has_order & (directory >= 0) & (directory + 2 <= size)
    directory = tf.where(is_inside, directory, 0)
    count = tf.minimum(number(directory[tf.newaxis], 2)[0], _MOST_ENTRIES)
    entries = directory + 2 + _ENTRY * tf.range(count)
    entries = tf.boolean_mask(entries, entries + _ENTRY <= size)
    entries = tf.boolean_mask(entries, number(entries, 2) == _ORIENTATION)[:1]
    kind, items = number(entries + 2, 2), number(entries + 4, 4)
    item_size = tf.where(kind == 3, 2, 4)
    is_number = ((kind == 3) | (kind == 4)) & (items > 0)
    elsewhere = number(entries + 8, 4)
    is_elsewhere = items > 4 // item_size
    # What lies beyond the end is not there.
    is_there = (elsewhere >= 0) & (elsewhere + item_size <= size)
    place = tf.where(is_elsewhere, tf.where(is_there, elsewhere, 0), entries + 8)
    value = tf.where(kind == 3, number(place, 2), number(place, 4))
    is_valid = is_number & (value >= 1) & (value <= 8) & (~is_elsewhere | is_there)
    said = tf.concat([tf.where(is_valid, value, 1), [0]], 0)[0]
    return tf.where(is_inside, said, 0)


def _png_text(name: tf.Tensor, payload: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Keyword and text of a text chunk, unpacked."""
    rest = _behind_zero(payload)
    length = tf.strings.length(payload) - tf.strings.length(rest) - 1
    keyword = tf.strings.substr(payload, 0, tf.maximum(length, 0))
    is_packed = (name == b"iTXt") & begins(rest, b"\x01")
    text = tf.case(
        [
            (name == b"zTXt", lambda: _unpacked(_without(rest, 1))),
            (is_packed, lambda: _unpacked(_behind_zero(_behind_zero(_without(rest, 2))))),
            (name == b"iTXt", lambda: _behind_zero(_behind_zero(_without(rest, 2)))),
        ],
        default=lambda: rest,
    )
    return keyword, text


def _behind_zero(text: tf.Tensor) -> tf.Tensor:
    """What follows the first zero byte; nothing where there is none soon."""
    zeros = tf.where(_numbers(_part(text, tf.constant(0), tf.constant(_LONGEST_WORD))) == 0)
    place = tf.cast(tf.concat([zeros[:, 0], [2**30]], 0)[0], tf.int32)
    return _without(text, place + 1)


def _unpacked(packed: tf.Tensor) -> tf.Tensor:
    """What zlib packed, or nothing where it is damaged."""
    return unless_it_fails(
        lambda text: tf.io.decode_compressed(text, "ZLIB"), packed, tf.constant(b"")
    )


def _from_hexadecimal(text: tf.Tensor) -> tf.Tensor:
    """The bytes that ImageMagick writes as text: name, length, hexadecimal digits."""
    digits = tf.strings.regex_replace(text, r"^\s*\S+\s+\S+", "", replace_global=False)
    digits = tf.strings.regex_replace(digits, r"\s+", "")
    is_whole = tf.strings.regex_full_match(digits, r"(?:[0-9A-Fa-f]{2})*")
    levels = _numbers(tf.where(is_whole, digits, b""))
    nibbles = tf.reshape(levels % 32 - tf.where(levels < 64, 16, -9), (-1, 2))
    values = nibbles[:, 0] * 16 + nibbles[:, 1]
    letters = tf.constant([bytes([value]) for value in range(256)])
    return tf.strings.reduce_join(tf.gather(letters, values))


def _part(contents: tf.Tensor, begin: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    left = tf.maximum(tf.strings.length(contents) - begin, 0)
    return tf.strings.substr(contents, begin, tf.clip_by_value(length, 0, left))


def _without(text: tf.Tensor, count: int) -> tf.Tensor:
    """A text without its first bytes."""
    length = tf.strings.length(text)
    return tf.strings.substr(text, tf.minimum(count, length), tf.maximum(length - count, 0))


def begins(text: tf.Tensor, magic: bytes) -> tf.Tensor:
    """Tells whether a text begins with some bytes."""
    return tf.strings.substr(text, 0, tf.minimum(len(magic), tf.strings.length(text))) == magic


def _if(condition: tf.Tensor, text: tf.Tensor) -> tf.Tensor:
    return tf.where(condition, text, b"")


def _numbers(text: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(text, tf.uint8), tf.int32)


def whole_number(levels: tf.Tensor) -> tf.Tensor:
    """The number that four bytes are, the highest first."""
    return tf.reduce_sum(tf.cast(levels, tf.int32) * [1 << 24, 1 << 16, 1 << 8, 1])


def unless_it_fails(
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
