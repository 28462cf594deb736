"""Rounding to 8 bits while a network learns, as the integers of a phone's file will round.

A network that has met the rounding of its maps and kernels learns weights that bear it (Jacob et
al., Quantization and training of neural networks for efficient integer-arithmetic-only inference,
CVPR 2018, arXiv 1712.05877). The range of a map is that of the batch: exported files have the
extremes of the photos that they were calibrated on, which is the same kind of number.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

import tensorflow as tf

from reiqa_tf.typing import Tensor

_BITS = 8

_SMALL = 1e-9
"""Lowest upper end of a range: where all is zero, too, there is a range to divide."""

_rounds: contextvars.ContextVar[bool] = contextvars.ContextVar("rounds", default=False)


@contextlib.contextmanager
def eight_bits(rounds: bool = True) -> Iterator[None]:
    """Within it, networks round the maps and kernels that they compute with.

    Args:
        rounds: False leaves all as it is.

    Example:
    ```python
    import numpy as np
    import reiqa_tf
    from reiqa_tf.models.rounding import eight_bits

    scorer = reiqa_tf.load_preset("content_lite0_biq2021")
    image = reiqa_tf.read_image("photo.jpg", fit=96)[None]
    with eight_bits():
        rounded = scorer(image)
    assert 0 < np.abs(rounded - scorer(image))[0] < 0.1
    ```
    """
    before = _rounds.set(rounds)
    try:
        yield
    finally:
        _rounds.reset(before)


def rounded_maps(maps: Tensor) -> Tensor:
    """Maps on 256 levels from the lowest to the highest of the batch; as they are outside.

    Args:
        maps: float tensor `(N, H, W, C)`.

    Returns:
        tensor of the same type. Gradients pass as if nothing had been rounded.
    """
    if not _rounds.get():
        return maps
    numbers = tf.cast(maps, tf.float32)
    low = tf.minimum(tf.reduce_min(numbers), 0.0)
    high = tf.maximum(tf.reduce_max(numbers), _SMALL)
    found = tf.quantization.fake_quant_with_min_max_vars(numbers, low, high, _BITS)
    return maps + tf.stop_gradient(tf.cast(found, maps.dtype) - maps)


def rounded_kernel(kernel: Tensor, is_depthwise: bool) -> Tensor:
    """A kernel on 255 levels for each of the channels that it makes; as it is outside.

    Args:
        kernel: float32 tensor `(rows, columns, inputs, outputs)`, with the factors of batch
            normalisation in it.
        is_depthwise: whether it makes a channel of each input.

    Returns:
        tensor likewise.
    """
    if not _rounds.get():
        return kernel
    shape = tf.shape(kernel)
    rows = tf.reshape(kernel, (-1, shape[2] * shape[3])) if is_depthwise else kernel
    largest = tf.maximum(tf.reduce_max(tf.abs(rows), axis=list(range(len(rows.shape) - 1))), _SMALL)
    found = tf.quantization.fake_quant_with_min_max_vars_per_channel(
        rows, -largest, largest, _BITS, narrow_range=True
    )
    return kernel + tf.stop_gradient(tf.reshape(found, shape) - kernel)
