"""What an encoder's features know about distortions: whose nearest neighbour is of its kind?"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from reiqa_tf.distortions import LEVELS, NAMES, distort
from reiqa_tf.files import written_whole
from reiqa_tf.image.reading import read_image
from reiqa_tf.image.scaling import to_levels
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.pretraining.config import PretrainConfig
from reiqa_tf.pretraining.from_config import trained_scorer
from reiqa_tf.training.callbacks import Probe, ProbeError
from reiqa_tf.training.objective import Logs
from reiqa_tf.typing import PathLike

SIDE = 224
"""Side in pixels of the middle of a photo that is looked at."""

MOST_PHOTOS = 50
"""Photos that are distorted in all ways for one measurement: 130 versions each."""


@dataclasses.dataclass(frozen=True)
class Retrieval:
    """How often the nearest neighbour, among the versions of all other photos, is of the same kind.

    Attributes:
        distortion: share of versions whose nearest neighbour has the same distortion.
        level: share of versions whose nearest neighbour among those of the same distortion has the
            same level.
        by_distortion: `distortion` for the versions of each distortion, by its name.
        distortion_chance: what a blind guess reaches for `distortion`.
        level_chance: likewise for `level`.
    """

    distortion: float
    level: float
    by_distortion: dict[str, float]
    distortion_chance: float = dataclasses.field(default_factory=lambda: 1 / len(NAMES))
    level_chance: float = 1 / LEVELS


class RetrievalRow(TypedDict):
    """A measurement in `retrieval.json`: what `Retrieval` has, after some steps."""

    step: int
    distortion: float
    level: float
    by_distortion: dict[str, float]
    distortion_chance: float
    level_chance: float


def retrieve(features: np.ndarray) -> Retrieval:
    """Retrieves each distorted version's nearest neighbour.

    Features are standardised over all versions and compared by their cosine.

    Args:
        features: array `(P, len(NAMES), LEVELS, F)`, of photos in each distortion at each level.

    Returns:
        `Retrieval`.

    Raises:
        ProbeError: if there are fewer than two photos.
    """
    photos, distortions, levels, width = features.shape
    if photos < 2:
        raise ProbeError(f"expected two photos or more. Received: {photos}")
    rows = features.reshape(-1, width).astype(np.float64)
    deviations = rows.std(0)
    rows = (rows - rows.mean(0)) / np.where(deviations > 0, deviations, 1)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(float).tiny)
    # Photo by photo, so that memory holds the similarities of one with all others.
    distortion, level = (index.ravel() for index in np.indices((distortions, levels)))
    alike = distortion[:, None] == distortion
    found, found_level = (np.empty((photos, len(distortion)), bool) for _ in range(2))
    for photo, versions in enumerate(np.split(rows, photos)):
        cosines = (versions @ rows.T).reshape(len(versions), photos, len(versions))
        cosines[:, photo] = -np.inf
        nearest = cosines.reshape(len(versions), -1).argmax(1) % len(versions)
        found[photo] = distortion[nearest] == distortion
        cosines = np.where(alike[:, None], cosines, -np.inf)
        nearest = cosines.reshape(len(versions), -1).argmax(1) % len(versions)
        found_level[photo] = level[nearest] == level
    return Retrieval(
        distortion=float(found.mean()),
        level=float(found_level.mean()),
        by_distortion={
            name: float(found[:, distortion == i].mean())
            for i, name in enumerate(NAMES[:distortions])
        },
    )


def distorted_features(scorer: ReIQAScorer, photos: Sequence[np.ndarray]) -> np.ndarray:
    """Features of every level of every distortion of photos.

    Args:
        scorer: a built `ReIQAScorer`.
        photos: list of uint8 arrays `(SIDE, SIDE, 3)`.

    Returns:
        float32 array `(P, len(NAMES), LEVELS, feature_count)`.
    """
    compute = scorer.compile_features()
    table = np.empty((len(photos), len(NAMES), LEVELS, scorer.feature_count), np.float32)
    for i, photo in enumerate(photos):
        for j, name in enumerate(NAMES):
            versions = [distort(photo, name, level, (i, level)) for level in range(LEVELS)]
            table[i, j] = compute(to_levels(np.stack(versions)))
    return table


def read_middles(paths: Sequence[PathLike]) -> list[np.ndarray]:
    """Reads the middles of photos.

    Args:
        paths: list of paths.

    Returns:
        list of uint8 arrays `(SIDE, SIDE, 3)`; of smaller photos the whole, mirrored at its ends.

    Raises:
        ImageError: if a photo cannot be read.
    """
    middles = []
    for path in paths:
        photo = read_image(path)
        missing = [max(0, SIDE - side) for side in photo.shape[:2]]
        if any(missing):
            photo = np.pad(photo, (*((0, count) for count in missing), (0, 0)), mode="symmetric")
        top, left = ((side - SIDE) // 2 for side in photo.shape[:2])
        middles.append(photo[top : top + SIDE, left : left + SIDE])
    return middles


class RetrievalProbe(Probe[RetrievalRow]):
    """Measures, every few epochs, how well features retrieve distortions and their levels.

    It adds `retrieval_distortion` and `retrieval_level` to the logs of an epoch.

    Args:
        config: the run's `PretrainConfig`.
        paths: photos that the run does not train on. Of more than `MOST_PHOTOS`, as many are taken,
            evenly spread over the list.
        folder: folder of the run; gets `retrieval.json`, a list of dictionaries, one a measurement,
            with `step` and what `Retrieval` has.
        every: number of epochs between two measurements; see `Probe`.

    Raises:
        ProbeError: if there are fewer than two photos.
        ImageError: if a photo cannot be read.

    Example:
    ```text
    probe = RetrievalProbe(config, find_photos("others/"), "run", every=5)
    train_encoder(config, pipeline, "run", callbacks=[probe])
    ```
    """

    def __init__(
        self, config: PretrainConfig, paths: Sequence[PathLike], folder: PathLike, every: int = 1
    ) -> None:
        super().__init__(config.schedule.epochs, every)
        if len(paths) < 2:
            raise ProbeError(f"expected two photos or more. Received: {len(paths)}")
        chosen = np.unique(np.linspace(0, len(paths) - 1, MOST_PHOTOS).round().astype(int))
        self.config = config
        self.photos = read_middles([paths[i] for i in chosen])
        self.path = pathlib.Path(folder) / "retrieval.json"

    def measure(self, step: int) -> RetrievalRow:
        """Retrieves with the features of the network as it is."""
        scorer = trained_scorer(self.config, self.model)
        measured = retrieve(distorted_features(scorer, self.photos))
        return {
            "step": step,
            "distortion": measured.distortion,
            "level": measured.level,
            "by_distortion": measured.by_distortion,
            "distortion_chance": measured.distortion_chance,
            "level_chance": measured.level_chance,
        }

    def logs_of(self, row: RetrievalRow) -> Logs:
        """Both shares, as `retrieval_distortion` and `retrieval_level`."""
        return {"retrieval_distortion": row["distortion"], "retrieval_level": row["level"]}

    def step_of(self, row: RetrievalRow) -> int:
        """The number of steps after which a row was measured."""
        return row["step"]

    def read(self) -> list[RetrievalRow]:
        """The rows of `retrieval.json`."""
        return read_retrievals(self.path)

    def write(self, rows: list[RetrievalRow]) -> None:
        """Writes `retrieval.json`."""
        with written_whole(self.path) as scratch:
            scratch.write_text(json.dumps(rows, indent=2) + "\n")


def read_retrievals(path: PathLike) -> list[RetrievalRow]:
    """Reads what a `RetrievalProbe` wrote.

    Args:
        path: the file; it need not be there.

    Returns:
        list of dictionaries with `step` and what `Retrieval` has, in the order of the steps.
    """
    path = pathlib.Path(path)
    rows: list[RetrievalRow] = json.loads(path.read_text()) if path.exists() else []
    return rows
