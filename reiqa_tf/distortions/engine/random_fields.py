"""Random fields over a photo, addressed by row.

Each field is one stream of a counter-based generator (Philox), laid out row after row. Any rows can
therefore be drawn without drawing those above, and a window sees the very noise that the whole
photo would.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy import special

from reiqa_tf.distortions.engine.windows import RIM, Photo, Size, Windows

_PHILOX = 1
_WORDS = 4
"""32-bit words that Philox makes for one value of its counter."""

_ROWS_ABOVE = 64
"""Rows above a photo that a field has: counting from there, no counter is ever negative."""


def random_words(seed: tf.Tensor, first_row: Size, rows: Size, words: Size) -> tf.Tensor:
    """Random 32-bit words, a row at a time.

    Args:
        seed: int32 tensor `(2,)`.
        first_row: first row to draw, at least -64.
        rows: number of rows.
        words: words in a row; the same for every call on one field.

    Returns:
        uint32 tensor `(rows, at least words)`; each row fills whole counter values.
    """
    blocks = -(-words // _WORDS)
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    start = tf.cast(first_row + _ROWS_ABOVE, tf.int64) * tf.cast(blocks, tf.int64)
    counter = tf.stack([tf.cast(start, tf.uint64), counter[1]])
    drawn = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=tf.stack([rows * blocks * _WORDS]),
        key=key,
        counter=counter,
        alg=_PHILOX,
        dtype=tf.uint32,
    )
    return tf.reshape(drawn, (rows, blocks * _WORDS))


def uniform_field(seed: tf.Tensor, first_row: Size, rows: Size, columns: Size) -> tf.Tensor:
    """White noise, one number a pixel, all int16 numbers equally often.

    Args:
        seed: int32 tensor `(2,)`.
        first_row: first row of the photo to draw.
        rows: number of rows.
        columns: width of the photo.

    Returns:
        int16 tensor `(rows, columns)`.
    """
    words = random_words(seed, first_row, rows, -(-columns // 2))
    return tf.reshape(tf.bitcast(words, tf.int16), (rows, -1))[:, :columns]


def uniform_quantile(probability: tf.Tensor) -> tf.Tensor:
    """Below which number those of `uniform_field` are with a probability, to half of 1 in 65,536.

    Args:
        probability: float32 tensor, at most 0.5.

    Returns:
        int16 tensor.
    """
    return tf.cast(tf.round((probability - 0.5) * 2.0**16), tf.int16)


GROUP = 32
"""Normal numbers that one entry of the codebook holds."""

_CODE_BITS = 13
"""Random bits that choose an entry of the codebook. It has 256 KB: one of 1 MB is looked up three
times as slowly, for it does not fit into the cache of a core."""

NORMAL_STEP = 1 / 32
"""What a normal number is a multiple of. Noise is then a byte a number, which is a quarter of the
memory to go through; rounding adds 1 / 12,288 to its variance."""

LARGEST_NORMAL = 4.0
"""Bound on normal numbers: how far `jitter` looks follows from it. Of true normal numbers
one in 16,000 lies beyond."""

_FARTHEST_QUANTILE = 3.8


@functools.cache
def codebook() -> np.ndarray:
    """8,192 groups of 32 numbers, together as good as normal and white.

    The problem: normal numbers take a logarithm and a sine each. So a random number chooses 32 of
    them at once; the cost is a table of 256 KB.

    Each column holds the 8,192 quantiles of the normal distribution in an order of its own; then
    the columns are made uncorrelated and of variance 1, exactly but for the rounding to steps, so
    that neither the variance nor the whiteness of a field depends on the luck of these orders.

    Returns:
        int8 array `(8192, 32)`, in multiples of `NORMAL_STEP`.
    """
    generator = np.random.Generator(np.random.PCG64(26))
    codes = 2**_CODE_BITS
    quantiles = special.ndtri((np.arange(codes) + 0.5) / codes)
    quantiles = np.clip(quantiles, -_FARTHEST_QUANTILE, _FARTHEST_QUANTILE)
    columns = np.stack([generator.permutation(quantiles) for _ in range(GROUP)], axis=1)
    covariance = columns.T @ columns / codes
    whitening = np.linalg.inv(np.linalg.cholesky(covariance)).T
    return np.rint(columns @ whitening / NORMAL_STEP).astype(np.int8)


class NormalNoise(NamedTuple):
    """White Gaussian noise for the wanted rows of a photo and a margin around them.

    Attributes:
        codes: int32 tensor `(rows, channels, groups)`, places in the codebook: few numbers to draw
            and to cut windows out of.
        book: `codebook` as a tensor. It has 256 KB, so a graph should hold few.
    """

    codes: tf.Tensor
    book: tf.Tensor

    @classmethod
    def draw(cls, seed: tf.Tensor, photo: Photo, channels: int, margin: int = 0) -> NormalNoise:
        """Draws noise of variance 1.

        Args:
            seed: int32 tensor `(2,)`.
            photo: the `Photo`, whose wanted rows are drawn.
            channels: numbers a pixel.
            margin: pixels by which the noise goes on around the wanted rows, and beyond the `RIM`.
        """
        rows = photo.rows + 2 * margin
        columns = photo.width + 2 * (RIM + margin)
        groups = -(-columns // GROUP) + 1  # one more, for windows may begin inside of one
        count = channels * groups
        words = random_words(seed, photo.first_row - margin, rows, -(-count // 2))
        codes = tf.bitwise.right_shift(tf.bitcast(words, tf.uint16), np.uint16(16 - _CODE_BITS))
        codes = tf.cast(tf.reshape(codes, (rows, -1))[:, :count], tf.int32)
        return cls(tf.reshape(codes, (rows, channels, groups)), tf.constant(codebook()))

    def steps(
        self,
        begin: tuple[Size, ...] = (0, 0, 0),
        size: tuple[Size, ...] = (-1, -1, -1),
    ) -> tf.Tensor:
        """Looks a part of the noise up.

        Args:
            begin: first row, channel and group.
            size: rows, channels and groups.

        Returns:
            int8 tensor `(rows, channels, 32 groups)`: times `NORMAL_STEP`, numbers of variance 1.
        """
        codes = tf.slice(self.codes, begin, size)
        rows, channels, groups = tf.unstack(tf.shape(codes))
        return tf.reshape(tf.gather(self.book, codes), (rows, channels, groups * GROUP))

    def of(self, windows: Windows, margin: int = 0) -> tf.Tensor:
        """Cuts the noise of windows out.

        Args:
            windows: the `Windows`.
            margin: pixels around them, that of `draw`.

        Returns:
            int8 tensor `(T, rows + 2 margin, channels, columns + 2 margin)`, as of `steps`.
        """
        rows, columns = windows.rows + 2 * margin, windows.columns + 2 * margin
        channels = self.codes.shape[1]
        groups = -(-(columns - 1) // GROUP) + 1
        parts = []
        for top, left in zip(windows.tops, windows.lefts, strict=True):
            group, first = (left + RIM) // GROUP, (left + RIM) % GROUP
            begin = top - windows.photo.first_row, 0, group
            steps = self.steps(begin, (rows, channels, groups))
            parts.append(tf.slice(steps, (0, 0, first), (rows, channels, columns)))
        return tf.stack(parts)
