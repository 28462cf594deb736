"""A scorer of your own, encoders and head, from photos that have scores: one call for the run."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.model_selection import GroupShuffleSplit

from reiqa_tf.data.scored_photos import ScoredPhotos, read_scored_photos, require_photos
from reiqa_tf.errors import ReiqaError
from reiqa_tf.fitting.encoders import Preset, loaded
from reiqa_tf.fitting.fit import fit
from reiqa_tf.fitting.fit_head import FEWEST_ROWS
from reiqa_tf.fitting.recalibrate import recalibrate
from reiqa_tf.image.reading import ImageError, read_image
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.presets import DEFAULT as DEFAULT_PRESET
from reiqa_tf.presets.folders import read_metadata
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.reading_ahead import ahead
from reiqa_tf.training.loop import train
from reiqa_tf.training.objective import TrainingError
from reiqa_tf.training.replicas import worker_count, worker_index
from reiqa_tf.training.settings import as_dictionary
from reiqa_tf.training.strategy import make_strategy
from reiqa_tf.training.tensor_board import TensorBoardLog
from reiqa_tf.tuning.batches import SMALLEST_SIDE, TuningBatches
from reiqa_tf.tuning.config import TuneConfig, load_config, override
from reiqa_tf.tuning.objective import TuneObjective
from reiqa_tf.tuning.pairs import read_pairs
from reiqa_tf.tuning.run_report import write_run_report
from reiqa_tf.tuning.shipped_configs import DEFAULT
from reiqa_tf.tuning.validation import (
    Validated,
    Validation,
    best_of,
    best_scorer,
    read_validation,
)
from reiqa_tf.typing import PathLike

_AHEAD = 4


@dataclasses.dataclass(frozen=True)
class Tuned:
    """What came of a run, or of a part of one.

    Attributes:
        folder: folder of the run.
        config: the `TuneConfig` that it was made with.
        scorer: `ReIQAScorer` of the best step so far; calibrated when the run is complete.
        step: number of steps made so far.
        steps: number of steps of the whole run.
        interrupted: whether Ctrl-C or SIGTERM stopped it; the same call goes on.
        photos: number of photos to learn from.
        held_out: number of photos that were validated and calibrated on.
        skipped: from the path of each photo that could not be read to the reason.
        writes: whether this process writes into the folder: of several workers the first one does.
        validations: measurements on the held-out photos, the frozen encoders first.
    """

    folder: pathlib.Path
    config: TuneConfig
    scorer: ReIQAScorer
    step: int
    steps: int
    interrupted: bool
    photos: int
    held_out: int
    skipped: dict[str, str]
    writes: bool
    validations: list[Validated]

    @property
    def best(self) -> Validated | None:
        """The measurement of the step whose weights are kept."""
        return best_of(self.validations)


def tune(
    scores: PathLike | ScoredPhotos,
    out: PathLike,
    preset: Preset = DEFAULT_PRESET,
    config: PathLike | TuneConfig = DEFAULT,
    settings: Iterable[str] = (),
    *,
    pairs: PathLike | None = None,
    tensorboard: bool = False,
    cache: PathLike | None = None,
    strategy: tf.distribute.Strategy | None = None,
    display: keras.callbacks.Callback | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    progress: Progress = silent,
) -> Tuned:
    """Tunes a scorer on photos that have scores, or goes on with a run that was interrupted.

    A head is fitted on the frozen encoders first; then the encoders learn to score with it. Photos
    of the split `val`, or a share of all groups, are held out: they choose the best epoch, and the
    scale, intervals and familiarity are fitted on them at the end. Rows of `test` are left alone.

    The folder of the run gets `config.json`, `history.csv`, `validation.csv`, `checkpoints/`,
    `best/`, `start/` (the frozen encoders with their head), `curves.png`, `report.html` and, when
    the run is complete, `preset/`. On Ctrl-C and SIGTERM the run saves a checkpoint and returns;
    the same call goes on where it was, and ends with the same weights.

    Args:
        scores: path of a CSV file as `read_scored_photos` reads it, or the `ScoredPhotos`.
        out: folder of the run.
        preset: whose encoders are tuned: a folder, the name of a shipped preset, or a scorer.
        config: name of a shipped configuration, path of a Python file of your own, or a
            `TuneConfig`; `tune_lite0` unless another one is named.
        settings: changes of it, such as `optimizer.rate=1e-4`.
        pairs: CSV file with the columns `better` and `worse`, beside the scores; or None.
        tensorboard: whether the folder also gets `tensorboard/`.
        cache: SQLite file that keeps features of the frozen encoders, as in `fit`; or None.
        strategy: where it computes; None is all GPUs of the machine or its CPU, or the workers of
            `TF_CONFIG`.
        display: a callback that shows the run, on the first worker alone.
        callbacks: Keras callbacks, after the one that validates, so that they see `val_srcc`.
        progress: shows how far the work before and after the training is.

    Returns:
        `Tuned`.

    Raises:
        ReiqaError: if the configuration, the photos or the strategy cannot be used, the folder
            holds another run, or something cannot be written.

    Example:
    ```text
    import reiqa_tf

    run = reiqa_tf.tune("scores.csv", "run", settings=["schedule.epochs=4"])
    print(run.best, run.scorer.score("photo.jpg"))
    ```
    """
    if not isinstance(config, TuneConfig):
        config = load_config(config)
    for setting in settings:
        config = override(config, setting)
    scored = scores if isinstance(scores, ScoredPhotos) else read_scored_photos(scores)
    if scored.splits is not None:
        scored = scored.split("train", "val")
    learned, held_out = split_off(scored, config.held_out, config.seed)
    for part, purpose in ((learned, "learn from"), (held_out, "hold out")):
        if len(part) < FEWEST_ROWS:
            raise TrainingError(
                f"expected at least {FEWEST_ROWS} scored photos to {purpose}. Received: "
                f"{len(part)} of {len(scored)}. Score more photos, or change held_out."
            )
        require_photos(part, FEWEST_ROWS)
    compared = [] if pairs is None else read_pairs(pairs)
    folder = pathlib.Path(out)
    strategy = make_strategy() if strategy is None else strategy
    writes = worker_index(strategy) == 0
    sources = _sources(preset)
    start = _start(folder, learned, preset, cache, progress, writes)
    fit_to = start.working_size if config.fits else None
    skipped: dict[str, str] = {}
    learned, batches = _batches(config, learned, compared, fit_to, skipped, strategy, progress)
    objective = TuneObjective(config, start, batches)
    observers: list[keras.callbacks.Callback] = []
    if writes and display is not None:
        observers.append(display)
    observers.append(
        Validation(start, held_out, folder, config.schedule.epochs, config.patience, writes)
    )
    observers += callbacks
    if writes and tensorboard:  # last, because it writes what the others measure
        observers.append(TensorBoardLog(folder / "tensorboard"))
    trained = train(objective, folder, strategy, observers)
    validations = read_validation(folder / "validation.csv")
    scorer = best_scorer(start, folder)
    if trained.complete and writes:
        scorer = recalibrate(scorer, held_out, progress=progress)
        scorer.save_to_preset(
            folder / "preset",
            description="encoders and head tuned on scored photos",
            sources=sources,
            tuning={
                "config": as_dictionary(config),
                "photos": len(learned),
                "held_out": len(held_out),
                "pairs": len(compared),
                "steps": trained.step,
                "validation": [row._asdict() for row in validations],
            },
        )
    if writes and trained.step:
        write_run_report(folder)
    return Tuned(
        folder=folder,
        config=config,
        scorer=scorer,
        step=trained.step,
        steps=trained.steps,
        interrupted=trained.interrupted,
        photos=len(learned),
        held_out=len(held_out),
        skipped={**skipped, **batches.skipped},
        writes=writes,
        validations=validations,
    )


def split_off(scored: ScoredPhotos, share: float, seed: int) -> tuple[ScoredPhotos, ScoredPhotos]:
    """Parts scored photos into those to learn from and those to hold out.

    Args:
        scored: rows of `train` and `val`, or without splits.
        share: share of the groups that is held out where there is no row of `val`.
        seed: of the choice.

    Returns:
        two `ScoredPhotos`; no group is in both, unless the column `split` says so.
    """
    if scored.splits is not None and (scored.splits == "val").any():
        held = scored.splits == "val"
        return scored.rows(~held), scored.rows(held)
    groups = np.arange(len(scored)) if scored.groups is None else scored.groups
    if len(np.unique(groups)) < 2:
        raise TrainingError("group: expected two groups or more, so that one can be held out.")
    parting = GroupShuffleSplit(1, test_size=share, random_state=seed)
    train_rows, held_rows = next(parting.split(groups, groups=groups))
    return scored.rows(np.sort(train_rows)), scored.rows(np.sort(held_rows))


def measured_sizes(
    paths: Sequence[str], fit_to: int | None, progress: Progress = silent
) -> tuple[np.ndarray, dict[int, ReiqaError]]:
    """The sizes at which photos are cropped.

    Args:
        paths: paths of N photos.
        fit_to: as in `read_image`.
        progress: shows how far the work is.

    Returns:
        integers `(N, 2)`, height and width, 0 for those that cannot be used; and why, by place.
    """

    def measure(index: int) -> tuple[int, int] | ReiqaError:
        try:
            height, width = read_image(paths[index], fit_to).shape[:2]
        except ImageError as problem:
            return problem
        if min(height, width) < SMALLEST_SIDE:
            return ImageError(
                f"{paths[index]}: expected at least {SMALLEST_SIDE} px each way to tune on. "
                f"Received: {width} x {height}"
            )
        return height, width

    sizes = np.zeros((len(paths), 2), int)
    problems: dict[int, ReiqaError] = {}
    found = ahead(measure, len(paths), _AHEAD)
    for index, size in enumerate(progress(found, "reading sizes", len(paths))):
        if isinstance(size, ReiqaError):
            problems[index] = size
        else:
            sizes[index] = size
    return sizes, problems


def _batches(
    config: TuneConfig,
    learned: ScoredPhotos,
    compared: Sequence[tuple[str, str]],
    fit_to: int | None,
    skipped: dict[str, str],
    strategy: tf.distribute.Strategy,
    progress: Progress,
) -> tuple[ScoredPhotos, TuningBatches]:
    """The photos that can be read, and their batches; notes the others."""
    sizes, problems = measured_sizes(learned.paths, fit_to, progress)
    skipped.update({learned.paths[index]: str(problem) for index, problem in problems.items()})
    usable = np.setdiff1d(np.arange(len(learned)), list(problems))
    learned = learned.rows(usable)
    flat = [path for pair in compared for path in pair]
    pair_sizes, pair_problems = measured_sizes(flat, fit_to, progress)
    if pair_problems:
        raise TrainingError(str(next(iter(pair_problems.values()))))
    return learned, TuningBatches(
        learned.paths,
        learned.scores,
        sizes[usable],
        config.batch_size,
        config.crop,
        fit=fit_to,
        ladders=config.ladders,
        ladder_levels=config.ladder_levels,
        rotates=config.rotates,
        pair_paths=compared,
        pair_sizes=pair_sizes.reshape(-1, 2, 2).min(axis=1),
        pairs=config.pairs,
        seed=config.seed,
        worker=worker_index(strategy),
        workers=worker_count(strategy),
    )


def _start(
    folder: pathlib.Path,
    learned: ScoredPhotos,
    preset: Preset,
    cache: PathLike | None,
    progress: Progress,
    writes: bool,
) -> ReIQAScorer:
    """The frozen encoders with a head on the scale of the scores; kept for a run that goes on."""
    kept = folder / "start"
    if (kept / "metadata.json").exists():
        return loaded(kept)
    plain = dataclasses.replace(learned, splits=None)
    result = fit(plain, None, preset, cache=cache, progress=progress)
    if writes:
        result.save(kept)
    return result.scorer


def _sources(preset: Preset) -> Mapping[str, Any] | None:
    """What is known about where the encoders are from."""
    if isinstance(preset, ReIQAScorer):
        return None
    metadata = read_metadata(preset)
    return {
        "tuned_from": str(preset),
        **(metadata.get("sources") or {"pretraining": metadata.get("pretraining")}),
    }
