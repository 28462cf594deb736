"""Noise, and what is left of it after a blur."""

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.color_spaces import mix
from reiqa_tf.distortions.filters import gaussian_kernel
from reiqa_tf.distortions.planar_filters import filter_both
from reiqa_tf.distortions.random_fields import (
    GROUP,
    NORMAL_STEP,
    codebook,
    normal_codes,
    normal_steps,
    uniform_field,
    uniform_quantile,
)
from reiqa_tf.distortions.windows import RIM, around

_YCBCR_FROM_RGB = np.array(
    [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]
)
"""ITU-R BT.601, studio range: RGB in [0, 1] to levels of 0 to 255, without the offsets."""

_BOX_RADIUS = 2
_GAUSSIAN_SIGMA = 3.0


def draw_normal(seed, variance, photo, margin=0):  # noqa: ARG001
    """Draws Gaussian white noise of variance 1.

    Args:
        seed: int32 tensor `(2,)`.
        variance: not used: noise is scaled where it is added, in the same pass over memory.
        photo: the `Photo`.
        margin: pixels by which the noise goes on around the photo's wanted rows.

    Returns:
        int32 tensor `(photo.rows + 2 margin, 3, groups)` of `normal_codes`, from `RIM` + margin px
        before the photo's first column, and the codebook, once for all windows.
    """
    rows = photo.rows + 2 * margin
    codes = normal_codes(seed, photo.first_row - margin, rows, _columns(photo, margin), 3)
    return codes, tf.constant(codebook())


def _columns(photo, margin=0):
    return photo.width + 2 * (RIM + margin)


def cut_normal(windows, value, drawn, margin=0):  # noqa: ARG001
    """The noise of windows: T int8 tensors `(rows, 3, columns)`, as of `normal_steps`."""
    codes, book = drawn
    rows, columns = windows.rows + 2 * margin, windows.columns + 2 * margin
    groups = -(-(columns - 1) // GROUP) + 1
    noise = []
    for top, left in zip(windows.tops, windows.lefts, strict=True):
        first = left + RIM
        begin = top - windows.photo.first_row, 0, first // GROUP
        steps = normal_steps(tf.slice(codes, begin, (rows, 3, groups)), book)
        # Not left to the program, which XLA would compile again for each place to begin at.
        noise.append(tf.slice(steps, (0, 0, first % GROUP), (rows, 3, columns)))
    return tuple(noise)


def _planes(field):
    return tf.transpose(field, (0, 2, 1, 3))


def _of(variance, noise):
    """What `cut_normal` cuts, as float32 planes of this variance."""
    return NORMAL_STEP * tf.sqrt(variance) * tf.cast(_planes(tf.stack(noise)), tf.float32)


def gaussian_noise(pixels, variance, *noise):
    """White noise added to each channel."""
    return tf.clip_by_value(around(pixels, 0) + _of(variance, noise), 0.0, 1.0)


def ycbcr_noise(pixels, variance, *noise):
    """White noise added to Y, Cb and Cr.

    The conversion is linear, so that the noise alone is converted and added to RGB.
    """
    mixed = mix(_of(variance, noise), 255.0 * np.linalg.inv(_YCBCR_FROM_RGB))
    return tf.clip_by_value(around(pixels, 0) + mixed, 0.0, 1.0)


def multiplicative_noise(pixels, variance, *noise):
    """White noise times the photo, added to it."""
    image = around(pixels, 0)
    return tf.clip_by_value(image + image * _of(variance, noise), 0.0, 1.0)


def draw_uniform(seed, probability, photo):  # noqa: ARG001
    """One random whole number a pixel: int16 `(photo.rows, 1, W + 2 RIM)` of `uniform_field`."""
    return uniform_field(seed, photo.first_row, photo.rows, _columns(photo))


def cut_uniform(windows, value, drawn):  # noqa: ARG001
    """The random numbers of windows: an int16 tensor `(T, rows, 1, columns)`."""
    return (windows.field(drawn),)


def impulse_noise(pixels, probability, chance):
    """Pixels turned black or white, each with half of the probability."""
    chance = _planes(chance)
    kept = tf.where(chance < uniform_quantile(probability), 0.0, around(pixels, 0))
    return tf.where(chance < uniform_quantile(0.5 * probability), 1.0, kept)


def draw_denoise(seed, variance, photo):
    """The noise, and by a fair coin the kernel that is to remove it.

    Args:
        seed: int32 tensor `(2,)`.
        variance: of the noise.
        photo: the `Photo`.

    Returns:
        what `draw_normal` makes, with a margin of 9 px, and the kernel `(19,)`: a Gaussian of
        sigma 3, or 5 px of a box.
    """
    seeds = tf.random.split(seed, 2)
    gaussian = gaussian_kernel(_GAUSSIAN_SIGMA, DENOISE_RADIUS)
    middle = tf.abs(tf.range(-DENOISE_RADIUS, DENOISE_RADIUS + 1)) <= _BOX_RADIUS
    box = tf.cast(middle, tf.float32) / (2 * _BOX_RADIUS + 1)
    kernel = tf.where(tf.random.stateless_uniform((), seeds[1]) < 0.5, gaussian, box)
    return draw_normal(seeds[0], variance, photo, DENOISE_RADIUS), kernel


DENOISE_RADIUS = 9
"""Three standard deviations of the wider of the two kernels."""


def cut_denoise(windows, variance, drawn):
    """The kernel, and the noise of windows as `cut_normal` makes it."""
    noise_drawn, kernel = drawn
    noise = cut_normal(windows, variance, noise_drawn, DENOISE_RADIUS)
    return tf.ensure_shape(kernel, (2 * DENOISE_RADIUS + 1,)), *noise


def denoise(pixels, variance, kernel, *noise):
    """White noise, 8 bits, then a blur."""
    noisy = around(pixels, DENOISE_RADIUS) + _of(variance, noise)
    levels = tf.floor(tf.clip_by_value(noisy * 255.0 + 0.5, 0.0, 255.0)) * (1 / 255)
    return filter_both(levels, kernel)
