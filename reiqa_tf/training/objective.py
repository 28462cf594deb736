"""What the engine asks of what is trained: an objective, its configuration and its step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import keras
import tensorflow as tf

from reiqa_tf.errors import ReiqaError
from reiqa_tf.training.recipes import Checkpoints, OptimizerRecipe, Schedule
from reiqa_tf.typing import Tensor

Batch: TypeAlias = Mapping[str, Tensor]
"""What a step learns from: tensors by name, all with the same photos along their first axis."""

Logs: TypeAlias = dict[str, float]
"""Numbers by name, of a step or means over an epoch."""


class TrainingError(ReiqaError):
    """A run that cannot begin, or cannot go on."""


class RunConfig(Protocol):
    """What the engine reads of a configuration."""

    @property
    def optimizer(self) -> OptimizerRecipe:
        """What moves the weights."""

    @property
    def schedule(self) -> Schedule:
        """The learning rate over the run, and its length."""

    @property
    def learning_rate(self) -> float:
        """The base rate, scaled to the batch."""

    @property
    def checkpoints(self) -> Checkpoints:
        """How often the run is saved."""

    @property
    def seed(self) -> int:
        """Of the weights and of all that is random."""


class Step(Protocol):
    """Makes one step."""

    def __call__(self, batch: Batch) -> Logs:
        """Learns from a batch.

        Args:
            batch: what the strategy distributes of the objective's batches.

        Returns:
            means over the whole batch, by the objective's `columns`; `loss` among them.
        """


class Objective(Protocol):
    """Something to train: a model, its batches and its step.

    The engine asks for the rest of a run: optimizer and schedule, devices, checkpoints, history,
    callbacks. What the folder of a run gets beyond that is the business of whoever calls `train`.
    """

    columns: tuple[str, ...]
    """Names of the numbers that a step returns, in the order of the history."""

    counted: str
    """What the speed counts; the history's column is called `{counted}_per_second`."""

    @property
    def config(self) -> RunConfig:
        """The numbers of the run."""

    @property
    def described(self) -> Mapping[str, Any]:
        """What two runs must have in common to go on in one folder, as JSON can hold it."""

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps in an epoch."""

    @property
    def count_of_step(self) -> int:
        """How many of what is counted a step learns from, on all replicas together."""

    def check(self, replicas: int) -> None:
        """Raises a `TrainingError` if so many replicas cannot share the batches."""

    def make_model(self, from_start: bool) -> keras.Model:
        """Makes the model, built; called within the strategy's scope.

        Args:
            from_start: whether it needs the weights that a run begins with. A run that goes on
                takes them from its checkpoint.
        """

    def rate_factors(self, model: keras.Model) -> Sequence[float] | None:
        """Factors on the learning rate, one a trainable variable; None is 1 everywhere."""

    def make_step(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
    ) -> Step:
        """Makes what makes a step."""

    def dataset(self, first_step: int) -> tf.data.Dataset:
        """The endless stream of this worker's batches from a step on, dictionaries of tensors."""

    def note(self, batch: Batch) -> None:
        """Is shown what each replica of this worker got, after it was drawn."""
