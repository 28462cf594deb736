"""Pairs for the content-aware encoder: the augmentations of MoCo-v2.

Numbers: Chen, Fan, Girshick and He, "Improved Baselines with Momentum Contrastive Learning" (arXiv
2003.04297) and its code: random resized crop of scale .2 to 1, colour jitter .4, .4, .4, .1 with
p .8, grey with p .2, blur of sigma .1 to 2 with p .5, flip with p .5.
"""

import dataclasses
import math
import typing
from collections.abc import Sequence

import tensorflow as tf

from reiqa_tf.distortions.engine.filters import correlate_both, gaussian_kernel
from reiqa_tf.distortions.engine.windows import Size, extend
from reiqa_tf.image.scaling import to_levels, to_unit_range
from reiqa_tf.pretraining.config import ContentPairs

VIEWS = 2

_SCALES = (0.2, 1.0)
_RATIOS = (3 / 4, 4 / 3)
_TRIES = 10
_BRIGHTNESS = _CONTRAST = _SATURATION = 0.4
_HUE = 0.1
_JITTERED = 0.8
_GREY = 0.2
_BLURRED = 0.5
_FLIPPED = 0.5
_SIGMAS = (0.1, 2.0)
_RADIUS = 6
_LUMA = (0.299, 0.587, 0.114)


class ContentPlan(typing.NamedTuple):
    """What is random in the two views of one photo; each tensor has one entry a view.

    Attributes:
        boxes: int32 `(2, 4)`: top, left, height and width of the crop in pixels.
        jittered: bool `(2,)`: whether colours are jittered.
        orders: int32 `(2, 4)`: the order of brightness (0), contrast, saturation and hue (3).
        amounts: float32 `(2, 4)`: three factors about 1, and a part of the colour circle.
        grey: bool `(2,)`.
        sigmas: float32 `(2,)`: of the blur in pixels; 0 for none.
        flipped: bool `(2,)`: left and right exchanged.
    """

    boxes: tf.Tensor
    jittered: tf.Tensor
    orders: tf.Tensor
    amounts: tf.Tensor
    grey: tf.Tensor
    sigmas: tf.Tensor
    flipped: tf.Tensor


