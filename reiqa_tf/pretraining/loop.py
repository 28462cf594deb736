"""Contrastive pretraining of one expert: the loop, the same for every strategy."""

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import pathlib
import time
import types
import warnings

import keras
import tensorflow as tf

from reiqa_tf.errors import ReiqaError
from reiqa_tf.files import OutputError, written_whole
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.pretraining.batch_callback import BatchCallback
from reiqa_tf.pretraining.checkpoints import Checkpoint, CheckpointFolder
from reiqa_tf.pretraining.clean_statistics import measure_statistics
from reiqa_tf.pretraining.config import as_dictionary, differences
from reiqa_tf.pretraining.from_config import make_moco, make_optimizer, trained_scorer
from reiqa_tf.pretraining.history import History
from reiqa_tf.pretraining.interruption import noted_signals
from reiqa_tf.pretraining.replicas import sum_over_workers, worker_count, worker_index
from reiqa_tf.pretraining.step import TrainingStep


class PretrainError(ReiqaError):
    """A run that cannot begin, or cannot go on."""


@dataclasses.dataclass(frozen=True)
class PretrainResult:
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


def pretrain(config, pipeline, folder, strategy=None, callbacks=()):
    """Trains an expert, or goes on with a run that was interrupted.

    The folder gets `config.json`, `history.csv`, `checkpoints/` and, when the run is complete,
    `preset/` with the trained encoder. A run that is started again in the same folder goes on from
    its newest checkpoint, and ends with the very weights of a run that nobody interrupted. On
    SIGTERM and Ctrl-C it saves a checkpoint and returns.

    With several workers all of them call this, with the same arguments and a folder that they
    share; the first one writes.

    Args:
        config: the `PretrainConfig`.
        pipeline: `ViewPipeline` with this worker's part of the configuration's batches.
        folder: folder of the run.
        strategy: `tf.distribute` strategy; None is the current one.
        callbacks: Keras callbacks. They get `loss`, `accuracy` and `learning_rate` as logs, of a
            step (with `pairs_per_second`) and as the means of an epoch, and `moco.stop_training` is
            respected. A `BatchCallback` also sees the pairs.

    Returns:
        `PretrainResult`.

    Raises:
        PretrainError: if the photos are fewer than a batch, the batch cannot be shared or parted,
            the folder holds another run, or the loss is not finite any more.
        OutputError: if the last checkpoint or the preset cannot be written.

    Example:
    ```python
    config = load_config("quality_lite0")
    result = pretrain(config, make_pipeline(config, photos), "runs/quality_lite0")
    ```
    """
    run = _Run(config, pipeline, pathlib.Path(folder), strategy or tf.distribute.get_strategy())
    observers = keras.callbacks.CallbackList(list(callbacks), model=run.moco)
    watchers = [each for each in callbacks if isinstance(each, BatchCallback)]
    batches = run.batches()
    with run.history() as history, noted_signals() as received:
        observers.on_train_begin()
        stop, before = run.is_to_stop(received), time.perf_counter()
        while run.step < run.steps and not stop and not run.moco.stop_training:
            epoch, place = divmod(run.step, pipeline.steps_per_epoch)
            if place == 0:
                observers.on_epoch_begin(epoch)
            observers.on_train_batch_begin(place)
            batch = next(batches)
            for watcher in watchers:
                watcher.on_batch(run.step, run.first_pairs(batch))
            logs = run.advance(batch)
            speed = config.batch_size * pipeline.views.pairs / (time.perf_counter() - before)
            logs = {**logs, "pairs_per_second": speed}
            history.append({"step": run.step, "epoch": epoch + 1, **logs})
            observers.on_train_batch_end(place, logs)
            if place == pipeline.steps_per_epoch - 1:
                observers.on_epoch_end(epoch, run.means_of_epoch())
            stop = run.is_to_stop(received)
            if run.step % config.checkpoints.every == 0:
                run.save_if_possible()
            before = time.perf_counter()  # the speed is that of data and step alone
        run.save()
        observers.on_train_end()
    scorer = trained_scorer(config, run.moco)
    ended = run.step == run.steps or run.moco.stop_training
    if ended and config.clean_photos:
        (encoder,) = scorer.experts().values()
        measure_statistics(encoder, pipeline.photos, config.clean_photos, config.seed)
    if run.writes and ended:
        _save_preset(config, pipeline, scorer, run)
    return PretrainResult(scorer, run.step, run.steps, interrupted=stop)


