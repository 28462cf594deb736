"""What a student learns from: pictures, and what the teacher says of them.

The teacher judges every picture once, at its own working size; the student is shown the same
picture at the student's. Both are kept in parts of `PART` pictures, each written whole, so that a
run which was killed goes on with the next part.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from reiqa_tf.distortions.bank import LEVELS, distort
from reiqa_tf.distortions.ladder import read_distortable
from reiqa_tf.files import written_whole
from reiqa_tf.fitting.degradations import DEGRADATIONS
from reiqa_tf.fitting.encoders import Encoders
from reiqa_tf.fitting.ladders import ordered_names
from reiqa_tf.image.reading import ImageError, read_image
from reiqa_tf.image.scaling import to_levels
from reiqa_tf.models.contributions import feature_blocks
from reiqa_tf.models.head import LinearHead
from reiqa_tf.presets.storage import encoders_fingerprint
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import FeatureCache
from reiqa_tf.scoring.features import compute_features
from reiqa_tf.training.objective import TrainingError
from reiqa_tf.typing import PathLike

PART = 256
"""Pictures of a file."""

SMALLEST_SIDE = 32
"""Smallest side in pixels of a picture that is learned from."""

FAULTS = (*ordered_names(), *DEGRADATIONS)
"""What is done to photos."""


@dataclasses.dataclass(frozen=True)
class Lesson:
    """A picture to learn from.

    Attributes:
        row: place of the photo in its list.
        fault: what is done to it, out of `FAULTS`; None is the photo itself.
        level: how much of it, 0 to 4.
        seed: of its draws, two integers.
    """

    row: int
    fault: str | None = None
    level: int = 0
    seed: tuple[int, int] = (0, 0)


@dataclasses.dataclass(frozen=True, eq=False)
class Lessons:
    """Pictures and what is to be learned of them.

    Attributes:
        pictures: N uint8 arrays `(h, w, 3)` at the student's working size, on disk.
        sizes: integers `(N, 2)`, their height and width.
        rows: integers `(N,)`, the photo that each was made from.
        is_photo: booleans `(N,)`: whether it is the photo itself.
        scores: float32 `(N,)`, the teacher's.
        parts: float32 `(N, P)`: the parts that the teacher's scores are the sum of, beside a
            constant, in points of the score.
        problems: from the place of each photo that could not be read to the reason.
    """

    pictures: Sequence[np.ndarray]
    sizes: np.ndarray
    rows: np.ndarray
    is_photo: np.ndarray
    scores: np.ndarray
    parts: np.ndarray
    problems: dict[int, str]

    def __len__(self) -> int:
        return len(self.pictures)


def choose_lessons(photo_count: int, distorted: int, seed: int) -> list[Lesson]:
    """Decides what is done to photos: each fault equally often, at a level drawn evenly.

    Args:
        photo_count: number of photos.
        distorted: distorted versions of each, by different faults as long as there are others.
        seed: of the draws.

    Returns:
        list of `Lesson`: the photos, then their distorted versions. More versions begin with the
        same ones.
    """
    lessons = [Lesson(row) for row in range(photo_count)]
    dealt = np.random.default_rng([seed, 0]).permutation(photo_count)
    for version in range(distorted):
        levels = np.random.default_rng([seed, 1, version]).integers(LEVELS, size=photo_count)
        for row in range(photo_count):
            fault = FAULTS[(int(dealt[row]) + version) % len(FAULTS)]
            draws = version * photo_count + row
            lessons.append(Lesson(row, fault, int(levels[row]), (seed, draws)))
    return lessons


def make_lessons(
    teacher: Encoders,
    paths: Sequence[str],
    lessons: Sequence[Lesson],
    working_size: int,
    folder: PathLike,
    cache: FeatureCache | None = None,
    worker: int = 0,
    workers: int = 1,
    progress: Progress = silent,
) -> Lessons:
    """Has the teacher judge pictures, or goes on with it.

    Several workers begin at different parts, and leave alone what another one has made.

    Args:
        teacher: `Encoders` of the teacher, with its head.
        paths: paths of the photos.
        lessons: what is done to them.
        working_size: the student's.
        folder: where they are kept; it takes 3 * working_size^2 bytes a picture, or less.
        cache: an open `FeatureCache` of the teacher, for the photos themselves, or None.
        worker: number of this worker, from 0.
        workers: number of workers, which share the folder.
        progress: shows how far the work is.

    Returns:
        `Lessons`, without photos that cannot be read.

    Raises:
        TrainingError: if the folder holds other lessons, or no photo can be read.
        OutputError: if a part cannot be written.
    """
    folder = pathlib.Path(folder)
    _check_same(folder / "about.json", _described(teacher, paths, lessons, working_size))
    judge = _Judge(teacher, cache)
    count = -(-len(lessons) // PART)
    numbers = (np.arange(count) + worker * count // workers) % count
    for number in progress(numbers.tolist(), "lessons", count):
        if not _answers(folder, number).exists():
            some = lessons[number * PART : (number + 1) * PART]
            sources = _Sources(paths, some, teacher.scorer.working_size, working_size)
            _write_part(folder, number, sources, judge)
    return _read_lessons(folder, lessons, count)


class _Sources(Sequence[str | np.ndarray]):
    """The pictures of a part as the teacher takes them; keeps what the student is shown of them.

    They are made when they are asked for, by the threads that read ahead.
    """

    def __init__(
        self, paths: Sequence[str], lessons: Sequence[Lesson], teachers: int | None, students: int
    ) -> None:
        self._paths = paths
        self._lessons = lessons
        self._teachers = teachers
        self._students = students
        self.shown: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self._lessons)

    def __getitem__(self, index: int) -> str | np.ndarray:  # type: ignore[override]
        lesson = self._lessons[index]
        path = self._paths[lesson.row]
        source: str | np.ndarray = path
        if lesson.fault is not None:
            source = _distorted(path, lesson, self._teachers)
        shown = read_image(source, self._students, name=path)
        if min(shown.shape[:2]) < SMALLEST_SIDE:
            raise ImageError(
                f"{path}: expected at least {SMALLEST_SIDE} px each way at the student's working "
                f"size. Received: {shown.shape[1]} x {shown.shape[0]}"
            )
        self.shown[index] = shown
        return source


class _Judge:
    """The teacher: scores of pictures and the parts of them."""

    def __init__(self, teacher: Encoders, cache: FeatureCache | None) -> None:
        self._scorer = teacher.features
        self._compute = teacher.features.compile_features()
        self._cache = cache
        head = teacher.head
        assert isinstance(head, LinearHead)  # noqa: S101 -- `distill` has looked
        self._kernel = np.asarray(head.kernel, np.float64)
        self._bias = float(np.asarray(head.bias))
        self._blocks = [
            some for blocks in feature_blocks(teacher.scorer).values() for some in blocks
        ]

    def __call__(self, sources: Sequence[str | np.ndarray]) -> tuple[np.ndarray, dict[int, str]]:
        """What the parts of the scores are, `(N, 1 + P)`, the score first; NaN, and why."""
        table = np.full((len(sources), 1 + len(self._blocks)), np.nan)
        problems = {}
        for outcome in compute_features(self._scorer, sources, self._cache, compute=self._compute):
            if outcome.features is None:
                problems[outcome.index] = str(outcome.problem)
                continue
            weighted = outcome.features * self._kernel
            table[outcome.index] = [
                weighted.sum() + self._bias,
                *(weighted[some].sum() for some in self._blocks),
            ]
        return table, problems


def _distorted(path: str, lesson: Lesson, working_size: int | None) -> np.ndarray:
    """The distorted photo as a file would hold it, uint8 `(H, W, 3)`."""
    image = read_distortable(path, working_size, name=path)
    assert lesson.fault is not None  # noqa: S101 -- for type checkers
    if lesson.fault in DEGRADATIONS:
        generator = np.random.default_rng(lesson.seed)
        return DEGRADATIONS[lesson.fault](image, lesson.level, generator)
    return np.asarray(to_levels(distort(image, lesson.fault, lesson.level, lesson.seed)))


def _write_part(folder: pathlib.Path, number: int, sources: _Sources, judge: _Judge) -> None:
    table, problems = judge(sources)
    grey = np.zeros((0, 0, 3), np.uint8)
    shown = [grey if index in problems else sources.shown[index] for index in range(len(sources))]
    with written_whole(_pixels(folder, number)) as scratch:
        np.save(scratch, np.concatenate([picture.ravel() for picture in shown]))
    with written_whole(_answers(folder, number)) as scratch, open(scratch, "wb") as file:
        np.savez(
            file,
            sizes=np.array([picture.shape[:2] for picture in shown]),
            table=table.astype(np.float32),
            problems=np.array(json.dumps(problems)),
        )


def _read_lessons(folder: pathlib.Path, lessons: Sequence[Lesson], count: int) -> Lessons:
    pictures: list[np.ndarray] = []
    tables: list[np.ndarray] = []
    known: list[Lesson] = []
    problems: dict[int, str] = {}
    for number in range(count):
        pixels = np.load(_pixels(folder, number), mmap_mode="r")
        with np.load(_answers(folder, number)) as answers:
            sizes, table = answers["sizes"], answers["table"]
            found = json.loads(str(answers["problems"]))
        ends = np.cumsum(3 * sizes.prod(axis=1))
        for index, (size, end) in enumerate(zip(sizes.tolist(), ends.tolist(), strict=True)):
            lesson = lessons[number * PART + index]
            if str(index) in found:
                problems.setdefault(lesson.row, found[str(index)])
                continue
            height, width = size
            pictures.append(pixels[end - 3 * height * width : end].reshape(height, width, 3))
            known.append(lesson)
        tables.append(table[np.isfinite(table[:, 0])])
    if not pictures:
        raise TrainingError(f"no photo could be read; the first: {next(iter(problems.values()))}")
    table = np.concatenate(tables)
    return Lessons(
        pictures,
        np.array([picture.shape[:2] for picture in pictures]),
        np.array([lesson.row for lesson in known]),
        np.array([lesson.fault is None for lesson in known]),
        table[:, 0],
        table[:, 1:],
        problems,
    )


def _described(
    teacher: Encoders, paths: Sequence[str], lessons: Sequence[Lesson], working_size: int
) -> dict[str, str | int]:
    """What two sets of lessons must have in common to be the same."""
    listed = hashlib.sha256()
    for lesson in lessons:
        listed.update(f"{os.path.basename(paths[lesson.row])},{lesson}\n".encode())
    head = np.asarray(teacher.head.kernel, np.float32) if teacher.head is not None else None
    return {
        "teacher": encoders_fingerprint(teacher.scorer),
        "head": hashlib.sha256(b"" if head is None else head.tobytes()).hexdigest(),
        "lessons": listed.hexdigest(),
        "working_size": working_size,
    }


def _check_same(path: pathlib.Path, described: dict[str, str | int]) -> None:
    """Refuses to mix lessons of two runs in a folder."""
    if path.exists():
        former = json.loads(path.read_text())
        if former != described:
            differ = [name for name in described if former.get(name) != described[name]]
            raise TrainingError(
                f"{path.parent}: holds the lessons of another run ({', '.join(differ)} differ). "
                "Name another folder, or take the same teacher, photos and settings to go on."
            )
        return
    with written_whole(path) as scratch:
        scratch.write_text(json.dumps(described, indent=2) + "\n")


def _pixels(folder: pathlib.Path, number: int) -> pathlib.Path:
    return folder / f"pixels-{number:06d}.npy"


def _answers(folder: pathlib.Path, number: int) -> pathlib.Path:
    return folder / f"answers-{number:06d}.npz"
