"""Photos at their own size: cut into tiles, whose features are merged. Nothing here needs Keras."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from PIL import Image

from reiqa_tf.image.reading import MAX_PIXELS, open_image
from reiqa_tf.scoring.scorer import PhotoSource

TILE_SIDE = 1024
"""Largest side in pixels of the tiles that a photo is cut into when it is scored at native size."""

VARIANCE_FLOOR = 1e-6
"""Added to variances: keeps the gradient of the square root finite where a channel is constant."""

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right and bottom of a tile in pixels."""


FeaturesOfEach: TypeAlias = Callable[[Callable[[int], np.ndarray], int], Iterable[np.ndarray]]
"""Function from a function that cuts the picture of a number, uint8 `(H, W, 3)`, and from how many
pictures there are, to the features `(F,)` of each, in that order."""


class FeatureBlock(NamedTuple):
    """What was pooled from the maps of one stage at one scale.

    Attributes:
        numbers: how many features a channel gives: 1, its mean; 2, also its standard deviation; 3,
            also its mean over the middle of the photo. The means of all channels come first.
        channels: how many channels there are.
    """

    numbers: int
    channels: int


def tiles(width: int, height: int, side: int) -> list[Box]:
    """Cuts a picture into a grid of nearly equal tiles.

    Args:
        width: width in pixels.
        height: height in pixels.
        side: largest side of a tile in pixels.

    Returns:
        list of boxes `(left, top, right, bottom)`, row by row, that cover every pixel once.
    """
    columns, rows = -(-width // side), -(-height // side)
    xs = [width * i // columns for i in range(columns + 1)]
    ys = [height * i // rows for i in range(rows + 1)]
    return [(xs[i], ys[j], xs[i + 1], ys[j + 1]) for j in range(rows) for i in range(columns)]


def merge_tiles(
    features: np.ndarray, boxes: Sequence[Box], blocks: Sequence[FeatureBlock]
) -> np.ndarray:
    """Features of a photo from those of its tiles, as if their maps were one.

    Means and deviations are exact. Of a tile that lies partly in the middle of the photo only its
    mean is known, which stands for that part, too.

    Args:
        features: array `(T, F)`, one row a tile.
        boxes: T boxes of the tiles, which cover the photo.
        blocks: what the features are, in their order.

    Returns:
        float32 array `(F,)`.

    Raises:
        ValueError: if the blocks are those of another number of features.
    """
    features = np.asarray(features, np.float64)
    if features.shape[1] != sum(numbers * channels for numbers, channels in blocks):
        raise ValueError(f"blocks: not those of {features.shape[1]} features. Received: {blocks}")
    shares, middle_shares = _shares_of_tiles(np.asarray(boxes, np.float64))
    merged: list[np.ndarray] = []
    start = 0
    for numbers, channels in blocks:
        block = features[:, start : start + numbers * channels]
        start += numbers * channels
        means, *others = np.split(block, numbers, axis=1)
        mean = shares @ means
        merged.append(mean)
        if others:
            second_moment = shares @ (others[0] ** 2 + means**2)
            merged.append(np.sqrt(np.maximum(second_moment - mean**2, VARIANCE_FLOOR)))
        if others[1:]:
            merged.append(middle_shares @ means)
    return np.concatenate(merged).astype(np.float32)


def native_features(
    photo: PhotoSource,
    features_of_each: FeaturesOfEach,
    blocks: Sequence[FeatureBlock],
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """Features of a photo at its own size, in memory that does not grow with it.

    A photo larger than `TILE_SIDE` is cut into a grid of nearly equal tiles. A tile does not see
    over its edge; what that changes is small beside the photo, but not nothing.

    Args:
        photo: path, bytes of a file, array or `PIL.Image`, as `read_image` takes them.
        features_of_each: computes the features of the tiles.
        blocks: what the features are; see `merge_tiles`.
        max_pixels: most pixels that a photo's file may have; see `read_image`.

    Returns:
        float32 array `(F,)`.

    Raises:
        ImageError: if the photo cannot be read.
    """
    picture = open_image(photo, max_pixels=max_pixels)
    boxes = tiles(picture.width, picture.height, TILE_SIDE)
    cut = functools.partial(_cut, picture, boxes)
    rows = list(features_of_each(cut, len(boxes)))
    return rows[0] if len(rows) == 1 else merge_tiles(np.stack(rows), boxes, blocks)


def in_turn(compute: Callable[[np.ndarray], np.ndarray]) -> FeaturesOfEach:
    """Computes the features of one picture after the other.

    Args:
        compute: function from uint8 `(1, H, W, 3)` to features `(1, F)`.

    Returns:
        what `native_features` takes.
    """

    def features_of_each(picture: Callable[[int], np.ndarray], count: int) -> Iterator[np.ndarray]:
        for number in range(count):
            yield np.asarray(compute(picture(number)[None]))[0]

    return features_of_each


def _cut(picture: Image.Image, boxes: Sequence[Box], number: int) -> np.ndarray:
    return np.asarray(picture.crop(boxes[number]))


def _shares_of_tiles(boxes: np.ndarray) -> np.ndarray:
    """The shares that tiles have in the area of the photo and of its middle."""
    size = boxes[:, 2:].max(axis=0)
    starts = np.stack([boxes[:, :2], np.maximum(boxes[:, :2], size / 4)])
    ends = np.stack([boxes[:, 2:], np.minimum(boxes[:, 2:], size * 3 / 4)])
    areas = np.maximum(ends - starts, 0).prod(axis=-1)
    return areas / areas.sum(axis=1, keepdims=True)
