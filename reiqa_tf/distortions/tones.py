"""Brightness, contrast and sharpness."""

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.distortion import LEVELS, Distortion, Tensors
from reiqa_tf.distortions.engine.color_spaces import rgb_from_roots, roots_from_rgb
from reiqa_tf.distortions.engine.filters import COLUMNS, ROWS, shifted
from reiqa_tf.distortions.engine.programs import fused
from reiqa_tf.distortions.engine.windows import Side, Windows, around, trimmed


def _parabola(x: tf.Tensor, bend: tf.Tensor) -> tf.Tensor:
    """The parabola through (0, 0), (.5, .5 + bend / 2) and (1, 1), clipped to [0, 1]."""
    return tf.clip_by_value(x * (1.0 + 2.0 * bend - 2.0 * bend * x), 0.0, 1.0)


class Brighten(Distortion):
    """A tone curve bent upwards: two thirds on RGB, one third on L of Lab."""

    name = "brighten"
    levels = (0.1, 0.2, 0.4, 0.7, 1.1)
    unit = "bend of the tone curve"

    def prepare(self, windows: Windows, value: tf.Tensor, drawn: Tensors) -> Tensors:
        return roots_from_rgb(windows.inside())

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        lightness = (116.0 * prepared[:, 1:2] - 16.0) * 0.01
        raised = (_parabola(lightness, value) - lightness) * (100 / 116)
        bent = rgb_from_roots(prepared + raised)
        return (2.0 * _parabola(around(pixels), value) + bent) * (1 / 3)


class Darken(Distortion):
    """A tone curve bent downwards."""

    name = "darken"
    levels = (0.05, 0.1, 0.2, 0.4, 0.8)
    unit = "bend of the tone curve"

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        return _parabola(around(pixels), -value)


class MeanShift(Distortion):
    """A constant added."""

    name = "mean_shift"
    levels = (0.15, 0.08, 0, -0.08, -0.15)
    unit = "added"
    ordered = False

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        return tf.clip_by_value(around(pixels) + value, 0.0, 1.0)


_CUBIC_FIT = np.linalg.pinv(np.vander([0.0, 0.3, 0.5, 0.7, 1.0], 4))
"""From values at these points to the coefficients of the least-squares cubic, highest first."""


class ContrastCurve(Distortion):
    """The least-squares cubic through an S of the given strength."""

    name = "contrast"
    levels = (0.3, 0.15, 0, -0.4, -0.6)
    unit = "bend of the tone curve"
    ordered = False

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        straight = np.float32(_CUBIC_FIT @ [0.0, 0.25, 0.5, 0.75, 1.0])
        bent = np.float32(_CUBIC_FIT @ [0.0, -0.25, 0.0, 0.25, 0.0])
        third, second, first, constant = tf.unstack(straight + value * bent)
        image = around(pixels)
        curve = ((third * image + second) * image + first) * image + constant
        return tf.clip_by_value(curve, 0.0, 1.0)


_REACH = 2


class Sharpen(Distortion):
    """L of Lab minus its Laplacian times the level's value, L clipped to 0 to 100.

    The published code feeds 0 to 255 to a conversion that expects 0 to 1, which turns every picture
    into flat false colours. This is the operator that was meant.
    """

    name = "sharpen"
    levels = (1, 2, 3, 6, 12)
    unit = "times the Laplacian"
    neighbourhood = (_REACH,) * LEVELS

    def prepare(self, windows: Windows, value: tf.Tensor, drawn: Tensors) -> Tensors:
        roots = roots_from_rgb(windows.inside(_REACH))
        change = _sharpening(roots, value, *map(_second_difference_weights, windows.sides))
        return trimmed(roots, _REACH), change

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        roots, change = prepared
        return rgb_from_roots(roots + change)


@fused
def _sharpening(
    roots: tf.Tensor, amount: tf.Tensor, row_weights: tf.Tensor, column_weights: tf.Tensor
) -> tf.Tensor:
    """What is to be added to f(X), f(Y) and f(Z) alike. A program of its own: all three read it."""
    lightness = roots[:, 1:2]
    up_and_down = shifted(lightness[..., _REACH:-_REACH], ROWS, 5)
    left_and_right = shifted(lightness[:, :, _REACH:-_REACH], COLUMNS, 5)
    curvature = sum(
        row_weights[:, tf.newaxis, :, i, tf.newaxis] * up_and_down[i]
        + column_weights[:, tf.newaxis, tf.newaxis, :, i] * left_and_right[i]
        for i in range(5)
    )
    here = trimmed(lightness, _REACH)
    # In units of f(Y), where L is 0 at 16 / 116 and 100 at 1.
    return tf.clip_by_value(here - amount * curvature, 16 / 116, 1.0) - here


_OF_FIVE = np.gradient(np.gradient(np.eye(5), axis=0), axis=0)
_SECOND_DIFFERENCES = np.array([np.roll(row, 2 - i) for i, row in enumerate(_OF_FIVE)], np.float32)
"""What the neighbours from two before to two after a pixel weigh in the central difference of
central differences: at the first pixel of a photo, the second, in between, the last but one, the
last. At the border they are one-sided."""


def _second_difference_weights(side: Side) -> tf.Tensor:
    """For each pixel along one side of windows, the weights `(T, N, 5)`."""
    positions = tf.stack(side.starts)[:, tf.newaxis] + tf.range(side.length)
    before = tf.clip_by_value(positions, 0, 2)
    after = tf.clip_by_value(side.size - 1 - positions, 0, 2)
    return tf.gather(_SECOND_DIFFERENCES, before - after + 2)
