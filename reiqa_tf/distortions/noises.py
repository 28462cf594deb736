"""Noise, and what is left of it after a blur."""

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.distortion import LEVELS, Distortion, Tensors
from reiqa_tf.distortions.engine.color_spaces import mix
from reiqa_tf.distortions.engine.filters import correlate_both, gaussian_kernel
from reiqa_tf.distortions.engine.random_fields import (
    NORMAL_STEP,
    normal_field,
    uniform_field,
    uniform_quantile,
)
from reiqa_tf.distortions.engine.windows import Photo, Windows, around


class _WithNoise(Distortion):
    """What operators share that add Gaussian white noise of the variance that a level says."""

    unit = "variance"
    random = True

    def draw(self, seed: tf.Tensor, value: tf.Tensor, photo: Photo) -> Tensors:
        return normal_field(seed, photo, channels=3)


def _noise(variance: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
    """Noise that was cut out, as float32 planes of this variance."""
    planes = tf.transpose(steps, (0, 2, 1, 3))
    return NORMAL_STEP * tf.sqrt(variance) * tf.cast(planes, tf.float32)


class GaussianNoise(_WithNoise):
    """White noise added to each channel."""

    name = "gaussian_noise"
    levels = (0.001, 0.002, 0.003, 0.005, 0.01)

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        return tf.clip_by_value(around(pixels) + _noise(value, prepared), 0.0, 1.0)


_YCBCR_FROM_RGB = np.array(
    [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]
)
"""ITU-R BT.601, studio range: RGB in [0, 1] to levels of 0 to 255, without the offsets."""


class YcbcrNoise(_WithNoise):
    """White noise added to Y, Cb and Cr.

    The conversion is linear, so that the noise alone is converted and added to RGB.
    """

    name = "ycbcr_noise"
    levels = (0.0001, 0.0005, 0.001, 0.002, 0.003)

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        mixed = mix(_noise(value, prepared), 255.0 * np.linalg.inv(_YCBCR_FROM_RGB))
        return tf.clip_by_value(around(pixels) + mixed, 0.0, 1.0)


class ImpulseNoise(Distortion):
    """Pixels turned black or white, each with half of the probability."""

    name = "impulse_noise"
    levels = (0.001, 0.005, 0.01, 0.02, 0.03)
    unit = "of the pixels"
    random = True

    def draw(self, seed: tf.Tensor, value: tf.Tensor, photo: Photo) -> Tensors:
        return uniform_field(seed, photo)

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        kept = tf.where(prepared < uniform_quantile(value), 0.0, around(pixels))
        return tf.where(prepared < uniform_quantile(0.5 * value), 1.0, kept)


class MultiplicativeNoise(_WithNoise):
    """White noise times the photo, added to it."""

    name = "multiplicative_noise"
    levels = (0.001, 0.005, 0.01, 0.02, 0.05)

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        image = around(pixels)
        return tf.clip_by_value(image + image * _noise(value, prepared), 0.0, 1.0)


class Denoise(_WithNoise):
    """White noise, 8 bits, then a blur: a Gaussian of 3 px or a box of 5 px, by a fair coin."""

    name = "denoise"
    levels = (0.001, 0.002, 0.003, 0.005, 0.01)

    _RADIUS = 9  # three standard deviations of the Gaussian
    neighbourhood = (_RADIUS,) * LEVELS

    def draw(self, seed: tf.Tensor, value: tf.Tensor, photo: Photo) -> Tensors:
        seeds = tf.random.split(seed, 2)
        gaussian = gaussian_kernel(3.0, self._RADIUS)
        box = tf.cast(tf.abs(tf.range(-self._RADIUS, self._RADIUS + 1)) <= 2, tf.float32) / 5
        kernel = tf.where(tf.random.stateless_uniform((), seeds[1]) < 0.5, gaussian, box)
        return normal_field(seeds[0], photo, 3, self._RADIUS), kernel

    def prepare(self, windows: Windows, value: tf.Tensor, drawn: Tensors) -> Tensors:
        noise, kernel = drawn
        return windows.cut(noise, self._RADIUS), kernel

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        steps, kernel = prepared
        noisy = around(pixels, self._RADIUS) + _noise(value, steps)
        levels = tf.floor(tf.clip_by_value(noisy * 255.0 + 0.5, 0.0, 255.0)) * (1 / 255)
        return correlate_both(levels, kernel)
