"""Held-out photos, scored every epoch: what the best weights are chosen by."""

from __future__ import annotations

import csv
import math
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.errors import ReiqaError
from reiqa_tf.files import written_whole
from reiqa_tf.metrics import plcc, srcc
from reiqa_tf.models.inference import following
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.scoring.features import feature_table
from reiqa_tf.training.callbacks import Probe
from reiqa_tf.training.objective import Logs
from reiqa_tf.tuning.pairs import Pairs
from reiqa_tf.tuning.step import copy_of, encoder_variables
from reiqa_tf.typing import PathLike


class Validated(NamedTuple):
    """A measurement.

    Attributes:
        step: number of steps that were made.
        srcc: rank correlation with people's scores, from -1 to 1; NaN where nobody scored.
        plcc: linear correlation likewise.
        in_order: share of the held-out pairs whose better photo has the higher score, from 0 to 1;
            NaN where there are scores.
    """

    step: int
    srcc: float = math.nan
    plcc: float = math.nan
    in_order: float = math.nan

    @property
    def value(self) -> float:
        """What the best step has most of."""
        return self.in_order if math.isnan(self.srcc) else self.srcc

    def known(self) -> dict[str, float]:
        """Its numbers by name, without those that were not measured."""
        return {name: value for name, value in self._asdict().items() if not math.isnan(value)}


class Validation(Probe[Validated]):
    """Scores the held-out photos with the average of the weights, as photos are scored.

    It adds `val_srcc` and `val_plcc`, or `val_in_order` for pairs, to the logs of an epoch, keeps
    the best weights in the run's folder, and asks to stop when no epoch was better for a while.

    Args:
        start: the scorer that the run begins with.
        held_out: `ScoredPhotos`, or pairs of paths, the better photo first.
        folder: folder of the run; gets `validation.csv` and `best/`.
        epochs: number of epochs of the run.
        patience: epochs without a better SRCC after which the run ends.
        writes: whether this worker writes the folder. The others measure and stop likewise.
    """

    def __init__(
        self,
        start: ReIQAScorer,
        held_out: ScoredPhotos | Pairs,
        folder: PathLike,
        epochs: int,
        patience: int,
        writes: bool = True,
    ) -> None:
        super().__init__(epochs)
        self._scorer = copy_of(start)  # takes the weights that are measured
        self._compute = following(self._scorer)
        self.held_out = held_out
        self.folder = pathlib.Path(folder)
        self.patience = patience
        self.writes = writes
        self._rows: list[Validated] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Measures what has learned nothing yet, or stops a run that had its patience out."""
        super().on_train_begin(logs)
        self._stop_if_done()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Measures, and stops when nothing got better for a while."""
        super().on_epoch_end(epoch, logs)
        self._stop_if_done()

    def measure(self, step: int) -> Validated:
        """Scores the held-out photos."""
        values = self.model.averages.values()
        assign_encoder_weights(self._scorer, values)
        if isinstance(self.held_out, ScoredPhotos):
            predicted = self._predicted(self.held_out.paths)
            seen = np.isfinite(predicted)
            both = predicted[seen], self.held_out.scores[seen]
            row = Validated(step, float(srcc(*both)), float(plcc(*both)))
        else:
            photos = [photo for pair in self.held_out for photo in pair]
            predicted = self._predicted(photos).reshape(-1, 2)
            predicted = predicted[np.isfinite(predicted).all(axis=1)]
            row = Validated(step, in_order=float((predicted[:, 0] > predicted[:, 1]).mean()))
        former = [known for known in self.read() if known.step < step]
        if self.writes and best_of([*former, row]) == row:
            with (
                written_whole(best_weights(self.folder, step)) as scratch,
                open(scratch, "wb") as file,
            ):
                np.savez(file, *values)
        return row

    def logs_of(self, row: Validated) -> Logs:
        """What was measured, such as `val_srcc`."""
        return {f"val_{name}": value for name, value in row.known().items() if name != "step"}

    def step_of(self, row: Validated) -> int:
        """The number of steps after which a row was measured."""
        return row.step

    def read(self) -> list[Validated]:
        """The rows of `validation.csv`."""
        return read_validation(self.folder / "validation.csv")

    def write(self, rows: list[Validated]) -> None:
        """Writes `validation.csv`, and removes weights that no run can need any more."""
        if not self.writes:
            return
        path = self.folder / "validation.csv"
        with written_whole(path) as scratch, open(scratch, "w", newline="") as file:
            writer = csv.DictWriter(file, Validated._fields, lineterminator="\n")
            writer.writeheader()
            writer.writerows(row.known() for row in rows)
        # A killed run goes on from its newest checkpoint, and takes the best one before that.
        saved = max(map(_step, (self.folder / "checkpoints").glob("step-*.npz")), default=0)
        needed = best_of([row for row in rows if row.step <= saved])
        for path in (self.folder / "best").glob("step-*.npz"):
            if needed is not None and _step(path) < needed.step:
                path.unlink()

    def _predicted(self, paths: Sequence[str]) -> np.ndarray:
        """The scores of photos, NaN for those that cannot be read."""
        features, _ = feature_table(self._scorer, paths, compute=self._compute)
        return np.asarray(keras.ops.convert_to_numpy(self._scorer.fitted_head()(features)))

    def _stop_if_done(self) -> None:
        # Without the frozen encoder: who learns robustness first loses what is gained later.
        rows = [row for row in self.read() if row.step]
        best = best_of(rows)
        if best is not None and len(rows) - 1 - rows.index(best) >= self.patience:
            self.model.stop_training = True


