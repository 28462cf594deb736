"""Callbacks that see and measure what Keras's own do not."""

import abc
from typing import Generic, TypeVar

import keras

from reiqa_tf.errors import ReiqaError
from reiqa_tf.training.objective import Batch, Logs

_Row = TypeVar("_Row")


class BatchCallback(keras.callbacks.Callback):
    """A Keras callback to which the loop also shows what each step learns from, before it."""

    def on_batch(self, step: int, batch: Batch) -> None:
        """Called before a step.

        Args:
            step: number of steps made so far.
            batch: the part of the batch that the first replica of this worker gets, as the
                pipeline made it: pictures are uint8, 8-bit levels, `(N, H, W, 3)`.
        """


class ProbeError(ReiqaError):
    """A measurement that cannot be made."""


class Probe(keras.callbacks.Callback, abc.ABC, Generic[_Row]):
    """Measures a network before its first step, every few epochs, and after the last one.

    What a run has taught is the difference between the first measurement and the last. A run that
    goes on from a checkpoint forgets what was measured after it, and measures it again.

    Args:
        epochs: number of epochs of the run.
        every: number of epochs between two measurements. The last epoch is always measured.

    Raises:
        ProbeError: if `every` is not 1 or more.
    """

    def __init__(self, epochs: int, every: int = 1) -> None:
        super().__init__()
        if every < 1:
            raise ProbeError(f"every: expected 1 or more epochs. Received: {every}")
        self.epochs = epochs
        self.every = every

    @abc.abstractmethod
    def measure(self, step: int) -> _Row:
        """Measures the network as it is after some steps."""

    @abc.abstractmethod
    def logs_of(self, row: _Row) -> Logs:
        """The numbers of a measurement that later callbacks may use."""

    @abc.abstractmethod
    def step_of(self, row: _Row) -> int:
        """The number of steps after which a measurement was made."""

    @abc.abstractmethod
    def read(self) -> list[_Row]:
        """The measurements that the folder of the run holds."""

    @abc.abstractmethod
    def write(self, rows: list[_Row]) -> None:
        """Puts measurements in the place of those that the folder of the run holds."""

    def on_train_begin(self, logs: Logs | None = None) -> None:  # noqa: ARG002 -- of Keras
        """Measures a network that has learned nothing yet."""
        step = self._step()
        self.write([row for row in self.read() if self.step_of(row) <= step])
        if step == 0:
            self._measure()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Measures every few epochs, and adds what was measured to the logs."""
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.epochs:
            measured = self.logs_of(self._measure())
            if logs is not None:
                logs.update(measured)

    def _measure(self) -> _Row:
        step = self._step()
        measured = self.measure(step)
        self.write([*(row for row in self.read() if self.step_of(row) != step), measured])
        return measured

    def _step(self) -> int:
        return int(self.model.optimizer.iterations.numpy())
