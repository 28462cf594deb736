"""What an encoder's features know about quality while it is trained."""

from __future__ import annotations

import csv
import pathlib
from typing import NamedTuple

import numpy as np

from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.files import written_whole
from reiqa_tf.fitting.regression import RidgeRegressor
from reiqa_tf.metrics import srcc
from reiqa_tf.pretraining.config import PretrainConfig
from reiqa_tf.pretraining.from_config import trained_scorer
from reiqa_tf.scoring.features import feature_table
from reiqa_tf.training.callbacks import Probe, ProbeError
from reiqa_tf.training.objective import Logs
from reiqa_tf.typing import PathLike


class Probed(NamedTuple):
    """A measurement.

    Attributes:
        step: number of steps that were made.
        srcc: from -1 to 1; NaN if all predictions are equal.
    """

    step: int
    srcc: float


class LinearProbe(Probe[Probed]):
    """Measures, every few epochs, how well a ridge on the current features agrees with people.

    The ridge is fitted on the rows of the splits `train` and `val`, its strength chosen in five
    folds of them, and its SRCC is that on the rows of `test`. Without a column `split` it is the
    SRCC of the held-out folds. It adds `probe_srcc` to the logs of an epoch.

    Args:
        config: the run's `PretrainConfig`.
        scored: `ScoredPhotos`.
        folder: folder of the run; gets `probe.csv` with one row a measurement.
        every: number of epochs between two measurements; see `Probe`.

    Raises:
        ProbeError: if there are splits and rows of `train` or `test` are missing.

    Example:
    ```text
    probe = LinearProbe(config, read_scored_photos("scores.csv"), "run", every=5)
    train_encoder(config, pipeline, "run", callbacks=[probe])
    ```
    """

    def __init__(
        self, config: PretrainConfig, scored: ScoredPhotos, folder: PathLike, every: int = 1
    ) -> None:
        super().__init__(config.schedule.epochs, every)
        if scored.splits is not None and not np.isin(("train", "test"), scored.splits).all():
            raise ProbeError("expected rows of train and of test, or no column `split`.")
        self.config = config
        self.scored = scored
        self.path = pathlib.Path(folder) / "probe.csv"

    def measure(self, step: int) -> Probed:
        """Fits and tests a ridge on the features of the network as it is."""
        scorer = trained_scorer(self.config, self.model)
        features, problems = feature_table(scorer, self.scored.paths)
        readable = [index for index in range(len(self.scored)) if index not in problems]
        return Probed(step, float(probe_srcc(features[readable], self.scored.rows(readable))))

    def logs_of(self, row: Probed) -> Logs:
        """The SRCC as `probe_srcc`."""
        return {"probe_srcc": row.srcc}

    def step_of(self, row: Probed) -> int:
        """The number of steps after which a row was measured."""
        return row.step

    def read(self) -> list[Probed]:
        """The rows of `probe.csv`."""
        return read_probes(self.path)

    def write(self, rows: list[Probed]) -> None:
        """Writes `probe.csv`."""
        with written_whole(self.path) as scratch, open(scratch, "w", newline="") as file:
            csv.writer(file).writerows([Probed._fields, *rows])


def probe_srcc(features: np.ndarray, scored: ScoredPhotos) -> float:
    """SRCC of a ridge on photos that it has not seen.

    Args:
        features: array `(N, F)`.
        scored: `ScoredPhotos` of the same photos.

    Returns:
        SRCC, from -1 to 1; NaN if all predictions are equal.
    """
    if scored.splits is None:
        ridge = RidgeRegressor().fit(features, scored.scores, groups=scored.groups)
        return srcc(ridge.held_out_, scored.scores)
    seen = scored.splits != "test"
    groups = None if scored.groups is None else scored.groups[seen]
    ridge = RidgeRegressor().fit(features[seen], scored.scores[seen], groups=groups)
    return srcc(ridge.predict(features[~seen]), scored.scores[~seen])


def read_probes(path: PathLike) -> list[Probed]:
    """Reads what a `LinearProbe` wrote.

    Args:
        path: the file; it need not be there.

    Returns:
        list of `Probed`, in the order of the steps.
    """
    path = pathlib.Path(path)
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return [Probed(int(row["step"]), float(row["srcc"])) for row in csv.DictReader(file)]
