"""Change the size of pictures inside a TensorFlow graph, equal to Pillow's bicubic filter.

Pillow shrinks with a filter as wide as the reduction (antialiasing) and rounds to 8 bits between
the horizontal and the vertical pass. Both are kept here, written as two matrix products, so that
training, scoring and every export format see the same pixels: TFLite and ONNX have these
operators built in.
"""

import tensorflow as tf

_CUBIC = -0.5
"""The free parameter of the cubic convolution kernel, as in Pillow's `BICUBIC`."""

_LEVEL = 1 / 255
"""One 8-bit level. Multiplied, never divided by 255: a graph's optimiser rewrites such divisions,
and eager code would then differ from it in the last bit."""


def to_unit_range(images):
    """Brings pictures to the image contract: float32 in [0, 1].

    Args:
        images: integer levels 0 to 255, or floats that are in [0, 1] already; any shape.

    Returns:
        float32 tensor of the same shape.
    """
    images = tf.convert_to_tensor(images)
    if images.dtype.is_integer:
        return tf.cast(images, tf.float32) * _LEVEL
    return tf.cast(images, tf.float32)


def half_size(images):
    """Halves the size of pictures exactly as Pillow's `resize((w // 2, h // 2))` does.

    That is bicubic with antialiasing and 8-bit rounding after each pass. Equal to Pillow at even
    sizes; at odd sizes at most one 8-bit level off, in at most 0.1 % of the values.

    Args:
        images: float tensor `(..., H, W, 3)` in [0, 1], H and W at least 2; values are brought to
            their nearest 8-bit level first.

    Returns:
        float32 tensor `(..., H // 2, W // 2, 3)` in [0, 1], on 8-bit levels.

    Example:
    ```python
    half = half_size(tf.random.uniform((2, 384, 512, 3)))
    assert half.shape == (2, 192, 256, 3)
    ```

    Reference: the Re-IQA authors' inference code halves photos with Pillow in this way.
    """
    height, width = _size(images)
    return resize(images, height // 2, width // 2)


def resize(images, height, width):
    """Resizes pictures as Pillow's `resize((width, height), BICUBIC)` does.

    Args:
        images: float tensor `(..., H, W, 3)` in [0, 1].
        height: new height in pixels, an integer or a scalar integer tensor.
        width: new width in pixels, likewise.

    Returns:
        float32 tensor `(..., height, width, 3)` in [0, 1], on 8-bit levels.
    """
    images = tf.cast(images, tf.float32)
    old_height, old_width = _size(images)
    levels = tf.floor(images * 255.0 + 0.5)
    # Channels before columns, so that either pass is one matrix product per picture.
    levels = tf.linalg.matrix_transpose(levels)  # (..., H, 3, W)
    levels = _round(tf.linalg.matmul(levels, _weights(old_width, width), transpose_b=True))
    levels = tf.linalg.matrix_transpose(levels)  # (..., H, w, 3)
    leading = tf.shape(levels)[:-3]
    rows = tf.reshape(levels, tf.concat([leading, [old_height, width * 3]], 0))
    rows = _round(tf.linalg.matmul(_weights(old_height, height), rows))
    resized = tf.reshape(rows, tf.concat([leading, [height, width, 3]], 0)) * _LEVEL
    if isinstance(height, int) and isinstance(width, int):
        resized = tf.ensure_shape(resized, (*images.shape[:-3], height, width, 3))
    return resized


def _size(images):
    """Height and width: integers where the graph knows them, tensors where it does not."""
    return tuple(
        fixed if fixed is not None else tf.shape(images)[axis]
        for axis, fixed in ((-3, images.shape[-3]), (-2, images.shape[-2]))
    )


def _round(levels):
    return tf.clip_by_value(tf.floor(levels + 0.5), 0.0, 255.0)


def _weights(size, new_size):
    """Pillow's bicubic weights as a matrix `(new_size, size)` whose rows sum to 1.

    Distances are taken in whole numbers (twice the pixel grid, times `new_size`), so that they
    are exact for pictures of up to 32,768 px; only the kernel is evaluated in floating point.
    """
    inputs = 2 * tf.range(size) + 1
    outputs = 2 * tf.range(new_size) + 1
    distances = inputs[None, :] * new_size - outputs[:, None] * size
    unit = 2 * tf.maximum(size, new_size)  # one pixel of the coarser of the two grids
    x = tf.cast(tf.abs(distances), tf.float32) / tf.cast(unit, tf.float32)
    near = ((_CUBIC + 2.0) * x - (_CUBIC + 3.0)) * x * x + 1.0
    far = _CUBIC * (((x - 5.0) * x + 8.0) * x - 4.0)
    kernel = tf.where(x < 1.0, near, tf.where(x < 2.0, far, tf.zeros_like(x)))
    return kernel / tf.reduce_sum(kernel, axis=1, keepdims=True)
