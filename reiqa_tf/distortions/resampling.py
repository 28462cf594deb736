"""Shrink a photo and bring it back to its size, for windows of it, on the photo's own pixel grids.

The weights are Pillow's (`Image.resize`): the filter widens with the reduction, and what lies
beyond the border gets no weight.
"""

import functools
import math
import typing

import tensorflow as tf

from reiqa_tf.distortions.planar_filters import multiply_both
from reiqa_tf.distortions.windows import MARGIN, edge_index
from reiqa_tf.image.scaling import to_unit_range


def triangle(x):
    """Bilinear interpolation's kernel at distances `x`, support 1."""
    return tf.maximum(1.0 - tf.abs(x), 0.0)


def cubic(x):
    """Keys' cubic convolution kernel with a = -0.5 at distances `x`, support 2."""
    x = tf.minimum(tf.abs(x), 2.0)
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    # What the inner piece has more, 0 outside: `tf.where` takes several times as long.
    inner = tf.maximum(1.0 - x, 0.0)
    return far + inner * inner * (1.0 - 2.0 * inner)


def lanczos(x):
    """The Lanczos kernel with a = 3 at distances `x`, support 3."""
    x = tf.clip_by_value(tf.abs(x), 1e-4, 3.0)  # not 0, where the quotient below is 0 / 0
    # Each factor once: a graph's optimiser puts factors in a row together.
    product = tf.sin(math.pi * x) * tf.sin((math.pi / 3.0) * x)
    return product * tf.math.reciprocal(x * x * (math.pi**2 / 3.0))


SUPPORTS = {triangle: 1, cubic: 2, lanczos: 3}
"""How far a kernel reaches, in pixels of the coarser grid."""


