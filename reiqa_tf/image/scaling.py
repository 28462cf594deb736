"""Change the size of pictures inside a TensorFlow graph, equal to Pillow's bicubic filter.

Pillow shrinks with a filter as wide as the reduction (antialiasing) and rounds to 8 bits between
the horizontal and the vertical pass. Both are kept here, written as matrix products, so that
fitting, fine-tuning, scoring and every export format see the same pixels: TFLite and ONNX have
these operators built in.
"""

import numpy as np
import tensorflow as tf

from reiqa_tf.image.shapes import require_pictures
from reiqa_tf.typing import Tensor

_LEVEL = 1 / 255
"""One 8-bit level. Multiplied, never divided by 255: a graph's optimiser rewrites such divisions,
and eager code would then differ from it in the last bit."""

_ROUNDING = 1e-4
"""How far above 1 a float may be that stands for 1."""

_HALVING_TAPS = np.array([-3, -9, 29, 111, 111, 29, -9, -3], np.float32) / 256
"""Weights of the 8 old pixels below a new one of half the size: the cubic convolution kernel with
a = -1/2 at distances of 7/4, 5/4, 3/4 and 1/4 of a new pixel, divided by their sum."""

_BLOCK = 32
"""How many rows are made by one matrix product: less is more overhead, more is more zeros."""


def to_unit_range(images: Tensor) -> tf.Tensor:
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


def require_unit_range(images: object) -> None:
    """Refuses floats above 1 where their values are known: levels that were not divided by 255.

    Args:
        images: whatever a model is called with; only NumPy arrays of floats are looked at.

    Raises:
        ValueError: if one of them is greater than 1, but for rounding.
    """
    if isinstance(images, np.ndarray) and images.dtype.kind == "f" and images.size:
        highest = float(images.max())
        if highest > 1 + _ROUNDING:
            raise ValueError(
                "images: expected floats in [0, 1], or levels 0 to 255 as uint8. Received: "
                f"{images.dtype} up to {highest:g}. Divide by 255, or keep the levels as uint8."
            )


def to_levels(images: Tensor) -> tf.Tensor:
    """Brings pictures to the 8-bit levels that a file without loss would hold.

    Args:
        images: floats in [0, 1], a tensor or array of any shape.

    Returns:
        uint8 tensor of the same shape.
    """
    return tf.cast(tf.round(255.0 * tf.cast(images, tf.float32)), tf.uint8)


