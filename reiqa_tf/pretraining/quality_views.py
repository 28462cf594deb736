"""Pairs for the quality-aware encoder: equally distorted crops of one photo.

The recipe is Re-IQA's (Saha, Mishra and Bovik, CVPR 2023, section 3.1, and the authors' code): the
clean photo and 11 distorted versions of it, each at full and at half size, two overlapping crops
of each. Different from the authors' code: crops are exchanged correctly (theirs overwrites a part
of one with the other), a photo that is too small is mirrored instead of padded with black, and a
finished crop is rounded to the 8-bit levels of a photo, which are a quarter of the bytes to hand
on to an accelerator.
"""

import dataclasses
import functools
import typing
from collections.abc import Callable, Sequence

import tensorflow as tf

from reiqa_tf.distortions import DISTORTIONS, LEVELS, around
from reiqa_tf.distortions.engine.programs import fused, kept_whole
from reiqa_tf.distortions.engine.windows import Photo, Size, Windows, extend
from reiqa_tf.image.scaling import to_levels
from reiqa_tf.pretraining.config import QualityPairs
from reiqa_tf.pretraining.crops import draw_crop_pair, smallest_sides
from reiqa_tf.pretraining.halving import (
    first_source,
    halved_columns,
    halved_rows,
    source_span,
    tap_weights,
)

SCALES = 2
CLEAN = -1
"""Stands for the clean version in a plan, however many distortions there are."""


class QualityPlan(typing.NamedTuple):
    """What is random in the views of one photo; V versions.

    Attributes:
        distortions: int32 `(V,)`: places in `DISTORTIONS`, `CLEAN` first.
        levels: int32 `(V,)`, 0 to 4.
        seeds: int32 `(V, 2)`.
        tops: int32 `(2, 2)`: first rows of both crops at full and at half size.
        lefts: int32 `(2, 2)`: first columns, likewise.
        swapped: bool `(2, V)`: where the first crop is the key and the second one the query.
    """

    distortions: tf.Tensor
    levels: tf.Tensor
    seeds: tf.Tensor
    tops: tf.Tensor
    lefts: tf.Tensor
    swapped: tf.Tensor


