"""What a pretraining run needs, before it is begun: memory, batches, steps, hours, cores.

The memory of a step is counted on the graphs of the step itself (`reiqa_tf.training.graph_memory`);
no batch is computed, and no GPU is needed to know what fits into one.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf

from reiqa_tf.path_list import PathList
from reiqa_tf.pretraining.config import PretrainConfig, load_config, override
from reiqa_tf.pretraining.from_config import make_moco, make_views
from reiqa_tf.pretraining.pipelines import ViewPipeline
from reiqa_tf.pretraining.shipped_configs import DEFAULT
from reiqa_tf.pretraining.step import TrainingStep
from reiqa_tf.pretraining.training_photos import training_photos
from reiqa_tf.training.graph_memory import ROWS, GraphMemory, variable_bytes
from reiqa_tf.training.objective import TrainingError
from reiqa_tf.training.optimizers import make_optimizer
from reiqa_tf.training.replicas import traced_as_one_of
from reiqa_tf.typing import PathLike

GPU_SIZES = (24, 40, 80)
"""Gigabytes (10^9 bytes) of the GPUs that a plan tells the largest batch for.

A card that is sold with 24 GB has 24 x 2^30 bytes. The 7 % more are left to what is in no graph:
CUDA itself, and the workspaces of cuDNN.
"""

_HOST_BATCHES = 4
"""Batches in the host's memory: the one of the step, two that wait, one that is being made."""

_MEASURED_SECONDS = 10.0
"""Seconds of the processor in which pairs are made, to know how many a core makes."""


@dataclasses.dataclass(frozen=True)
class ReplicaMemory:
    """Bytes that a replica needs at the moment at which it needs the most.

    Attributes:
        weights: of the network that learns, with the statistics of its batch normalisation.
        momentum: of the network that follows.
        queue: its keys.
        optimizer: what it remembers of each weight.
        gradients: their sum over the parts of a step.
        pictures: queries, keys and shuffled keys of a step; where there are several replicas also
            the next step's, which TensorFlow brings to the device ahead.
        activations: what the forward pass of one part keeps for its gradient.
        working: what else is in use at that moment.
        moment: what the step does then.
    """

    weights: int
    momentum: int
    queue: int
    optimizer: int
    gradients: int
    pictures: int
    activations: int
    working: int
    moment: str

    @property
    def total(self) -> int:
        """All of it."""
        return sum(value for value in dataclasses.astuple(self) if isinstance(value, int))


