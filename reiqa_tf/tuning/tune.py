"""A scorer of your own, encoders and head, from photos that have scores: one call for the run."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from scipy.optimize import nnls

from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.errors import ReiqaError
from reiqa_tf.fitting.encoders import Encoders, Preset, choose_encoders, without_head
from reiqa_tf.fitting.fit_head import FEWEST_ROWS, fit_head, with_head
from reiqa_tf.fitting.recalibrate import recalibrated
from reiqa_tf.fitting.scored_features import scored_features
from reiqa_tf.fitting.strange_pictures import strange_features
from reiqa_tf.image.reading import ImageError, read_image
from reiqa_tf.metrics import Agreement, measure_agreement
from reiqa_tf.models.head import LinearHead
from reiqa_tf.models.scorer import ReIQAScorer, load_preset
from reiqa_tf.presets import DEFAULT as DEFAULT_PRESET
from reiqa_tf.presets.storage import encoders_fingerprint
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import open_cache
from reiqa_tf.scoring.calibration import Calibration
from reiqa_tf.scoring.reading_ahead import ahead
from reiqa_tf.training.loop import train
from reiqa_tf.training.objective import TrainingError
from reiqa_tf.training.replicas import worker_count, worker_index
from reiqa_tf.training.settings import as_dictionary
from reiqa_tf.training.strategy import make_strategy
from reiqa_tf.training.tensor_board import TensorBoardLog
from reiqa_tf.tuning.batches import SMALLEST_SIDE, TuningBatches
from reiqa_tf.tuning.config import TuneConfig, load_config, override
from reiqa_tf.tuning.material import Material, gather
from reiqa_tf.tuning.objective import TuneObjective
from reiqa_tf.tuning.pairs import Pairs
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
class TunedExpert:
    """What came of one expert, or of a part of its training.

    Attributes:
        scorer: `ReIQAScorer` of this expert alone, with the weights of its best step so far.
        step: number of steps made so far.
        steps: number of steps of its whole training.
        interrupted: whether Ctrl-C or SIGTERM stopped it; the same call goes on.
        complete: whether there is nothing more to do.
        validations: measurements on the held-out photos, the frozen encoder first.
    """

    scorer: ReIQAScorer
    step: int
    steps: int
    interrupted: bool
    complete: bool
    validations: list[Validated]

    @property
    def best(self) -> Validated | None:
        """The measurement of the step whose weights are kept."""
        return best_of(self.validations)


@dataclasses.dataclass(frozen=True)
class Tuned:
    """What came of a run, or of a part of one.

    Attributes:
        folder: folder of the run.
        config: the `TuneConfig` that it was made with.
        scorer: `ReIQAScorer` of all experts tuned so far; calibrated when the run is complete.
        experts: `TunedExpert` by name, in the order in which they are trained.
        interrupted: whether Ctrl-C or SIGTERM stopped it; the same call goes on.
        photos: number of scored photos to learn from.
        pairs: number of pairs to learn from.
        held_out: number of photos that were validated and calibrated on; of pairs where these are
            alone.
        skipped: from the path of each photo that could not be read to the reason.
        writes: whether this process writes into the folder: of several workers the first one does.
        agreement: how well the finished scorer agrees with people on the held-out photos; None
            before, and on workers that do not write.
    """

    folder: pathlib.Path
    config: TuneConfig
    scorer: ReIQAScorer
    experts: dict[str, TunedExpert]
    interrupted: bool
    photos: int
    pairs: int
    held_out: int
    skipped: dict[str, str]
    writes: bool
    agreement: Agreement | None

    @property
    def step(self) -> int:
        """Number of steps made so far, of the experts that were begun."""
        return sum(expert.step for expert in self.experts.values())

    @property
    def steps(self) -> int:
        """Number of steps of the whole training of these experts."""
        return sum(expert.steps for expert in self.experts.values())


def tune(
    scores: PathLike | ScoredPhotos | None,
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

    The experts of a preset are tuned one after the other, each with a head of its own: experts that
    learn together lean on each other, and err alike. A head is fitted on the frozen encoder first;
    then the encoder learns to score with it. The scorer is a mean of its experts. Photos of the
    split `val`, or a share of all groups, are held out: they choose the best epoch, and what
    experts count, the scale, intervals and familiarity are fitted on them at the end. Rows of
    `test` are left alone.

    The folder of the run gets, in a folder for each expert, `config.json`, `history.csv`,
    `validation.csv`, `checkpoints/`, `best/`, `start/` (the frozen encoder with its head),
    `curves.png` and `report.html`; and, when the run is complete, `preset/`. On Ctrl-C and SIGTERM
    the run saves a checkpoint and returns; the same call goes on where it was, and ends with the
    same weights.

    Args:
        scores: path of a CSV file as `read_scored_photos` reads it, or the `ScoredPhotos`; None to
            learn from pairs alone. Then the preset's head is the start, the best epoch is the one
            that puts most of the held-out pairs in order, and interval and familiarity of the
            scorer stay unknown until `recalibrate`.
        out: folder of the run.
        preset: whose encoders are tuned: a folder, the name of a shipped preset, or a scorer.
        config: name of a shipped configuration, path of a Python file of your own, or a
            `TuneConfig`; `tune_lite0` unless another one is named.
        settings: changes of it, such as `optimizer.rate=1e-4`.
        pairs: CSV file with the columns `better` and `worse`; or None.
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
    print(run.agreement, run.scorer.score("photo.jpg"))
    ```
    """
    if not isinstance(config, TuneConfig):
        config = load_config(config)
    for setting in settings:
        config = override(config, setting)
    material = gather(scores, pairs, config.held_out, config.seed)
    folder = pathlib.Path(out)
    strategy = make_strategy() if strategy is None else strategy
    writes = worker_index(strategy) == 0
    encoders = choose_encoders(preset)
    starts = _starts(folder, material.learned, encoders, cache, progress, writes)
    fit_to = encoders.scorer.working_size if config.fits else None
    skipped: dict[str, str] = {}
    batches = _batches(config, material, fit_to, skipped, strategy, progress)
    observed = [] if display is None or not writes else [display]
    experts: dict[str, TunedExpert] = {}
    for name, start in starts.items():
        experts[name] = _tuned_expert(
            folder / name,
            start,
            TuneObjective(config, start, batches),
            material.held_out,
            strategy,
            observed,
            callbacks,
            tensorboard and writes,
        )
        if experts[name].interrupted:
            break
    scorer = mean_of([expert.scorer for expert in experts.values()])
    agreement, weights = None, None
    if writes and len(experts) == len(starts) and all(one.complete for one in experts.values()):
        if isinstance(material.held_out, ScoredPhotos):
            scorer, agreement, weights = _calibrated(experts, material.held_out, progress)
        scorer.save_to_preset(
            folder / "preset",
            description="encoders and head tuned on scored photos"
            if material.learned
            else "encoders tuned on pairs of photos",
            sources=encoders.sources,
            metrics=None if agreement is None else {"held_out": dataclasses.asdict(agreement)},
            tuning={
                "preset": None if isinstance(preset, ReIQAScorer) else pathlib.Path(preset).name,
                "config": as_dictionary(config),
                "photos": len(batches.paths),
                "pairs": len(batches.pair_paths),
                "held_out": len(material.held_out),
                "weights": weights,
                "validation": {
                    name: [row.known() for row in expert.validations]
                    for name, expert in experts.items()
                },
            },
        )
    return Tuned(
        folder=folder,
        config=config,
        scorer=scorer,
        experts=experts,
        interrupted=any(expert.interrupted for expert in experts.values()),
        photos=len(batches.paths),
        pairs=len(batches.pair_paths),
        held_out=len(material.held_out),
        skipped={**skipped, **batches.skipped},
        writes=writes,
        agreement=agreement,
    )


