"""CIE Lab and its way from and to sRGB, as the operators of the bank need it.

Lab is handled by its cube roots `f`: for the white-relative tristimulus values X, Y, Z these are
f(X), f(Y), f(Z), and L = 116 f(Y) - 16, a = 500 (f(X) - f(Y)), b = 200 (f(Y) - f(Z)). A change of
L, a or b is a sum or a product on them, so that Lab itself is never written down.

Numbers: IEC 61966-2-1 (sRGB) and CIE 15 with the D65 white of 2 degrees, in the rounding that
scikit-image uses, whose results the published distortions show.
"""

import numpy as np
import tensorflow as tf

_XYZ_FROM_RGB = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
_RELATIVE_FROM_RGB = _XYZ_FROM_RGB / _WHITE[:, np.newaxis]
_RGB_FROM_RELATIVE = np.linalg.inv(_XYZ_FROM_RGB) * _WHITE
_SMALLEST = 1e-12
"""What stands in for 0 where a logarithm is taken."""


def roots_from_rgb(images):
    """Cube roots of Lab.

    Args:
        images: float32 tensor `(..., 3)`, sRGB in [0, 1].

    Returns:
        float32 tensor `(..., 3)`: f(X), f(Y), f(Z), each from 16 / 116 (black) to 1 (white).
    """
    power = tf.exp(2.4 * tf.math.log((images + 0.055) * (1 / 1.055)))
    linear = tf.where(images > 0.04045, power, images * (1 / 12.92))
    relative = _mix(linear, _RELATIVE_FROM_RGB)
    root = tf.exp((1 / 3) * tf.math.log(tf.maximum(relative, _SMALLEST)))
    return tf.where(relative > 0.008856, root, 7.787 * relative + 16 / 116)


def rgb_from_roots(roots):
    """The way back from `roots_from_rgb`, clipped to [0, 1].

    Args:
        roots: float32 tensor `(..., 3)`; f(Z) below 0 counts as 0, as in scikit-image.

    Returns:
        float32 tensor `(..., 3)`, sRGB in [0, 1].
    """
    roots = tf.maximum(roots, np.float32([-np.inf, -np.inf, 0]))
    relative = tf.where(roots > 0.2068966, roots * roots * roots, (roots - 16 / 116) * (1 / 7.787))
    linear = tf.clip_by_value(_mix(relative, _RGB_FROM_RELATIVE), 0.0, 1.0)
    power = tf.exp((1 / 2.4) * tf.math.log(tf.maximum(linear, _SMALLEST)))
    encoded = tf.where(linear > 0.0031308, 1.055 * power - 0.055, 12.92 * linear)
    return tf.clip_by_value(encoded, 0.0, 1.0)


def _mix(images, matrix):
    """`mix` written as sums, which a compiler fuses with what comes before and after."""
    return sum(
        images[..., i : i + 1] * tf.constant(matrix[:, i], tf.float32)
        for i in range(matrix.shape[1])
    )


def mix(images, matrix):
    """Multiplies the channels of each pixel by a matrix.

    Args:
        images: float32 tensor `(..., C)`.
        matrix: array `(N, C)`.

    Returns:
        float32 tensor `(..., N)`.
    """
    flat = tf.reshape(images, (-1, matrix.shape[1]))
    mixed = tf.linalg.matmul(flat, tf.constant(matrix.T, tf.float32))
    return tf.reshape(mixed, tf.concat([tf.shape(images)[:-1], matrix.shape[:1]], 0))