class StepMemory:
    """The memory of a configuration's step, for any batch and any number of parts.

    Making it traces the graphs of a step, which takes some seconds; asking it takes none.

    Args:
        config: the `PretrainConfig`. Its batch and parts do not matter.
        replicas: number of GPUs among which a step is shared.

    Example:
    ```python
    from reiqa_tf.pretraining.config import load_config
    from reiqa_tf.pretraining.plan import StepMemory

    memory = StepMemory(load_config("smoke"))
    assert memory.of_replica(photos=8, parts=2).total < memory.of_replica(photos=8, parts=1).total
    print(memory.largest_batch(24e9, parts=1))  # photos in a step on a GPU of 24 GB
    ```
    """

    def __init__(self, config: PretrainConfig, replicas: int = 1) -> None:
        self.replicas = replicas
        self.pairs_per_photo = config.pairs.pairs_per_photo
        self._is_shuffled = not config.contrast.synchronized
        self._picture = 3 * config.pairs.patch**2
        self._key = 4 * config.contrast.units
        model = make_moco(config, from_start=False)
        optimizer = make_optimizer(
            config.optimizer, config.learning_rate, config.schedule, 1, model.trainable_variables
        )
        weights, momentum = (
            variable_bytes([variable for layer in network for variable in layer.variables])
            for network in (model.query_network(), model.momentum_network())
        )
        self._state = {
            "weights": weights,
            "momentum": momentum,
            "queue": variable_bytes(model.queue.variables),
            "optimizer": variable_bytes(optimizer.variables),
        }
        self._gradients = variable_bytes(model.trainable_variables)
        step, in_parts = (
            TrainingStep(model, optimizer, tf.distribute.get_strategy(), parts) for parts in (1, 2)
        )

        def embed(images: tf.Tensor, *more: Any) -> Any:
            return step._embed(images, tf.constant(0), *more)

        def learn(images: tf.Tensor, keys: tf.Tensor, *more: Any) -> Any:
            return step._learn(images, keys, tf.constant(0), *more)

        images = tf.TensorSpec((ROWS, config.pairs.patch, config.pairs.patch, 3), tf.uint8)
        keys = tf.TensorSpec((ROWS, config.contrast.units))
        all_keys = tf.TensorSpec((replicas * ROWS, config.contrast.units))
        followed, learned, gradients = (
            [tf.TensorSpec(variable.shape) for variable in variables]
            for variables in (
                model.statistics(model.momentum_network()),
                model.statistics(model.query_network()),
                model.trainable_variables,
            )
        )
        so_far = (gradients, tf.TensorSpec((2,)), learned)
        with traced_as_one_of(replicas):
            self._shuffle = _traced(in_parts._begin, images)
            self._embed = _traced(embed, images, followed, followed)
            self._learn = _traced(learn, images, keys, learned, so_far)
            self._end = _traced(in_parts._end, gradients, all_keys, followed, learned)

    def of_replica(self, photos: float, parts: int) -> ReplicaMemory:
        """The memory of one replica.

        Args:
            photos: photos of a step on this replica.
            parts: parts that they are worked off in.

        Returns:
            `ReplicaMemory`.
        """
        pairs = photos * self.pairs_per_photo
        rows = pairs / parts
        shuffles = self._is_shuffled and self.replicas * parts > 1
        batch = 2 * self._picture * pairs
        shuffled = self._picture * pairs if shuffles else 0
        waiting = batch if self.replicas > 1 else 0
        pictures = batch + waiting + shuffled
        keys = pairs * self._key * (1 + self.replicas)
        # TensorFlow sums gradients over replicas beside those that each has.
        exchanged = self._gradients if self.replicas > 1 else 0
        moments = {
            "embedding the keys": pictures + self._gradients + keys + self._embed.peak(rows),
            "learning": pictures + self._gradients + keys + self._learn.peak(rows),
            "moving the weights": pictures
            + self._gradients
            + exchanged
            + keys
            + self._end.peak(pairs),
        }
        if shuffles:
            moments["shuffling the keys"] = batch + waiting + self._shuffle.peak(pairs)
        moment = max(moments, key=lambda name: moments[name])
        gradients = 0 if moment == "shuffling the keys" else self._gradients
        kept = self._learn.kept_for_gradient(rows) if moment == "learning" else 0
        return ReplicaMemory(
            **self._state,
            gradients=gradients,
            pictures=round(pictures),
            activations=kept,
            working=round(moments[moment] - gradients - pictures - kept),
            moment=moment,
        )

    def largest_batch(self, bytes_of_gpu: float, parts: int) -> int:
        """The most photos of a step that fit into a GPU.

        Args:
            bytes_of_gpu: memory of a GPU.
            parts: parts that they are worked off in.

        Returns:
            number of photos on each replica, whose pairs the parts can share; 0 if none fit.
        """
        low, high = 0, 1
        while self.of_replica(high, parts).total <= bytes_of_gpu:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            fits = self.of_replica(middle, parts).total <= bytes_of_gpu
            low, high = (middle, high) if fits else (low, middle)
        return next((n for n in range(low, 0, -1) if n * self.pairs_per_photo % parts == 0), 0)


