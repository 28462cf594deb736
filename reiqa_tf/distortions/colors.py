"""Changes of colour: in Lab, in HSV, and of one channel against the others."""

import math

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.color_spaces import mix, rgb_from_roots, roots_from_rgb
from reiqa_tf.distortions.filters import (
    band_matrix,
    filter_both,
    gaussian_kernel,
    gaussian_radius,
    multiply_both,
)
from reiqa_tf.distortions.windows import edge_index
from reiqa_tf.image.scaling import to_unit_range

_LARGEST_SHIFT = 12
_EDGE_SIGMA = 4.0
_LUMA = np.array([[0.2989, 0.5870, 0.1140]])
_BINS = 4096


def diffusion_sigma(amount):
    """Standard deviation in pixels with which `color_diffusion` blurs colours."""
    return 1.5 * amount + 2.0


def color_diffusion(windows, amount, reach, drawn):  # noqa: ARG001
    """a and b of Lab blurred and multiplied by `amount`, L kept."""
    roots = roots_from_rgb(windows.pixels(reach))
    differences = roots[..., :2] - roots[..., 1:]  # a / 500 and b / 200
    kernel = gaussian_kernel(diffusion_sigma(amount), reach)
    blurred = amount * multiply_both(
        differences, band_matrix(kernel, windows.rows), band_matrix(kernel, windows.columns)
    )
    lightness = roots[:, reach : reach + windows.rows, reach : reach + windows.columns, 1:2]
    return rgb_from_roots(
        tf.concat(
            [lightness + blurred[..., :1], lightness, lightness - blurred[..., 1:]], axis=-1
        )
    )


def lab_saturation(windows, factor, reach, drawn):  # noqa: ARG001
    """a and b of Lab multiplied by `factor`."""
    roots = roots_from_rgb(windows.inside())
    lightness = roots[..., 1:2]
    return rgb_from_roots(lightness + factor * (roots - lightness))


def hsv_saturation(windows, factor, reach, drawn):  # noqa: ARG001
    """S of HSV multiplied by `factor`: each channel's distance below the largest is."""
    image = windows.inside()
    red, green, blue = tf.unstack(image, axis=-1)
    value = tf.maximum(tf.maximum(red, green), blue)[..., tf.newaxis]
    return tf.clip_by_value(value - factor * (value - image), 0.0, 1.0)


def draw_shift(seed, amount, photo):
    """Where green moves, and the photo's edge map, which takes all of the photo to make.

    Args:
        seed: int32 tensor `(2,)`.
        amount: length of the shift in pixels.
        photo: the `Photo`.

    Returns:
        int32 shifts downwards and to the right, and the edge map `(H, W, 1)` in [0, 1].
    """
    angle = tf.random.stateless_uniform((), seed, 0.0, math.pi / 2)
    down = tf.cast(tf.round(amount * tf.sin(angle)), tf.int32)
    right = tf.cast(tf.round(amount * tf.cos(angle)), tf.int32)
    return down, right, edge_map(photo.image)


def edge_map(image):
    """Where a photo has edges: blurred gradient magnitude of its luma, stretched to [0, 1].

    Args:
        image: tensor `(H, W, 3)`.

    Returns:
        float32 tensor `(H, W, 1)` in [0, 1].
    """
    luma = mix(to_unit_range(image), _LUMA)
    height, width = tf.shape(luma)[0], tf.shape(luma)[1]
    rows, columns = tf.range(height), tf.range(width)
    down = tf.gather(luma, edge_index(rows + 1, height)) - tf.gather(
        luma, edge_index(rows - 1, height)
    )
    right = tf.gather(luma, edge_index(columns + 1, width), axis=1) - tf.gather(
        luma, edge_index(columns - 1, width), axis=1
    )
    magnitude = tf.sqrt(down * down + right * right)
    radius = gaussian_radius(_EDGE_SIGMA)
    padded = tf.gather(magnitude, edge_index(tf.range(-radius, height + radius), height))
    padded = tf.gather(padded, edge_index(tf.range(-radius, width + radius), width), axis=1)
    edges = filter_both(padded[tf.newaxis], gaussian_kernel(_EDGE_SIGMA, radius))[0]
    edges = _stretch(tf.maximum(_stretch(edges), 0.1))
    return _stretch(tf.clip_by_value(edges, _percentile(edges, 1), _percentile(edges, 99)))


def _stretch(values):
    lowest, highest = tf.reduce_min(values), tf.reduce_max(values)
    return tf.math.divide_no_nan(values - lowest, highest - lowest)


def _percentile(values, percent):
    """Of numbers in [0, 1], from a histogram: sorting a photo takes longer than all the rest."""
    counts = tf.histogram_fixed_width(values, (0.0, 1.0), _BINS)
    below = tf.cumsum(counts)
    wanted = tf.cast(tf.size(values), tf.float32) * (percent / 100)
    return tf.cast(tf.searchsorted(tf.cast(below, tf.float32), [wanted])[0], tf.float32) / _BINS


def color_shift(windows, amount, reach, drawn):  # noqa: ARG001
    """Green moved by `amount` px in a drawn direction, at the photo's edges alone."""
    down, right, edges = drawn
    blend = windows.of(edges)
    pixels = windows.pixels(_LARGEST_SHIFT, "mirror")
    moved = tf.slice(
        pixels[..., 1:2],
        (0, _LARGEST_SHIFT - down, _LARGEST_SHIFT - right, 0),
        (len(windows.tops), windows.rows, windows.columns, 1),
    )
    image = windows.inside()
    green = image[..., 1:2]
    return tf.concat(
        [image[..., :1], green + blend * (moved - green), image[..., 2:]], axis=-1
    )
