"""Distillation as an objective for the training loop."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reiqa_tf.distillation.batches import LessonBatches
from reiqa_tf.distillation.config import DistillConfig
from reiqa_tf.distillation.student import Start
from reiqa_tf.models.rounding import eight_bits
from reiqa_tf.training.objective import Batch, TrainingError
from reiqa_tf.training.settings import as_dictionary
from reiqa_tf.tuning import losses
from reiqa_tf.tuning.step import ScorerStep, TunedModel, make_tuned_model, rate_factors
from reiqa_tf.typing import Tensor


class DistillStep(ScorerStep):
    """One step: scores and parts of all pictures, the losses, the gradient, the average.

    Args:
        model: `TunedModel` of the student, built within the strategy's scope.
        optimizer: a Keras optimizer, built likewise for its trainable variables.
        strategy: a `tf.distribute` strategy.
        config: `DistillConfig`.
        start: `Start`, whose linear map tells the teacher's parts.
        center: mean of the scores that are to be learned.
        scale: their standard deviation, above 0.
    """

    def __init__(
        self,
        model: TunedModel,
        optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
        config: DistillConfig,
        start: Start,
        center: float,
        scale: float,
    ) -> None:
        columns, freezes = DistillObjective.columns, config.freezes_normalization
        super().__init__(model, optimizer, strategy, columns, freezes)
        self.config = config
        self.center = center
        self.scale = scale
        self._kernel = tf.constant(start.parts_kernel, tf.float32)
        self._bias = tf.constant(start.parts_bias, tf.float32)

    def losses(self, batch: Batch) -> Tensor:
        """The weighted sum of the losses, then each of them, `(4,)`."""
        scorer = self.model.scorer
        training = not self.config.freezes_normalization
        with eight_bits(self.config.rounds):
            features = scorer.features(batch["image"], training=training)
        predicted = (scorer.fitted_head()(features) - self.center) / self.scale
        wanted = (batch["score"] - self.center) / self.scale
        weights = tf.ones_like(wanted)
        told = tf.linalg.matmul(features, self._kernel) + self._bias
        parts = [
            losses.huber(predicted, wanted, weights),
            losses.plcc(predicted, wanted, weights),
            tf.reduce_mean(tf.math.squared_difference(told, batch["parts"])),
        ]
        counts = self.config.losses
        total = counts.huber * parts[0] + counts.plcc * parts[1] + counts.parts * parts[2]
        return tf.stack([total, *parts])


class DistillObjective:
    """An `Objective`: what a student says, brought nearer to what its teacher and people say.

    Args:
        config: the `DistillConfig`.
        start: `Start` of the student.
        batches: `LessonBatches` with this worker's part.
        photos: number of photos that the lessons were made of.
    """

    columns: tuple[str, ...] = ("loss", "huber", "plcc", "parts")
    counted = "pictures"

    def __init__(
        self, config: DistillConfig, start: Start, batches: LessonBatches, photos: int
    ) -> None:
        self.config = config
        self.start = start
        self.batches = batches
        self.photos = photos

    @property
    def described(self) -> Mapping[str, Any]:
        """The configuration, and the lessons."""
        batches = self.batches
        digest = hashlib.sha256(batches.scores.tobytes() + batches.parts.tobytes()).hexdigest()
        return {
            "config": as_dictionary(self.config),
            "photos": {"count": self.photos},
            "lessons": {"count": len(batches.lessons), "sha256": digest},
        }

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps in an epoch."""
        return self.batches.steps_per_epoch

    @property
    def count_of_step(self) -> int:
        """Pictures of a step, on all replicas together."""
        return self.batches.batch_size

    def check(self, replicas: int) -> None:
        """Raises a `TrainingError` if there is no whole batch, or it cannot be shared."""
        if self.steps_per_epoch < 1:
            raise TrainingError(
                f"batch_size: expected at most as many as there are pictures to learn from, "
                f"{len(self.batches.lessons)}. Received: {self.batches.batch_size}"
            )
        if self.batches.batch_size % replicas:
            raise TrainingError(
                f"batch_size: expected a number that {replicas} replicas can share equally. "
                f"Received: {self.batches.batch_size}"
            )

    def make_model(self, from_start: bool) -> TunedModel:
        """Makes the student with the weights of the start, and its average."""
        return make_tuned_model(self.start.scorer, self.config, from_start)

    def rate_factors(self, model: TunedModel) -> Sequence[float]:
        """A factor for each stage that a variable is away from the head."""
        return rate_factors(model.scorer, model.trainable_variables, self.config.rate_by_depth)

    def make_step(
        self,
        model: TunedModel,
        optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
    ) -> DistillStep:
        """Makes the step."""
        center, scale = float(np.mean(self.batches.scores)), float(np.std(self.batches.scores))
        return DistillStep(model, optimizer, strategy, self.config, self.start, center, scale)

    def dataset(self, first_step: int) -> tf.data.Dataset:
        """This worker's batches, as `LessonBatches.dataset` makes them."""
        return self.batches.dataset(first_step)

    def note(self, batch: Batch) -> None:
        """Nothing to note: lessons were read before."""
