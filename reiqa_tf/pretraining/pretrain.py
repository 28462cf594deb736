"""An encoder of your own, from photos without scores: one call for the whole run."""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
from collections.abc import Iterable, Sequence

import keras
import tensorflow as tf

from reiqa_tf.data.photos import find_photos
from reiqa_tf.data.scored_photos import ScoredPhotos, read_scored_photos
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.path_list import PathList
from reiqa_tf.pretraining.config import PretrainConfig, load_config, override
from reiqa_tf.pretraining.contrastive import train_encoder
from reiqa_tf.pretraining.from_config import make_pipeline
from reiqa_tf.pretraining.probe import LinearProbe, Probed, read_probes
from reiqa_tf.pretraining.retrieval import RetrievalProbe, RetrievalRow, read_retrievals
from reiqa_tf.pretraining.run_report import write_run_report
from reiqa_tf.pretraining.shipped_configs import DEFAULT
from reiqa_tf.pretraining.training_photos import training_photos
from reiqa_tf.pretraining.views_picture import ViewsPicture, mosaic
from reiqa_tf.remote import is_remote
from reiqa_tf.training.history import read_history
from reiqa_tf.training.replicas import worker_count, worker_index
from reiqa_tf.training.stored_runs import run_folder
from reiqa_tf.training.strategy import make_strategy
from reiqa_tf.training.tensor_board import TensorBoardLog
from reiqa_tf.typing import PathLike

_PATH = (str, os.PathLike)
"""What is one path and no list of them."""


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """What came of a run, or of a part of one.

    Attributes:
        folder: folder of the run; its address, if that is on an object store.
        config: the `PretrainConfig` that it was made with.
        scorer: `ReIQAScorer` without a head, whose one expert is the encoder that was trained. Fit
            a head on it, by the preset's name: `folder / "preset"`.
        step: number of steps made so far.
        steps: number of steps of the whole run.
        interrupted: whether Ctrl-C or SIGTERM stopped it; the same call goes on.
        photos: number of photos to learn from.
        skipped: from the path of each photo that could not be read to the reason.
        writes: whether this process writes into the folder: of several workers the first one does.
            What follows is empty, or NaN, where it does not, and before the first step.
        loss: mean over as many of the newest steps as an epoch has.
        accuracy: likewise, the share of queries whose own key was nearer than any in the queue.
        probes: measurements of the probe, the untrained network first.
        retrievals: measurements of retrieval, likewise.
    """

    folder: PathLike
    config: PretrainConfig
    scorer: ReIQAScorer
    step: int
    steps: int
    interrupted: bool
    photos: int
    skipped: dict[str, str]
    writes: bool
    loss: float
    accuracy: float
    probes: list[Probed]
    retrievals: list[RetrievalRow]


