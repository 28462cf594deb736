"""Changes of colour: in Lab, in HSV, and of one channel against the others."""

import math

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.distortion import LEVELS, WHOLE_PHOTO, Distortion, Tensors
from reiqa_tf.distortions.engine import coarse_blur, color_spaces
from reiqa_tf.distortions.engine.programs import fused, in_chunks
from reiqa_tf.distortions.engine.resampling import fill_windows
from reiqa_tf.distortions.engine.windows import RIM, Field, Photo, Windows, around, extend
from reiqa_tf.image.scaling import to_unit_range

_filled = fused(fill_windows)
"""A program of its own: each of three channels reads all that is filled."""


class ColorDiffusion(Distortion):
    """Colours that run: a and b of Lab are blurred and multiplied, L is kept.

    The Gaussian has a standard deviation of 1.5 times the level's value plus 2 px.
    """

    name = "color_diffusion"
    levels = (1, 3, 6, 8, 12)
    unit = "times the colour, blurred"

    _RADIUS = 80  # where the blur is cut off: four standard deviations of the widest
    _REACH = _RADIUS + coarse_blur.GRID_REACH
    neighbourhood = (_REACH,) * LEVELS

    def draw(self, seed: tf.Tensor, value: tf.Tensor, photo: Photo) -> Tensors:
        start = tf.maximum(photo.first_row - self._REACH, 0)
        stop = tf.minimum(photo.first_row + photo.rows + self._REACH, photo.height)

        def differences(pixels: tf.Tensor) -> tf.Tensor:
            roots = color_spaces.roots_from_rgb(pixels[:, tf.newaxis])
            return color_spaces.differences(roots)[:, 0]

        colors = in_chunks(differences, photo.planes[:, start:stop], 2)
        return coarse_blur.blur_coarsely(colors, start, 1.5 * value + 2.0, self._RADIUS)

    def prepare(self, windows: Windows, value: tf.Tensor, drawn: Tensors) -> Tensors:
        lightness = color_spaces.lightness_from_rgb(windows.inside())
        return lightness, _filled(windows.pixels, *coarse_blur.enlarge_columns(drawn, windows))

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        lightness, blurred = prepared
        # What is added to f(X), f(Y), f(Z) if f(Y) stays.
        colors = color_spaces.mix(blurred, np.array([[1, 0], [0, 0], [0, 1]]))
        return color_spaces.rgb_from_roots(lightness + value * colors)


class ColorShift(Distortion):
    """Green moved in a random direction, at the photo's edges alone."""

    name = "color_shift"
    levels = (1, 3, 6, 8, 12)
    unit = "px"
    random = True
    neighbourhood = WHOLE_PHOTO

    def draw(self, seed: tf.Tensor, value: tf.Tensor, photo: Photo) -> Tensors:
        angle = tf.random.stateless_uniform((), seed, 0.0, math.pi / 2)
        down = tf.cast(tf.round(value * tf.sin(angle)), tf.int32)
        right = tf.cast(tf.round(value * tf.cos(angle)), tf.int32)
        return down, right, edge_map(photo)

    def prepare(self, windows: Windows, value: tf.Tensor, drawn: Tensors) -> Tensors:
        down, right, edges = drawn
        margin = self.levels[-1] + RIM
        green = extend(windows.photo.planes[1:2], (margin,) * 4, "mirror", axes=(1, 2))
        moved = windows.cut(Field(green, down - margin, right - margin))
        return moved, *coarse_blur.enlarge_columns(edges, windows)

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        moved, lines, weights = prepared
        image = around(pixels)
        green = image[:, 1:2]
        blend = tf.clip_by_value(fill_windows(pixels, lines, weights), 0.0, 1.0)
        shifted = green + blend * (to_unit_range(moved) - green)
        return tf.concat([image[:, :1], shifted, image[:, 2:]], axis=1)


_LUMA = np.array([[0.2989, 0.5870, 0.1140]])
_EDGE_SIGMA, _EDGE_RADIUS = 4.0, 12


def edge_map(photo: Photo) -> Field:
    """Where a photo has edges: blurred gradient magnitude of its luma, stretched to [0, 1].

    Args:
        photo: the `Photo`.

    Returns:
        the map on the grid of `coarse_blur`, one channel in [0, 1].
    """
    luma = color_spaces.mix(to_unit_range(photo.planes), _LUMA)
    replicated = extend(luma, (1,) * 4, "edge", axes=(1, 2))
    down = replicated[:, 2:, 1:-1] - replicated[:, :-2, 1:-1]
    right = replicated[:, 1:-1, 2:] - replicated[:, 1:-1, :-2]
    magnitude = tf.sqrt(down * down + right * right)
    grid = coarse_blur.blur_coarsely(magnitude, 0, _EDGE_SIGMA, _EDGE_RADIUS)
    edges = _stretch(tf.maximum(_stretch(grid.values), 0.1))
    flat = tf.reshape(edges, (-1,))
    count = 1 + tf.cast(tf.round(0.01 * tf.cast(tf.size(edges) - 1, tf.float32)), tf.int32)
    low, high = -tf.math.top_k(-flat, count).values[-1], tf.math.top_k(flat, count).values[-1]
    edges = tf.clip_by_value(edges, low, high)
    return grid._replace(values=_stretch(edges))


def _stretch(values: tf.Tensor) -> tf.Tensor:
    lowest, highest = tf.reduce_min(values), tf.reduce_max(values)
    return tf.math.divide_no_nan(values - lowest, highest - lowest)


class HsvSaturation(Distortion):
    """S of HSV multiplied: each channel's distance below the largest is."""

    name = "hsv_saturation"
    levels = (0.4, 0.2, 0.1, 0, -0.4)
    unit = "times S of HSV"
    ordered = False

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        image = around(pixels)
        largest = tf.maximum(tf.maximum(image[:, :1], image[:, 1:2]), image[:, 2:])
        return tf.clip_by_value(largest - value * (largest - image), 0.0, 1.0)


class LabSaturation(Distortion):
    """The a and b of Lab multiplied."""

    name = "lab_saturation"
    levels = (1, 2, 3, 6, 9)
    unit = "times a and b of Lab"

    def prepare(self, windows: Windows, value: tf.Tensor, drawn: Tensors) -> Tensors:
        return color_spaces.roots_from_rgb(windows.inside())

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        lightness = prepared[:, 1:2]
        return color_spaces.rgb_from_roots(lightness + value * (prepared - lightness))
