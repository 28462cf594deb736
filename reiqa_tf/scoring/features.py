"""Features of many photos: read ahead in threads, computed in batches by size, cached."""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from reiqa_tf.errors import ReiqaError
from reiqa_tf.image.reading import MAX_PIXELS, ImageError, read_bytes, read_image
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import FeatureCache, photo_digest
from reiqa_tf.scoring.reading_ahead import ahead
from reiqa_tf.scoring.scorer import Outcome, PhotoSource

BATCH_SIZE = 4
"""Photos of one size that are computed together. Ours, measured: see perf/scoring.py."""

_WAITING_BATCHES = 4
"""How many batches' worth of photos may wait for others of their size."""

ComputeFeatures: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""Function from uint8 pictures `(N, H, W, 3)` to float32 features `(N, F)`."""


class FeatureScorer(Protocol):
    """A scorer that gives features; `ReIQAScorer` and `OnnxScorer` do, and give equal ones."""

    @property
    def working_size(self) -> int | None:
        """Side in pixels of the square that larger photos are shrunk to, or None."""
        ...

    @property
    def feature_count(self) -> int:
        """Number of features of one photo."""
        ...

    def compile_features(self) -> ComputeFeatures:
        """Compiles the features for inference."""
        ...


class NativeFeatureScorer(FeatureScorer, Protocol):
    """A scorer that also gives features of photos at their own size; not LiteRT's."""

    def native_features(
        self,
        photo: PhotoSource,
        compute: ComputeFeatures | None = None,
        *,
        max_pixels: int = MAX_PIXELS,
    ) -> np.ndarray:
        """Features of a photo at its own size."""
        ...


