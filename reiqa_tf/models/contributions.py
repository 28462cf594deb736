"""What every part of a score, and every place of a photo, contributes to it; as a graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from reiqa_tf.image.scaling import half_size
from reiqa_tf.image.shapes import require_batch
from reiqa_tf.models.encoder import POOLINGS, ReIQAEncoder
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.scoring.native_size import VARIANCE_FLOOR
from reiqa_tf.scoring.parts import GRID, KINDS, SIZES, MapName, PartName
from reiqa_tf.typing import Tensor


class Contributions(NamedTuple):
    """What a score is made of, in points of the score, against the average photo.

    Attributes:
        features: float32 tensor `(N, F)`.
        parts: float32 tensor `(N, P)`, in the order of `part_names`. Their sum is the score less
            that of the average photo.
        maps: float32 tensor `(N, M, GRID, GRID)`, in the order of `map_names`: the same sum,
            spread over the photo. Rows go down, columns go right.
    """

    features: Tensor
    parts: Tensor
    maps: Tensor


def part_names(scorer: ReIQAScorer) -> list[PartName]:
    """Names of the parts that a score is the sum of, in the order of the features.

    Args:
        scorer: a `ReIQAScorer`.

    Returns:
        list of P `PartName`.
    """
    return [name for name, _ in _blocks(scorer)]


def feature_blocks(scorer: ReIQAScorer) -> dict[MapName, list[slice]]:
    """The columns of the features by expert, size and kind; one slice for each stage.

    Args:
        scorer: a `ReIQAScorer`.

    Returns:
        slices by `MapName`.
    """
    found: dict[MapName, list[slice]] = {}
    for name, columns in _blocks(scorer):
        found.setdefault(name.of_map, []).append(columns)
    return found


def map_names(scorer: ReIQAScorer) -> list[MapName]:
    """Names of the maps: the parts of all stages of an expert, a size and a kind together.

    Args:
        scorer: a `ReIQAScorer`.

    Returns:
        list of M `MapName`.
    """
    return list(dict.fromkeys(name.of_map for name in part_names(scorer)))


def contributions(
    scorer: ReIQAScorer, images: Tensor, average: np.ndarray | None = None
) -> Contributions:
    """Computes what parts and places contribute to the scores of photos.

    A mean over a map is a sum over its places, so that a place's contribution is exact. A standard
    deviation is spread by its derivative: the one by a place times how far that place is from the
    mean; these add up to the deviation. A mean over the middle is spread over the middle.

    Args:
        scorer: a built `ReIQAScorer` with a head.
        images: `(N, H, W, 3)`, RGB, floats in [0, 1] or integer levels 0 to 255.
        average: `(F,)`, the features of the average photo; zeros if None.

    Returns:
        `Contributions`.

    Raises:
        MissingHeadError: if the scorer has no head.

    Example:
    ```python
    import numpy as np
    import reiqa_tf
    from reiqa_tf.models.contributions import contributions

    scorer = reiqa_tf.load_preset("content_lite0_biq2021")
    image = reiqa_tf.read_image("photo.jpg", fit=96)[None]
    found = contributions(scorer, image)
    (score,) = scorer(image).numpy() - scorer.head.bias.numpy()
    assert np.isclose(score, found.parts.numpy().sum(), atol=1e-3)
    assert np.isclose(score, found.maps.numpy().sum(), atol=1e-3)
    ```
    """
    require_batch(images)
    kernel = tf.convert_to_tensor(scorer.fitted_head().kernel)
    reference = tf.zeros_like(kernel) if average is None else tf.constant(average, tf.float32)
    blocks = dict(_blocks(scorer))
    features: list[Tensor] = []
    sides: dict[tuple[str, int], _Sides] = {}
    places: dict[tuple[str, int], dict[MapName, list[Tensor]]] = {}
    for expert, encoder in scorer.experts().items():
        for size in SIZES[: encoder.scales]:
            pictures = images if size == "full" else half_size(images)
            stages = encoder.maps_at_one_scale(pictures, training=False)
            for stage, stage_maps in zip(encoder.stages, stages, strict=True):
                alike = size, encoder.backbone.stage_strides[stage]
                if alike not in sides:
                    sides[alike] = _Sides.of(stage_maps)
                names = [PartName(expert, size, stage, kind) for kind in _kinds(encoder)]
                weights = [kernel[blocks[name]] for name in names]
                averages = [reference[blocks[name]] for name in names]
                pooled, cells = _spread(stage_maps, sides[alike], weights, averages)
                features += pooled
                waiting = places.setdefault(alike, {})
                for name, found in zip(names, cells, strict=True):
                    waiting.setdefault(name.of_map, []).append(found)
    together = tf.concat(features, -1)
    counts = [columns.stop - columns.start for columns in blocks.values()]
    points = tf.split((together - reference) * kernel, counts, axis=-1)
    return Contributions(
        together,
        tf.stack([tf.reduce_sum(some, -1) for some in points], 1),
        _on_one_grid(places.values(), map_names(scorer)),
    )


def _on_one_grid(
    places: Iterable[Mapping[MapName, Sequence[Tensor]]], names: Sequence[MapName]
) -> Tensor:
    """Brings the places of maps to the grid, those of equal sides together.

    Each on its own, with what goes with it, was 1,400 operators more of an ONNX file, and 4 % of
    the time that onnxruntime takes for a photo.

    Args:
        places: for each sides, tensors `(N, h, w)` by name, to be added up.
        names: the order of the result.

    Returns:
        tensor `(N, M, GRID, GRID)`.
    """
    found: dict[MapName, list[Tensor]] = {name: [] for name in names}
    for alike in places:
        cells = tf.stack([tf.add_n(some) for some in alike.values()], 1)
        for name, on_grid in zip(alike, tf.unstack(_on_grid(cells), axis=1), strict=True):
            found[name].append(on_grid)
    return tf.stack([tf.add_n(some) for some in found.values()], 1)


def _kinds(encoder: ReIQAEncoder) -> tuple[str, ...]:
    return KINDS[: 1 + POOLINGS.index(encoder.pooling)]


def _blocks(scorer: ReIQAScorer) -> Iterator[tuple[PartName, slice]]:
    """The parts and where their features stand."""
    start = 0
    for expert, encoder in scorer.experts().items():
        for size in SIZES[: encoder.scales]:
            for stage in encoder.stages:
                count = encoder.backbone.stage_channels[stage]
                for kind in _kinds(encoder):
                    yield PartName(expert, size, stage, kind), slice(start, start + count)
                    start += count


class _Sides(NamedTuple):
    """The sides of a map, and of its middle.

    Attributes:
        height: number of rows.
        width: number of columns.
        top: rows above the middle, and below it.
        left: columns left of the middle, and right of it.
        count: number of places, as a float.
        middle: number of places of the middle, as a float.
    """

    height: Tensor
    width: Tensor
    top: Tensor
    left: Tensor
    count: Tensor
    middle: Tensor

    @classmethod
    def of(cls, maps: Tensor) -> _Sides:
        """The sides of maps `(N, h, w, C)`."""
        height, width = tf.unstack(tf.shape(maps)[1:3])
        top, left = height // 4, width // 4
        middle = (height - 2 * top) * (width - 2 * left)
        count, middle = (tf.cast(places, tf.float32) for places in (height * width, middle))
        return cls(height, width, top, left, count, middle)


def _spread(
    maps: Tensor, sides: _Sides, weights: list[Tensor], averages: list[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """Pools maps, and spreads the weighted sums of what was pooled over the places.

    Args:
        maps: `(N, h, w, C)`.
        sides: of these maps.
        weights: `(C,)` for each of the kinds.
        averages: features of the average photo, likewise.

    Returns:
        pair of the pooled features `(N, C)` and the contributions `(N, h, w)`, for each kind.
    """
    height, width, top, left, count, middle = sides
    bases = [tf.reduce_sum(weight * row) for weight, row in zip(weights, averages, strict=True)]
    mean = tf.reduce_mean(maps, axis=(1, 2), keepdims=True)
    pooled = [mean[:, 0, 0]]
    # All that is linear in the maps is one convolution: converters have it in their own layout.
    linear = tf.nn.conv2d(maps, tf.stack([weights[0], *weights[2:]], 1)[None, None], 1, "VALID")
    cells = [(linear[..., 0] - bases[0]) / count]
    if weights[1:]:
        # As `tf.nn.moments` has it, so that converters compute it once for features and map.
        squares = tf.math.squared_difference(maps, mean)
        deviation = tf.sqrt(tf.reduce_mean(squares, axis=(1, 2)) + VARIANCE_FLOOR)
        pooled.append(deviation)
        share = weights[1] / deviation
        spread = _weighted_sum(squares, share)
        even = VARIANCE_FLOOR * tf.reduce_sum(share, -1) - bases[1]
        cells.append((spread + even[:, None, None]) / count)
    if weights[2:]:
        pooled.append(tf.reduce_mean(maps[:, top : height - top, left : width - left], axis=(1, 2)))
        inside = linear[:, top : height - top, left : width - left, 1] - bases[2]
        cells.append(tf.pad(inside / middle, [[0, 0], [top, top], [left, left]]))
    return pooled, cells


def _weighted_sum(maps: Tensor, weights: Tensor) -> Tensor:
    """Sums of maps `(N, h, w, C)` over channels with weights `(N, C)`.

    Channels come first, as ONNX has its maps: there this is a product without a transposition.
    """
    count, height, width, channels = tf.unstack(tf.shape(maps))
    rows = tf.reshape(tf.transpose(maps, (0, 3, 1, 2)), (count, channels, height * width))
    return tf.reshape(tf.linalg.matmul(weights[:, None], rows), (count, height, width))


def _on_grid(cells: Tensor) -> Tensor:
    """Brings places `(..., h, w)` to the grid: what one holds is shared out by area, and kept."""
    height, width = tf.shape(cells)[-2], tf.shape(cells)[-1]
    down = tf.linalg.matmul(_shares(height), cells)
    return tf.linalg.matmul(down, _shares(width), transpose_b=True)


def _shares(count: Tensor) -> Tensor:
    """Shares `(GRID, count)` of each of `count` equal pieces of a side in each of `GRID` pieces.

    In whole numbers until the end: both are measured in pieces of 1 / (GRID * count).
    """
    starts = tf.range(count)[None] * GRID
    targets = tf.range(GRID)[:, None] * count
    overlap = tf.minimum(starts + GRID, targets + count) - tf.maximum(starts, targets)
    return tf.cast(tf.maximum(overlap, 0), tf.float32) / GRID
