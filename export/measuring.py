"""Compare an artifact, in its runtime, with Keras: differences, ranks, and the time it takes."""

from __future__ import annotations

import functools
import io
import os
import pathlib
import queue
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
from PIL import Image

from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.errors import ReiqaError
from reiqa_tf.export import parity
from reiqa_tf.export.formats import ExportFormat, RunPicture, size_text
from reiqa_tf.export.measurements import KerasDifference, Latency, Measurements, RankAgreement
from reiqa_tf.export.saved_model_timing import median_time, time_saved_model
from reiqa_tf.image.reading import open_image, read_bytes, read_image
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.progress import Progress, silent
from reiqa_tf.runtimes.contract import SCORE, Contract
from reiqa_tf.runtimes.manifest import ReferenceEntry
from reiqa_tf.scoring.features import ComputeFeatures, feature_table
from reiqa_tf.scoring.reading_ahead import ahead
from reiqa_tf.typing import PathLike, Size

_Item = TypeVar("_Item")

THREADS = (1, 2)
REPEATS = 10
"""How often a picture is scored for the median of its time."""

_COPIES = 4
"""As many threads as `ahead` has."""

_DEPTH = 8
"""Photos that are read, and outputs that wait, ahead of the one that is looked at."""


class Reference:
    """The pictures that artifacts are compared on, and Keras's outputs for them.

    Args:
        photos: paths of the real photos that pictures are cut from.
        working_size: that of the scorer.
        scorer: the `ReIQAScorer` that artifacts are compared with; None takes `stored`.
        stored: what `entries` returned when the artifacts were made.
        scored: photos that people scored, or None.
        progress: shows how far the work is.

    Attributes:
        problems: list of the errors of scored photos that could not be read.
    """

    def __init__(
        self,
        photos: Sequence[PathLike],
        working_size: int | None,
        scorer: ReIQAScorer | None = None,
        stored: Mapping[str, ReferenceEntry] | None = None,
        scored: ScoredPhotos | None = None,
        progress: Progress = silent,
    ) -> None:
        self.photos = photos
        self.working_size = working_size
        self.scorer = scorer
        self.stored = stored or {}
        self.scored = scored
        self.progress = progress
        self.problems: list[ReiqaError] = []
        self._pictures: dict[Size | None, list[parity.Picture]] = {}
        self._outputs: dict[Size | None, np.ndarray | None] = {}
        self._scores: dict[Size | None, np.ndarray] = {}
        self._features: ComputeFeatures | None = None

    def pictures(self, size: Size | None) -> list[parity.Picture]:
        """The pictures for artifacts of a size; None for any."""
        if size not in self._pictures:
            self._pictures[size] = parity.cut_pictures(self.photos, self.working_size, size)
        return self._pictures[size]

    def outputs(self, size: Size | None) -> np.ndarray | None:
        """Keras's scores (features, without a head) of the pictures, or None if unknown."""
        if size not in self._outputs:
            if self.scorer is None:
                self._outputs[size] = self._recall(size)
            else:
                self._outputs[size] = self._compute(self.scorer, size)
        return self._outputs[size]

    def entries(self) -> dict[str, ReferenceEntry]:
        """What is stored in a manifest: scores by size, and which pictures they belong to."""
        return {
            size_text(size): {
                "sha256": parity.pictures_digest(self.pictures(size)),
                "scores": [float(score) for score in outputs],
            }
            for size, outputs in self._outputs.items()
            if outputs is not None and outputs.ndim == 1
        }

    def ranks(self, artifact: OpenArtifact, size: Size | None, name: str) -> RankAgreement | None:
        """How well an artifact and Keras agree with people.

        Args:
            artifact: the artifact in its runtime.
            size: `(height, width)` that it takes, or None for any.
            name: what it is called, for progress.

        Returns:
            `RankAgreement`; None if there are no scored photos, or no scorer to compare with.
        """
        scored, scorer = self.scored, self.scorer
        if scored is None or scorer is None:
            return None
        expected = self._keras_scores(scorer, scored, size)
        readable = np.flatnonzero(np.isfinite(expected))
        outputs = artifact.run_all(
            lambda index: self._scored_picture(scored.paths[readable[index]], size), len(readable)
        )
        shown = self.progress(outputs, f"{name} on scored photos", len(readable))
        received = np.array([output[SCORE][0] for output in shown])
        return RankAgreement.with_people(scored.scores[readable], expected[readable], received)

    def _compute(self, scorer: ReIQAScorer, size: Size | None) -> np.ndarray:
        pictures = self.pictures(size)
        shown = self.progress(pictures, f"Keras at {size_text(size)}", len(pictures))
        features = [self._features_of(scorer)(picture.image[np.newaxis]) for picture in shown]
        rows = np.concatenate(features)
        return np.asarray(scorer.fitted_head()(rows)) if scorer.has_head else rows

    def _features_of(self, scorer: ReIQAScorer) -> ComputeFeatures:
        """The scorer's features, compiled once for all that is compared."""
        self._features = self._features or scorer.compile_features()
        return self._features

    def _recall(self, size: Size | None) -> np.ndarray | None:
        pictures, entry = self.pictures(size), self.stored.get(size_text(size))
        if not isinstance(entry, dict) or entry.get("sha256") != parity.pictures_digest(pictures):
            return None
        scores = np.array(entry.get("scores"), np.float32)
        return scores if scores.shape == (len(pictures),) else None

    def _keras_scores(
        self, scorer: ReIQAScorer, scored: ScoredPhotos, size: Size | None
    ) -> np.ndarray:
        """Keras's scores of the scored photos at a size, NaN for those that cannot be read."""
        if size not in self._scores:
            if size is None:
                self._scores[size] = self._at_working_size(scorer, scored)
            else:
                self._scores[size] = self._at(scorer, scored, size)
        return self._scores[size]

    def _scored_picture(self, path: PathLike, size: Size | None) -> parity.Picture:
        """A scored photo that can be read, as an artifact of a size takes it."""
        contents = read_bytes(path)
        if size is not None:
            return parity.Picture(b"", parity.fit_to(open_image(contents), size))
        image = read_image(contents, fit=self.working_size)
        if not contents.startswith((b"\xff\xd8\xff", b"\x89PNG")):
            file = io.BytesIO()
            Image.fromarray(image).save(file, "PNG", compress_level=1)
            contents = file.getvalue()
        return parity.Picture(contents, image)

    def _at_working_size(self, scorer: ReIQAScorer, scored: ScoredPhotos) -> np.ndarray:
        progress = _titled(self.progress, "Keras on the scored photos")
        features, problems = feature_table(
            scorer, scored.paths, progress=progress, compute=self._features_of(scorer)
        )
        self.problems = list(problems.values())
        return np.asarray(scorer.fitted_head()(features))

    def _at(self, scorer: ReIQAScorer, scored: ScoredPhotos, size: Size) -> np.ndarray:
        scores = np.array(self._keras_scores(scorer, scored, None))
        readable = np.flatnonzero(np.isfinite(scores))

        def read(index: int) -> np.ndarray | None:
            path = scored.paths[readable[index]]
            whole, fitted = (self._scored_picture(path, fit).image for fit in (None, size))
            return None if np.array_equal(whole, fitted) else fitted

        images = ahead(read, len(readable), _DEPTH)
        title = f"Keras on the scored photos at {size_text(size)}"
        for place, image in zip(readable, self.progress(images, title, len(readable)), strict=True):
            if image is not None:  # else the score is that at the working size
                features = self._features_of(scorer)(image[np.newaxis])
                scores[place] = scorer.fitted_head()(features)[0]
        return scores