@dataclasses.dataclass(frozen=True)
class QualityViews(QualityPairs):
    """Makes pairs of crops for the quality-aware encoder from one photo.

    Its numbers, and what they are by default, are those of `QualityPairs`.

    Raises:
        ValueError: if a number is out of its range.

    Example:
    ```text
    from reiqa_tf import read_image
    from reiqa_tf.pretraining.quality_views import QualityViews

    views = QualityViews()
    queries, keys = views(read_image("photo.jpg"), seed=(0, 1))  # (24, 160, 160, 3), 0 to 255
    ```
    """

    def __post_init__(self) -> None:
        if not 1 <= self.levels_each <= LEVELS:
            raise ValueError(
                f"Expected 1 to {LEVELS} levels of each distortion. Received: {self.levels_each}"
            )
        if not 1 <= self.distorted <= len(DISTORTIONS) or self.distorted % 2 == 0:
            raise ValueError(
                f"Expected an odd number of distorted versions from 1 to {len(DISTORTIONS)}. "
                f"Received: {self.distorted}"
            )
        if self.patch < 32 or self.patch % 2:
            raise ValueError(
                f"Expected an even side of a crop of at least 32 px. Received: {self.patch}"
            )

    @property
    def versions(self) -> int:
        """Versions of a photo, the clean one included."""
        return self.distorted + 1

    @property
    def pairs(self) -> int:
        """Pairs that one photo gives."""
        return SCALES * self.versions

    def __call__(
        self, photo: tf.Tensor, seed: Sequence[int] | tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes all pairs of one photo.

        Args:
            photo: tensor `(H, W, 3)`, 8-bit levels or float32 in [0, 1].
            seed: two integers, of the photo in this epoch.

        Returns:
            queries and keys, uint8 `(pairs, patch, patch, 3)` each, full before half size, version
            after version.
        """
        photo = self.enlarged(photo)
        return self.apply(photo, self.draw(seed, tf.shape(photo)[0], tf.shape(photo)[1]))

    def enlarged(self, photo: tf.Tensor) -> tf.Tensor:
        """Mirrors a photo that is too small at its borders, as little as the crops need.

        Args:
            photo: tensor `(H, W, 3)`.

        Returns:
            tensor `(H', W', 3)`, the photo in its middle.
        """
        size = tf.shape(photo)
        height, width = smallest_sides(size[0] // 2, size[1] // 2, self.patch)
        span = source_span(self.patch)
        down = tf.maximum(tf.maximum(2 * height, span) - size[0], 0)
        right = tf.maximum(tf.maximum(2 * width, span) - size[1], 0)
        return tf.cond(
            (down > 0) | (right > 0),
            lambda: extend(
                photo, (down // 2, down - down // 2, right // 2, right - right // 2), "mirror"
            ),
            lambda: photo,
        )

    def draw(self, seed: Sequence[int] | tf.Tensor, height: Size, width: Size) -> QualityPlan:
        """Draws what is random in the pairs of one photo.

        Args:
            seed: two integers, of the photo in this epoch.
            height: height of the photo, as `enlarged` makes it.
            width: its width.

        Returns:
            the `QualityPlan`.
        """
        seeds = tf.random.split(tf.convert_to_tensor(seed, tf.int32), 6)
        chosen = -(-self.distorted // self.levels_each)
        distortions = _shuffled(seeds[0], len(DISTORTIONS))[:chosen]
        distortions = tf.repeat(distortions, self.levels_each)[: self.distorted]
        levels = _shuffled(seeds[1], (1 + chosen, LEVELS))[:, : self.levels_each]
        of_distorted = tf.reshape(levels[1:], [-1])[: self.distorted]
        full = draw_crop_pair(seeds[2], height, width, self.patch)
        half = draw_crop_pair(seeds[3], height // 2, width // 2, self.patch)
        swapped = _shuffled(seeds[4], self.versions) < self.versions // 2
        swapped = tf.stack([swapped, ~swapped])
        return QualityPlan(
            distortions=tf.concat([[CLEAN], distortions], 0),
            levels=tf.concat([levels[0, -1:], of_distorted], 0),
            seeds=tf.random.split(seeds[5], self.versions),
            tops=tf.stack([full.tops, half.tops]),
            lefts=tf.stack([full.lefts, half.lefts]),
            swapped=swapped,
        )

    def apply(self, photo: tf.Tensor, plan: QualityPlan) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes the pairs that a plan says. Pixels depend on the photo and the plan alone.

        Only the crops and the neighbourhoods that the operators declare are distorted.

        Args:
            photo: tensor `(H, W, 3)`, as `enlarged` makes it.
            plan: the `QualityPlan`.

        Returns:
            as `__call__`.
        """
        source = Photo(photo)
        (full_tops, half_tops), (full_lefts, half_lefts) = map(tf.unstack, (plan.tops, plan.lefts))
        groups = (
            _windows(source, full_tops, full_lefts, self.patch),
            _windows(
                source,
                first_source(half_tops, source.height),
                first_source(half_lefts, source.width),
                source_span(self.patch),
            ),
        )
        row_weights = tap_weights(half_tops, source.height, self.patch)
        column_weights = tap_weights(half_lefts, source.width, self.patch)

        def pairs_of_version(version: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, tf.Tensor]:
            distortion, level, seed, swapped = version
            full, sources = tf.switch_case(
                distortion % (len(DISTORTIONS) + 1), _branches(groups, level, seed)
            )
            return _pairs(full, halved_rows(sources, row_weights), column_weights, swapped)

        queries, keys = tf.map_fn(
            pairs_of_version,
            (plan.distortions, plan.levels, plan.seeds, tf.transpose(plan.swapped)),
            fn_output_signature=2 * (tf.TensorSpec((SCALES, self.patch, self.patch, 3), tf.uint8),),
            parallel_iterations=1,
        )
        shape = (self.pairs, self.patch, self.patch, 3)
        return tf.reshape(queries, shape), tf.reshape(keys, shape)


def _windows(source: Photo, tops: tf.Tensor, lefts: tf.Tensor, side: int) -> Windows:
    return Windows(source, tf.unstack(tops, 2), tf.unstack(lefts, 2), side, side)


def _branches(
    groups: Sequence[Windows], level: tf.Tensor, seed: tf.Tensor
) -> list[Callable[[], list[tf.Tensor]]]:
    """For each distortion, and last for the clean version, a function that makes its planes."""
    branches: list[Callable[[], list[tf.Tensor]]] = [
        functools.partial(distortion.distort, groups, level, seed) for distortion in DISTORTIONS
    ]
    branches.append(lambda: [around(windows.pixels) for windows in groups])
    return [kept_whole(branch) for branch in branches]


@fused
def _pairs(
    full: tf.Tensor, rows: tf.Tensor, column_weights: tf.Tensor, swapped: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Query and key at both scales, channels last, 8-bit levels."""
    half = halved_columns(rows, column_weights)
    ordered = [
        tf.where(swapped[scale], planes[::-1], planes)
        for scale, planes in enumerate((to_levels(full), to_levels(half)))
    ]
    return tuple(
        tf.stack([tf.transpose(planes[i], (1, 2, 0)) for planes in ordered]) for i in range(2)
    )


def _shuffled(seed: tf.Tensor, shape: int | tuple[int, ...]) -> tf.Tensor:
    """The integers from 0 to n - 1 in random orders along the last axis, n long."""
    return tf.argsort(tf.random.stateless_uniform(tf.TensorShape(shape), seed))
