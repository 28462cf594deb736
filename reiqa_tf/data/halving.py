"""Half size as the authors train on it: bicubic, corners aligned, no antialiasing.

(Scoring halves photos with Pillow's antialiased filter instead: `reiqa_tf.image.scaling`.)
"""

import tensorflow as tf

from reiqa_tf.distortions.fusing import fused

_CUBIC = -0.75
"""The free parameter of the cubic convolution kernel, as in PyTorch's `interpolate`."""

_TAPS = 4


def source_span(patch):
    """Pixels of a photo, along one axis, that hold all that a crop of the half-size photo needs.

    Args:
        patch: side of the crop in pixels of the half-size photo.

    Returns:
        number of pixels of the photo.
    """
    # Corners aligned, the step is at most 2 + 2 / (patch - 1): two pixels more over a crop.
    return 2 * patch + 4


def first_source(offset, size, patch):
    """First pixel of such a span, inside the photo.

    Args:
        offset: first pixel of the crop in the half-size photo, an int32 tensor.
        size: pixels of the photo along this axis.
        patch: side of the crop.

    Returns:
        int32 tensor.
    """
    return tf.clip_by_value(
        offset * (size - 1) // (size // 2 - 1) - 1, 0, size - source_span(patch)
    )


def half_size_crops(sources, tops, lefts, source_tops, source_lefts, height, width, patch):
    """Crops of a photo's half-size version, made from no more of the photo than they need.

    Args:
        sources: float32 tensor `(T, source_span(patch), source_span(patch), 3)` in [0, 1].
        tops: int32 tensor `(T,)`, first rows of the crops in the half-size photo.
        lefts: int32 tensor `(T,)`, first columns, likewise.
        source_tops: int32 tensor `(T,)`, first rows of the sources in the photo.
        source_lefts: int32 tensor `(T,)`, first columns, likewise.
        height: height of the photo.
        width: width of the photo.
        patch: side of a crop.

    Returns:
        float32 tensor `(T, patch, patch, 3)` in [0, 1].
    """
    rows, row_weights = _taps(tops, source_tops, height, patch)
    columns, column_weights = _taps(lefts, source_lefts, width, patch)
    regular = _regular_taps(patch)
    first_rows, first_columns = rows[:, :1, :1], columns[:, :1, :1]
    return tf.cond(
        tf.reduce_all(rows == first_rows + regular)
        & tf.reduce_all(columns == first_columns + regular),
        lambda: _resample_regularly(
            sources,
            tf.stack([first_rows[:, 0, 0], first_columns[:, 0, 0]], axis=1),
            row_weights,
            column_weights,
        ),
        lambda: _resample_columns(
            _resample_rows(sources, rows, row_weights), columns, column_weights
        ),
    )


def _regular_taps(patch):
    """Places behind each pixel of a crop where neither a border nor an odd size interferes."""
    return 2 * tf.range(patch)[:, tf.newaxis] + tf.range(_TAPS)


def _taps(offsets, starts, size, patch):
    """Places in the source and weights, `(T, patch, 4)`, of the pixels behind those of a crop."""
    steps = size // 2 - 1
    position = (offsets[:, tf.newaxis] + tf.range(patch)) * (size - 1)
    first = position // steps
    part = tf.cast(position - first * steps, tf.float32) / tf.cast(steps, tf.float32)
    distance = tf.abs(part[..., tf.newaxis] - tf.range(-1.0, _TAPS - 1))
    near = ((_CUBIC + 2.0) * distance - (_CUBIC + 3.0)) * distance * distance + 1.0
    far = _CUBIC * (((distance - 5.0) * distance + 8.0) * distance - 4.0)
    places = tf.clip_by_value(first[..., tf.newaxis] + tf.range(-1, _TAPS - 1), 0, size - 1)
    places -= starts[:, tf.newaxis, tf.newaxis]
    return places, tf.where(distance < 1.0, near, far)


@fused
def _resample_regularly(sources, firsts, row_weights, column_weights):
    """Steps of two pixels: even and odd rows and columns, without looking any place up."""
    count = row_weights.shape[1]
    side = 2 * count + 2
    crops = []
    for i, source in enumerate(tf.unstack(sources)):
        cut = tf.slice(source, (firsts[i, 0], firsts[i, 1], 0), (side, side, 3))
        rows = tf.reshape(cut, (count + 1, 2, side, 3))
        tall = _weighted(
            (rows[:-1, 0], rows[:-1, 1], rows[1:, 0], rows[1:, 1]),
            row_weights[i][:, :, tf.newaxis, tf.newaxis],
        )
        columns = tf.reshape(tall, (count, count + 1, 2, 3))
        crops.append(
            _weighted(
                (columns[:, :-1, 0], columns[:, :-1, 1], columns[:, 1:, 0], columns[:, 1:, 1]),
                column_weights[i][:, :, tf.newaxis],
            )
        )
    return tf.clip_by_value(tf.stack(crops), 0.0, 1.0)


def _weighted(parts, weights):
    return sum(part * weights[:, i] for i, part in enumerate(parts))


# Two functions, for one would compute the first for each tap of the second again.
@fused
def _resample_rows(sources, rows, weights):
    return tf.stack(
        [
            _weighted(
                [tf.gather(source, rows[i, :, tap]) for tap in range(_TAPS)],
                weights[i][:, :, tf.newaxis, tf.newaxis],
            )
            for i, source in enumerate(tf.unstack(sources))
        ]
    )


@fused
def _resample_columns(sources, columns, weights):
    crops = [
        _weighted(
            [tf.gather(source, columns[i, :, tap], axis=1) for tap in range(_TAPS)],
            weights[i][:, :, tf.newaxis],
        )
        for i, source in enumerate(tf.unstack(sources))
    ]
    return tf.clip_by_value(tf.stack(crops), 0.0, 1.0)
