"""Contrastive pretraining of one expert, as an objective for the training loop."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Sequence
from typing import Any, TypedDict

import keras
import tensorflow as tf

from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.pretraining.clean_statistics import measure_statistics
from reiqa_tf.pretraining.config import PretrainConfig
from reiqa_tf.pretraining.from_config import make_moco, trained_scorer
from reiqa_tf.pretraining.moco import MoCo
from reiqa_tf.pretraining.pipelines import ViewPipeline
from reiqa_tf.pretraining.step import TrainingStep
from reiqa_tf.training.loop import train
from reiqa_tf.training.objective import Batch, TrainingError
from reiqa_tf.training.settings import as_dictionary
from reiqa_tf.typing import PathLike


class PhotoList(TypedDict):
    """Number and names of the photos, whose order is the order of the data."""

    count: int
    sha256: str


class Described(TypedDict):
    """`config.json` of a run: what two runs must have in common to go on in one folder."""

    config: dict[str, Any]
    photos: PhotoList


class ContrastiveObjective:
    """An `Objective`: queries and their keys, pulled together by a momentum network.

    Args:
        config: the `PretrainConfig`.
        pipeline: `ViewPipeline` with this worker's part of the configuration's batches.
    """

    columns: tuple[str, ...] = ("loss", "accuracy")
    counted = "pairs"

    def __init__(self, config: PretrainConfig, pipeline: ViewPipeline) -> None:
        self.config = config
        self.pipeline = pipeline

    @property
    def described(self) -> Described:
        """The configuration and the list of photos."""
        names = "\n".join(os.path.basename(photo) for photo in self.pipeline.photos)
        return {
            "config": as_dictionary(self.config),
            "photos": {
                "count": len(self.pipeline.photos),
                "sha256": hashlib.sha256(names.encode()).hexdigest(),
            },
        }

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps in an epoch."""
        return self.pipeline.steps_per_epoch

    @property
    def count_of_step(self) -> int:
        """Pairs of a step, on all replicas together."""
        return self.config.batch_size * self.pipeline.views.pairs

    def check(self, replicas: int) -> None:
        """Raises a `TrainingError` if there is no whole batch, or it cannot be shared or parted."""
        if self.steps_per_epoch < 1:
            raise TrainingError(
                "batch_size: expected at most as many as there are photos, "
                f"{len(self.pipeline.photos)}. Received: {self.config.batch_size}"
            )
        pairs = self.count_of_step
        if self.config.batch_size % replicas or (pairs // replicas) % self.config.parts:
            raise TrainingError(
                f"batch_size and parts: expected photos that {replicas} replicas can share "
                f"equally, and pairs of a replica that {self.config.parts} parts can. Received: "
                f"{self.config.batch_size} photos, {pairs} pairs"
            )

    def make_model(self, from_start: bool) -> MoCo:
        """Makes the two networks and the queue."""
        return make_moco(self.config, from_start)

    def rate_factors(self, model: MoCo) -> None:
        """Every variable has the same rate."""

    def make_step(
        self,
        model: MoCo,
        optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
    ) -> TrainingStep:
        """Makes the step, in the parts that the configuration says."""
        return TrainingStep(model, optimizer, strategy, self.config.parts, self.config.seed)

    def dataset(self, first_step: int) -> tf.data.Dataset:
        """This worker's batches, as `ViewPipeline.dataset` makes them."""
        return self.pipeline.dataset(first_step)

    def note(self, batch: Batch) -> None:
        """Notes the photos that could not be read."""
        self.pipeline.note_skipped(batch)


@dataclasses.dataclass(frozen=True)
class TrainedEncoder:
    """What came of a run, or of a part of one.

    Attributes:
        scorer: `ReIQAScorer` without a head, whose one expert is the encoder that was trained.
        step: number of steps made so far.
        steps: number of steps of the whole run.
        interrupted: whether a signal stopped it; the same call goes on.
    """

    scorer: ReIQAScorer
    step: int
    steps: int
    interrupted: bool


def train_encoder(
    config: PretrainConfig,
    pipeline: ViewPipeline,
    folder: PathLike,
    strategy: tf.distribute.Strategy | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainedEncoder:
    """Trains an expert, or goes on with a run that was interrupted; see `train`.

    `reiqa_tf.pretrain` is the same with all that one wants to see of a run. When the run is
    complete, its folder also gets `preset/` with the trained encoder.

    Args:
        config: the `PretrainConfig`.
        pipeline: `ViewPipeline` with this worker's part of the configuration's batches.
        folder: folder of the run.
        strategy: `tf.distribute` strategy; None is the current one.
        callbacks: Keras callbacks; see `train`. The logs have `loss` and `accuracy`, the share of
            queries whose own key was the nearest, and the speed `pairs_per_second`.

    Returns:
        `TrainedEncoder`.

    Raises:
        TrainingError: if the photos are fewer than a batch, the batch cannot be shared or parted,
            the folder holds another run, or the loss is not finite any more.
        OutputError: if the last checkpoint or the preset cannot be written.

    Example:
    ```text
    config = load_config("quality_lite0")
    trained = train_encoder(config, make_pipeline(config, photos), "runs/quality_lite0")
    ```
    """
    trained = train(ContrastiveObjective(config, pipeline), folder, strategy, callbacks)
    scorer = trained_scorer(config, trained.model)
    if trained.complete and config.clean_photos:
        (encoder,) = scorer.experts().values()
        measure_statistics(encoder, pipeline.photos, config.clean_photos, config.seed)
    if trained.complete and trained.writes:
        scorer.save_to_preset(
            pathlib.Path(folder) / "preset",
            description=f"{config.expert}-aware encoder, pretrained contrastively; "
            "fit a head on it",
            expert=config.expert,
            network=config.result,
            pretraining={
                "config": as_dictionary(config),
                "photos": len(pipeline.photos),
                "steps": trained.step,
            },
        )
    return TrainedEncoder(scorer, trained.step, trained.steps, trained.interrupted)