def _matrices(kernel, sizes, new_sizes, first_outputs, outputs, first_inputs, inputs):
    """Parts of matrices that resize lines of pixels, as Pillow weighs them.

    A row holds few weights, which are computed alone and then put into their places.

    Args:
        kernel: a key of `SUPPORTS`.
        sizes: int32 tensor `(N, 1, 1)`, pixels before.
        new_sizes: likewise, pixels after.
        first_outputs: likewise, first rows of the matrices that are wanted.
        outputs: number of rows wanted; rows beyond the new size are 0.
        first_inputs: likewise, first columns of the matrices that are wanted.
        inputs: number of columns wanted; a row whose pixels they do not all hold is wrong.

    Returns:
        float32 tensor `(N, outputs, inputs)`.
    """
    coarser = tf.maximum(sizes, new_sizes)
    reach = 2 * SUPPORTS[kernel] * coarser
    taps = tf.reduce_max(reach // new_sizes) + 2
    # Whole numbers keep distances exact: twice the pixel grid, times the new size.
    after = (2 * (first_outputs + tf.range(outputs)[:, tf.newaxis]) + 1) * sizes
    place = (after - reach) // (2 * new_sizes) + tf.range(taps)
    distance = (2 * place + 1) * new_sizes - after
    # Not divided: a graph's optimiser rewrites a division by what it finds to be constant.
    unit = tf.math.reciprocal(tf.cast(2 * coarser, tf.float32))
    values = kernel(tf.cast(distance, tf.float32) * unit)
    values *= tf.cast((place >= 0) & (place < sizes), tf.float32)
    total = tf.reduce_sum(values, axis=-1, keepdims=True)
    values = tf.math.divide_no_nan(values, total)
    column = place - first_inputs
    is_held = (column >= 0) & (column < inputs)
    values *= tf.cast(is_held, tf.float32)
    shape = tf.stack([tf.shape(sizes)[0], outputs, inputs])
    rows = tf.reshape(tf.range(shape[0] * outputs), (-1, outputs, 1))
    flat = inputs * rows + tf.where(is_held, column, 0)
    matrices = tf.math.unsorted_segment_sum(values, flat, tf.reduce_prod(shape))
    return tf.reshape(matrices, shape)


def shrink_and_enlarge(windows, kernel, factor):
    """Resizes a photo to `int(size / factor)` and back, for windows of it.

    Args:
        windows: the `Windows`.
        kernel: a key of `SUPPORTS`.
        factor: how many times smaller, a float of at least 1.

    Returns:
        float32 tensor `(T, 3, rows, columns)`, not clipped.
    """
    photo = windows.photo
    count = len(windows.tops)
    # Rows and columns at once, as lines: half the operations.
    sizes = tf.stack([photo.height] * count + [photo.width] * count)
    lines = _lines(kernel)(
        tf.stack(windows.tops + windows.lefts),
        tf.maximum(windows.rows, windows.columns),
        sizes,
        shrunk(sizes, factor),
    )
    heights, widths = lines.counts[0], lines.counts[-1]
    sources = tf.stack(
        [
            tf.slice(
                photo.planes, (0, lines.firsts[i], lines.firsts[count + i]), (3, heights, widths)
            )
            for i in range(count)
        ]
    )
    # Levels become [0, 1] where numbers are fewest.
    level = to_unit_range(tf.ones((), sources.dtype))
    small = level * multiply_both(
        tf.cast(sources, tf.float32),
        lines.down[:count, tf.newaxis, :, :heights],
        lines.down[count:, tf.newaxis, :, :widths],
    )
    large = multiply_both(
        tf.clip_by_value(small, 0.0, 1.0),
        lines.up[:count, tf.newaxis, : windows.rows],
        lines.up[count:, tf.newaxis, : windows.columns],
    )
    sides = (side if isinstance(side, int) else None for side in (windows.rows, windows.columns))
    return tf.ensure_shape(large, (count, 3, *sides))


def shrunk(size, factor):
    """`int(size / factor)`, at least 1.

    Args:
        size: pixels.
        factor: how many times fewer.

    Returns:
        int32 tensor.
    """
    return tf.maximum(1, tf.cast(tf.cast(size, tf.float32) / factor, tf.int32))


class _Lines(typing.NamedTuple):
    """Along the axes of windows: what they read of the photo, and what that is multiplied by.

    Attributes:
        firsts: int32 tensor `(N,)`, first pixels read.
        counts: int32 tensor `(N,)`, numbers of pixels read: as many as the photo has, at most.
        down: float32 tensor `(N, smalls, max(counts))`.
        up: float32 tensor `(N, length, smalls)`.
    """

    firsts: tf.Tensor
    counts: tf.Tensor
    down: tf.Tensor
    up: tf.Tensor


@functools.cache
def _lines(kernel):
    """A graph function that makes `_Lines`: traced once, however many windows call it."""
    support = SUPPORTS[kernel]
    several = tf.TensorSpec((None,), tf.int32)

    @tf.function(
        input_signature=[several, tf.TensorSpec((), tf.int32), several, several], autograph=False
    )
    def make(starts, length, sizes, small_sizes):
        # One pixel more on each side than the supports ask for: no rounding can leave one out. As
        # many wherever a window lies: oneDNN makes a program for each shape that it multiplies.
        first_smalls, smalls = _inside(
            starts * small_sizes // sizes - support - 1,
            length * small_sizes // sizes + 2 * support + 4,
            small_sizes,
        )
        firsts, counts = _inside(
            (first_smalls - support - 1) * sizes // small_sizes,
            (smalls + 2 * support + 3) * sizes // small_sizes + 2,
            sizes,
        )
        smalls = tf.reduce_max(smalls)
        of_matrices = (
            each[:, tf.newaxis, tf.newaxis]
            for each in (starts, sizes, small_sizes, first_smalls, firsts)
        )
        starts, sizes, small_sizes, first_smalls, first = of_matrices
        down = _matrices(
            kernel, sizes, small_sizes, first_smalls, smalls, first, tf.reduce_max(counts)
        )
        up = _matrices(kernel, small_sizes, sizes, starts, length, first_smalls, smalls)
        return _Lines(firsts, counts, down, up)

    return make


def _inside(starts, lengths, sizes):
    """Moves spans into a photo that they reach beyond, and cuts off what is too long for it.

    Args:
        starts: int32 tensor `(N,)`, first pixels.
        lengths: likewise.
        sizes: likewise, pixels that there are.

    Returns:
        int32 tensors `(N,)`: first pixels and lengths.
    """
    lengths = tf.minimum(lengths, sizes)
    return tf.clip_by_value(starts, 0, sizes - lengths), lengths


def nearest_sources(windows, small_height, small_width):
    """Where pixels come from that are resized to a smaller size and back by nearest neighbours.

    Args:
        windows: the `Windows`.
        small_height: height of the small photo, an int32 tensor.
        small_width: its width.

    Returns:
        int32 tensors `(T, rows)` and `(T, columns)`, places in `windows.pixels`.
    """
    photo = windows.photo
    axes = (
        (_there_and_back(photo.height, small_height), windows.tops, windows.rows),
        (_there_and_back(photo.width, small_width), windows.lefts, windows.columns),
    )
    return tuple(
        tf.stack([MARGIN - start + _gathered(sources, start, length) for start in starts])
        for sources, starts, length in axes
    )


def _gathered(sources, start, length):
    return tf.gather(sources, edge_index(start + tf.range(length), tf.shape(sources)[0]))


def _there_and_back(size, small_size):
    return tf.gather(_nearest(small_size, size), _nearest(size, small_size))


def _nearest(new_size, size):
    """For each of `new_size` pixels, the one of `size` pixels at its middle.

    Steps are added up in double precision, as Pillow does, so that the same pixel is taken where
    two are equally near.
    """
    step = tf.cast(size, tf.float64) / tf.cast(new_size, tf.float64)
    steps = tf.concat([[0.5 * step], tf.fill((new_size - 1,), step)], 0)
    return tf.minimum(tf.cast(tf.cumsum(steps), tf.int32), size - 1)