@dataclasses.dataclass(frozen=True)
class PretrainingPlan:
    """What a run needs.

    Attributes:
        config: the `PretrainConfig`.
        replicas: number of GPUs.
        photos: number of photos to learn from.
        memory: of each replica, with the batch and the parts of the configuration.
        by_parts: from a number of parts to the bytes of a replica with the configuration's batch,
            or None where the parts cannot share its pairs, and the largest batches (photos on each
            replica) for the sizes of `GPU_SIZES`.
        host_bytes: memory of the machine that prepares all pictures, beside what programs take.
        pairs_per_core: pairs that a core prepares in a second, or None where nobody said it.
        is_measured: whether `pairs_per_core` was measured here.
        pairs_per_second: throughput of the GPUs together, or None where nobody said it.
    """

    config: PretrainConfig
    replicas: int
    photos: int
    memory: ReplicaMemory
    by_parts: dict[int, tuple[int | None, tuple[int, ...]]]
    host_bytes: int
    pairs_per_core: float
    is_measured: bool
    pairs_per_second: float | None

    @property
    def pairs(self) -> int:
        """Pairs of a step, on all replicas together."""
        return self.config.batch_size * self.config.pairs.pairs_per_photo

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch."""
        return self.photos // self.config.batch_size

    @property
    def steps(self) -> int:
        """Steps of the run."""
        return self.steps_per_epoch * self.config.schedule.epochs

    @property
    def hours(self) -> float | None:
        """Hours of the run at `pairs_per_second`."""
        if self.pairs_per_second is None:
            return None
        return self.steps * self.pairs / self.pairs_per_second / 3600

    @property
    def cores(self) -> float | None:
        """Cores that each GPU needs to be fed at `pairs_per_second`."""
        if self.pairs_per_second is None:
            return None
        return self.pairs_per_second / self.replicas / self.pairs_per_core


def plan_pretraining(
    photos: PathLike | Sequence[PathLike],
    config: PathLike | PretrainConfig = DEFAULT,
    settings: Iterable[str] = (),
    *,
    replicas: int = 1,
    pairs_per_core: float | None = None,
    pairs_per_second: float | None = None,
) -> PretrainingPlan:
    """Says what a run of `reiqa_tf.pretrain` needs, without beginning it.

    Memory is counted on the graphs of the step, which takes some seconds to half a minute. Weights
    are drawn, nothing is trained and nothing is written.

    Args:
        photos: as in `reiqa_tf.pretrain`.
        config: likewise.
        settings: changes of it, such as `parts=8`.
        replicas: number of GPUs, which need not be here.
        pairs_per_core: pairs that a core prepares in a second; None measures it here, on these
            photos, which takes a minute.
        pairs_per_second: throughput of all GPUs together, for hours and cores; None leaves those
            out.

    Returns:
        `PretrainingPlan`.

    Raises:
        ReiqaError: if the configuration or the photos cannot be used, or the replicas cannot share
            the batch.

    Example:
    ```python
    import reiqa_tf

    plan = reiqa_tf.plan_pretraining("holiday/", "smoke", pairs_per_core=2.0)
    print(plan.memory.total, plan.steps)
    ```
    """
    if not isinstance(config, PretrainConfig):
        config = load_config(config)
    for setting in settings:
        config = override(config, setting)
    for name, value in (
        ("replicas", replicas),
        ("pairs_per_core", pairs_per_core),
        ("pairs_per_second", pairs_per_second),
    ):
        if value is not None and value <= 0:
            raise TrainingError(f"{name}: expected a number above 0. Received: {value}")
    paths = (
        training_photos(photos) if isinstance(photos, (str, os.PathLike)) else PathList.of(photos)
    )
    pipeline = ViewPipeline(paths, make_views(config), config.batch_size)
    pairs = config.batch_size * config.pairs.pairs_per_photo
    if config.batch_size % replicas or pairs // replicas % config.parts:
        raise TrainingError(
            f"batch_size and parts: expected photos that {replicas} replicas can share equally, "
            f"and pairs of a replica that {config.parts} parts can. Received: "
            f"{config.batch_size} photos, {pairs} pairs"
        )
    step = StepMemory(config, replicas)
    share = config.batch_size // replicas
    is_measured = pairs_per_core is None
    return PretrainingPlan(
        config,
        replicas,
        len(paths),
        memory=step.of_replica(share, config.parts),
        by_parts={
            parts: (
                None
                if share * step.pairs_per_photo % parts
                else step.of_replica(share, parts).total,
                tuple(step.largest_batch(size * 1e9, parts) for size in GPU_SIZES),
            )
            for parts in sorted({1, 2, 4, 8, 16, config.parts})
        },
        host_bytes=_HOST_BATCHES * pairs * 6 * config.pairs.patch**2,
        pairs_per_core=measure_pairs_per_core(pipeline)
        if pairs_per_core is None
        else pairs_per_core,
        is_measured=is_measured,
        pairs_per_second=pairs_per_second,
    )


def measure_pairs_per_core(pipeline: ViewPipeline) -> float:
    """Measures how many pairs a core of this machine prepares in a second.

    Pairs are divided by the time that processors spent on them, so that neither the number of cores
    nor what else they do changes the figure much.

    Args:
        pipeline: of the photos and views. Its batch size does not matter.

    Returns:
        pairs a second and core.
    """
    photo_by_photo = dataclasses.replace(pipeline, batch_size=1, skipped={})
    batches = iter(photo_by_photo.dataset())
    for _ in range(4):  # compiles, and lets the stream run ahead as it does in a run
        next(batches)
    photos, start = 0, time.process_time()
    while time.process_time() - start < _MEASURED_SECONDS:
        next(batches)
        photos += 1
    return photos * pipeline.views.pairs / (time.process_time() - start)


def _traced(function: Callable[..., Any], *arguments: Any) -> GraphMemory:
    """The memory of a function's graph, which is made and not run."""
    traced = tf.function(function, autograph=False).get_concrete_function(*arguments)
    return GraphMemory(traced.graph)
