"""Changes of colour: in Lab, in HSV, and of one channel against the others."""

import math

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.coarse_blur import GRID_REACH, blur_coarsely, enlarge
from reiqa_tf.distortions.color_spaces import (
    differences_from_rgb,
    lightness_from_rgb,
    mix,
    rgb_from_roots,
    roots_from_rgb,
)
from reiqa_tf.distortions.filters import gaussian_radius
from reiqa_tf.distortions.fusing import fused, in_chunks
from reiqa_tf.distortions.resampling import fill_windows
from reiqa_tf.distortions.windows import MARGIN, RIM, around, extend, trimmed
from reiqa_tf.image.scaling import to_unit_range

_LARGEST_SHIFT = 12
_EDGE_SIGMA = 4.0
_LUMA = np.array([[0.2989, 0.5870, 0.1140]])
_DIFFUSION_RADIUS = 80
"""Where the blur of `color_diffusion` is cut off: four standard deviations of the widest."""

DIFFUSION_REACH = _DIFFUSION_RADIUS + GRID_REACH


def _diffusion_sigma(amount):
    return 1.5 * amount + 2.0


def draw_diffusion(seed, amount, photo):  # noqa: ARG001
    """The blurred colours of a photo, on a coarse grid: measured once for all windows.

    Args:
        seed: not used, nothing is random.
        amount: of the diffusion.
        photo: the `Photo`.

    Returns:
        the `CoarseGrid` of a / 500 and -b / 200 of Lab.
    """
    start = tf.maximum(photo.first_row - DIFFUSION_REACH, 0)
    stop = tf.minimum(photo.first_row + photo.rows + DIFFUSION_REACH, photo.height)
    colors = in_chunks(_color_differences, photo.planes[:, start:stop], 2)
    return blur_coarsely(colors, start, _diffusion_sigma(amount), _DIFFUSION_RADIUS)


def _color_differences(pixels):
    return differences_from_rgb(pixels[:, tf.newaxis])[:, 0]


def cut_diffusion(windows, amount, drawn):  # noqa: ARG001
    """Windows of f(Y) and of the blurred colours."""
    lightness = lightness_from_rgb(trimmed(windows.pixels, MARGIN))
    return lightness, _filled(windows.pixels, *enlarge(drawn, windows))


_filled = fused(fill_windows)
"""A program of its own: each of three channels reads all that is filled."""


def color_diffusion(pixels, amount, lightness, blurred):  # noqa: ARG001
    """Blurs a and b of Lab and multiplies them by `amount`; L is kept."""
    return rgb_from_roots(lightness + amount * mix(blurred, _FROM_DIFFERENCES))


_FROM_DIFFERENCES = np.array([[1, 0], [0, 0], [0, 1]])
"""What these add to f(X), f(Y), f(Z) if f(Y) stays."""


def cut_roots(windows, value, drawn):  # noqa: ARG001
    """Windows of the cube roots of Lab."""
    return (roots_from_rgb(trimmed(windows.pixels, MARGIN)),)


def lab_saturation(pixels, factor, roots):  # noqa: ARG001
    """Multiplies a and b of Lab by `factor`."""
    lightness = roots[:, 1:2]
    return rgb_from_roots(lightness + factor * (roots - lightness))


def hsv_saturation(pixels, factor):
    """S of HSV multiplied by `factor`: each channel's distance below the largest is."""
    image = around(pixels, 0)
    value = tf.maximum(tf.maximum(image[:, :1], image[:, 1:2]), image[:, 2:])
    return tf.clip_by_value(value - factor * (value - image), 0.0, 1.0)


def draw_shift(seed, amount, photo):
    """Where green moves, and the photo's edge map, which takes all of the photo to make.

    Args:
        seed: int32 tensor `(2,)`.
        amount: length of the shift in pixels.
        photo: the `Photo`.

    Returns:
        int32 shifts downwards and to the right, and the edge map as `CoarseGrid` in [0, 1].
    """
    angle = tf.random.stateless_uniform((), seed, 0.0, math.pi / 2)
    down = tf.cast(tf.round(amount * tf.sin(angle)), tf.int32)
    right = tf.cast(tf.round(amount * tf.cos(angle)), tf.int32)
    return down, right, edge_map(photo)


def edge_map(photo):
    """Where a photo has edges: blurred gradient magnitude of its luma, stretched to [0, 1].

    Args:
        photo: the `Photo`.

    Returns:
        the `CoarseGrid` of the map, one channel in [0, 1].
    """
    luma = mix(to_unit_range(photo.planes), _LUMA)[0]
    down, right = _central_difference(luma, 0), _central_difference(luma, 1)
    magnitude = tf.sqrt(down * down + right * right)[tf.newaxis]
    grid = blur_coarsely(magnitude, 0, _EDGE_SIGMA, gaussian_radius(_EDGE_SIGMA))
    edges = _stretch(tf.maximum(_stretch(grid.values), 0.1))
    low, high = -_upper_end(-edges, 0.01), _upper_end(edges, 0.01)
    return grid._replace(values=_stretch(tf.clip_by_value(edges, low, high)))


def _stretch(values):
    lowest, highest = tf.reduce_min(values), tf.reduce_max(values)
    return tf.math.divide_no_nan(values - lowest, highest - lowest)


def _upper_end(values, part):
    """The value from which on this part of all values lies. No others need be sorted for that."""
    last = tf.cast(tf.size(values) - 1, tf.float32)
    count = tf.cast(tf.round(last * part), tf.int32) + 1
    return tf.math.top_k(tf.reshape(values, (-1,)), count).values[-1]


def _central_difference(plane, axis):
    """Next pixel minus the one before, edges replicated."""
    size = tf.shape(plane)[axis]
    before, first = tf.split(plane, (size - 1, 1), axis)[0], tf.split(plane, (1, size - 1), axis)[0]
    after, last = tf.split(plane, (1, size - 1), axis)[1], tf.split(plane, (size - 1, 1), axis)[1]
    return tf.concat([after, last], axis) - tf.concat([first, before], axis)


def cut_shift(windows, amount, drawn):  # noqa: ARG001
    """Green from where it moves, and how much of it: float32 `(T, 1, rows, columns)` each."""
    down, right, edges = drawn
    margin = _LARGEST_SHIFT + RIM
    green = extend(windows.photo.planes[1], (margin,) * 4, "mirror")
    moved = tf.stack(
        [
            tf.slice(
                green, (top + margin - down, left + margin - right), (windows.rows, windows.columns)
            )
            for top, left in zip(windows.tops, windows.lefts, strict=True)
        ]
    )
    return moved[:, tf.newaxis], *enlarge(edges, windows)


def color_shift(pixels, amount, moved, lines, weights):  # noqa: ARG001
    """Green moved by `amount` px in a drawn direction, at the photo's edges alone."""
    image = around(pixels, 0)
    green = image[:, 1:2]
    blend = tf.clip_by_value(fill_windows(pixels, lines, weights), 0.0, 1.0)
    shifted = green + blend * (to_unit_range(moved) - green)
    return tf.concat([image[:, :1], shifted, image[:, 2:]], axis=1)
