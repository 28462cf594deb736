"""What an encoder's features know about quality while it is trained."""

import csv
import pathlib

import keras
import numpy as np

from reiqa_tf.errors import ReiqaError
from reiqa_tf.files import written_whole
from reiqa_tf.fitting.regression import RidgeRegressor
from reiqa_tf.metrics import srcc
from reiqa_tf.pretraining.from_config import trained_scorer
from reiqa_tf.scoring.features import feature_table

COLUMNS = ("step", "srcc")


class ProbeError(ReiqaError):
    """Scored photos on which no probe can be fitted."""


class LinearProbe(keras.callbacks.Callback):
    """Measures, every few epochs, how well a ridge on the current features agrees with people.

    The ridge is fitted on the rows of the splits `train` and `val`, its strength chosen in five
    folds of them, and its SRCC is that on the rows of `test`. Without a column `split` it is the
    SRCC of the held-out folds. The network before its first step is measured, too: what a run has
    taught is the difference.

    Args:
        config: the run's `PretrainConfig`.
        scored: `ScoredPhotos` of scored photos.
        folder: folder of the run; gets `probe.csv` with one row a measurement.
        every: number of epochs between two measurements. The last epoch is always measured.

    Example:
    ```python
    probe = LinearProbe(config, read_scored_photos("scores.csv"), "run", every=5)
    pretrain(config, pipeline, "run", callbacks=[probe])
    ```
    """

    def __init__(self, config, scored, folder, every=1):
        super().__init__()
        if every < 1:
            raise ProbeError(f"every: expected 1 or more epochs. Received: {every}")
        if scored.splits is not None and not np.isin(("train", "test"), scored.splits).all():
            raise ProbeError("expected rows of train and of test, or no column `split`.")
        self.config = config
        self.scored = scored
        self.path = pathlib.Path(folder) / "probe.csv"
        self.every = every

    def on_train_begin(self, logs=None):  # noqa: ARG002 -- Keras's signature
        """Measures the network that has learned nothing yet."""
        step = int(self.model.optimizer.iterations.numpy())
        self._write([row for row in read_probes(self.path) if row[0] <= step])
        if step == 0:
            self._measure()

    def on_epoch_end(self, epoch, logs=None):
        """Measures every few epochs, and adds `probe_srcc` to the logs."""
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.config.schedule.epochs:
            measured = self._measure()
            if logs is not None:
                logs["probe_srcc"] = measured

    def _measure(self):
        scorer = trained_scorer(self.config, self.model)
        features, problems = feature_table(scorer, self.scored.paths)
        readable = [index for index in range(len(self.scored)) if index not in problems]
        measured = float(probe_srcc(features[readable], self.scored.rows(readable)))
        step = int(self.model.optimizer.iterations.numpy())
        self._write([*(r for r in read_probes(self.path) if r[0] != step), (step, measured)])
        return measured

    def _write(self, rows):
        with written_whole(self.path) as scratch, open(scratch, "w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])


def probe_srcc(features, scored):
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


def read_probes(path):
    """Reads what a `LinearProbe` wrote.

    Args:
        path: the file; it need not be there.

    Returns:
        list of `(step, SRCC)`.
    """
    path = pathlib.Path(path)
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return [(int(row["step"]), float(row["srcc"])) for row in csv.DictReader(file)]
