"""A small scorer of your own that scores as a large one does: one call for the run."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from reiqa_tf.data.photos import find_photos
from reiqa_tf.data.scored_photos import ScoredPhotos, read_scored_photos
from reiqa_tf.distillation.batches import LessonBatches
from reiqa_tf.distillation.config import DistillConfig, load_config, override
from reiqa_tf.distillation.lessons import Lessons, choose_lessons, make_lessons
from reiqa_tf.distillation.objective import DistillObjective
from reiqa_tf.distillation.shipped_configs import DEFAULT
from reiqa_tf.distillation.student import fit_start, load_start, new_student, save_start
from reiqa_tf.fitting.encoders import Encoders, Preset, choose_encoders
from reiqa_tf.fitting.fit_head import FEWEST_ROWS
from reiqa_tf.fitting.recalibrate import recalibrated
from reiqa_tf.fitting.scored_features import scored_features
from reiqa_tf.fitting.strange_pictures import strange_features
from reiqa_tf.metrics import Agreement, measure_agreement
from reiqa_tf.models.head import LinearHead
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.presets import DEFAULT as DEFAULT_PRESET
from reiqa_tf.presets.storage import encoders_fingerprint
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import FeatureCache, open_cache
from reiqa_tf.training.loop import train
from reiqa_tf.training.objective import TrainingError
from reiqa_tf.training.replicas import worker_count, worker_index
from reiqa_tf.training.settings import as_dictionary
from reiqa_tf.training.strategy import make_strategy
from reiqa_tf.training.tensor_board import TensorBoardLog
from reiqa_tf.tuning.material import gather, split_off
from reiqa_tf.tuning.run_report import write_run_report
from reiqa_tf.tuning.validation import (
    Validated,
    Validation,
    best_of,
    best_scorer,
    read_validation,
)
from reiqa_tf.typing import PathLike


@dataclasses.dataclass(frozen=True)
class Distilled:
    """What came of a run, or of a part of one.

    Attributes:
        folder: folder of the run.
        config: the `DistillConfig` that it was made with.
        scorer: the student, a `ReIQAScorer` with the weights of its best step so far; calibrated
            when the run is complete and people's scores are known.
        step: number of steps made so far.
        steps: number of steps of the whole run.
        interrupted: whether Ctrl-C or SIGTERM stopped it; the same call goes on.
        photos: number of photos to learn from.
        lessons: number of pictures that were made of them.
        held_out: number of photos that were validated and calibrated on.
        skipped: from the path of each photo that could not be read to the reason.
        writes: whether this process writes into the folder: of several workers the first one does.
        validations: measurements on the held-out photos, the student that knows nothing first.
        agreement: how well the student agrees with people on the held-out photos, or with the
            teacher where nobody scored them; None before the run is complete, and on workers that
            do not write.
        teacher_agreement: how well the teacher agrees with people on the same photos; None where
            nobody scored them, and likewise.
    """

    folder: pathlib.Path
    config: DistillConfig
    scorer: ReIQAScorer
    step: int
    steps: int
    interrupted: bool
    photos: int
    lessons: int
    held_out: int
    skipped: dict[str, str]
    writes: bool
    validations: list[Validated]
    agreement: Agreement | None
    teacher_agreement: Agreement | None

    @property
    def best(self) -> Validated | None:
        """The measurement of the step whose weights are kept."""
        return best_of(self.validations)


def distill(
    photos: PathLike | ScoredPhotos | Sequence[PathLike],
    out: PathLike,
    teacher: Preset = DEFAULT_PRESET,
    student: PathLike | DistillConfig = DEFAULT,
    settings: Iterable[str] = (),
    *,
    tensorboard: bool = False,
    cache: PathLike | None = None,
    strategy: tf.distribute.Strategy | None = None,
    display: keras.callbacks.Callback | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    progress: Progress = silent,
) -> Distilled:
    """Teaches a small scorer what a large one says of photos, or goes on with an interrupted run.

    The teacher judges each photo and some distorted versions of it, once. The student begins with
    the early layers of one of the teacher's experts, and linear maps of their features: a head,
    and what tells the parts that the teacher's score is the sum of. Then the student's encoder
    learns to say what the teacher says, and people where they scored a photo. Photos of the split
    `val`, or a share of all groups, are held out: they choose the best epoch, and scale, intervals
    and familiarity are fitted on them at the end. Rows of `test` are left alone.

    The folder of the run gets `lessons/` (the pictures, and what the teacher said; 0.25 MB a
    picture at 288 px), `start/`, `config.json`, `history.csv`, `validation.csv`, `checkpoints/`,
    `best/`, `curves.png` and `report.html`; and, when the run is complete, `preset/`. On Ctrl-C and
    SIGTERM the run saves a checkpoint and returns; the same call goes on where it was, and ends
    with the same weights.

    Args:
        photos: path of a CSV file as `read_scored_photos` reads it, or the `ScoredPhotos`; or a
            folder or pattern of photos that nobody scored, or their list. Without scores the
            student's interval and familiarity stay unknown until `recalibrate`.
        out: folder of the run.
        teacher: a preset with a head: a folder, the name of a shipped one, or a scorer. Where it
            has learned from the held-out photos itself, what is measured on them flatters teacher
            and student, and the interval is too narrow: see docs/guides/distill.md.
        student: name of a shipped configuration, path of a Python file of your own, or a
            `DistillConfig`; `nano_lite0` unless another one is named.
        settings: changes of it, such as `optimizer.rate=1e-4`.
        tensorboard: whether the folder also gets `tensorboard/`.
        cache: SQLite file that keeps the teacher's features of the photos, as in `fit`; or None.
        strategy: where it computes; None is all GPUs of the machine or its CPU, or the workers of
            `TF_CONFIG`.
        display: a callback that shows the run, on the first worker alone.
        callbacks: Keras callbacks, after the one that validates, so that they see `val_srcc`.
        progress: shows how far the work before and after the training is.

    Returns:
        `Distilled`.

    Raises:
        ReiqaError: if the configuration, the photos, the teacher or the strategy cannot be used,
            the folder holds another run, or something cannot be written.

    Example:
    ```text
    import reiqa_tf

    run = reiqa_tf.distill("scores.csv", "run")
    print(run.agreement, run.teacher_agreement, run.scorer.score("photo.jpg"))
    ```

    Reference:
        Hinton, Vinyals, Dean, Distilling the knowledge in a neural network, arXiv 1503.02531.
    """
    config = student if isinstance(student, DistillConfig) else load_config(student)
    for setting in settings:
        config = override(config, setting)
    folder = pathlib.Path(out)
    strategy = make_strategy() if strategy is None else strategy
    writes = worker_index(strategy) == 0
    encoders = choose_encoders(teacher)
    if encoders.head is None:
        raise TrainingError("teacher: expected a preset with a head. Fit one first: reiqa fit")
    scored = _scored(photos)
    with open_cache(cache, encoders_fingerprint(encoders.scorer)) as known:
        if scored is not None:
            material = gather(scored, None, config.held_out, config.seed)
            learned, held_out = material.learned, material.held_out
        else:
            learned, held_out = _unscored(photos, encoders, config, known, progress)
        assert isinstance(learned, ScoredPhotos)  # noqa: S101 -- for type checkers
        assert isinstance(held_out, ScoredPhotos)  # noqa: S101
        lessons = make_lessons(
            encoders,
            learned.paths,
            choose_lessons(len(learned), config.distorted, config.seed),
            config.student.working_size,
            folder / "lessons",
            known,
            worker_index(strategy),
            worker_count(strategy),
            progress,
        )
        scores = _targets(lessons, learned, config.people if scored is not None else 0.0)
        parts = _standardised(lessons.parts)
        start = load_start(folder / "start")
        if start is None:
            untaught = new_student(config.student, encoders.scorer, config.seed)
            start = fit_start(
                untaught, lessons, scores, parts, learned.score_range, config.seed, progress
            )
            if writes:
                save_start(start, folder / "start")
        batches = LessonBatches(
            lessons,
            scores,
            parts,
            config.batch_size,
            config.rotates,
            config.seed,
            worker_index(strategy),
            worker_count(strategy),
        )
        objective = DistillObjective(config, start, batches, len(learned))
        observers = [] if display is None or not writes else [display]
        observers += [
            Validation(
                start.scorer, held_out, folder, config.schedule.epochs, config.patience, writes
            ),
            *callbacks,
        ]
        if tensorboard and writes:  # last, because it writes what the others measure
            observers.append(TensorBoardLog(folder / "tensorboard"))
        trained = train(objective, folder, strategy, observers)
        if writes and trained.step:
            write_run_report(
                folder, "A student and its teacher", "a head fitted on what it begins as"
            )
        scorer = best_scorer(start.scorer, folder)
        validations = read_validation(folder / "validation.csv")
        agreement = teachers = None
        if trained.complete and writes:
            if scored is not None:
                teachers = _agreement(encoders, held_out, known, progress)
            scorer, agreement = _calibrated(scorer, held_out, scored is not None, progress)
            scorer.save_to_preset(
                folder / "preset",
                description="a small scorer that learned from a large one",
                sources=encoders.sources,
                metrics={"held_out": dataclasses.asdict(agreement)},
                distillation={
                    "teacher": _name_of(teacher),
                    "teacher_held_out": None if teachers is None else dataclasses.asdict(teachers),
                    "config": as_dictionary(config),
                    "photos": len(learned),
                    "lessons": len(lessons),
                    "held_out": len(held_out),
                    "scored": scored is not None,
                    "validation": [row.known() for row in validations],
                },
            )
    return Distilled(
        folder=folder,
        config=config,
        scorer=scorer,
        step=trained.step,
        steps=trained.steps,
        interrupted=trained.interrupted,
        photos=len(learned),
        lessons=len(lessons),
        held_out=len(held_out),
        skipped={learned.paths[row]: why for row, why in lessons.problems.items()},
        writes=writes,
        validations=validations,
        agreement=agreement,
        teacher_agreement=teachers,
    )


def _scored(photos: PathLike | ScoredPhotos | Sequence[PathLike]) -> ScoredPhotos | None:
    """The scored photos that are meant, or None for photos that nobody scored."""
    if isinstance(photos, ScoredPhotos):
        return photos
    if isinstance(photos, (str, os.PathLike)) and os.fspath(photos).lower().endswith(".csv"):
        return read_scored_photos(photos)
    return None


def _unscored(
    photos: PathLike | ScoredPhotos | Sequence[PathLike],
    teacher: Encoders,
    config: DistillConfig,
    cache: FeatureCache | None,
    progress: Progress,
) -> tuple[ScoredPhotos, ScoredPhotos]:
    """Photos to learn from and to hold out, with the teacher's scores in place of people's."""
    if isinstance(photos, (str, os.PathLike)):
        photos = find_photos(photos)
    assert not isinstance(photos, ScoredPhotos)  # noqa: S101 -- for type checkers
    head = teacher.head
    assert head is not None  # noqa: S101 -- the caller has looked
    paths = [os.fspath(path) for path in photos]
    everything = ScoredPhotos(paths, np.zeros(len(paths)), head.score_range)
    learned, held_out = split_off(everything, config.held_out, config.seed)
    for part, purpose in ((learned, "learn from"), (held_out, "hold out")):
        if len(part) < FEWEST_ROWS:
            raise TrainingError(
                f"expected at least {FEWEST_ROWS} photos to {purpose}. Received: {len(part)} of "
                f"{len(paths)}. Take more photos, or change held_out."
            )
    table = scored_features(teacher.features, held_out, FEWEST_ROWS, cache, progress)
    scores = np.asarray(head(table.features), np.float64)
    return learned, dataclasses.replace(table.scored, scores=scores)


def _targets(lessons: Lessons, learned: ScoredPhotos, people: float) -> np.ndarray:
    """What the student is to say of each lesson, float32 `(N,)`, on the scale of the scores.

    The teacher's score on people's scale; of photos themselves people's has its share in it.
    """
    scores = lessons.scores.astype(np.float64)
    if people:
        photos = lessons.is_photo
        said = learned.scores[lessons.rows[photos]]
        slope, intercept = np.polyfit(scores[photos], said, 1)
        if slope <= 0:
            raise TrainingError(
                "teacher: expected scores that rise with people's. Those of this one fall on these "
                "photos: are the scores of a scale on which lower is better (--lower-is-better)?"
            )
        scores = slope * scores + intercept
        scores[photos] = (1 - people) * scores[photos] + people * said
    return scores.astype(np.float32)


def _standardised(parts: np.ndarray) -> np.ndarray:
    """Parts of mean 0 and deviation 1, those that never differ 0."""
    deviation = parts.std(axis=0)
    known = deviation > 0
    centered = parts - parts.mean(axis=0)
    return np.where(known, centered / np.where(known, deviation, 1), 0).astype(np.float32)


def _calibrated(
    scorer: ReIQAScorer, held_out: ScoredPhotos, is_scored: bool, progress: Progress
) -> tuple[ReIQAScorer, Agreement]:
    """The finished student, and how well it agrees on what it was not trained on."""
    table = scored_features(scorer, held_out, FEWEST_ROWS, None, progress)
    if is_scored:
        strange = strange_features(scorer, table.scored.paths, progress=progress)
        scorer = recalibrated(scorer, table.features, table.scored, strange)
    else:
        head = scorer.fitted_head()
        head.calibration = dataclasses.replace(head.calibration, measured=False)
    predicted = np.asarray(scorer.fitted_head()(table.features))
    return scorer, measure_agreement(predicted, table.scored.scores, groups=table.scored.groups)


def _agreement(
    teacher: Encoders, held_out: ScoredPhotos, cache: FeatureCache | None, progress: Progress
) -> Agreement:
    table = scored_features(teacher.features, held_out, FEWEST_ROWS, cache, progress)
    head = teacher.head
    assert isinstance(head, LinearHead)  # noqa: S101 -- the caller has looked
    predicted = np.asarray(head(table.features))
    return measure_agreement(predicted, table.scored.scores, groups=table.scored.groups)


def _name_of(preset: Preset) -> str | None:
    return None if isinstance(preset, ReIQAScorer) else pathlib.Path(preset).name