def pretrain(
    photos: PathLike | Sequence[PathLike],
    out: PathLike,
    config: PathLike | PretrainConfig = DEFAULT,
    settings: Iterable[str] = (),
    *,
    probe: PathLike | ScoredPhotos | None = None,
    retrieval: PathLike | Sequence[PathLike] | None = None,
    probe_every: int = 1,
    tensorboard: bool = False,
    cache: PathLike | None = None,
    strategy: tf.distribute.Strategy | None = None,
    display: keras.callbacks.Callback | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Pretrained:
    """Trains an encoder on photos without scores, or goes on with a run that was interrupted.

    The folder of the run gets `config.json`, `history.csv`, `views.png`, `checkpoints/`,
    `curves.png`, `report.html` and, when the run is complete, `preset/`. On Ctrl-C and SIGTERM the
    run saves a checkpoint and returns; the same call goes on where it was, and ends with the same
    weights.

    With `TF_CONFIG`, as TensorFlow documents it, all workers make this call, with a folder that
    they share.

    Args:
        photos: a folder, a pack, a pattern, a CSV file with a column `image` (of which the rows
            with split `train` are taken where there is a column `split`), or a list of paths; on
            this machine or, with `reiqa_tf[remote]`, on an object store.
        out: folder of the run, on this machine or on a store, to which it is copied after each
            checkpoint.
        config: name of a shipped configuration, path of a Python file of your own, or a
            `PretrainConfig`; `quality_lite0` unless another one is named.
        settings: changes of it, such as `optimizer.rate=0.3`.
        probe: scored photos, or their CSV file; the SRCC of a ridge on the features is measured
            meanwhile.
        retrieval: photos that are not trained on, as a folder, a pattern or a list; how often the
            nearest neighbour of a distorted version has the same distortion and level is measured
            meanwhile.
        probe_every: epochs between two measurements of `probe` and of `retrieval`.
        tensorboard: whether the folder also gets `tensorboard/`: curves and views.
        cache: folder that keeps decoded photos, 3 bytes a pixel; None keeps none.
        strategy: where it computes; None is all GPUs of the machine or its CPU, or the workers of
            `TF_CONFIG`, as `reiqa_tf.training.strategy.make_strategy()` chooses.
        display: a callback that shows the run; it comes before those that measure, on the first
            worker alone.
        callbacks: Keras callbacks, on every worker; after those that measure, so that they can use
            `probe_srcc` and the like. See `reiqa_tf.training.loop.train`.

    Returns:
        `Pretrained`.

    Raises:
        ReiqaError: if the configuration, the photos or the strategy cannot be used, the folder
            holds another run, or something cannot be written.

    Example:
    ```text
    import reiqa_tf

    run = reiqa_tf.pretrain("holiday/", "run", "smoke", ["schedule.epochs=4"])
    print(run.step, run.loss, run.accuracy)
    features = run.scorer.features(reiqa_tf.read_image("photo.jpg")[None])
    ```
    """
    if not isinstance(config, PretrainConfig):
        config = load_config(config)
    for setting in settings:
        config = override(config, setting)
    strategy = make_strategy() if strategy is None else strategy
    writes = worker_index(strategy) == 0
    pipeline = make_pipeline(
        config,
        training_photos(photos) if isinstance(photos, _PATH) else PathList.of(photos),
        worker=worker_index(strategy),
        workers=worker_count(strategy),
        cache=cache,
    )
    with run_folder(out, writes) as (folder, keepers):
        observers: list[keras.callbacks.Callback] = []
        if writes:
            observers += [] if display is None else [display]
            observers.append(ViewsPicture(folder))
            if probe is not None:
                scored = probe if isinstance(probe, ScoredPhotos) else read_scored_photos(probe)
                observers.append(LinearProbe(config, scored, folder, probe_every))
            if retrieval is not None:
                others = find_photos(retrieval) if isinstance(retrieval, _PATH) else list(retrieval)
                observers.append(RetrievalProbe(config, others, folder, probe_every))
        observers += callbacks
        if writes and tensorboard:  # last, because it writes what the others measure
            observers.append(TensorBoardLog(folder / "tensorboard", {"views": mosaic}))
        trained = train_encoder(config, pipeline, folder, strategy, [*observers, *keepers])
        loss, accuracy = math.nan, math.nan
        if writes and trained.step:
            write_run_report(folder)
            columns = read_history(folder / "history.csv")
            newest = slice(-pipeline.steps_per_epoch, None)
            loss, accuracy = (float(columns[name][newest].mean()) for name in ("loss", "accuracy"))
        probes = read_probes(folder / "probe.csv") if writes else []
        retrievals = read_retrievals(folder / "retrieval.json") if writes else []
    return Pretrained(
        folder=out if is_remote(out) else pathlib.Path(out),
        config=config,
        scorer=trained.scorer,
        step=trained.step,
        steps=trained.steps,
        interrupted=trained.interrupted,
        photos=len(pipeline.photos),
        skipped=dict(pipeline.skipped),
        writes=writes,
        loss=loss,
        accuracy=accuracy,
        probes=probes,
        retrievals=retrievals,
    )
