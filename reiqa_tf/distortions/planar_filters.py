"""Filters on planes `(..., rows, columns)`, written as sums of shifted planes for a compiler."""

import tensorflow as tf


def filter_rows(planes, kernel):
    """Correlates from row to row, without padding.

    Args:
        planes: float32 tensor `(..., H, W)`.
        kernel: float32 tensor `(K,)`, K known.

    Returns:
        float32 tensor `(..., H - K + 1, W)`.
    """
    last = kernel.shape[0] - 1
    return sum(
        kernel[i] * planes[..., i : i - last if i < last else None, :] for i in range(last + 1)
    )


def filter_columns(planes, kernel):
    """Correlates from column to column, without padding.

    Args:
        planes: float32 tensor `(..., H, W)`.
        kernel: float32 tensor `(K,)`, K known.

    Returns:
        float32 tensor `(..., H, W - K + 1)`.
    """
    last = kernel.shape[0] - 1
    return sum(kernel[i] * planes[..., i : i - last if i < last else None] for i in range(last + 1))


def filter_both(planes, kernel):
    """Correlates along both axes.

    To be compiled with kernels of 16 samples and more: XLA for CPUs computes what is read at up to
    fifteen places again at each of them, here the first pass, and writes it to memory once if it is
    read at more.

    Args:
        planes: float32 tensor `(..., H, W)`.
        kernel: float32 tensor `(K,)`, K known.

    Returns:
        float32 tensor `(..., H - K + 1, W - K + 1)`.
    """
    return filter_columns(filter_rows(planes, kernel), kernel)


def multiply_both(planes, row_matrix, column_matrix):
    """Replaces rows by weighted sums of rows, then columns by weighted sums of columns.

    Args:
        planes: float32 tensor `(..., H, W)`.
        row_matrix: float32 tensor `(N, H)`.
        column_matrix: float32 tensor `(M, W)`.

    Returns:
        float32 tensor `(..., N, M)`.
    """
    return tf.matmul(tf.matmul(row_matrix, planes), column_matrix, transpose_b=True)


def reduced_rows(planes, weights, step):
    """Replaces rows by fewer, each a weighted sum of rows side by side.

    Args:
        planes: tensor `(T, C, step (N - 1) + K, W)`.
        weights: float32 tensor `(T, N, K)`, K known: row i is the sum of these times rows `step` i
            to `step` i + K - 1.
        step: rows from one sum to the next.

    Returns:
        float32 tensor `(T, C, N, W)`.
    """
    weights = tf.unstack(weights[:, tf.newaxis, ..., tf.newaxis], axis=3)
    planes = tf.cast(planes, tf.float32)
    return tf.add_n(
        [
            weight * planes[:, :, part]
            for weight, part in zip(weights, _parts(len(weights), step), strict=True)
        ]
    )


def reduced_columns(planes, weights, step):
    """Replaces columns by fewer, each a weighted sum of columns side by side.

    Args:
        planes: tensor `(T, C, H, step (N - 1) + K)`.
        weights: float32 tensor `(K, T, N)`, K known: those of `reduced_rows`, but weights of
            neighbouring columns lie side by side, so that they are read in vectors.
        step: columns from one sum to the next.

    Returns:
        float32 tensor `(T, C, H, N)`.
    """
    weights = tf.unstack(weights[:, :, tf.newaxis, tf.newaxis])
    planes = tf.cast(planes, tf.float32)
    return tf.add_n(
        [
            weight * planes[..., part]
            for weight, part in zip(weights, _parts(len(weights), step), strict=True)
        ]
    )


def band_matrix(weights, step):
    """The matrices of `reduced_rows`, for `multiply_both`.

    Args:
        weights: float32 tensor `(T, N, K)`.
        step: rows from one sum to the next.

    Returns:
        float32 tensor `(T, N, step (N - 1) + K)`, row i of which has its weights from `step` i on.
    """
    count, rows, taps = tf.unstack(tf.shape(weights))
    columns = step * (rows - 1) + taps
    # Rows that are `step` too long, read on as if they were not: each begins `step` later.
    longer = tf.pad(weights, ((0, 0), (0, 0), (0, columns + step - taps)))
    flat = tf.reshape(longer, (count, rows * (columns + step)))[:, : rows * columns]
    return tf.reshape(flat, (count, rows, columns))


def enlarged_rows(planes, weights):
    """Replaces rows by more, blocks of S of which are weighted sums of the same rows.

    Args:
        planes: float32 tensor `(T, C, N + K - 1, W)`.
        weights: float32 tensor `(T, N, S, K)`, K known: row S i + j is the sum of these times rows
            i to i + K - 1.

    Returns:
        float32 tensor `(T, C, S N, W)`.
    """
    weights = tf.unstack(weights[:, tf.newaxis, ..., tf.newaxis], axis=4)
    planes = planes[:, :, :, tf.newaxis]
    blocks = tf.add_n(
        [
            weight * planes[:, :, part]
            for weight, part in zip(weights, _parts(len(weights)), strict=True)
        ]
    )
    shape = tf.shape(blocks)
    return tf.reshape(blocks, (shape[0], shape[1], shape[2] * shape[3], shape[4]))


def enlarged_columns(planes, weights):
    """Replaces columns by more, blocks of S of which are weighted sums of the same columns.

    Args:
        planes: float32 tensor `(T, C, H, N + K - 1)`.
        weights: as of `enlarged_rows`.

    Returns:
        float32 tensor `(T, C, H, S N)`.
    """
    weights = tf.unstack(weights[:, tf.newaxis, tf.newaxis], axis=5)
    planes = planes[..., tf.newaxis]
    blocks = tf.add_n(
        [
            weight * planes[:, :, :, part]
            for weight, part in zip(weights, _parts(len(weights)), strict=True)
        ]
    )
    shape = tf.shape(blocks)
    return tf.reshape(blocks, (shape[0], shape[1], shape[2], shape[3] * shape[4]))


def _parts(count, step=1):
    """Slices, each one pixel after the other: what each of `count` weights is multiplied by."""
    last = count - 1
    return [slice(place, place - last or None, step) for place in range(count)]