@dataclasses.dataclass(frozen=True)
class ContentViews(ContentPairs):
    """Makes a pair of views for the content-aware encoder from one photo.

    Its number, and what it is by default, is that of `ContentPairs`.

    Raises:
        ValueError: if it is out of its range.

    Example:
    ```python
    from reiqa_tf import read_image
    from reiqa_tf.pretraining.content_views import ContentViews

    views = ContentViews(patch=224)
    query, key = views(read_image("photo.jpg"), seed=(0, 1))  # (1, 224, 224, 3), levels 0 to 255
    ```
    """

    def __post_init__(self) -> None:
        if self.patch < 32:
            raise ValueError(f"Expected a side of a view of at least 32 px. Received: {self.patch}")

    @property
    def pairs(self) -> int:
        """Pairs that one photo gives."""
        return 1

    def __call__(
        self, photo: tf.Tensor, seed: Sequence[int] | tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes the pair of one photo.

        Args:
            photo: tensor `(H, W, 3)`, 8-bit levels or float32 in [0, 1].
            seed: two integers, of the photo in this epoch.

        Returns:
            query and key, uint8 `(1, patch, patch, 3)` each.
        """
        return self.apply(photo, self.draw(seed, tf.shape(photo)[0], tf.shape(photo)[1]))

    def draw(self, seed: Sequence[int] | tf.Tensor, height: Size, width: Size) -> ContentPlan:
        """Draws what is random in the pair of one photo.

        Args:
            seed: two integers, of the photo in this epoch.
            height: height of the photo.
            width: its width.

        Returns:
            the `ContentPlan`.
        """
        seeds = tf.random.split(tf.convert_to_tensor(seed, tf.int32), VIEWS)
        views = [_draw_view(of_view, height, width) for of_view in tf.unstack(seeds)]
        return ContentPlan(*(tf.stack(part) for part in zip(*views, strict=True)))

    def apply(self, photo: tf.Tensor, plan: ContentPlan) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes the pair that a plan says. Pixels depend on the photo and the plan alone.

        Args:
            photo: tensor `(H, W, 3)`.
            plan: the `ContentPlan`.

        Returns:
            as `__call__`.
        """
        query, key = (
            self._view(photo, ContentPlan(*(part[i] for part in plan)))[tf.newaxis]
            for i in range(VIEWS)
        )
        return query, key

    def _view(self, photo: tf.Tensor, view: ContentPlan) -> tf.Tensor:
        top, left, height, width = tf.unstack(view.boxes)
        image = to_unit_range(tf.slice(photo, (top, left, 0), (height, width, 3)))
        image = tf.image.resize(image, (self.patch, self.patch), "bilinear", antialias=True)
        image = tf.cond(
            view.jittered, lambda: _jitter(image, view.orders, view.amounts), lambda: image
        )
        image = tf.cond(view.grey, lambda: tf.repeat(_grey(image), 3, axis=-1), lambda: image)
        image = tf.cond(view.sigmas > 0, lambda: _blur(image, view.sigmas), lambda: image)
        image = tf.cond(view.flipped, lambda: image[:, ::-1], lambda: image)
        image = to_levels(tf.clip_by_value(image, 0.0, 1.0))
        return tf.ensure_shape(image, (self.patch, self.patch, 3))


def _draw_view(seed: tf.Tensor, height: Size, width: Size) -> ContentPlan:
    seeds = tf.unstack(tf.random.split(seed, 8))
    uniform = tf.random.stateless_uniform
    spread = tf.constant([_BRIGHTNESS, _CONTRAST, _SATURATION, _HUE])
    middle = tf.constant([1.0, 1.0, 1.0, 0.0])
    return ContentPlan(
        boxes=_draw_box(seeds[0], height, width),
        jittered=uniform((), seeds[1]) < _JITTERED,
        orders=tf.argsort(uniform((4,), seeds[2])),
        amounts=middle + spread * uniform((4,), seeds[3], -1.0, 1.0),
        grey=uniform((), seeds[4]) < _GREY,
        sigmas=tf.where(
            uniform((), seeds[5]) < _BLURRED, uniform((), seeds[6], *_SIGMAS), tf.constant(0.0)
        ),
        flipped=uniform((), seeds[7]) < _FLIPPED,
    )


def _draw_box(seed: tf.Tensor, height: Size, width: Size) -> tf.Tensor:
    """A part of the photo's area of some aspect ratio; the first of ten tries that fits in.

    If none does, the largest part from the middle whose aspect ratio is allowed.
    """
    seeds = tf.unstack(tf.random.split(seed, 4))
    uniform = tf.random.stateless_uniform
    tall, wide = tf.cast(height, tf.float32), tf.cast(width, tf.float32)
    area = tall * wide * uniform((_TRIES,), seeds[0], *_SCALES)
    ratio = tf.exp(uniform((_TRIES,), seeds[1], *map(math.log, _RATIOS)))
    widths = tf.cast(tf.round(tf.sqrt(area * ratio)), tf.int32)
    heights = tf.cast(tf.round(tf.sqrt(area / ratio)), tf.int32)
    fits = (widths <= width) & (heights <= height) & (widths > 0) & (heights > 0)
    first = tf.argmax(fits)
    any_fits = tf.reduce_any(fits)
    largest_width = tf.minimum(width, tf.cast(tf.round(tall * _RATIOS[1]), tf.int32))
    largest_height = tf.minimum(height, tf.cast(tf.round(wide / _RATIOS[0]), tf.int32))
    box_height = tf.where(any_fits, heights[first], largest_height)
    box_width = tf.where(any_fits, widths[first], largest_width)
    room_down, room_right = height - box_height, width - box_width
    top = uniform((), seeds[2], 0, room_down + 1, tf.int32)
    left = uniform((), seeds[3], 0, room_right + 1, tf.int32)
    top = tf.where(any_fits, top, room_down // 2)
    left = tf.where(any_fits, left, room_right // 2)
    return tf.stack([top, left, box_height, box_width])


def _jitter(image: tf.Tensor, order: tf.Tensor, amounts: tf.Tensor) -> tf.Tensor:
    changes = [
        lambda image: image * amounts[0],
        lambda image: _blend(tf.reduce_mean(_grey(image)), image, amounts[1]),
        lambda image: _blend(_grey(image), image, amounts[2]),
        lambda image: tf.image.adjust_hue(image, amounts[3]),
    ]
    for i in range(len(changes)):
        image = tf.switch_case(
            order[i],
            [
                lambda change=change, image=image: tf.clip_by_value(change(image), 0.0, 1.0)
                for change in changes
            ],
        )
    return image


def _grey(image: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(image * tf.constant(_LUMA), axis=-1, keepdims=True)


def _blend(grey: tf.Tensor, image: tf.Tensor, amount: tf.Tensor) -> tf.Tensor:
    return grey + amount * (image - grey)


def _blur(image: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    planes = tf.transpose(extend(image, (_RADIUS,) * 4, "mirror"), (2, 0, 1))
    return tf.transpose(correlate_both(planes, gaussian_kernel(sigma, _RADIUS)), (1, 2, 0))
