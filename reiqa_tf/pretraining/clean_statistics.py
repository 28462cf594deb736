"""Batch normalisation measured again on photos as an encoder will see them.

Training shows an encoder small crops, most of them distorted; it is used on whole photos, at full
and at half size. Its moving averages are of the former. Measuring them again, with all weights left
alone, costs a minute and was worth 0.003 of SRCC (docs/trials.md).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageOps

from reiqa_tf.errors import ReiqaError
from reiqa_tf.image.reading import ImageError, open_image
from reiqa_tf.image.scaling import half_size
from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.normalization import batch_normalizations
from reiqa_tf.typing import PathLike

SIDE = 512
"""Side in pixels of the middle squares that photos are shrunk to; smaller ones are left out."""

BATCH = 8
"""Photos whose statistics are taken together."""


class CleanStatisticsError(ReiqaError):
    """Photos on which nothing can be measured."""


def measure_statistics(
    encoder: ReIQAEncoder,
    photos: Sequence[PathLike],
    count: int,
    seed: int = 0,
    side: int = SIDE,
) -> int:
    """Replaces moving means and variances by their averages over batches of clean photos.

    Every batch counts twice, at full and at half size.

    Args:
        encoder: a built `ReIQAEncoder`; its moving averages are replaced.
        photos: list of paths.
        count: how many of them to take, in whole batches of `BATCH`.
        seed: of the choice.
        side: of the squares that are shown, in pixels.

    Returns:
        number of photos that were measured on.

    Raises:
        CleanStatisticsError: if fewer than `BATCH` photos can be read and are large enough.

    Example:
    ```text
    measure_statistics(scorer.quality, find_photos("photos/"), count=200)
    ```
    """
    layers = batch_normalizations([encoder])
    momentums = [layer.momentum for layer in layers]
    measured = 0
    try:
        for number, batch in enumerate(_batches(photos, count, seed, side)):
            for turn, pictures in enumerate((batch, half_size(batch))):
                seen = 2 * number + turn
                for layer in layers:
                    layer.momentum = seen / (seen + 1)  # the plain average of all so far
                encoder.features_at_one_scale(pictures, training=True)
            measured += len(batch)
    finally:
        for layer, momentum in zip(layers, momentums, strict=True):
            layer.momentum = momentum
    if not measured:
        raise CleanStatisticsError(
            f"expected {BATCH} readable photos of at least {side} x {side} px among {len(photos)} "
            "to measure batch normalisation on. Give larger photos, or set clean_photos=0."
        )
    return measured


def _batches(photos: Sequence[PathLike], count: int, seed: int, side: int) -> Iterator[np.ndarray]:
    batch: list[np.ndarray] = []
    left = count // BATCH
    for index in np.random.default_rng(seed).permutation(len(photos)):
        if not left:
            return
        try:
            photo = open_image(photos[index])
        except ImageError:
            continue  # the run has named it
        if min(photo.size) < side:
            continue
        batch.append(np.asarray(ImageOps.fit(photo, (side, side), Image.Resampling.BICUBIC)))
        if len(batch) == BATCH:
            yield np.stack(batch)
            batch, left = [], left - 1