def best_of(rows: list[Validated]) -> Validated | None:
    """The measurement with the highest value, the first one of equals; None of none."""
    usable = [row for row in rows if math.isfinite(row.value)] or rows[:1]
    return max(usable, key=lambda row: row.value, default=None)


def best_weights(folder: PathLike, step: int) -> pathlib.Path:
    """The file with the encoders' weights after a step that was the best one."""
    return pathlib.Path(folder) / "best" / f"step-{step:09d}.npz"


def best_scorer(start: ReIQAScorer, folder: PathLike) -> ReIQAScorer:
    """The scorer whose validation was the best one of a run.

    Args:
        start: the scorer that the run began with.
        folder: folder of the run.

    Returns:
        `ReIQAScorer` in float32 with the encoders of that step and the head of the start.

    Raises:
        ReiqaError: if the folder holds no weights of that step.
    """
    best = best_of(read_validation(pathlib.Path(folder) / "validation.csv"))
    path = None if best is None else best_weights(folder, best.step)
    if path is None or not path.exists():
        raise ReiqaError(f"{folder}: holds no weights of a validated step.")
    with np.load(path, allow_pickle=False) as archive:
        return with_encoder_weights(start, [archive[name] for name in archive.files])


def with_encoder_weights(start: ReIQAScorer, values: list[np.ndarray]) -> ReIQAScorer:
    """A copy of a scorer with other weights in its encoders.

    Args:
        start: a built `ReIQAScorer`.
        values: arrays in the order of `encoder_variables`.

    Returns:
        `ReIQAScorer` in float32.
    """
    scorer = copy_of(start)
    assign_encoder_weights(scorer, values)
    return scorer


def assign_encoder_weights(scorer: ReIQAScorer, values: Sequence[np.ndarray]) -> None:
    """Gives the encoders of a scorer other weights.

    Args:
        scorer: a built `ReIQAScorer`.
        values: arrays in the order of `encoder_variables`.
    """
    for variable, value in zip(encoder_variables(scorer), values, strict=True):
        variable.assign(value)


def read_validation(path: PathLike) -> list[Validated]:
    """Reads what a `Validation` wrote.

    Args:
        path: the file; it need not be there.

    Returns:
        list of `Validated`, in the order of the steps.
    """
    path = pathlib.Path(path)
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return [
            Validated(
                int(row.pop("step")), **{name: float(value) for name, value in row.items() if value}
            )
            for row in csv.DictReader(file)
        ]


def _step(path: pathlib.Path) -> int:
    return int(path.stem.removeprefix("step-"))
