"""Brightness, contrast and sharpness."""

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.color_spaces import rgb_from_roots, roots_from_rgb
from reiqa_tf.distortions.filters import turn
from reiqa_tf.distortions.fusing import fused
from reiqa_tf.distortions.windows import edge_index

_CONTRAST_POINTS = np.array([0.0, 0.3, 0.5, 0.7, 1.0])
_CUBIC_FIT = np.linalg.pinv(np.vander(_CONTRAST_POINTS, 4))
"""From values at the points to the coefficients of the least-squares cubic, highest first."""


def _parabola(x, bend):
    """The parabola through (0, 0), (.5, .5 + bend / 2) and (1, 1), clipped to [0, 1]."""
    return tf.clip_by_value(x * (1.0 + 2.0 * bend - 2.0 * bend * x), 0.0, 1.0)


def brighten(windows, amount, reach, drawn):  # noqa: ARG001
    """Two thirds of a bent tone curve on RGB, one third of the same on L of Lab."""
    return _brightened(windows.inside(), amount)


@fused
def _brightened(image, amount):
    roots = roots_from_rgb(image)
    lightness = (116.0 * roots[..., 1:2] - 16.0) * 0.01
    raised = (_parabola(lightness, amount) - lightness) * (100 / 116)
    return (2.0 * _parabola(image, amount) + rgb_from_roots(roots + raised)) * (1 / 3)


def darken(windows, amount, reach, drawn):  # noqa: ARG001
    """A tone curve bent downwards."""
    return _parabola(windows.inside(), -amount)


def mean_shift(windows, shift, reach, drawn):  # noqa: ARG001
    """A constant added."""
    return tf.clip_by_value(windows.inside() + shift, 0.0, 1.0)


def contrast(windows, strength, reach, drawn):  # noqa: ARG001
    """The least-squares cubic through an S of the given strength."""
    bent = np.array([0.0, -0.25, 0.0, 0.25, 0.0])
    straight = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    coefficients = np.float32(_CUBIC_FIT @ straight) + strength * np.float32(_CUBIC_FIT @ bent)
    third, second, first, constant = tf.unstack(tf.convert_to_tensor(coefficients))
    image = windows.inside()
    curve = ((third * image + second) * image + first) * image + constant
    return tf.clip_by_value(curve, 0.0, 1.0)


def sharpen(windows, amount, reach, drawn):  # noqa: ARG001
    """L of Lab minus `amount` times its Laplacian, L clipped to 0 to 100."""
    roots = _roots(windows.pixels(reach))
    plane = roots[..., 1:2]
    middle = roots[:, reach : reach + windows.rows, reach : reach + windows.columns]
    across = turn(plane[:, reach : reach + windows.rows])
    upright = plane[:, :, reach : reach + windows.columns]
    curvature = _second_difference(
        upright, windows.tops, windows.rows, windows.photo.height, reach
    ) + turn(_second_difference(across, windows.lefts, windows.columns, windows.photo.width, reach))
    return _relit(middle, amount * curvature)


_roots = fused(roots_from_rgb)


@fused
def _relit(roots, loss):
    old = roots[..., 1:2]
    # In units of f(Y), where L is 0 at 16 / 116 and 100 at 1.
    new = tf.clip_by_value(old - loss, 16 / 116, 1.0)
    return rgb_from_roots(roots + (new - old))


def _second_difference(planes, starts, length, size, margin):
    """Central differences of central differences from row to row, one-sided at the photo's border.

    Args:
        planes: float32 tensor `(T, length + 2 margin, W, 1)`.
        starts: T positions of the first rows inside the margin.
        length: rows wanted.
        size: rows of the photo.
        margin: rows before the first wanted one.

    Returns:
        float32 tensor `(T, length, W, 1)`.
    """
    made = []
    for plane, start in zip(tf.unstack(planes, len(starts)), starts, strict=True):
        offset = start - margin

        def rows(index, plane=plane, offset=offset):
            return tf.gather(plane, index - offset)

        def difference(index, values):
            after, before = edge_index(index + 1, size), edge_index(index - 1, size)
            span = tf.cast(after - before, tf.float32)[:, tf.newaxis, tf.newaxis]
            return (values(after) - values(before)) / span

        def first(index, rows=rows, difference=difference):
            return difference(index, rows)

        made.append(difference(start + tf.range(length), first))
    return tf.stack(made)
