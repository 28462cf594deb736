"""Random fields over a photo, addressed by row.

Each field is one stream of a counter-based generator (Philox), laid out row after row. Any rows can
therefore be drawn without drawing those above, and a window sees the very noise that the whole
photo would.
"""

import functools

import numpy as np
import tensorflow as tf
from scipy import special

_PHILOX = 1
_WORDS = 4
"""32-bit words that Philox makes for one value of its counter."""

_ROWS_ABOVE = 64
"""Rows above a photo that a field has: counting from there, no counter is ever negative."""

GROUP = 32
"""Normal numbers that one entry of the codebook holds."""

_CODE_BITS = 13
"""Random bits that choose an entry of the codebook. It has 256 KB: one of 1 MB is looked up three
times as slowly, for it is not at hand in the cache of a core."""


def random_words(seed, first_row, rows, words):
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


def uniform_field(seed, first_row, rows, columns):
    """White noise, one number a pixel, all int16 numbers equally often.

    Args:
        seed: int32 tensor `(2,)`.
        first_row: first row of the photo to draw.
        rows: number of rows.
        columns: width of the photo.

    Returns:
        int16 tensor `(rows, 1, columns)`.
    """
    words = random_words(seed, first_row, rows, -(-columns // 2))
    return tf.reshape(tf.bitcast(words, tf.int16), (rows, 1, -1))[..., :columns]


def uniform_quantile(probability):
    """Below which number those of `uniform_field` are with a probability, to half of 1 in 65,536.

    Args:
        probability: float32 tensor, at most 0.5.

    Returns:
        int16 tensor.
    """
    return tf.cast(tf.round((probability - 0.5) * 2.0**16), tf.int16)


def normal_codes(seed, first_row, rows, columns, channels):
    """White Gaussian noise, as places in `codebook`: few numbers to draw and to cut windows of.

    Numbers are taken from there in groups of 32, many times as fast as drawing them one by one.

    Args:
        seed: int32 tensor `(2,)`.
        first_row: first row of the photo to draw.
        rows: number of rows.
        columns: width of the photo.
        channels: numbers a pixel, an integer.

    Returns:
        int32 tensor `(rows, channels, groups)`: at least one group more than `columns` fill.
    """
    groups = -(-columns // GROUP) + 1
    codes = channels * groups
    words = random_words(seed, first_row, rows, -(-codes // 2))
    chosen = tf.bitwise.right_shift(tf.bitcast(words, tf.uint16), np.uint16(16 - _CODE_BITS))
    chosen = tf.reshape(chosen, (rows, -1))[:, :codes]
    return tf.reshape(tf.cast(chosen, tf.int32), (rows, channels, groups))


def normal_steps(codes, book):
    """What codes stand for.

    Args:
        codes: int32 tensor `(..., groups)`.
        book: `codebook` as a tensor. It has 256 KB, so a graph should hold few.

    Returns:
        int8 tensor `(..., 32 groups)`: times `NORMAL_STEP`, numbers of variance 1.
    """
    steps = tf.gather(book, codes)
    return tf.reshape(steps, tf.concat([tf.shape(codes)[:-1], [GROUP * tf.shape(codes)[-1]]], 0))


def normal_field(seed, first_row, rows, columns, channels):
    """White Gaussian noise, independent in each channel.

    Args:
        seed: int32 tensor `(2,)`.
        first_row: first row of the photo to draw.
        rows: number of rows.
        columns: width of the photo.
        channels: numbers a pixel, an integer.

    Returns:
        int8 tensor `(rows, channels, at least columns)`, as of `normal_steps`.
    """
    codes = normal_codes(seed, first_row, rows, columns, channels)
    return normal_steps(codes, tf.constant(codebook()))


NORMAL_STEP = 1 / 32
"""What a normal number is a multiple of. Noise is then a byte a number, which is a quarter of the
memory to go through; rounding adds 1 / 12,288 to its variance."""

LARGEST_NORMAL = 4.0
"""Bound on normal numbers: how far `jitter` looks follows from it. Of true normal numbers
one in 16,000 lies beyond."""

_FARTHEST_QUANTILE = 3.8


@functools.cache
def codebook():
    """8,192 groups of 32 numbers, together as good as normal and white.

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
