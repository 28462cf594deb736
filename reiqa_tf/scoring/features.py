"""Features of many photos: read ahead in threads, computed in batches by size, cached."""

import collections
import dataclasses

import numpy as np

from reiqa_tf.image.reading import ImageError, read_bytes, read_image
from reiqa_tf.models.inference import compile_features
from reiqa_tf.scoring.cache import photo_digest
from reiqa_tf.scoring.reading_ahead import ahead

BATCH_SIZE = 4
"""Photos of one size that are computed together. Ours, measured: see benchmarks/scoring.py."""

_WAITING_BATCHES = 4
"""How many batches' worth of photos may wait for others of their size."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one photo: its features, or the reason why there are none.

    Attributes:
        index: place of the photo in the list.
        features: float32 array `(F,)`, or None.
        problem: the `ImageError`, or None.
    """

    index: int
    features: np.ndarray | None = None
    problem: ImageError | None = None


def compute_features(
    scorer, photos, native_size=False, cache=None, batch_size=BATCH_SIZE, compute=None
):
    """Computes the features of many photos, in memory that does not grow with their number.

    Args:
        scorer: a built `ReIQAScorer`.
        photos: list of paths, or of the photos' bytes.
        native_size: whether photos are taken at their own size, in tiles, instead of being
            brought to the scorer's working size.
        cache: an open `FeatureCache`, or None. Features at native size are not cached.
        batch_size: most photos that are computed together.
        compute: what `compile_features` answered for the scorer, for those who call often; None
            compiles anew.

    Yields:
        one `Outcome` for each photo, in the order in which they are finished.

    Example:
    ```python
    for outcome in compute_features(scorer, ["a.jpg", "b.png"]):
        print(outcome.index, outcome.problem or scorer.judge(outcome.features[None])[0])
    ```
    """
    compute = compute or compile_features(scorer)
    if native_size:
        yield from _one_by_one(scorer, photos, compute)
        return
    waiting = collections.defaultdict(list)
    for read in _read_ahead(photos, scorer.working_size, cache, 2 * batch_size):
        if read.outcome is not None:
            yield read.outcome
            continue
        batch = waiting[read.image.shape]
        batch.append(read)
        if len(batch) == batch_size:
            yield from _finish(waiting.pop(read.image.shape), compute, cache)
        elif sum(map(len, waiting.values())) > _WAITING_BATCHES * batch_size:
            fullest = max(waiting, key=lambda shape: len(waiting[shape]))
            yield from _finish(waiting.pop(fullest), compute, cache)
    for batch in waiting.values():
        yield from _finish(batch, compute, cache)


def feature_table(scorer, photos, progress=iter, **options):
    """Gathers the features of many photos in one table.

    Args:
        scorer: a built `ReIQAScorer`.
        photos: list of paths, or of the photos' bytes.
        progress: wraps the iterator over outcomes, to show how far the work is.
        **options: further arguments of `compute_features`.

    Returns:
        pair of a float32 array `(N, feature_count)`, with rows of NaN for photos that could not
        be read, and a dictionary from their index to the `ImageError`.
    """
    table = np.full((len(photos), scorer.feature_count), np.nan, np.float32)
    problems = {}
    for outcome in progress(compute_features(scorer, photos, **options)):
        if outcome.problem is None:
            table[outcome.index] = outcome.features
        else:
            problems[outcome.index] = outcome.problem
    return table, dict(sorted(problems.items()))


@dataclasses.dataclass(frozen=True)
class _Read:
    """A photo on its way: an image to compute, or an outcome that is known already."""

    index: int
    digest: str | None = None
    image: np.ndarray | None = None
    outcome: Outcome | None = None


def _read_ahead(photos, fit, cache, depth):
    """Reads photos in threads, `depth` ahead of the one that is asked for, in their order."""

    def read(index):
        try:
            photo = photos[index]
            contents = photo if isinstance(photo, bytes) else read_bytes(photo)
            digest = None if cache is None else photo_digest(contents)
            known = None if cache is None else cache.get(digest)
            if known is not None:
                return _Read(index, outcome=Outcome(index, known))
            name = None if isinstance(photo, bytes) else photo
            return _Read(index, digest, read_image(contents, fit=fit, name=name))
        except ImageError as problem:
            return _Read(index, outcome=Outcome(index, problem=problem))

    return ahead(read, len(photos), depth)


def _finish(batch, compute, cache):
    rows = compute(np.stack([read.image for read in batch]))
    for read, features in zip(batch, rows, strict=True):
        if cache is not None:
            cache.put(read.digest, features)
        yield Outcome(read.index, features)


def _one_by_one(scorer, photos, compute):
    for index, photo in enumerate(photos):
        try:
            yield Outcome(index, scorer.native_features(photo, compute))
        except ImageError as problem:
            yield Outcome(index, problem=problem)
