"""Colour profiles by operators of a graph, for servers without Python: within a level of lcms.

Cameras, phones and editors write profiles of one kind: three curves and a matrix (ICC.1:2022,
annex F.3). Those are applied here. Profiles made of tables, as for printing, are not.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from reiqa_tf.image.color_profiles import BRIGHTEST, DARKEST

# From the XYZ of the ICC's D50 to linear sRGB: the inverse of the colorants of sRGB, adapted to D50
# (IEC 61966-2-1, with the Bradford adaptation of ICC.1:2022, annex E).
_SRGB_COLORANTS = np.array(
    [
        [0.436065674, 0.385147095, 0.143066406],
        [0.222488403, 0.716873169, 0.060607910],
        [0.013916016, 0.097076416, 0.714096069],
    ]
)
_TO_SRGB = np.linalg.inv(_SRGB_COLORANTS).astype(np.float32)

_HEADER = 128
_MOST_TAGS = 100
_MOST_POINTS = 32767
_SHORTEST_TAG = 14
"""Bytes of the shortest tag that is looked at: a tone curve that is a power."""

_UNITS = 65536.0
_LEVELS = 256


IGNORED, APPLIED, REFUSED = range(3)
"""What becomes of a profile: damaged or for other colours, so that it counts as not there; applied;
or made of tables, so that the picture has to be refused."""


def fate(profile: tf.Tensor, channels: tf.Tensor) -> tf.Tensor:
    """Tells what becomes of a profile.

    Args:
        profile: string scalar, the bytes of the profile; empty where there is none.
        channels: int32 scalar, colours of the picture: 1 (grey), 3 (RGB) or 4 (CMYK).

    Returns:
        int32 scalar: `IGNORED`, `APPLIED` or `REFUSED`.
    """
    return tf.cond(profile == b"", lambda: IGNORED, lambda: _Profile(profile).fate(channels))


# One function of a graph, wherever it is called: tracing it takes seconds, and four kinds of
# pictures call it.
@tf.function(
    input_signature=[
        tf.TensorSpec((None, None, 3), tf.uint8),
        tf.TensorSpec((), tf.string),
        tf.TensorSpec((), tf.int32),
    ],
    autograph=False,
)
def to_srgb(image: tf.Tensor, profile: tf.Tensor, channels: tf.Tensor) -> tf.Tensor:
    """Brings a picture to sRGB.

    Args:
        image: uint8 tensor `(H, W, 3)`; of a grey picture the three channels are equal.
        profile: string scalar, a profile whose fate is `APPLIED`. One that is the same as sRGB to a
            level changes nothing, as in `reiqa_tf.image.color_profiles`.
        channels: as in `fate`.

    Returns:
        uint8 tensor of the same shape.
    """
    parsed = _Profile(profile)
    is_grey = channels == 1
    curves = tf.cond(
        is_grey,
        lambda: tf.tile(parsed.curve(b"kTRC")[tf.newaxis], (3, 1)),
        lambda: tf.stack([parsed.curve(name) for name in (b"rTRC", b"gTRC", b"bTRC")]),
    )
    matrix = tf.cond(
        is_grey,
        lambda: tf.eye(3),
        lambda: tf.linalg.matmul(
            tf.constant(_TO_SRGB),
            tf.stack([parsed.xyz(name) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1),
        ),
    )

    def converted(levels: tf.Tensor) -> tf.Tensor:
        """Levels `(N, 3)` in sRGB."""
        linear = tf.stack([tf.gather(curves[i], levels[:, i]) for i in range(3)], axis=1)
        linear = tf.clip_by_value(tf.linalg.matmul(linear, matrix, transpose_b=True), 0.0, 1.0)
        return tf.cast(tf.floor(255.0 * _encoded(linear) + 0.5), tf.int32)

    lattice = tf.constant(
        np.stack(np.meshgrid(*[np.linspace(0, 255, 9).round()] * 3), -1).reshape(-1, 3), tf.int32
    )
    result = converted(lattice)
    is_srgb = ~is_grey & (tf.reduce_max(tf.abs(result - lattice)) <= 1)
    is_sound = (tf.reduce_max(result[0]) <= DARKEST) & (tf.reduce_min(result[-1]) >= BRIGHTEST)
    levels = tf.reshape(tf.cast(image, tf.int32), (-1, 3))
    return tf.cond(
        is_srgb | ~is_sound,
        lambda: image,
        lambda: tf.reshape(tf.cast(converted(levels), tf.uint8), tf.shape(image)),
    )


def _encoded(linear: tf.Tensor) -> tf.Tensor:
    """The tone curve of sRGB (IEC 61966-2-1)."""
    return tf.where(linear <= 0.0031308, 12.92 * linear, 1.055 * tf.pow(linear, 1 / 2.4) - 0.055)


class _Profile:
    """The numbers of a profile. What lies beyond its end reads as zero."""

    def __init__(self, profile: tf.Tensor) -> None:
        levels = tf.cast(tf.io.decode_raw(profile, tf.uint8), tf.int32)
        self._size = tf.size(levels)
        self._levels = tf.concat([levels, tf.zeros((_HEADER + 12 * _MOST_TAGS + 4,), tf.int32)], 0)
        self._tags = self._number(tf.constant(_HEADER))
        count = tf.clip_by_value(self._tags, 0, _MOST_TAGS)
        entries = _HEADER + 4 + 12 * tf.range(count)
        # What does not lie within the profile is not there. (Large numbers are negative here.)
        begins, sizes = self._number(entries + 4), self._number(entries + 8)
        said = self._number(tf.constant(0))
        end = tf.where((said < 0) | (said > self._size), self._size, said)
        is_there = (begins > 0) & (sizes > 0) & (begins <= end) & (sizes <= end - begins)
        self._entries = tf.boolean_mask(entries, is_there)
        self._names = self._number(self._entries)

    def fate(self, channels: tf.Tensor) -> tf.Tensor:
        """As the function `fate`."""
        space = tf.gather([0, *map(_as_number, (b"GRAY", b"0", b"RGB ", b"CMYK"))], channels)
        fits = (self._size > _HEADER) & (self._number(tf.constant(36)) == _as_number(b"acsp"))
        fits &= self._number(tf.constant(16)) == space
        fits &= self._tags <= _MOST_TAGS
        has_tables = tf.reduce_any([self._has(name) for name in (b"A2B0", b"A2B1", b"A2B2")])
        connection = self._number(tf.constant(20))
        has_tables |= (channels == 4) | (connection == _as_number(b"Lab "))
        fits &= (connection == _as_number(b"XYZ ")) | (connection == _as_number(b"Lab "))
        grey = self._is_curve(b"kTRC")
        rgb = tf.reduce_all(
            [self._is_curve(name) for name in (b"rTRC", b"gTRC", b"bTRC")]
            + [self._is_color(name) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        )
        is_whole = tf.where(channels == 1, grey, rgb)
        return tf.where(
            ~fits, IGNORED, tf.where(has_tables, REFUSED, tf.where(is_whole, APPLIED, IGNORED))
        )

    def xyz(self, name: bytes) -> tf.Tensor:
        """A colour in XYZ, `(3,)`."""
        return self._fractions(self._place(name) + 8, 3)

    def curve(self, name: bytes) -> tf.Tensor:
        """What the 256 levels of a channel are in linear light, `(256,)`."""
        place = self._place(name)
        return tf.cond(
            self._number(place) == _as_number(b"curv"),
            lambda: self._sampled(place),
            lambda: self._parametric(place),
        )

    def _sampled(self, place: tf.Tensor) -> tf.Tensor:
        count = self._number(place + 8)
        inputs = tf.range(_LEVELS, dtype=tf.float32) / (_LEVELS - 1)

        def table() -> tf.Tensor:
            points = place + 12 + 2 * tf.range(count)
            values = tf.cast(self._at(points) * 256 + self._at(points + 1), tf.float32) / 65535.0
            position = inputs * tf.cast(count - 1, tf.float32)
            below = tf.minimum(tf.cast(position, tf.int32), count - 2)
            share = position - tf.cast(below, tf.float32)
            return (1 - share) * tf.gather(values, below) + share * tf.gather(values, below + 1)

        gamma = tf.cast(self._at(place + 12) * 256 + self._at(place + 13), tf.float32) / 256.0
        return tf.case(
            [(count == 0, lambda: inputs), (count == 1, lambda: tf.pow(inputs, gamma))],
            default=table,
        )

    def _parametric(self, place: tf.Tensor) -> tf.Tensor:
        kind = self._at(place + 8) * 256 + self._at(place + 9)
        g, a, b, c, d, e, f = tf.unstack(self._fractions(place + 12, 7))
        inputs = tf.range(_LEVELS, dtype=tf.float32) / (_LEVELS - 1)
        a, b = tf.where(kind == 0, 1.0, a), tf.where(kind == 0, 0.0, b)
        power = tf.pow(tf.maximum(a * inputs + b, 0.0), g)
        knee = tf.where(kind <= 2, -b / a, d)
        above = power + tf.where(kind == 2, c, tf.where(kind == 4, e, 0.0))
        below = tf.where(kind <= 1, 0.0, tf.where(kind == 2, c, c * inputs))
        below += tf.where(kind == 4, f, 0.0)
        curve = tf.where((kind == 0) | (inputs >= knee), above, below)
        return tf.clip_by_value(curve, 0.0, 1.0)

    def _is_curve(self, name: bytes) -> tf.Tensor:
        place = self._place(name)
        kind, count = self._number(place), self._number(place + 8)
        is_table = (
            (kind == _as_number(b"curv"))
            & (count >= 0)
            & (count <= _MOST_POINTS)
            & (place + 12 + 2 * count <= self._size)
        )
        return is_table | (kind == _as_number(b"para")) & (
            self._at(place + 8) * 256 + self._at(place + 9) <= 4
        )

    def _is_color(self, name: bytes) -> tf.Tensor:
        place = self._place(name)
        return (self._number(place) == _as_number(b"XYZ ")) & (place + 20 <= self._size)

    def _has(self, name: bytes) -> tf.Tensor:
        return tf.reduce_any(self._names == _as_number(name))

    def _place(self, name: bytes) -> tf.Tensor:
        """Where the data of a tag begin; 0, where no tag's data are, if it is not there."""
        entries = tf.boolean_mask(self._entries, self._names == _as_number(name))
        place = tf.concat([self._number(entries + 4), [0]], 0)[0]
        return tf.where((place >= 0) & (place + _SHORTEST_TAG <= self._size), place, 0)

    def _fractions(self, place: tf.Tensor, count: int) -> tf.Tensor:
        """Numbers of 16 bits before the point and 16 behind it."""
        return tf.cast(self._number(place + 4 * tf.range(count)), tf.float32) / _UNITS

    def _number(self, places: tf.Tensor) -> tf.Tensor:
        """Numbers of four bytes, the highest first."""
        weights = (1 << 24, 1 << 16, 1 << 8, 1)  # the highest may become negative, as in int32
        return sum(self._at(places + i) * weight for i, weight in enumerate(weights))

    def _at(self, places: tf.Tensor) -> tf.Tensor:
        last = tf.size(self._levels) - 1
        return tf.gather(self._levels, tf.clip_by_value(places, 0, last))


def _as_number(name: bytes) -> int:
    return int.from_bytes(name, "big")
