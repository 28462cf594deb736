"""From scored photos of mixed sizes to batches, each of one size, at native resolution.

What a step learns from is a function of (seed, step) alone, so that a run which goes on from any
step gets the batches that it would have got.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.bank import LEVELS, distort
from reiqa_tf.fitting.degradations import DEGRADATIONS
from reiqa_tf.fitting.ladders import ordered_names
from reiqa_tf.image.reading import ImageError, read_image
from reiqa_tf.image.scaling import to_levels
from reiqa_tf.training.objective import Batch
from reiqa_tf.training.strategy import on_host
from reiqa_tf.typing import Tensor

SMALLEST_SIDE = 32
"""Smallest side in pixels of a photo that is tuned on: what a distortion needs."""

DEGRADATION_SHARE = 0.4
"""Share of the ladders that are of `DEGRADATIONS`; the others are of the bank. Ours."""

_END = 2**62


@dataclasses.dataclass(frozen=True, eq=False)
class Drawn:
    """What one step shows.

    Attributes:
        rows: `(B,)` places of the scored photos.
        pairs: `(P,)` places of the pairs.
        height: of all its crops, in pixels.
        width: likewise.
    """

    rows: np.ndarray
    pairs: np.ndarray
    height: int
    width: int


@dataclasses.dataclass
class TuningBatches:
    """Batches of crops; the same for the same seed, however often a run is interrupted.

    Photos of a step have crops of one size: the largest that all of them have, up to `crop`. Photos
    of equal size are therefore put together, in another way every epoch; what is left over of each
    size is put together by size.

    Attributes:
        paths: paths of the N scored photos; none where pairs alone are learned from.
        scores: float array `(N,)`, on any scale.
        sizes: integers `(N, 2)`, height and width in pixels at which photos are cropped.
        batch_size: scored photos in a step, of all workers together; 0 where there are none.
        crop: largest side of a crop in pixels.
        fit: as in `read_image`: photos are brought into this square; None leaves them.
        ladders: number of photos of a step that are also shown distorted: every
            (batch_size / ladders)-th one.
        ladder_levels: how many of the five levels of a distortion are shown of such a photo.
        rotates: whether crops are also turned: those that are square by 0, 90, 180 or 270 degrees,
            others by 0 or 180.
        pair_paths: M pairs of paths, the better photo first.
        pair_sizes: integers `(M, 2)`, height and width that both photos of a pair have.
        pairs: number of pairs in a step; 0 where there are none.
        seed: of the order, of crops, flips and distortions.
        worker: number of this worker, from 0.
        workers: number of workers. Each makes its part of every batch.
        skipped: dictionary from the path of each photo that could not be read, as far as met, to
            the reason. Such a photo is grey and has the weight 0.
    """

    paths: Sequence[str]
    scores: np.ndarray
    sizes: np.ndarray
    batch_size: int
    crop: int
    fit: int | None = None
    ladders: int = 0
    ladder_levels: int = 2
    rotates: bool = True
    pair_paths: Sequence[tuple[str, str]] = ()
    pair_sizes: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 2), int))
    pairs: int = 0
    seed: int = 0
    worker: int = 0
    workers: int = 1
    skipped: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not len(self.paths):
            self.batch_size = self.ladders = 0
        if not len(self.pair_paths):
            self.pairs = 0

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches that an epoch has: of scored photos, or of pairs where those are alone."""
        if self.batch_size:
            return len(self.paths) // self.batch_size
        return len(self.pair_paths) // self.pairs

    def drawn(self, step: int) -> Drawn:
        """What a step shows, of all workers together.

        Args:
            step: number of the step, from 0.

        Returns:
            `Drawn`.
        """
        rows = pairs = np.zeros(0, int)
        if self.batch_size:
            epoch, place = divmod(step, self.steps_per_epoch)
            limits = np.minimum(self.sizes, self.crop)
            rows = batches_by_size(limits, self.batch_size, self.seed, epoch)[place]
        if self.pairs:
            places = step * self.pairs + np.arange(self.pairs)
            count = len(self.pair_paths)
            orders = {
                turn: np.random.default_rng([self.seed, 1, turn]).permutation(count)
                for turn in set((places // count).tolist())
            }
            pairs = np.array([orders[int(p) // count][int(p) % count] for p in places])
        limits = np.concatenate([self.sizes[rows], self.pair_sizes[pairs]])
        height, width = np.minimum(limits.min(axis=0), self.crop)
        return Drawn(rows, pairs, int(height), int(width))

    def dataset(self, first_step: int) -> tf.data.Dataset:
        """The endless stream of this worker's batches from a step on.

        Args:
            first_step: number of the first step.

        Returns:
            `tf.data.Dataset` of dictionaries: `image` uint8 `(B, h, w, 3)`, `score` and `weight`
            float32 `(B,)`; `ladder` uint8 `(L, levels, h, w, 3)`, the mildest level first, and
            `ladder_weight`; `pair` uint8 `(P, 2, h, w, 3)`, the better first, and `pair_weight`;
            `row` int64 `(B,)`. What there is none of is left out.
        """
        return stream_of(self._batch, first_step)

    def note_skipped(self, batch: Batch) -> None:
        """Notes in `skipped` the photos that could not be read.

        Args:
            batch: of `dataset`.
        """
        if "row" not in batch:
            return
        for row in batch["row"].numpy()[batch["weight"].numpy() == 0]:
            path = self.paths[int(row)]
            self.skipped.setdefault(path, f"{path}: could not be read while tuning.")

    def _batch(self, step: Tensor) -> dict[str, Tensor]:
        share = self.batch_size // self.workers
        ladders = self.ladders // self.workers
        pairs = self.pairs // self.workers
        image, score, weight, pair, pair_weight, row, kind, level, degraded = tf.numpy_function(
            self._crops,
            [step],
            [
                *(tf.uint8, tf.float32, tf.float32, tf.uint8, tf.float32, tf.int64),
                *(tf.int32, tf.int32, tf.uint8),
            ],
        )
        image = tf.ensure_shape(image, (share, None, None, 3))
        degraded = tf.ensure_shape(degraded, (ladders, self.ladder_levels, None, None, 3))
        chosen = range(0, share, share // ladders) if ladders else ()
        shown = [
            self._ladder(image[place], kind[i], level[i], degraded[i], step, place)
            for i, place in enumerate(chosen)
        ]
        batch = {}
        # Columns of nothing are left out: TensorFlow 2.21 crashes when it shares them.
        if share:
            batch["image"] = image
            batch["score"] = tf.ensure_shape(score, (share,))
            batch["weight"] = tf.ensure_shape(weight, (share,))
            batch["row"] = tf.ensure_shape(row, (share,))
        if ladders:
            batch["ladder"] = tf.stack(shown)
            batch["ladder_weight"] = tf.gather(weight, list(chosen))
        if pairs:
            batch["pair"] = tf.ensure_shape(pair, (pairs, 2, None, None, 3))
            batch["pair_weight"] = tf.ensure_shape(pair_weight, (pairs,))
        return batch

    def _ladder(
        self,
        image: Tensor,
        kind: Tensor,
        levels: Tensor,
        degraded: Tensor,
        step: Tensor,
        place: int,
    ) -> Tensor:
        """Levels of a crop, uint8 `(levels, h, w, 3)`; `degraded` where they are made already."""
        seed = tf.random.fold_in(
            tf.random.fold_in(tf.constant([self.seed, 2]), tf.cast(step % 2**31, tf.int32)),
            self.worker * (self.batch_size // self.workers) + place,
        )

        def distorted(name: str) -> Tensor:
            return tf.map_fn(
                lambda level: to_levels(distort(image, name, level, seed)),
                levels,
                fn_output_signature=tf.TensorSpec((None, None, 3), tf.uint8),
            )

        branches = [functools.partial(distorted, name) for name in ordered_names()]
        return tf.switch_case(kind, [*branches, lambda: degraded])

    def _degraded(self, crops: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What is shown of the ladders of this worker.

        Returns:
            the kind of each ladder, a place in `ordered_names`, or their number for another
            degradation; its rising levels from 0 to 4; and its pictures, grey where they are yet to
            be made.
        """
        bank, count = len(ordered_names()), self.ladders // self.workers
        kinds = np.full(count, bank, np.int32)
        levels = np.zeros((count, self.ladder_levels), np.int32)
        pictures = np.full((count, self.ladder_levels, *crops.shape[1:]), 127, np.uint8)
        for i in range(count):
            generator = np.random.default_rng([self.seed, 4, step, self.worker * count + i])
            levels[i] = np.sort(generator.choice(LEVELS, self.ladder_levels, replace=False))
            if generator.random() >= DEGRADATION_SHARE:
                kinds[i] = generator.integers(bank)
                continue
            degradation = list(DEGRADATIONS.values())[generator.integers(len(DEGRADATIONS))]
            seed = int(generator.integers(2**32))
            crop = crops[i * (len(crops) // count)]
            for j, level in enumerate(levels[i]):
                pictures[i, j] = degradation(crop, int(level), np.random.default_rng(seed))
        return kinds, levels, pictures

    def _crops(self, step: np.ndarray) -> tuple[np.ndarray, ...]:
        """Reads and crops this worker's photos of a step."""
        drawn = self.drawn(int(step))
        share, pair_share = (
            len(drawn.rows) // self.workers,
            len(drawn.pairs) // self.workers,
        )
        first, first_pair = self.worker * share, self.worker * pair_share
        rows = drawn.rows[first : first + share]
        pairs = drawn.pairs[first_pair : first_pair + pair_share]
        # By place in the whole batch: with another number of workers a crop is the same.
        cut = functools.partial(self._crop, drawn=drawn)
        seed = self.seed, 3, int(step)
        cuts = [
            cut(self.paths[row], generator=np.random.default_rng([*seed, 0, first + i]))
            for i, row in enumerate(rows)
        ]
        halves = [
            [
                cut(path, generator=np.random.default_rng([*seed, 1, first_pair + i, half]))
                for half, path in enumerate(self.pair_paths[pair])
            ]
            for i, pair in enumerate(pairs)
        ]
        grey = np.full((drawn.height, drawn.width, 3), 127, np.uint8)
        whole = [[half is not None for half in pair] for pair in halves]
        pictures = [[grey if half is None else half for half in pair] for pair in halves]
        shown = np.array([grey if crop is None else crop for crop in cuts], np.uint8)
        shown = shown.reshape(-1, *grey.shape)
        return (
            shown,
            self.scores[rows].astype(np.float32),
            np.array([crop is not None for crop in cuts], np.float32),
            np.array(pictures, np.uint8).reshape(-1, 2, *grey.shape),
            np.array([all(pair) for pair in whole], np.float32),
            rows.astype(np.int64),
            *self._degraded(shown, int(step)),
        )

    def _crop(self, path: str, drawn: Drawn, generator: np.random.Generator) -> np.ndarray | None:
        """A crop, perhaps mirrored and turned, or None for a photo that cannot be read any more."""
        y, x, flip, turn = generator.random(4)
        try:
            photo = read_image(path, self.fit)
        except ImageError:
            return None
        spare = photo.shape[0] - drawn.height, photo.shape[1] - drawn.width
        if min(spare) < 0:  # another photo than the one that was measured
            return None
        top, left = int(y * (spare[0] + 1)), int(x * (spare[1] + 1))
        crop = photo[top : top + drawn.height, left : left + drawn.width]
        return mirrored_and_turned(crop, flip, turn if self.rotates else 0.0)


def stream_of(make: Callable[[Tensor], dict[str, Tensor]], first_step: int) -> tf.data.Dataset:
    """The endless stream of a run's batches from a step on, made on the host ahead of the step.

    Args:
        make: from the number of a step to its batch.
        first_step: number of the first step.

    Returns:
        `tf.data.Dataset` of what `make` returns.
    """
    numbers = tf.data.Dataset.range(first_step, _END)
    return numbers.map(on_host(make), num_parallel_calls=2, deterministic=True).prefetch(2)


def mirrored_and_turned(picture: np.ndarray, flip: float, turn: float) -> np.ndarray:
    """A picture mirrored or not, and turned as far as that leaves its height and width.

    Args:
        picture: array `(H, W, 3)`.
        flip: drawn from 0 to below 1; below a half mirrors it.
        turn: likewise; a square picture is turned by four times as many quarters, another one by
            twice as many halves. 0 turns nothing.

    Returns:
        array `(H, W, 3)`.
    """
    is_square = picture.shape[0] == picture.shape[1]
    turned = np.rot90(picture, int(4 * turn) if is_square else 2 * int(2 * turn))
    return turned[:, ::-1] if flip < 0.5 else turned


def batches_by_size(
    sizes: np.ndarray, batch_size: int, seed: int, epoch: int
) -> tuple[np.ndarray, ...]:
    """The rows of each step of an epoch: pictures of equal size together, in a random order.

    Args:
        sizes: integers `(N, 2)`, height and width of the pictures in pixels.
        batch_size: pictures in a step.
        seed: of the order.
        epoch: number of the epoch; each has another order.

    Returns:
        integer arrays `(batch_size,)`. What is left over of each size is put together by size, and
        less than a batch is left out, other pictures every epoch.
    """
    limits = np.ascontiguousarray(sizes, np.int64)
    return _batches_by_size(seed, epoch, limits.tobytes(), len(limits), batch_size)


@functools.lru_cache(maxsize=4)
def _batches_by_size(
    seed: int, epoch: int, limits: bytes, count: int, batch_size: int
) -> tuple[np.ndarray, ...]:
    sizes = np.frombuffer(limits, np.int64).reshape(count, 2)
    generator = np.random.default_rng([seed, 0, epoch])
    by_size: dict[tuple[int, int], list[int]] = {}
    for row in generator.permutation(count):
        by_size.setdefault((int(sizes[row, 0]), int(sizes[row, 1])), []).append(int(row))
    batches: list[list[int]] = []
    left: list[int] = []
    for size in sorted(by_size):
        rows = by_size[size]
        whole = len(rows) // batch_size * batch_size
        batches += [rows[i : i + batch_size] for i in range(0, whole, batch_size)]
        left += rows[whole:]
    # What is left over at the end is another photo every epoch: the order starts elsewhere.
    spare = len(left) % batch_size
    start = int(generator.integers(spare + 1))
    batches += [
        left[i : i + batch_size] for i in range(start, start + len(left) - spare, batch_size)
    ]
    return tuple(np.array(batches[i]) for i in generator.permutation(len(batches)))
