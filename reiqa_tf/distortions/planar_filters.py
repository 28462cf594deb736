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
