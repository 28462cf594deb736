"""Noise, and what is left of it after a blur."""

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.color_spaces import mix
from reiqa_tf.distortions.filters import gaussian_kernel
from reiqa_tf.distortions.fusing import fused
from reiqa_tf.distortions.random_fields import normal_field, uniform_field

_YCBCR_FROM_RGB = np.array(
    [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]
)
"""ITU-R BT.601, studio range: RGB in [0, 1] to levels of 0 to 255, without the offsets."""

_BOX_RADIUS = 2
_GAUSSIAN_SIGMA = 3.0


def draw_normal(seed, variance, photo, margin=0):
    """Draws Gaussian white noise.

    Args:
        seed: int32 tensor `(2,)`.
        variance: of the noise.
        photo: the `Photo`.
        margin: pixels by which the noise goes on around the photo's wanted rows.

    Returns:
        float32 tensor `(photo.rows + 2 margin, W + 2 margin, 3)`.
    """
    rows, columns = photo.rows + 2 * margin, photo.width + 2 * margin
    return normal_field(seed, photo.first_row, rows, columns, 3) * tf.sqrt(variance)


def gaussian_noise(windows, variance, reach, drawn):  # noqa: ARG001
    """White noise added to each channel."""
    return tf.clip_by_value(windows.inside() + windows.field(drawn), 0.0, 1.0)


def ycbcr_noise(windows, variance, reach, drawn):  # noqa: ARG001
    """White noise added to Y, Cb and Cr.

    The conversion is linear, so that the noise alone is converted and added to RGB.
    """
    noise = mix(windows.field(drawn), 255.0 * np.linalg.inv(_YCBCR_FROM_RGB))
    return tf.clip_by_value(windows.inside() + noise, 0.0, 1.0)


def multiplicative_noise(windows, variance, reach, drawn):  # noqa: ARG001
    """White noise times the photo, added to it."""
    image = windows.inside()
    return tf.clip_by_value(image + image * windows.field(drawn), 0.0, 1.0)


def draw_uniform(seed, probability, photo):  # noqa: ARG001
    """One uniform number in [0, 1) a pixel: float32 `(photo.rows, W, 1)`."""
    return uniform_field(seed, photo.first_row, photo.rows, photo.width)


def impulse_noise(windows, probability, reach, drawn):  # noqa: ARG001
    """Pixels turned black or white, each with half of the probability."""
    return _speckled(windows.inside(), windows.field(drawn), probability)


@fused
def _speckled(image, chance, probability):
    kept = tf.where(chance < probability, 0.0, image)
    return tf.where(chance < 0.5 * probability, 1.0, kept)


def draw_denoise(seed, variance, photo):
    """The noise, and by a fair coin the kernel that is to remove it.

    Args:
        seed: int32 tensor `(2,)`.
        variance: of the noise.
        photo: the `Photo`.

    Returns:
        noise, with a margin of 9 px, and kernel `(19,)`: a Gaussian of sigma 3, or 5 px of a box.
    """
    seeds = tf.random.split(seed, 2)
    gaussian = gaussian_kernel(_GAUSSIAN_SIGMA, DENOISE_RADIUS)
    middle = tf.abs(tf.range(-DENOISE_RADIUS, DENOISE_RADIUS + 1)) <= _BOX_RADIUS
    box = tf.cast(middle, tf.float32) / (2 * _BOX_RADIUS + 1)
    kernel = tf.where(tf.random.stateless_uniform((), seeds[1]) < 0.5, gaussian, box)
    return draw_normal(seeds[0], variance, photo, DENOISE_RADIUS), kernel


DENOISE_RADIUS = 9
"""Three standard deviations of the wider of the two kernels."""


def denoise(windows, variance, reach, drawn):  # noqa: ARG001
    """White noise, 8 bits, then a blur."""
    noise, kernel = drawn
    return _denoised(windows.pixels(reach), windows.field(noise, reach, reach), kernel)


@fused
def _denoised(image, noise, kernel):
    levels = tf.floor(tf.clip_by_value((image + noise) * 255.0 + 0.5, 0.0, 255.0)) * (1 / 255)
    weights = tf.unstack(kernel)
    rows, columns = tf.unstack(tf.shape(levels)[1:3] - len(weights) + 1)
    blurred = sum(weight * levels[:, i : i + rows] for i, weight in enumerate(weights))
    return sum(weight * blurred[:, :, i : i + columns] for i, weight in enumerate(weights))
