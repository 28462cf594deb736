"""What an encoder's features know about distortions: whose nearest neighbour is of its kind?"""

import dataclasses
import json
import pathlib

import keras
import numpy as np

from reiqa_tf.distortions import LEVELS, NAMES, distort
from reiqa_tf.errors import ReiqaError
from reiqa_tf.files import written_whole
from reiqa_tf.image.reading import read_image
from reiqa_tf.models.inference import compile_features
from reiqa_tf.training.from_config import trained_scorer

SIDE = 224
"""Side in pixels of the middle of a photo that is looked at."""


class RetrievalError(ReiqaError):
    """Photos among which nothing can be retrieved."""


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
    by_distortion: dict
    distortion_chance: float = 1 / len(NAMES)
    level_chance: float = 1 / LEVELS


def retrieve(features):
    """Retrieves each distorted version's nearest neighbour.

    Features are standardised over all versions and compared by their cosine.

    Args:
        features: array `(P, len(NAMES), LEVELS, F)`, of photos in each distortion at each level.

    Returns:
        `Retrieval`.

    Raises:
        RetrievalError: if there are fewer than two photos.
    """
    photos, distortions, levels, width = features.shape
    if photos < 2:
        raise RetrievalError(f"expected two photos or more. Received: {photos}")
    rows = features.reshape(-1, width).astype(np.float64)
    deviations = rows.std(0)
    rows = (rows - rows.mean(0)) / np.where(deviations > 0, deviations, 1)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(float).tiny)
    photo, distortion, level = (
        index.ravel() for index in np.indices((photos, distortions, levels))
    )
    cosines = rows @ rows.T
    cosines[photo[:, None] == photo] = -np.inf
    found = distortion[cosines.argmax(1)] == distortion
    cosines[distortion[:, None] != distortion] = -np.inf
    return Retrieval(
        distortion=float(found.mean()),
        level=float((level[cosines.argmax(1)] == level).mean()),
        by_distortion={
            name: float(found[distortion == i].mean()) for i, name in enumerate(NAMES[:distortions])
        },
    )


def distorted_features(scorer, photos):
    """Features of every level of every distortion of photos.

    Args:
        scorer: a built `ReIQAScorer`.
        photos: list of uint8 arrays `(SIDE, SIDE, 3)`.

    Returns:
        float32 array `(P, len(NAMES), LEVELS, feature_count)`.
    """
    compute = compile_features(scorer)
    table = np.empty((len(photos), len(NAMES), LEVELS, scorer.feature_count), np.float32)
    for i, photo in enumerate(photos):
        for j, name in enumerate(NAMES):
            versions = [distort(photo, name, level, (i, level)) for level in range(LEVELS)]
            table[i, j] = compute(np.rint(255 * np.stack(versions)).astype(np.uint8))
    return table


def read_middles(paths):
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


class RetrievalProbe(keras.callbacks.Callback):
    """Measures retrieval with the network before its first step and after its last.

    Args:
        config: the run's `PretrainConfig`.
        paths: photos that the run does not train on.
        folder: folder of the run; gets `retrieval.json`, a dictionary with the `Retrieval` of the
            `untrained` and of the `trained` network.
    """

    def __init__(self, config, paths, folder):
        super().__init__()
        self.config = config
        self.photos = read_middles(paths)
        self.path = pathlib.Path(folder) / "retrieval.json"
        if len(paths) < 2:
            raise RetrievalError(f"expected two photos or more. Received: {len(paths)}")

    def on_train_begin(self, logs=None):  # noqa: ARG002 -- Keras's signature
        """Measures the network that has learned nothing yet."""
        if int(self.model.optimizer.iterations.numpy()) == 0:
            self._measure("untrained")

    def on_epoch_end(self, epoch, logs=None):  # noqa: ARG002
        """Measures the network after the last epoch."""
        if epoch + 1 == self.config.schedule.epochs:
            self._measure("trained")

    def _measure(self, state):
        scorer = trained_scorer(self.config, self.model)
        measured = retrieve(distorted_features(scorer, self.photos))
        with written_whole(self.path) as scratch:
            contents = {**read_retrievals(self.path), state: dataclasses.asdict(measured)}
            scratch.write_text(json.dumps(contents, indent=2) + "\n")


def read_retrievals(path):
    """Reads what a `RetrievalProbe` wrote.

    Args:
        path: the file; it need not be there.

    Returns:
        dictionary from `untrained` and `trained` to dictionaries as `Retrieval` has attributes.
    """
    path = pathlib.Path(path)
    return json.loads(path.read_text()) if path.exists() else {}