def half_size(images: Tensor) -> tf.Tensor:
    """Halves the size of pictures exactly as Pillow's `resize((w // 2, h // 2))` does.

    That is bicubic with antialiasing and 8-bit rounding after each pass. Equal to Pillow at even
    sizes; at odd sizes about one value in a million is one 8-bit level off. (Of a picture about
    three times as tall as it is wide, Pillow 13 and later make the vertical pass first, which
    changes up to a third of the values by some levels. Here, as in every Pillow that the paper's
    authors could have used, the horizontal pass comes first.)

    Args:
        images: tensor `(..., H, W, 3)`, H and W at least 2: floats in [0, 1], which are brought to
            their nearest 8-bit level first, or integer levels 0 to 255.

    Returns:
        float32 tensor `(..., H // 2, W // 2, 3)` in [0, 1], on 8-bit levels.

    Example:
    ```python
    import tensorflow as tf

    from reiqa_tf.image.scaling import half_size

    half = half_size(tf.random.uniform((2, 384, 512, 3)))
    assert half.shape == (2, 192, 256, 3)
    ```

    Reference: the Re-IQA authors' inference code halves photos with Pillow in this way.
    """
    images = tf.convert_to_tensor(images)
    require_pictures(images)
    height, width = _size(images)
    if isinstance(height, int) and isinstance(width, int) and height % 2 == width % 2 == 0:
        return _half_of_even_size(images)
    return resize(images, height // 2, width // 2)


def resize(
    images: Tensor,
    height: int | tf.Tensor,
    width: int | tf.Tensor,
    is_rounded_between: bool | tf.Tensor = True,
) -> tf.Tensor:
    """Resizes pictures as Pillow's `resize((width, height), BICUBIC)` does.

    Args:
        images: tensor `(..., H, W, 3)`: floats in [0, 1] or integer levels 0 to 255.
        height: new height in pixels, an integer or a scalar integer tensor.
        width: new width in pixels, likewise.
        is_rounded_between: whether levels are rounded between the passes, as Pillow's are; a scalar
            boolean tensor where the graph must tell.

    Returns:
        float32 tensor `(..., height, width, 3)` in [0, 1], on 8-bit levels.
    """
    images = tf.convert_to_tensor(images)
    require_pictures(images)
    old_height, old_width = _size(images)
    leading = tf.shape(images)[:-3]
    levels = _levels(images)
    # Either pass runs over the rows of a matrix, so the first one takes the picture transposed.
    levels = _transposed(tf.reshape(levels, (-1, old_height, old_width, 3)))
    levels = tf.reshape(levels, (-1, old_width, old_height * 3))
    levels = _resize_rows(levels, old_width, width, is_rounded_between)
    levels = _transposed(tf.reshape(levels, (-1, width, old_height, 3)))
    levels = _resize_rows(tf.reshape(levels, (-1, old_height, width * 3)), old_height, height)
    resized = tf.reshape(levels, tf.concat([leading, [height, width, 3]], 0)) * _LEVEL
    if isinstance(height, int) and isinstance(width, int):
        resized = tf.ensure_shape(resized, (*images.shape[:-3], height, width, 3))
    return resized


def fit_into(image: tf.Tensor, side: int, is_rounded_between: bool | tf.Tensor = True) -> tf.Tensor:
    """Shrinks a picture that does not fit into a square, as `read_image(fit=side)` does.

    Args:
        image: uint8 tensor `(H, W, 3)`.
        side: side of the square in pixels.
        is_rounded_between: as in `resize`; False for what was decoded at reduced scale.

    Returns:
        float32 tensor `(height, width, 3)` in [0, 1], at most `side` px high and wide.
    """
    size = tf.shape(image)[:2]
    longer = tf.reduce_max(size)
    # As `reiqa_tf.image.reading.size_to_fit`: to the nearest, halves up.
    fitted = tf.maximum(1, (2 * size * side + longer) // (2 * longer))
    shrunk = tf.cond(
        longer > side,
        lambda: resize(image, fitted[0], fitted[1], is_rounded_between),
        lambda: to_unit_range(image),
    )
    return tf.ensure_shape(shrunk, (None, None, 3))


def _half_of_even_size(images: tf.Tensor) -> tf.Tensor:
    """`half_size` where both sides are known and even, by two strided convolutions.

    Then every new pixel has the same weights, and these are whole numbers of 1/256: products are
    summed without rounding, in whatever order, even of factors in bfloat16. It is faster than
    `resize` where a converter folds constants, and made of operators that every accelerator has.
    """
    height, width, channels = images.shape[-3:]
    halved = tf.concat([tf.shape(images)[:-3], [height // 2, width // 2, channels]], 0)
    # Strides must be the same both ways, so either pass has but one pixel the other way: rows are
    # pictures of their own, then columns are channels.
    rows = tf.reshape(_levels(images), (-1, 1, width, channels))
    columns = tf.reshape(_halve_axis(rows, 2), (-1, height, 1, width // 2 * channels))
    return tf.ensure_shape(
        tf.reshape(_halve_axis(columns, 1) * _LEVEL, halved),
        (*images.shape[:-3], height // 2, width // 2, channels),
    )


def _halve_axis(levels: tf.Tensor, axis: int) -> tf.Tensor:
    """Halves `(N, H, W, C)` levels along one axis, the other of which has length 1."""
    kernel = _HALVING_TAPS.reshape((-1, 1, 1, 1) if axis == 1 else (1, -1, 1, 1))
    kernel = np.tile(kernel, (1, 1, levels.shape[-1], 1))
    sums = tf.nn.depthwise_conv2d(levels, kernel, (1, 2, 2, 1), "SAME")
    # Weights that fall outside of the picture are left out; the others shall add up to 1.
    inside = np.convolve(np.ones(levels.shape[axis]), _HALVING_TAPS)[4:-3:2]
    correction = (1 / inside).astype(np.float32).reshape((-1, 1, 1) if axis == 1 else (-1, 1))
    return tf.clip_by_value(tf.floor(sums * correction + 0.5), 0.0, 255.0)


def _levels(images: tf.Tensor) -> tf.Tensor:
    """Integer levels, or the nearest ones of floats in [0, 1], as float32."""
    if images.dtype.is_integer:
        return tf.cast(images, tf.float32)
    return tf.floor(tf.cast(images, tf.float32) * 255.0 + 0.5)


def _size(images: tf.Tensor) -> tuple[int | tf.Tensor, int | tf.Tensor]:
    """Height and width: integers where the graph knows them, tensors where it does not."""
    return tuple(
        fixed if fixed is not None else tf.shape(images)[axis]
        for axis, fixed in ((-3, images.shape[-3]), (-2, images.shape[-2]))
    )


def _transposed(images: tf.Tensor) -> tf.Tensor:
    return tf.transpose(images, (0, 2, 1, 3))


def _resize_rows(
    rows: tf.Tensor,
    size: int | tf.Tensor,
    new_size: int | tf.Tensor,
    is_rounded: bool | tf.Tensor = True,
) -> tf.Tensor:
    """Resizes `(N, size, C)` levels to `(N, new_size, C)`, rounded to levels as Pillow does.

    New rows are made in blocks of `_BLOCK`, each from the few old ones that it lies on: one matrix
    product a block, a fraction of what one product for all would cost.
    """
    # Nothing below depends on how negative numbers are divided: ONNX does it unlike TensorFlow.
    first = _BLOCK * tf.range((new_size + _BLOCK - 1) // _BLOCK)
    wider = tf.maximum(size, new_size)
    # The kernel reaches 2 pixels of the coarser grid to either side.
    start = ((2 * first + 1) * size - 4 * wider) // (2 * new_size) - 1
    count = ((2 * _BLOCK - 2) * size + 8 * wider) // (2 * new_size) + 4
    inputs = start[:, None] + tf.range(count)
    outputs = tf.minimum(first[:, None] + tf.range(_BLOCK), new_size - 1)
    # (Indexing with None here is beyond the TFLite converter.)
    weights = _weights(tf.expand_dims(inputs, 1), tf.expand_dims(outputs, 2), size, new_size)
    blocks = tf.gather(rows, tf.clip_by_value(inputs, 0, size - 1), axis=1)
    high, low = tf.split(tf.linalg.matmul(weights, blocks), 2, axis=-2)
    # To the nearest level, halves up, with the carry of the lower half of the weights.
    levels = tf.floor((high + tf.floor(low / 2048.0) + 1024.0) / 2048.0)
    levels = tf.clip_by_value(levels, 0.0, 255.0)
    if is_rounded is not True:
        levels = tf.where(is_rounded, levels, (high + low / 2048.0) / 2048.0)
    channels = tf.shape(rows)[-1]
    return tf.reshape(levels, (tf.shape(rows)[0], -1, channels))[:, :new_size]


def _weights(
    inputs: tf.Tensor, outputs: tf.Tensor, size: int | tf.Tensor, new_size: int | tf.Tensor
) -> tf.Tensor:
    """Pillow's bicubic weights, times 2**22, in two halves.

    The first half of the rows holds their multiples of 2048, the second what remains. Pillow
    rounds its weights to multiples of 2**-22 and sums exactly, and many pixels lie so close to the
    middle between two levels that this decides on the level; sums over either half are exact in
    float32, sums over whole weights would not be.

    The weights themselves must be found to a fraction of 2**-22, which 32-bit numbers allow only
    in two parts: a whole one, that is exact, and a small rest. Sizes up to 32,768 px, and
    reductions by less than 500, fit into the whole numbers.

    Args:
        inputs: int32 `(blocks, 1, K)`, old rows; those outside of the picture get no weight.
        outputs: int32 `(blocks, M, 1)`, new rows.
        size: number of old rows.
        new_size: number of new rows.

    Returns:
        float32 `(blocks, 2 * M, K)`, whole numbers.
    """
    unit = 2 * tf.maximum(size, new_size)  # one pixel of the coarser of the two grids
    distances = tf.abs((2 * inputs + 1) * new_size - (2 * outputs + 1) * size)
    distances = 128 * tf.minimum(distances, 2 * unit)  # the kernel is zero from 2 pixels on
    distances = tf.where((inputs >= 0) & (inputs < size), distances, 256 * unit)
    # The distance in pixels is (place + offset) / 128, and 0 <= offset < 1.
    place = distances // unit
    offset = tf.cast(distances - place * unit, tf.float32) / tf.cast(unit, tf.float32)
    # The cubic convolution kernel with a = -1/2, times 2**22, at `place` ...
    is_near = place < 128
    whole = tf.where(
        is_near,
        (3 * place - 640) * place * place + 2**22,
        ((640 - place) * place - 131072) * place + 2**23,
    )
    # ... and what its Taylor series, which ends at the third power, adds for `offset`.
    x = tf.cast(place, tf.float32) / 128.0
    first = tf.where(is_near, (4.5 * x - 5.0) * x, (5.0 - 1.5 * x) * x - 4.0)
    second = tf.where(is_near, 4.5 * x - 2.5, 2.5 - 1.5 * x)
    third = tf.where(is_near, 1.5, -0.5)
    step = offset / 128.0
    rest = 2.0**22 * step * (first + step * (second + step * third))
    # (whole + rest) / (sum of both) in units of 2**-22: a division of whole numbers in two steps,
    # of which the first is exact, then the first-order effect of the rests.
    whole_sum = tf.reduce_sum(whole, axis=-1, keepdims=True)
    rest_sum = tf.reduce_sum(rest, axis=-1, keepdims=True)
    quotient = 256 * whole // whole_sum
    remainder = tf.cast(256 * whole - quotient * whole_sum, tf.float32)
    total = tf.cast(whole_sum, tf.float32)
    share = tf.cast(whole, tf.float32) / total
    correction = (rest - share * rest_sum) / (total + rest_sum)
    fine = tf.floor(2.0**14 * remainder / total + 2.0**22 * correction + 0.5)
    high = tf.floor(fine / 2048.0)
    low = fine - 2048.0 * high
    return tf.concat([8.0 * tf.cast(quotient, tf.float32) + high, low], axis=-2)