def compute_features(
    scorer: FeatureScorer,
    photos: Sequence[PhotoSource],
    cache: FeatureCache | None = None,
    batch_size: int = BATCH_SIZE,
    compute: ComputeFeatures | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[Outcome]:
    """Computes the features of many photos, in memory that does not grow with their number.

    Args:
        scorer: a built `ReIQAScorer`, or an `OnnxScorer`.
        photos: paths of the photos, bytes of their files, arrays or pictures; see `read_image`.
        cache: an open `FeatureCache`, or None.
        batch_size: most photos that are computed together.
        compute: what `scorer.compile_features` returned, for those who call often; None compiles
            anew.
        max_pixels: most pixels that a photo's file may have; see `read_image`.

    Yields:
        one `Outcome` with features for each photo, in the order in which they are finished.

    Example:
    ```python
    import reiqa_tf
    from reiqa_tf.scoring.features import compute_features

    scorer = reiqa_tf.load_preset("content_lite0_biq2021")
    for outcome in compute_features(scorer, ["photo.jpg"]):
        print(outcome.index, outcome.problem or scorer.judge_features(outcome.features[None])[0])
    ```
    """
    compute = compute or scorer.compile_features()
    waiting: dict[tuple[int, ...], list[_Read]] = collections.defaultdict(list)
    for read in _read_ahead(photos, scorer.working_size, cache, 2 * batch_size, max_pixels):
        if isinstance(read, Outcome):
            yield read
            continue
        shape = read.image.shape
        waiting[shape].append(read)
        if len(waiting[shape]) == batch_size:
            yield from _finish(waiting.pop(shape), compute, cache)
        elif sum(map(len, waiting.values())) > _WAITING_BATCHES * batch_size:
            fullest = max(waiting, key=lambda shape: len(waiting[shape]))
            yield from _finish(waiting.pop(fullest), compute, cache)
    for batch in waiting.values():
        yield from _finish(batch, compute, cache)


def compute_native_features(
    scorer: NativeFeatureScorer, photos: Sequence[PhotoSource], max_pixels: int = MAX_PIXELS
) -> Iterator[Outcome]:
    """As `compute_features`, for photos at their own size: large ones in tiles, none shrunk.

    Args:
        scorer: a built `ReIQAScorer`.
        photos: as in `compute_features`.
        max_pixels: most pixels that a photo's file may have; see `read_image`.

    Yields:
        one `Outcome` with features for each photo, in the order of the list.
    """
    compute = scorer.compile_features()
    for index, photo in enumerate(photos):
        try:
            features = scorer.native_features(photo, compute, max_pixels=max_pixels)
        except ImageError as problem:
            yield Outcome(index, problem=problem)
        else:
            yield Outcome(index, features=features)


def features_of(
    compute: ComputeFeatures, pictures: np.ndarray, cache: FeatureCache | None = None
) -> np.ndarray:
    """Features of pictures that come from no file.

    Args:
        compute: what `scorer.compile_features` returned.
        pictures: uint8 array `(N, H, W, 3)`.
        cache: an open `FeatureCache`, or None.

    Returns:
        float32 array `(N, F)`; equal pictures have equal rows, to the last bit.
    """
    digests = [
        photo_digest(repr(picture.shape).encode() + picture.tobytes()) for picture in pictures
    ]
    known: dict[str, np.ndarray] = {}
    if cache is not None:
        found = {digest: cache.get(digest) for digest in digests}
        known = {digest: row for digest, row in found.items() if row is not None}
    new = {
        digest: picture
        for digest, picture in zip(digests, pictures, strict=True)
        if digest not in known
    }
    if new:
        for digest, row in zip(new, compute(np.stack(list(new.values()))), strict=True):
            known[digest] = row
            if cache is not None:
                cache.put(digest, row)
    return np.stack([known[digest] for digest in digests])


def feature_table(
    scorer: FeatureScorer,
    photos: Sequence[PhotoSource],
    progress: Progress = silent,
    **options: Any,
) -> tuple[np.ndarray, dict[int, ReiqaError]]:
    """Gathers the features of many photos in one table.

    Args:
        scorer: a built `ReIQAScorer`, or an `OnnxScorer`.
        photos: paths of the photos, bytes of their files, arrays or pictures; see `read_image`.
        progress: shows how far the work is.
        **options: further arguments of `compute_features`.

    Returns:
        pair of a float32 array `(N, feature_count)`, with rows of NaN for photos that could not
        be read, and a dictionary from their index to the `ImageError`.
    """
    table = np.full((len(photos), scorer.feature_count), np.nan, np.float32)
    problems: dict[int, ReiqaError] = {}
    outcomes = compute_features(scorer, photos, **options)
    for outcome in progress(outcomes, "features", len(photos)):
        if outcome.problem is None:
            table[outcome.index] = outcome.features
        else:
            problems[outcome.index] = outcome.problem
    return table, dict(sorted(problems.items()))


@dataclasses.dataclass(frozen=True)
class _Read:
    """A photo that waits for others of its size."""

    index: int
    digest: str | None
    image: np.ndarray


def _read_ahead(
    photos: Sequence[PhotoSource],
    fit: int | None,
    cache: FeatureCache | None,
    depth: int,
    max_pixels: int,
) -> Iterator[_Read | Outcome]:
    """Reads photos in threads, `depth` ahead of the one that is asked for, in their order.

    Yields an `Outcome` at once for a photo that is known already or cannot be read.
    """

    def read(index: int) -> _Read | Outcome:
        try:
            photo = photos[index]
            name = os.fspath(photo) if isinstance(photo, (str, os.PathLike)) else None
            if isinstance(photo, (str, os.PathLike)):
                photo = read_bytes(photo)
            digest = None
            if cache is not None and isinstance(photo, bytes):
                digest = photo_digest(photo)
                known = cache.get(digest)
                if known is not None:
                    return Outcome(index, features=known)
            return _Read(index, digest, read_image(photo, fit, name, max_pixels))
        except ImageError as problem:
            return Outcome(index, problem=problem)

    return ahead(read, len(photos), depth)


def _finish(
    batch: Sequence[_Read], compute: ComputeFeatures, cache: FeatureCache | None
) -> Iterator[Outcome]:
    rows = compute(np.stack([read.image for read in batch]))
    for read, features in zip(batch, rows, strict=True):
        if cache is not None and read.digest is not None:
            cache.put(read.digest, features)
        yield Outcome(read.index, features=features)
