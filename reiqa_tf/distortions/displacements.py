"""Pixels taken from beside their place."""

import functools
import math
import operator
from collections.abc import Callable

import tensorflow as tf

from reiqa_tf.distortions.distortion import Distortion, Tensors
from reiqa_tf.distortions.engine.filters import shifted_both
from reiqa_tf.distortions.engine.programs import fused
from reiqa_tf.distortions.engine.random_fields import LARGEST_NORMAL, NORMAL_STEP, normal_field
from reiqa_tf.distortions.engine.resampling import cubic
from reiqa_tf.distortions.engine.windows import RIM, Photo, Windows
from reiqa_tf.image.scaling import to_unit_range

_ROUNDS = 5


class Jitter(Distortion):
    """Five times in a row, every pixel is taken from a place displaced by white noise.

    Values between pixels are Keys' cubic convolution (a = -0.5), edges mirrored. The published code
    has SciPy's cubic splines, which keep more of the noise that former rounds left between
    neighbours: on a ramp, five rounds of them displace by 0.110, 0.213, 0.397, 0.928 and 1.805 px
    (standard deviations, level by level), five rounds of these by 0.110, 0.209, 0.375, 0.851 and
    1.650 px. Splines would take a recursive filter over the photo before each round. A sharper
    kernel of the same cost (a = -0.6) displaces by 0.127, 0.234, 0.403, 0.875 and 1.692 px: closer
    at the high levels, farther off at the low ones.
    """

    name = "jitter"
    levels = (0.05, 0.1, 0.2, 0.5, 1)
    unit = "px, standard deviation"
    random = True

    # How far a round looks: cubic convolution reads one pixel more than the displacement, and one
    # more than that where it is rounded down.
    sizes = tuple([math.ceil(deviation * LARGEST_NORMAL) + 1 for deviation in levels])
    neighbourhood = tuple([5 * reach for reach in sizes])

    def draw(self, seed: tf.Tensor, value: tf.Tensor, photo: Photo) -> Tensors:
        # Two numbers a pixel and round, down and right, between rows and columns: so one round of
        # a window is cut out in whole lines.
        return normal_field(seed, photo, 2 * _ROUNDS, self.neighbourhood[-1])

    def prepare(self, windows: Windows, value: tf.Tensor, drawn: Tensors) -> Tensors:
        reach, margin = self.size, _ROUNDS * self.size
        image = to_unit_range(windows.cut(windows.photo.beyond(margin + RIM, "mirror"), margin))
        # The first round displaces all pixels but the outermost, the next ones less and less.
        steps = windows.cut(drawn, margin - reach)
        for number in range(_ROUNDS):
            inner = slice(number * reach, -number * reach or None)
            of_round = steps[:, inner, 2 * number : 2 * number + 2, inner]
            image = _displace_by(reach)(image, of_round, value)
        return image

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        return tf.clip_by_value(prepared, 0.0, 1.0)


@functools.cache
def _displace_by(reach: int) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    """A compiled round of displacement by less than `reach` - 1 px.

    The problem: to look up the four by four pixels that count at each place cannot be done in
    vectors. So all pixels that may count are read, most with a weight of 0.

    Args:
        reach: how far a round looks, at least 2.

    Returns:
        function of a float32 image `(T, 3, H + 2 reach, W + 2 reach)`, int8 displacements
        `(T, H, 2, W)`
        in `NORMAL_STEP` of the deviation, and the deviation in pixels, that returns a float32
        image `(T, 3, H, W)`.
    """

    def displace(image: tf.Tensor, steps: tf.Tensor, deviation: tf.Tensor) -> tf.Tensor:
        displacements = NORMAL_STEP * deviation * tf.cast(steps, tf.float32)[:, tf.newaxis]
        down, right = (
            [cubic(part - place) for place in range(-reach, reach + 1)]
            for part in tf.unstack(displacements, axis=3)
        )
        return sum(
            weight * sum(map(operator.mul, right, line))
            for weight, line in zip(down, shifted_both(image, len(down)), strict=True)
        )

    return fused(displace, open_axes=((2, 3), (1, 3), ()))  # one trace for five rounds