def mean_of(
    scorers: Sequence[ReIQAScorer], weights: Mapping[str, float] | None = None
) -> ReIQAScorer:
    """One scorer of experts that have a head each; its score is the mean of theirs.

    The mean of linear functions is linear, so it has one linear head. What the heads know of their
    errors is not carried over: `recalibrate` measures it.

    Args:
        scorers: built `ReIQAScorer`s with a head, of different experts.
        weights: what each expert counts, by name, 1 in all; None is the same for each.

    Returns:
        built `ReIQAScorer`, which shares the encoders.
    """
    if len(scorers) == 1:
        return scorers[0]
    experts = {name: encoder for one in scorers for name, encoder in one.experts().items()}
    heads = {next(iter(one.experts())): one.fitted_head() for one in scorers}
    shares = dict.fromkeys(heads, 1 / len(heads)) if weights is None else weights
    head = LinearHead(Calibration.unknown(scorers[0].score_range))
    mean = with_head(without_head(experts, scorers[0].working_size), head)
    head.kernel.assign(
        np.concatenate([shares[name] * np.asarray(heads[name].kernel) for name in mean.experts()])
    )
    head.bias.assign(sum(shares[name] * float(np.asarray(one.bias)) for name, one in heads.items()))
    return mean


def best_weights(scores: Mapping[str, np.ndarray], people: np.ndarray) -> dict[str, float]:
    """What each expert should count for their mean to lie nearest to people's scores.

    Args:
        scores: arrays `(N,)` of the scores of photos that no expert has learned from, by name.
        people: `(N,)`, people's scores of these.

    Returns:
        weights from 0, 1 in all; the same for each where none of them rises with people's scores.
    """
    columns = np.stack([one - one.mean() for one in scores.values()], axis=1)
    found, _ = nnls(columns.astype(np.float64), people - people.mean())
    shares = found / found.sum() if found.sum() else np.full(len(scores), 1 / len(scores))
    return dict(zip(scores, shares.tolist(), strict=True))


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
    material: Material,
    fit_to: int | None,
    skipped: dict[str, str],
    strategy: tf.distribute.Strategy,
    progress: Progress,
) -> TuningBatches:
    """The batches of the photos that can be read; notes the others."""
    paths: Sequence[str] = ()
    scores, sizes = np.zeros(0), np.zeros((0, 2), int)
    if material.learned is not None:
        sizes, problems = measured_sizes(material.learned.paths, fit_to, progress)
        usable = np.setdiff1d(np.arange(len(sizes)), list(problems))
        skipped.update({material.learned.paths[i]: str(why) for i, why in problems.items()})
        learned, sizes = material.learned.rows(usable), sizes[usable]
        paths, scores = learned.paths, learned.scores
    flat = [path for pair in material.pairs for path in pair]
    pair_sizes, pair_problems = measured_sizes(flat, fit_to, progress)
    whole = [i for i in range(len(material.pairs)) if not {2 * i, 2 * i + 1} & set(pair_problems)]
    skipped.update({flat[i]: str(why) for i, why in pair_problems.items()})
    return TuningBatches(
        paths,
        scores,
        sizes,
        config.batch_size,
        config.crop,
        fit=fit_to,
        ladders=config.ladders,
        ladder_levels=config.ladder_levels,
        rotates=config.rotates,
        pair_paths=[material.pairs[i] for i in whole],
        pair_sizes=pair_sizes.reshape(-1, 2, 2).min(axis=1)[whole],
        pairs=config.pairs if len(paths) else config.batch_size // 2,
        seed=config.seed,
        worker=worker_index(strategy),
        workers=worker_count(strategy),
    )


