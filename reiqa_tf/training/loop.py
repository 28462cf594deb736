"""The training loop: one for every objective and for every `tf.distribute` strategy."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import pathlib
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import keras
import tensorflow as tf

from reiqa_tf.files import OutputError, written_whole
from reiqa_tf.training.callbacks import BatchCallback
from reiqa_tf.training.checkpoints import Checkpoint, CheckpointFolder
from reiqa_tf.training.history import History
from reiqa_tf.training.interruption import noted_signals
from reiqa_tf.training.objective import Batch, Logs, Objective, TrainingError
from reiqa_tf.training.optimizers import make_optimizer
from reiqa_tf.training.replicas import sum_over_workers, worker_count, worker_index
from reiqa_tf.training.settings import differences
from reiqa_tf.typing import PathLike

_LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.UnavailableError,
)
"""What TensorFlow raises where another worker does not answer any more."""


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """What came of a run, or of a part of one.

    Attributes:
        model: the model, as it is after the last step that was made.
        step: number of steps made so far.
        steps: number of steps of the whole run.
        complete: whether there is nothing more to do: all steps are made, or a callback said so.
        interrupted: whether a signal stopped it; the same call goes on.
        writes: whether this worker is the one that writes into the folder.
    """

    model: keras.Model
    step: int
    steps: int
    complete: bool
    interrupted: bool
    writes: bool


def train(
    objective: Objective,
    folder: PathLike,
    strategy: tf.distribute.Strategy | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainedModel:
    """Trains a model, or goes on with a run that was interrupted.

    The folder gets `config.json`, `history.csv` and `checkpoints/`. A run that is started again in
    the same folder goes on from its newest checkpoint, and ends with the very weights of a run that
    nobody interrupted. On SIGTERM and Ctrl-C it saves a checkpoint and returns.

    With several workers all of them call this, with the same arguments and a folder that they
    share; the first one writes.

    Args:
        objective: what is trained, on what, and how.
        folder: folder of the run.
        strategy: `tf.distribute` strategy; None is the current one.
        callbacks: Keras callbacks. They get the objective's columns and `learning_rate` as logs,
            of a step (with the speed) and as the means of an epoch; `params` has `epochs` and, of
            an epoch, `steps`; and `model.stop_training` is respected. A `BatchCallback` also sees
            the batches.

    Returns:
        `TrainedModel`.

    Raises:
        TrainingError: if the batches cannot be shared, the folder holds another run, the loss is
            not finite any more, or another worker is gone.
        OutputError: if the last checkpoint cannot be written.
    """
    run = _Run(objective, pathlib.Path(folder), strategy or tf.distribute.get_strategy())
    epochs, steps_per_epoch = objective.config.schedule.epochs, objective.steps_per_epoch
    observers = keras.callbacks.CallbackList(
        list(callbacks), model=run.model, epochs=epochs, steps=steps_per_epoch
    )
    watchers = [callback for callback in callbacks if isinstance(callback, BatchCallback)]
    batches = run.batches()
    with run.history() as history, noted_signals() as received, run.lost_workers_named():
        observers.on_train_begin()
        stops, before = run.was_signalled(received), time.perf_counter()
        while run.step < run.steps and not stops and not run.model.stop_training:
            epoch, place = divmod(run.step, steps_per_epoch)
            if place == 0:
                observers.on_epoch_begin(epoch)
            observers.on_train_batch_begin(place)
            batch = next(batches)
            for watcher in watchers:
                watcher.on_batch(run.step, run.first_share(batch))
            logs = run.advance(batch)
            speed = objective.count_of_step / (time.perf_counter() - before)
            logs = {**logs, run.speed: speed}
            history.append({"step": run.step, "epoch": epoch + 1, **logs})
            observers.on_train_batch_end(place, logs)
            if place == steps_per_epoch - 1:
                observers.on_epoch_end(epoch, run.means_of_epoch())
            stops = run.was_signalled(received)
            if run.step % objective.config.checkpoints.every == 0:
                run.save_if_possible()
            before = time.perf_counter()  # the speed is that of data and step alone
        run.save()
        observers.on_train_end()
    complete = run.step == run.steps or run.model.stop_training
    return TrainedModel(run.model, run.step, run.steps, complete, stops, run.writes)


class _Rows(Protocol):
    """What takes the rows of a history."""

    def append(self, row: Mapping[str, float]) -> None:
        """Adds a row."""


class _Forgotten:
    """The history of a worker that does not write."""

    def append(self, row: Mapping[str, float]) -> None:
        """Does nothing."""


class _Run:
    """A run in its folder: what it is made of, where it stands, and how it is kept."""

    def __init__(
        self, objective: Objective, folder: pathlib.Path, strategy: tf.distribute.Strategy
    ) -> None:
        objective.check(strategy.num_replicas_in_sync)
        self.objective = objective
        self.folder = folder
        self.strategy = strategy
        self.writes = worker_index(strategy) == 0
        self.speed = f"{objective.counted}_per_second"
        config = objective.config
        self.steps = config.schedule.epochs * objective.steps_per_epoch
        self.described = dict(objective.described)
        self.checkpoints = CheckpointFolder(folder / "checkpoints", config.checkpoints.keep)
        newest = self.checkpoints.newest()
        _check_same_run(folder, self.described, newest)
        with strategy.scope():
            keras.utils.set_random_seed(config.seed)
            self.model = objective.make_model(from_start=newest is None)
            self.optimizer = make_optimizer(
                config.optimizer,
                config.learning_rate,
                config.schedule,
                objective.steps_per_epoch,
                self.model.trainable_variables,
                objective.rate_factors(self.model),
            )
            self.model.compile(optimizer=self.optimizer)  # where Keras's callbacks look for it
        self.model.stop_training = False
        self.learn = objective.make_step(self.model, self.optimizer, strategy)
        self.step = 0
        self.saved: int | None = None
        self.sums: Logs = {}
        if newest is not None:
            self._restore(newest)
        if sum_over_workers(strategy, self.step) != self.step * worker_count(strategy):
            raise TrainingError(
                f"{folder}: the workers see different checkpoints in their folders."
            )
        if self.writes:
            self.checkpoints.clear_after(self.step)
            with written_whole(folder / "config.json") as scratch:
                scratch.write_text(json.dumps(self.described, indent=2) + "\n")

    def batches(self) -> Iterator[Batch]:
        """This worker's batches, from where the run stands, one share a replica.

        A generator, so that a run that is complete makes no pipeline.
        """
        dataset = self.objective.dataset(self.step)
        replicas = self.strategy.num_replicas_in_sync // worker_count(self.strategy)
        if replicas > 1:
            dataset = dataset.map(lambda batch: _shares(batch, replicas)).unbatch()
        yield from self.strategy.distribute_datasets_from_function(lambda _: dataset)

    def first_share(self, batch: Batch) -> Batch:
        """What this worker's first replica gets of a batch."""
        return self._shares_here(batch)[0]

    def history(self) -> contextlib.AbstractContextManager[_Rows]:
        """The run's history; one that forgets on workers that do not write."""
        if not self.writes:
            return contextlib.nullcontext(_Forgotten())
        columns = ("step", "epoch", *self.objective.columns, "learning_rate", self.speed)
        return History(self.folder / "history.csv", columns, self.step)

    def advance(self, batch: Batch) -> Logs:
        """Makes one step, and returns its logs."""
        for share in self._shares_here(batch):
            self.objective.note(share)
        rate = float(self.optimizer.learning_rate)
        logs = {**self.learn(batch), "learning_rate": rate}
        if not math.isfinite(logs["loss"]):
            raise TrainingError(
                f"step {self.step + 1}: the loss is {logs['loss']}. The checkpoints before it are "
                "good. Start anew in another folder with a lower optimizer.rate."
            )
        if self.step % self.objective.steps_per_epoch == 0:
            self.sums = dict.fromkeys(logs, 0.0)
        self.sums = {name: self.sums[name] + value for name, value in logs.items()}
        self.step += 1
        return logs

    def was_signalled(self, received: Callable[[], object]) -> bool:
        """Whether any worker has received a signal, so that all stop after the same step."""
        return sum_over_workers(self.strategy, int(received() is not None)) > 0

    @contextlib.contextmanager
    def lost_workers_named(self) -> Iterator[None]:
        """Ends the run with a line if another worker is gone; nothing of this step is saved."""
        try:
            yield
        except _LOST as error:
            if worker_count(self.strategy) == 1:
                raise
            raise TrainingError(
                f"{self.folder}: another worker is gone ({type(error).__name__}). This one stops "
                "as well; the checkpoints are as they were. Start all workers again to go on, or "
                "another number of them that can share the batches."
            ) from error

    def means_of_epoch(self) -> Logs:
        """The means of the logs over the epoch that just ended."""
        return {name: total / self.objective.steps_per_epoch for name, total in self.sums.items()}

    def save(self) -> None:
        """Saves a checkpoint, unless this step has one."""
        if self.writes and self.saved != self.step:
            arrays = {name: variable.numpy() for name, variable in self._state().items()}
            about = {**self.described, "sums": self.sums}
            self.checkpoints.save(Checkpoint(self.step, arrays, about))
            self.saved = self.step

    def save_if_possible(self) -> None:
        """Saves a checkpoint; a full disk does not end the run."""
        try:
            self.save()
        except OutputError as error:
            warnings.warn(
                f"{error} The run goes on; the checkpoints before are untouched.", stacklevel=2
            )

    def _restore(self, checkpoint: Checkpoint) -> None:
        state = self._state()
        if set(state) != set(checkpoint.arrays):
            raise TrainingError(
                f"{self.folder}: the checkpoints are of another version of this package; the "
                "weights have other names. Go on with the version that began the run."
            )
        for name, variable in state.items():
            variable.assign(checkpoint.arrays[name])
        self.step = self.saved = checkpoint.step
        self.sums = checkpoint.about["sums"]

    def _state(self) -> dict[str, keras.Variable]:
        """All variables by name."""
        state = {}
        for owner, part in (("model", self.model), ("optimizer", self.optimizer)):
            for i, variable in enumerate(part.variables):  # numbered: paths may occur twice
                state[f"{owner}/{i:04d}/{variable.path}"] = variable
        return state

    def _shares_here(self, batch: Batch) -> list[Batch]:
        """What each replica of this worker gets of a batch."""
        local = self.strategy.experimental_local_results
        columns = [local(column) for column in batch.values()]
        return [dict(zip(batch, share, strict=True)) for share in zip(*columns, strict=True)]


def _shares(batch: Batch, replicas: int) -> Batch:
    """A batch with one more axis in front: its share for each replica."""

    def share(rows: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(rows)
        return tf.reshape(rows, tf.concat([[replicas, shape[0] // replicas], shape[1:]], 0))

    return {name: share(rows) for name, rows in batch.items()}


def _check_same_run(
    folder: pathlib.Path, described: Mapping[str, Any], newest: Checkpoint | None
) -> None:
    """Refuses to mix two runs in a folder."""
    if newest is None:
        if (folder / "history.csv").exists() and (folder / "preset").exists():
            raise TrainingError(f"{folder}: holds a run without its checkpoints. Name another one.")
        return
    former = {name: newest.about[name] for name in described}
    differ = differences(former, described)
    if differ:
        raise TrainingError(
            f"{folder}: holds a run with other settings ({'; '.join(differ)}; there and now). Name "
            "another folder, or take the same settings to go on."
        )
