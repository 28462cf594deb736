"""From lessons to batches, each of pictures of one size.

What a step learns from is a function of (seed, step) alone, so that a run which goes on from any
step gets the batches that it would have got.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from reiqa_tf.distillation.lessons import Lessons
from reiqa_tf.tuning.batches import batches_by_size, mirrored_and_turned, stream_of
from reiqa_tf.typing import Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class LessonBatches:
    """Batches of whole pictures, mirrored and turned; the same for the same seed.

    Attributes:
        lessons: `Lessons`, N of them.
        scores: float32 `(N,)`, what is to be learned, on any scale.
        parts: float32 `(N, P)`, likewise.
        batch_size: pictures in a step, of all workers together.
        rotates: whether pictures are also turned: those of a square batch by 0, 90, 180 or 270
            degrees, others by 0 or 180.
        seed: of the order, of flips and turns.
        worker: number of this worker, from 0.
        workers: number of workers. Each makes its part of every batch.
    """

    lessons: Lessons
    scores: np.ndarray
    parts: np.ndarray
    batch_size: int
    rotates: bool = True
    seed: int = 0
    worker: int = 0
    workers: int = 1

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches that an epoch has."""
        return len(self.lessons) // self.batch_size

    def dataset(self, first_step: int) -> tf.data.Dataset:
        """The endless stream of this worker's batches from a step on.

        Args:
            first_step: number of the first step.

        Returns:
            `tf.data.Dataset` of dictionaries: `image` uint8 `(B, h, w, 3)`, `score` float32 `(B,)`
            and `parts` float32 `(B, P)`.
        """
        return stream_of(self._batch, first_step)

    def _batch(self, step: Tensor) -> dict[str, Tensor]:
        share = self.batch_size // self.workers
        types = [tf.uint8, tf.float32, tf.float32]
        image, score, parts = tf.numpy_function(self._drawn, [step], types)
        return {
            "image": tf.ensure_shape(image, (share, None, None, 3)),
            "score": tf.ensure_shape(score, (share,)),
            "parts": tf.ensure_shape(parts, (share, self.parts.shape[1])),
        }

    def _drawn(self, step: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """This worker's part of a step."""
        epoch, place = divmod(int(step), self.steps_per_epoch)
        sizes = self.lessons.sizes
        rows = batches_by_size(sizes, self.batch_size, self.seed, epoch)[place]
        height, width = sizes[rows].min(axis=0)
        share = len(rows) // self.workers
        first = self.worker * share
        shown = []
        for i, row in enumerate(rows[first : first + share], first):
            picture = self.lessons.pictures[row]
            # Of what is left over of each size: the middle that all of a batch have.
            top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
            picture = picture[top : top + height, left : left + width]
            # By place in the whole batch: with another number of workers it is the same.
            flip, turn = np.random.default_rng([self.seed, 3, int(step), i]).random(2)
            shown.append(mirrored_and_turned(picture, flip, turn if self.rotates else 0.0))
        mine = rows[first : first + share]
        return np.stack(shown), self.scores[mine], self.parts[mine]