def _starts(
    folder: pathlib.Path,
    learned: ScoredPhotos | None,
    encoders: Encoders,
    cache: PathLike | None,
    progress: Progress,
    writes: bool,
) -> dict[str, ReIQAScorer]:
    """Each frozen expert with a head on the scale of the scores; kept for a run that goes on."""
    kept = {name: folder / name / "start" for name in encoders.scorer.experts()}
    if all((start / "metadata.json").exists() for start in kept.values()):
        return {name: load_preset(start) for name, start in kept.items()}
    parts = _parts_of_head(encoders) if learned is None else {}
    if learned is not None:
        with open_cache(cache, encoders_fingerprint(encoders.scorer)) as known:
            table = scored_features(encoders.features, learned, FEWEST_ROWS, known, progress)
        scored = dataclasses.replace(table.scored, splits=None)
        for name, alone in _alone(encoders.scorer).items():
            first, end = encoders.scorer.feature_order[name]
            parts[name] = fit_head(alone, table.features[:, first:end], scored).scorer
    for name, start in parts.items():
        if writes:
            start.save_to_preset(kept[name])
    return parts


def _parts_of_head(encoders: Encoders) -> dict[str, ReIQAScorer]:
    """Each expert with its part of the preset's head, such that the head is the mean of them."""
    head = encoders.head
    if head is None:
        raise TrainingError(
            "pairs alone: expected a preset with a head, whose scores they put in order. Fit one "
            "first, or add scored photos."
        )
    parts = {}
    experts = _alone(encoders.scorer)
    for name, alone in experts.items():
        part = LinearHead(dataclasses.replace(head.calibration, measured=False))
        parts[name] = with_head(alone, part)
        first, end = encoders.scorer.feature_order[name]
        part.kernel.assign(len(experts) * np.asarray(head.kernel)[first:end])
        part.bias.assign(head.bias)
    return parts


