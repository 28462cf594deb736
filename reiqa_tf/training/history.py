"""What a run was like, step by step: a CSV file, and curves drawn from it."""

import csv
import pathlib

import numpy as np

from reiqa_tf.files import written_whole

COLUMNS = ("step", "epoch", "loss", "accuracy", "learning_rate", "pairs_per_second")


class History:
    """A CSV file with one row a step, which goes on where a checkpoint was.

    Args:
        path: the file.
        step: number of steps that the run goes on from; later rows are dropped, because those
            steps will be made again.

    Example:
    ```python
    with History("run/history.csv", step=0) as history:
        history.append({"step": 1, "epoch": 1, "loss": 7.1, ...})
    ```
    """

    def __init__(self, path, step):
        self.path = pathlib.Path(path)
        kept = [row for row in _read(self.path) if int(row["step"]) <= step]
        with written_whole(self.path) as scratch, open(scratch, "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(kept)
        self._file = open(self.path, "a", newline="", buffering=1)  # noqa: SIM115 -- `close`
        self._writer = csv.DictWriter(self._file, COLUMNS)

    def append(self, row):
        """Adds a row.

        Args:
            row: dictionary with a value for each of `COLUMNS`.
        """
        self._writer.writerow(row)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()


def read_history(path):
    """Reads what a `History` wrote.

    Args:
        path: the file.

    Returns:
        dictionary from each column to a float64 array.
    """
    rows = _read(pathlib.Path(path))
    return {name: np.array([float(row[name]) for row in rows]) for name in COLUMNS}


def plot_history(path, picture, probes=()):
    """Draws loss, accuracy and learning rate over the steps.

    Args:
        path: the file that a `History` wrote.
        picture: the PNG to make.
        probes: list of `(step, SRCC)` of the probe, drawn where there are any.

    Raises:
        OutputError: if the picture cannot be written.
    """
    from matplotlib.figure import Figure

    columns = read_history(path)
    panels = [
        ("loss", "contrastive loss"),
        ("accuracy", "top-1 contrastive accuracy"),
        ("learning_rate", "learning rate"),
    ]
    count = len(panels) + bool(probes)
    figure = Figure(figsize=(7, 2.2 * count), layout="constrained")
    axes = figure.subplots(count, sharex=True)
    for (name, label), axis in zip(panels, axes, strict=False):
        axis.plot(columns["step"], columns[name], linewidth=0.8)
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    if probes:
        axes[-1].plot(*zip(*probes, strict=True), marker="o")
        axes[-1].set_ylabel("SRCC of the probe")
        axes[-1].grid(alpha=0.3)
    axes[-1].set_xlabel("step")
    with written_whole(picture) as scratch:
        figure.savefig(scratch, dpi=120)


def _read(path):
    if not path.exists():
        return []
    with open(path, newline="") as file:
        # A row that was cut off in the middle has no last column.
        return [row for row in csv.DictReader(file) if row[COLUMNS[-1]]]
