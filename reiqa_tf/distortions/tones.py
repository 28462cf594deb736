"""Brightness, contrast and sharpness."""

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.color_spaces import rgb_from_roots, roots_from_rgb
from reiqa_tf.distortions.fusing import fused
from reiqa_tf.distortions.windows import MARGIN, around, trimmed

_CONTRAST_POINTS = np.array([0.0, 0.3, 0.5, 0.7, 1.0])
_CUBIC_FIT = np.linalg.pinv(np.vander(_CONTRAST_POINTS, 4))
"""From values at the points to the coefficients of the least-squares cubic, highest first."""


def _parabola(x, bend):
    """The parabola through (0, 0), (.5, .5 + bend / 2) and (1, 1), clipped to [0, 1]."""
    return tf.clip_by_value(x * (1.0 + 2.0 * bend - 2.0 * bend * x), 0.0, 1.0)


def brighten(pixels, amount, roots):
    """Two thirds of a bent tone curve on RGB, one third of the same on L of Lab."""
    lightness = (116.0 * roots[:, 1:2] - 16.0) * 0.01
    raised = (_parabola(lightness, amount) - lightness) * (100 / 116)
    bent = rgb_from_roots(roots + raised)
    return (2.0 * _parabola(around(pixels, 0), amount) + bent) * (1 / 3)


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


def cut_sharpened(windows, amount, drawn):  # noqa: ARG001
    """Windows of the cube roots of Lab, and what is to be added to all three.

    Returns:
        float32 tensors `(T, 3, rows, columns)` and `(T, 1, rows, columns)`.
    """
    roots = roots_from_rgb(trimmed(windows.pixels, MARGIN - _LAPLACIAN_REACH))
    rows, columns = zip(*windows.coordinates(), strict=True)
    change = _sharpening(
        roots,
        amount,
        _second_difference_taps(tf.stack(rows), windows.photo.height),
        _second_difference_taps(tf.stack(columns), windows.photo.width),
    )
    return trimmed(roots, _LAPLACIAN_REACH), change


_LAPLACIAN_REACH = 2


def sharpen(pixels, amount, roots, change):  # noqa: ARG001
    """L of Lab minus `amount` times its Laplacian, L clipped to 0 to 100."""
    return rgb_from_roots(roots + change)


@fused
def _sharpening(roots, amount, row_taps, column_taps):
    lightness = roots[:, 1:2]
    upright = lightness[..., _LAPLACIAN_REACH:-_LAPLACIAN_REACH]
    across = lightness[:, :, _LAPLACIAN_REACH:-_LAPLACIAN_REACH]
    curvature = sum(
        row_taps[:, tf.newaxis, :, i, tf.newaxis] * upright[:, :, i : i - 4 or None]
        + column_taps[:, tf.newaxis, tf.newaxis, :, i] * across[..., i : i - 4 or None]
        for i in range(5)
    )
    here = trimmed(lightness, _LAPLACIAN_REACH)
    # In units of f(Y), where L is 0 at 16 / 116 and 100 at 1.
    return tf.clip_by_value(here - amount * curvature, 16 / 116, 1.0) - here


_SECOND_DIFFERENCES = np.array(
    [
        [0, 0, 0.5, -1, 0.5],
        [0, 0.5, -0.75, 0, 0.25],
        [0.25, 0, -0.5, 0, 0.25],
        [0.25, 0, -0.75, 0.5, 0],
        [0.5, -1, 0.5, 0, 0],
    ],
    np.float32,
)
"""What the neighbours from two before to two after a pixel weigh in the central difference of
central differences: at the first pixel of a photo, the second, in between, the last but one, the
last. At the border they are one-sided."""


def _second_difference_taps(positions, size):
    """Of int32 positions `(T, N)` along an axis of a photo, the weights `(T, N, 5)`."""
    behind, ahead = (tf.clip_by_value(each, 0, 2) for each in (positions, size - 1 - positions))
    return tf.gather(_SECOND_DIFFERENCES, behind - ahead + 2)