def _alone(scorer: ReIQAScorer) -> dict[str, ReIQAScorer]:
    """Each expert of a scorer by itself, without a head."""
    return {
        name: without_head({name: encoder}, scorer.working_size)
        for name, encoder in scorer.experts().items()
    }


def _calibrated(
    experts: Mapping[str, TunedExpert], held_out: ScoredPhotos, progress: Progress
) -> tuple[ReIQAScorer, Agreement, dict[str, float]]:
    """The finished scorer, how well it agrees with people on what it was not trained on, weights.

    All is fitted on the held-out photos: what experts count, scale, interval, familiarity.
    """
    alone = [expert.scorer for expert in experts.values()]
    scorer = mean_of(alone)
    table = scored_features(scorer, held_out, FEWEST_ROWS, None, progress)
    scores = {}
    for name, expert in experts.items():
        first, end = scorer.feature_order[name]
        scores[name] = np.asarray(expert.scorer.fitted_head()(table.features[:, first:end]))
    weights = best_weights(scores, table.scored.scores)
    strange = strange_features(scorer, table.scored.paths, progress=progress)
    scorer = recalibrated(mean_of(alone, weights), table.features, table.scored, strange)
    predicted = np.asarray(scorer.fitted_head()(table.features))
    agreement = measure_agreement(predicted, table.scored.scores, groups=table.scored.groups)
    return scorer, agreement, weights


def _tuned_expert(
    folder: pathlib.Path,
    start: ReIQAScorer,
    objective: TuneObjective,
    held_out: ScoredPhotos | Pairs,
    strategy: tf.distribute.Strategy,
    displays: Sequence[keras.callbacks.Callback],
    callbacks: Sequence[keras.callbacks.Callback],
    tensorboard: bool,
) -> TunedExpert:
    """Trains one expert, or goes on with it."""
    config, writes = objective.config, worker_index(strategy) == 0
    validation = Validation(
        start, held_out, folder, config.schedule.epochs, config.patience, writes
    )
    observers = [*displays, validation, *callbacks]
    if tensorboard:  # last, because it writes what the others measure
        observers.append(TensorBoardLog(folder / "tensorboard"))
    trained = train(objective, folder, strategy, observers)
    if writes and trained.step:
        learns_scores = isinstance(held_out, ScoredPhotos)
        write_run_report(
            folder,
            f"Tuning on {'scored photos' if learns_scores else 'pairs of photos'}",
            f"frozen encoder, {'fitted head' if learns_scores else 'head of the preset'}",
        )
    return TunedExpert(
        scorer=best_scorer(start, folder),
        step=trained.step,
        steps=trained.steps,
        interrupted=trained.interrupted,
        complete=trained.complete,
        validations=read_validation(folder / "validation.csv"),
    )
