"""CIE Lab and its way from and to sRGB, as the operators of the bank need it.

Lab is handled by its cube roots `f`: for the white-relative tristimulus values X, Y, Z these are
f(X), f(Y), f(Z), and L = 116 f(Y) - 16, a = 500 (f(X) - f(Y)), b = 200 (f(Y) - f(Z)). A change of
L, a or b is a sum or a product on them, so that Lab itself is never written down.

Numbers: IEC 61966-2-1 (sRGB) and CIE 15 with the D65 white of 2 degrees, in the rounding that
scikit-image uses, whose results the published distortions show.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.engine.programs import fused
from reiqa_tf.image.scaling import to_unit_range

_XYZ_FROM_RGB = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
_RELATIVE_FROM_RGB = _XYZ_FROM_RGB / _WHITE[:, np.newaxis]
_RGB_FROM_RELATIVE = np.linalg.inv(_XYZ_FROM_RGB) * _WHITE
_LOWEST_ROOTS = np.array([-np.inf, -np.inf, 0.0], np.float32).reshape(3, 1, 1)


def _fitted(
    function: Callable[[np.ndarray], np.ndarray], low: float, high: float, degree: int
) -> list[float]:
    """Coefficients, lowest first, of the polynomial that interpolates at Chebyshev's points."""
    fit = np.polynomial.Chebyshev.interpolate(function, degree, domain=(low, high))
    return fit.convert(kind=np.polynomial.Polynomial).coef.tolist()


# Powers take logarithms, one number at a time. Polynomials run in vectors, several times as fast,
# and are at most 3e-6 off. The cube root and the power 1 / 2.4 are smooth functions of the fourth
# root.
_LINEAR = _fitted(lambda x: ((x + 0.055) / 1.055) ** 2.4, 0.04045, 1.0, 7)
_CUBE_ROOT = _fitted(lambda fourth: fourth ** (4 / 3), 0.008856**0.25, 1.0, 6)
_ENCODED = _fitted(lambda fourth: 1.055 * fourth ** (4 / 2.4) - 0.055, 0.0031308**0.25, 1.0, 6)


def _polynomial(coefficients: list[float], x: tf.Tensor) -> tf.Tensor:
    value = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + coefficient
    return value


# Programs of their own: XLA for CPUs computes what several results read for each of them again.


@fused
def _linear(planes: tf.Tensor) -> tf.Tensor:
    planes = to_unit_range(planes)
    return tf.where(planes > 0.04045, _polynomial(_LINEAR, planes), planes * (1 / 12.92))


def _roots(linear: tf.Tensor, matrix: np.ndarray) -> tf.Tensor:
    relative = mix(linear, matrix)
    root = _polynomial(_CUBE_ROOT, tf.sqrt(tf.sqrt(relative)))
    return tf.where(relative > 0.008856, root, 7.787 * relative + 16 / 116)


_all_roots = fused(lambda linear: _roots(linear, _RELATIVE_FROM_RGB))
_lightness = fused(lambda linear: _roots(linear, _RELATIVE_FROM_RGB[1:2]))
differences = fused(lambda roots: mix(roots, np.array([[1, -1, 0], [0, -1, 1]])))
"""Of what `roots_from_rgb` returns, f(X) - f(Y) and f(Z) - f(Y): a / 500 and -b / 200."""


def roots_from_rgb(planes: tf.Tensor) -> tf.Tensor:
    """Cube roots of Lab.

    Args:
        planes: tensor `(..., 3, H, W)`, sRGB in 8-bit levels or float32 in [0, 1].

    Returns:
        float32 tensor `(..., 3, H, W)`: f(X), f(Y), f(Z), each from 16 / 116 (black) to 1 (white).
    """
    return _all_roots(_linear(planes))


def lightness_from_rgb(planes: tf.Tensor) -> tf.Tensor:
    """Of `roots_from_rgb`, f(Y) alone: float32 tensor `(..., 1, H, W)`."""
    return _lightness(_linear(planes))


def rgb_from_roots(roots: tf.Tensor) -> tf.Tensor:
    """The way back from `roots_from_rgb`, clipped to [0, 1].

    Args:
        roots: float32 tensor `(..., 3, H, W)`; f(Z) below 0 counts as 0, as in scikit-image.

    Returns:
        float32 tensor `(..., 3, H, W)`, sRGB in [0, 1].
    """
    roots = tf.maximum(roots, _LOWEST_ROOTS)
    relative = tf.where(roots > 0.2068966, roots * roots * roots, (roots - 16 / 116) * (1 / 7.787))
    linear = tf.clip_by_value(mix(relative, _RGB_FROM_RELATIVE), 0.0, 1.0)
    power = _polynomial(_ENCODED, tf.sqrt(tf.sqrt(linear)))
    encoded = tf.where(linear > 0.0031308, power, 12.92 * linear)
    return tf.clip_by_value(encoded, 0.0, 1.0)


def mix(planes: tf.Tensor, matrix: np.ndarray) -> tf.Tensor:
    """Weighted sums of channels.

    Args:
        planes: float32 tensor `(..., C, H, W)`.
        matrix: array `(N, C)`.

    Returns:
        float32 tensor `(..., N, H, W)`.
    """
    columns = np.asarray(matrix, np.float32)[:, :, np.newaxis, np.newaxis]
    return sum(
        columns[:, channel] * planes[..., channel : channel + 1, :, :]
        for channel in range(columns.shape[1])
    )
