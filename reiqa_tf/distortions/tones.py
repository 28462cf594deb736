"""Brightness, contrast and sharpness."""

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.color_spaces import rgb_from_roots, roots_from_rgb
from reiqa_tf.distortions.windows import around, trimmed

_CONTRAST_POINTS = np.array([0.0, 0.3, 0.5, 0.7, 1.0])
_CUBIC_FIT = np.linalg.pinv(np.vander(_CONTRAST_POINTS, 4))
"""From values at the points to the coefficients of the least-squares cubic, highest first."""


def _parabola(x, bend):
    """The parabola through (0, 0), (.5, .5 + bend / 2) and (1, 1), clipped to [0, 1]."""
    return tf.clip_by_value(x * (1.0 + 2.0 * bend - 2.0 * bend * x), 0.0, 1.0)


def brighten(pixels, amount):
    """Two thirds of a bent tone curve on RGB, one third of the same on L of Lab."""
    image = around(pixels, 0)
    roots = roots_from_rgb(image)
    lightness = (116.0 * roots[1] - 16.0) * 0.01
    raised = (_parabola(lightness, amount) - lightness) * (100 / 116)
    bent = rgb_from_roots([root + raised for root in roots])
    return (2.0 * _parabola(image, amount) + bent) * (1 / 3)


def darken(pixels, amount):
    """A tone curve bent downwards."""
    return _parabola(around(pixels, 0), -amount)


def mean_shift(pixels, shift):
    """A constant added."""
    return tf.clip_by_value(around(pixels, 0) + shift, 0.0, 1.0)


def contrast(pixels, strength):
    """The least-squares cubic through an S of the given strength."""
    bent = np.array([0.0, -0.25, 0.0, 0.25, 0.0])
    straight = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    coefficients = np.float32(_CUBIC_FIT @ straight) + strength * np.float32(_CUBIC_FIT @ bent)
    third, second, first, constant = tf.unstack(tf.convert_to_tensor(coefficients))
    image = around(pixels, 0)
    curve = ((third * image + second) * image + first) * image + constant
    return tf.clip_by_value(curve, 0.0, 1.0)


def cut_borders(windows, amount, drawn):  # noqa: ARG001
    """Where the photo's borders lie in windows: the positions of their rows and columns.

    Returns:
        distances to the first and to the last row or column, int32 `(T, 2, rows)` and
        `(T, 2, columns)`.
    """
    photo = windows.photo
    rows, columns = zip(*windows.coordinates(), strict=True)
    rows, columns = tf.stack(rows), tf.stack(columns)
    return (
        tf.stack([rows, photo.height - 1 - rows], axis=1),
        tf.stack([columns, photo.width - 1 - columns], axis=1),
    )


def sharpen(pixels, amount, row_distances, column_distances):
    """L of Lab minus `amount` times its Laplacian, L clipped to 0 to 100."""
    roots = roots_from_rgb(around(pixels, _LAPLACIAN_REACH))
    x, y, z = (trimmed(root[:, tf.newaxis], _LAPLACIAN_REACH)[:, 0] for root in roots)
    upright = roots[1][:, :, _LAPLACIAN_REACH:-_LAPLACIAN_REACH]
    across = roots[1][:, _LAPLACIAN_REACH:-_LAPLACIAN_REACH]
    rows = [upright[:, i : i - 4 or None] for i in range(5)]
    columns = [across[:, :, i : i - 4 or None] for i in range(5)]
    curvature = _second_difference(rows, row_distances[..., tf.newaxis]) + _second_difference(
        columns, column_distances[:, :, tf.newaxis]
    )
    # In units of f(Y), where L is 0 at 16 / 116 and 100 at 1.
    change = tf.clip_by_value(y - amount * curvature, 16 / 116, 1.0) - y
    return rgb_from_roots([x + change, y + change, z + change])


_LAPLACIAN_REACH = 2


def _second_difference(values, distances):
    """Central differences of central differences, one-sided at the photo's border.

    Args:
        values: five tensors: what lies from two pixels before to two pixels after each pixel.
        distances: int32 tensor `(T, 2, ...)`: pixels before and after each in the photo.

    Returns:
        float32 tensor.
    """
    two_before, before, here, after, two_after = values
    behind, ahead = distances[:, 0], distances[:, 1]
    inner = 0.25 * (two_after - 2.0 * here + two_before)
    first = 0.5 * (two_after - here) - (after - here)
    second = 0.25 * (two_after - here) - 0.5 * (here - before)
    one_but_last = 0.5 * (after - here) - 0.25 * (here - two_before)
    last = (here - before) - 0.5 * (here - two_before)
    made = tf.where(behind == 1, second, tf.where(ahead == 1, one_but_last, inner))
    return tf.where(behind == 0, first, tf.where(ahead == 0, last, made))