class _Run:
    """A run in its folder: what it is made of, where it stands, and how it is kept."""

    def __init__(self, config, pipeline, folder, strategy):
        _check_shares(config, pipeline, strategy.num_replicas_in_sync)
        self.config = config
        self.pipeline = pipeline
        self.folder = folder
        self.strategy = strategy
        self.writes = worker_index(strategy) == 0
        self.steps = config.schedule.epochs * pipeline.steps_per_epoch
        self.described = {"config": as_dictionary(config), "photos": _fingerprint(pipeline.photos)}
        self.checkpoints = CheckpointFolder(folder / "checkpoints", config.checkpoints.keep)
        newest = self.checkpoints.newest()
        _check_same_run(folder, self.described, newest)
        with strategy.scope():
            keras.utils.set_random_seed(config.seed)
            self.moco = make_moco(config, from_start=newest is None)
            self.optimizer = make_optimizer(
                config, pipeline.steps_per_epoch, self.moco.trainable_variables
            )
            self.moco.compile(optimizer=self.optimizer)  # where Keras's callbacks look for it
        self.moco.stop_training = False
        self.train = TrainingStep(self.moco, self.optimizer, strategy, config.parts, config.seed)
        self.step, self.saved, self.sums = 0, None, {}
        if newest is not None:
            self._restore(newest)
        if sum_over_workers(strategy, self.step) != self.step * worker_count(strategy):
            raise PretrainError(
                f"{folder}: the workers see different checkpoints in their folders."
            )
        if self.writes:
            self.checkpoints.clear_after(self.step)
            with written_whole(folder / "config.json") as scratch:
                scratch.write_text(json.dumps(self.described, indent=2) + "\n")

    def batches(self):
        """This worker's batches, from where the run stands, one share a replica.

        A generator, so that a run that is complete makes no pipeline.
        """
        dataset = self.pipeline.dataset(self.step)
        replicas = self.strategy.num_replicas_in_sync // worker_count(self.strategy)
        if replicas > 1:
            dataset = dataset.map(lambda batch: _shares(batch, replicas)).unbatch()
        yield from self.strategy.distribute_datasets_from_function(lambda _: dataset)

    def first_pairs(self, batch):
        """The pairs of this worker's first replica."""
        local = self.strategy.experimental_local_results
        return {name: local(batch[name])[0] for name in ("query", "key")}

    def history(self):
        """The run's history; one that forgets on workers that do not write."""
        if self.writes:
            return History(self.folder / "history.csv", self.step)
        return contextlib.nullcontext(types.SimpleNamespace(append=lambda _: None))

    def advance(self, batch):
        """Makes one step; answers its logs."""
        self._note_skipped(batch)
        rate = float(self.optimizer.learning_rate)
        logs = {**self.train(batch), "learning_rate": rate}
        if not math.isfinite(logs["loss"]):
            raise PretrainError(
                f"step {self.step + 1}: the loss is {logs['loss']}. The checkpoints before it are "
                "good. Start anew in another folder with a lower optimizer.rate."
            )
        if self.step % self.pipeline.steps_per_epoch == 0:
            self.sums = dict.fromkeys(logs, 0.0)
        self.sums = {name: self.sums[name] + value for name, value in logs.items()}
        self.step += 1
        return logs

    def is_to_stop(self, received):
        """Whether any worker has received a signal, so that all stop after the same step."""
        return sum_over_workers(self.strategy, int(received() is not None)) > 0

    def means_of_epoch(self):
        """The means of the logs over the epoch that just ended."""
        return {name: total / self.pipeline.steps_per_epoch for name, total in self.sums.items()}

    def save(self):
        """Saves a checkpoint, unless this step has one."""
        if self.writes and self.saved != self.step:
            arrays = {name: variable.numpy() for name, variable in self._state().items()}
            about = {**self.described, "sums": self.sums}
            self.checkpoints.save(Checkpoint(self.step, arrays, about))
            self.saved = self.step

    def save_if_possible(self):
        """Saves a checkpoint; a full disk does not end the run."""
        try:
            self.save()
        except OutputError as error:
            warnings.warn(
                f"{error} The run goes on; the checkpoints before are untouched.", stacklevel=2
            )

    def _restore(self, checkpoint):
        state = self._state()
        if set(state) != set(checkpoint.arrays):
            raise PretrainError(
                f"{self.folder}: the checkpoints are of another version of this package; the "
                "weights have other names. Go on with the version that began the run."
            )
        for name, variable in state.items():
            variable.assign(checkpoint.arrays[name])
        self.step = self.saved = checkpoint.step
        self.sums = checkpoint.about["sums"]

    def _state(self):
        """All variables by name."""
        state = {}
        for owner, part in (("model", self.moco), ("optimizer", self.optimizer)):
            for i, variable in enumerate(part.variables):  # numbered: paths may occur twice
                state[f"{owner}/{i:04d}/{variable.path}"] = variable
        return state

    def _note_skipped(self, batch):
        local = self.strategy.experimental_local_results
        for wanted, photo in zip(local(batch["wanted"]), local(batch["photo"]), strict=True):
            self.pipeline.note_skipped({"wanted": wanted, "photo": photo})


