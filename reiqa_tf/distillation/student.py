"""The student before it learns: the teacher's early layers, and linear maps of its features."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
from sklearn.linear_model import Ridge

from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.distillation.config import Student
from reiqa_tf.distillation.lessons import Lessons
from reiqa_tf.files import written_whole
from reiqa_tf.fitting.defaults import SCALE_FLOOR
from reiqa_tf.fitting.encoders import without_head
from reiqa_tf.fitting.fit_head import fit_head
from reiqa_tf.models.from_design import in_short, make_encoder
from reiqa_tf.models.scorer import ReIQAScorer, load_preset
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.features import feature_table
from reiqa_tf.training.settings import ConfigError
from reiqa_tf.typing import PathLike

LESSONS = 6144
"""Most lessons that the linear maps are fitted on: photos first, then distorted versions. They stay
as they are while the encoder learns, so that what they do not read is not learned."""


@dataclasses.dataclass(frozen=True, eq=False)
class Start:
    """A student that has learned nothing yet but to read its features.

    Attributes:
        scorer: built `ReIQAScorer` with a head, on the scale of what is to be learned.
        parts_kernel: float32 `(F, P)`: with it features tell the teacher's parts.
        parts_bias: float32 `(P,)`.
    """

    scorer: ReIQAScorer
    parts_kernel: np.ndarray
    parts_bias: np.ndarray


def new_student(design: Student, teacher: ReIQAScorer, seed: int) -> ReIQAScorer:
    """Makes the student, without a head.

    Args:
        design: what it is made of.
        teacher: built `ReIQAScorer`.
        seed: of random weights, where it does not begin as one of the teacher's experts.

    Returns:
        built `ReIQAScorer`. Its expert is called as the one that it begins as, or `quality`.

    Raises:
        ConfigError: if the teacher has no such expert, or one with another backbone.
    """
    import keras

    keras.utils.set_random_seed(seed)
    name = design.start or "quality"
    encoder = make_encoder(design.encoder, name)
    scorer = without_head({name: encoder}, design.working_size)
    if design.start is not None:
        source = teacher.experts().get(design.start)
        if source is None:
            raise ConfigError(
                f"student.start: expected one of the teacher's experts, "
                f"{' or '.join(teacher.experts())}, or None. Received: {design.start}"
            )
        try:
            encoder.backbone.begin_as(source.backbone)
        except ValueError:
            raise ConfigError(
                f"student.start: expected a teacher whose {design.start} expert begins as "
                f"{in_short(encoder.backbone)}. Received: {in_short(source.backbone)}. "
                "None begins with random weights."
            ) from None
    return scorer


def fit_start(
    student: ReIQAScorer,
    lessons: Lessons,
    scores: np.ndarray,
    parts: np.ndarray,
    score_range: tuple[float, float],
    seed: int,
    progress: Progress = silent,
) -> Start:
    """Fits what reads the student's features as they are.

    Args:
        student: built `ReIQAScorer` without a head.
        lessons: `Lessons`, N of them.
        scores: `(N,)`, what is to be learned.
        parts: `(N, P)`, likewise.
        score_range: scale of the scores.
        seed: of the choice of lessons.
        progress: shows how far the work is.

    Returns:
        `Start`.

    Raises:
        FitError: if there are too few lessons, or their scores are equal.
    """
    drawn = np.random.default_rng([seed, 5]).permutation(len(lessons))
    photos_first = drawn[np.argsort(~lessons.is_photo[drawn], kind="stable")]
    chosen = np.sort(photos_first[:LESSONS])
    pictures = [np.asarray(lessons.pictures[row]) for row in chosen]
    features, _ = feature_table(student, pictures, progress)
    scored = ScoredPhotos(
        [str(row) for row in chosen],
        scores[chosen].astype(np.float64),
        score_range,
        groups=lessons.rows[chosen],
    )
    fitted = fit_head(student, features, scored)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    scale = np.maximum(deviation, SCALE_FLOOR * np.median(deviation))
    ridge = Ridge(alpha=fitted.strength).fit((features - mean) / scale, parts[chosen])
    kernel = (ridge.coef_ / scale).T
    bias = ridge.intercept_ - mean @ kernel
    return Start(fitted.scorer, kernel.astype(np.float32), bias.astype(np.float32))


def save_start(start: Start, folder: PathLike) -> None:
    """Keeps a start for a run that goes on.

    Args:
        start: the `Start`.
        folder: folder to make.
    """
    folder = pathlib.Path(folder)
    start.scorer.save_to_preset(folder)
    with written_whole(folder / "parts.npz") as scratch, open(scratch, "wb") as file:
        np.savez(file, kernel=start.parts_kernel, bias=start.parts_bias)


def load_start(folder: PathLike) -> Start | None:
    """The start that was kept, or None.

    Args:
        folder: of `save_start`.
    """
    folder = pathlib.Path(folder)
    if not (folder / "parts.npz").exists():
        return None
    with np.load(folder / "parts.npz", allow_pickle=False) as archive:
        return Start(load_preset(folder), archive["kernel"], archive["bias"])