class OpenArtifact:
    """An artifact in its runtime, opened once for each core, so that pictures are run side by side.

    A runtime that shares one picture among cores makes them wait for each other: LiteRT took
    167 ms of processor time for a photo on two threads and 140 ms on one.

    Args:
        row: its `ExportFormat`.
        path: where it is.
    """

    def __init__(self, row: ExportFormat, path: pathlib.Path) -> None:
        self._free: queue.SimpleQueue[RunPicture] = queue.SimpleQueue()
        copies = 1 if row.is_folder else min(_COPIES, os.cpu_count() or 1)
        for _ in range(copies):  # a SavedModel takes the threads of the whole process as it is
            self._free.put(row.open(path, 1))

    def run_all(
        self, picture: Callable[[int], parity.Picture], count: int
    ) -> Iterator[dict[str, np.ndarray]]:
        """Runs pictures.

        Args:
            picture: function from an index to a picture; safe in threads.
            count: number of pictures.

        Returns:
            iterator over their outputs, in their order.
        """

        def run(index: int) -> dict[str, np.ndarray]:
            taken = picture(index)
            copy = self._free.get()
            try:
                return copy(taken)
            finally:
                self._free.put(copy)

        return ahead(run, count, _DEPTH)


def _titled(progress: Progress, own_title: str) -> Progress:
    """Shows what another part of the package does under a title of ours."""

    def shown(items: Iterable[_Item], title: str, total: int) -> Iterator[_Item]:  # noqa: ARG001
        return progress(items, own_title, total)

    return shown


def measure(
    row: ExportFormat,
    path: pathlib.Path,
    size: Size | None,
    contract: Contract,
    reference: Reference,
) -> Measurements:
    """Measures an artifact in its runtime.

    Args:
        row: its `ExportFormat`.
        path: where it is.
        size: `(height, width)`, or None for any.
        contract: what it says about itself.
        reference: the `Reference`.

    Returns:
        `Measurements`.
    """
    name = contract.outputs[0]
    artifact = OpenArtifact(row, path)
    pictures, expected = reference.pictures(size), reference.outputs(size)
    outputs = artifact.run_all(pictures.__getitem__, len(pictures))
    shown = reference.progress(outputs, f"{path.name} on pictures", len(pictures))
    received = np.concatenate([output[name] for output in shown])
    difference = None
    if expected is not None:
        low, high = contract.head.score_range if contract.head else (0, np.abs(expected).max())
        difference = KerasDifference.between(expected, received, high - low)
    return Measurements(
        difference,
        reference.ranks(artifact, size, path.name) if contract.head else None,
        _latency(row, path, max(pictures, key=lambda picture: picture.image.size)),
    )


def _latency(row: ExportFormat, path: pathlib.Path, picture: parity.Picture) -> Latency:
    milliseconds = {}
    for threads in THREADS:
        if row.is_folder:
            (model,) = path.glob("*/*/saved_model.pb")
            milliseconds[threads] = time_saved_model(
                model.parent, picture.contents, threads, REPEATS
            )
        else:
            run = row.open(path, threads)
            milliseconds[threads] = median_time(functools.partial(run, picture), REPEATS)
    height, width, _ = picture.image.shape
    return Latency(milliseconds, (height, width), REPEATS)
