"""Random fields over a photo, addressed by row.

Each field is one stream of a counter-based generator (Philox), laid out row after row. Any rows can
therefore be drawn without drawing those above, and a window sees the very noise that the whole
photo would.
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf
from scipy import special

from reiqa_tf.distortions.engine.windows import RIM, Field, Photo, Size

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
    return tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=tf.stack([rows, blocks * _WORDS]),
        key=key,
        counter=counter,
        alg=_PHILOX,
        dtype=tf.uint32,
    )


def uniform_field(seed: tf.Tensor, photo: Photo) -> Field:
    """White noise, one number a pixel, all int16 numbers equally often.

    Args:
        seed: int32 tensor `(2,)`.
        photo: the `Photo`, whose wanted rows are drawn.

    Returns:
        the `Field`, values `(1, rows, W + 2 RIM or more)`, int16.
    """
    words = random_words(seed, photo.first_row, photo.rows, -(-photo.width // 2) + RIM)
    numbers = tf.reshape(tf.bitcast(words, tf.int16), (1, photo.rows, -1))
    return Field(numbers, photo.first_row, -RIM)


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


def normal_field(seed: tf.Tensor, photo: Photo, channels: int, margin: int = 0) -> Field:
    """White Gaussian noise for the wanted rows of a photo and what is around them.

    Args:
        seed: int32 tensor `(2,)`.
        photo: the `Photo`, whose wanted rows are drawn.
        channels: numbers a pixel.
        margin: pixels by which the noise goes on around the wanted rows, and beyond the `RIM`.

    Returns:
        the `Field`, int8 values `(rows + 2 margin, channels, W + 2 (RIM + margin) or more)`: times
        `NORMAL_STEP`, numbers of variance 1. A row of all channels is drawn at a time.
    """
    first_row, rows = photo.first_row - margin, photo.rows + 2 * margin
    groups = -(-(photo.width + 2 * (RIM + margin)) // GROUP) + 1
    count = channels * groups
    words = random_words(seed, first_row, rows, -(-count // 2))
    codes = tf.bitwise.right_shift(tf.bitcast(words, tf.uint16), np.uint16(16 - _CODE_BITS))
    codes = tf.cast(tf.reshape(codes, (rows, -1))[:, :count], tf.int32)
    numbers = tf.gather(tf.constant(codebook()), codes)
    numbers = tf.reshape(numbers, (rows, channels, groups * GROUP))
    return Field(numbers, first_row, -RIM - margin, axes=(0, 2))
