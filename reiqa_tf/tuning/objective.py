"""Tuning a scorer on scored photos, as an objective for the training loop."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.training.objective import Batch, TrainingError
from reiqa_tf.training.settings import as_dictionary
from reiqa_tf.tuning import losses
from reiqa_tf.tuning.batches import TuningBatches
from reiqa_tf.tuning.config import TuneConfig
from reiqa_tf.tuning.step import ScorerStep, TunedModel, make_tuned_model, rate_factors
from reiqa_tf.typing import Tensor


class TuningStep(ScorerStep):
    """One step: scores of all crops, the losses, the gradient, the average.

    Args:
        model: `TunedModel`, built within the strategy's scope.
        optimizer: a Keras optimizer, built likewise for its trainable variables.
        strategy: a `tf.distribute` strategy.
        config: `TuneConfig`.
        center: mean of the training scores.
        scale: their standard deviation, above 0.
    """

    def __init__(
        self,
        model: TunedModel,
        optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
        config: TuneConfig,
        center: float,
        scale: float,
    ) -> None:
        columns, freezes = TuneObjective.columns, config.freezes_normalization
        super().__init__(model, optimizer, strategy, columns, freezes)
        self.config = config
        self.center = center
        self.scale = scale

    def losses(self, batch: Batch) -> Tensor:
        """The weighted sum of the losses, then each of them, `(4,)`."""
        pictures = {
            name: tf.reshape(batch[name], tf.concat([[-1], tf.shape(batch[name])[-3:]], 0))
            for name in ("image", "ladder", "pair")
            if name in batch
        }
        scores = self.model(
            tf.concat(list(pictures.values()), 0),
            training=not self.config.freezes_normalization,
        )
        counts = [tf.shape(part)[0] for part in pictures.values()]
        predicted = dict(zip(pictures, tf.split(self._standard(scores), counts), strict=True))
        huber = plcc = tf.constant(0.0)
        better, worse, order_weights = [], [], []
        if "image" in batch:
            own, wanted = predicted["image"], self._standard(batch["score"])
            huber = losses.huber(own, wanted, batch["weight"])
            plcc = losses.plcc(own, wanted, batch["weight"])
        if "ladder" in batch:
            undistorted = own[:: self.config.batch_size // self.config.ladders]
            levels = tf.reshape(predicted["ladder"], (-1, self.config.ladder_levels))
            ladders = tf.concat([undistorted[:, None], levels], 1)
            better.append(tf.reshape(ladders[:, :-1], [-1]))
            worse.append(tf.reshape(ladders[:, 1:], [-1]))
            order_weights.append(tf.repeat(batch["ladder_weight"], self.config.ladder_levels))
        if "pair" in batch:
            pairs = tf.reshape(predicted["pair"], (-1, 2))
            better.append(pairs[:, 0])
            worse.append(pairs[:, 1])
            order_weights.append(batch["pair_weight"])
        rank = tf.constant(0.0)
        if better:
            rank = losses.rank(*(tf.concat(part, 0) for part in (better, worse, order_weights)))
        parts = [huber, plcc, rank]
        weights = self.config.losses
        total = weights.huber * parts[0] + weights.plcc * parts[1] + weights.rank * parts[2]
        return tf.stack([total, *parts])

    def _standard(self, scores: Tensor) -> Tensor:
        """Scores in standard deviations of the training scores."""
        return (scores - self.center) / self.scale


class TuneObjective:
    """An `Objective`: the scores of a scorer, brought nearer to people's.

    Args:
        config: the `TuneConfig`.
        start: a built `ReIQAScorer` with a head that is fitted on the scale of the scores.
        batches: `TuningBatches` with this worker's part.
    """

    columns: tuple[str, ...] = ("loss", "huber", "plcc", "rank")
    counted = "pictures"

    def __init__(self, config: TuneConfig, start: ReIQAScorer, batches: TuningBatches) -> None:
        self.config = config
        self.start = start
        self.batches = batches

    @property
    def described(self) -> Mapping[str, Any]:
        """The configuration, the list of photos with their scores, and that of the pairs."""
        lines = [
            f"{os.path.basename(path)},{score!r}"
            for path, score in zip(self.batches.paths, self.batches.scores.tolist(), strict=True)
        ]
        pairs = [",".join(map(os.path.basename, pair)) for pair in self.batches.pair_paths]
        return {
            "config": as_dictionary(self.config),
            "photos": {"count": len(lines), "sha256": _digest(lines)},
            "pairs": {"count": len(pairs), "sha256": _digest(pairs)},
        }

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps in an epoch."""
        return self.batches.steps_per_epoch

    @property
    def count_of_step(self) -> int:
        """Pictures of a step, on all replicas together."""
        batches = self.batches
        return batches.batch_size + batches.ladder_levels * batches.ladders + 2 * batches.pairs

    def check(self, replicas: int) -> None:
        """Raises a `TrainingError` if there is no whole batch, or it cannot be shared."""
        batches = self.batches
        if self.steps_per_epoch < 1:
            raise TrainingError(
                "batch_size: expected at most as many as there are photos or pairs to learn from, "
                f"{len(batches.paths) or len(batches.pair_paths)}. Received: "
                f"{batches.batch_size or batches.pairs}"
            )
        counts = batches.batch_size, batches.ladders, batches.pairs
        if any(count % replicas for count in counts):
            raise TrainingError(
                f"batch_size, ladders and pairs: expected numbers that {replicas} replicas can "
                f"share equally. Received: {', '.join(map(str, counts))}"
            )

    def make_model(self, from_start: bool) -> TunedModel:
        """Makes the scorer with the weights of the start, and its average."""
        return make_tuned_model(self.start, self.config, from_start)

    def rate_factors(self, model: TunedModel) -> Sequence[float]:
        """A factor for each stage that a variable is away from the head."""
        return rate_factors(model.scorer, model.trainable_variables, self.config.rate_by_depth)

    def make_step(
        self,
        model: TunedModel,
        optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
    ) -> TuningStep:
        """Makes the step."""
        # Where nobody scored the photos, the head knows how scores are spread.
        known = self.batches.scores
        if not len(known):
            known = np.array(self.start.fitted_head().calibration.percentiles)
        center, scale = float(np.mean(known)), float(np.std(known))
        return TuningStep(model, optimizer, strategy, self.config, center, scale)

    def dataset(self, first_step: int) -> tf.data.Dataset:
        """This worker's batches, as `TuningBatches.dataset` makes them."""
        return self.batches.dataset(first_step)

    def note(self, batch: Batch) -> None:
        """Notes the photos that could not be read."""
        self.batches.note_skipped(batch)


def _digest(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