def _shares(batch, replicas):
    """A batch with one more axis in front: its share for each replica."""

    def share(rows):
        shape = tf.shape(rows)
        return tf.reshape(rows, tf.concat([[replicas, shape[0] // replicas], shape[1:]], 0))

    return {name: share(rows) for name, rows in batch.items()}


def _check_shares(config, pipeline, replicas):
    if pipeline.steps_per_epoch < 1:
        raise PretrainError(
            f"batch_size: expected at most as many as there are photos, {len(pipeline.photos)}. "
            f"Received: {config.batch_size}"
        )
    pairs = config.batch_size * pipeline.views.pairs
    if config.batch_size % replicas or (pairs // replicas) % config.parts:
        raise PretrainError(
            f"batch_size and parts: expected photos that {replicas} replicas can share equally, "
            f"and pairs of a replica that {config.parts} parts can. Received: "
            f"{config.batch_size} photos, {pairs} pairs"
        )


def _check_same_run(folder, described, newest):
    """Refuses to mix two runs in a folder."""
    if newest is None:
        if (folder / "history.csv").exists() and (folder / "preset").exists():
            raise PretrainError(f"{folder}: holds a run without its checkpoints. Name another one.")
        return
    former = {name: newest.about[name] for name in described}
    differ = differences(former, described)
    if differ:
        raise PretrainError(
            f"{folder}: holds a run with other settings ({'; '.join(differ)}; there and now). Name "
            "another folder, or take the same settings to go on."
        )


def _fingerprint(photos):
    """Number and names of the photos, whose order is the order of the data."""
    names = "\n".join(os.path.basename(photo) for photo in photos)
    return {"count": len(photos), "sha256": hashlib.sha256(names.encode()).hexdigest()}


def _save_preset(config, pipeline, scorer, run):
    scorer.save_to_preset(
        run.folder / "preset",
        description=f"{config.expert}-aware encoder, pretrained contrastively; fit a head on it",
        expert=config.expert,
        network=config.result,
        pretraining={
            "config": as_dictionary(config),
            "photos": len(pipeline.photos),
            "steps": run.step,
        },
    )
