"""What a run was like, step by step: a CSV file, and curves drawn from it."""

import csv
import pathlib

import numpy as np

from reiqa_tf.files import written_whole

COLUMNS = ("step", "epoch", "loss", "accuracy", "learning_rate", "pairs_per_second")

_CURVES = (
    ("loss", "contrastive loss"),
    ("accuracy", "top-1 accuracy"),
    ("learning_rate", "learning rate"),
    ("pairs_per_second", "pairs a second"),
)


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


def draw_curves(columns, probes=(), retrievals=(), dark=False):
    """Draws loss, accuracy and learning rate over the steps, and what was measured meanwhile.

    Args:
        columns: what `read_history` answers.
        probes: list of `(step, SRCC)` of the probe, drawn where there are any.
        retrievals: what `read_retrievals` answers, likewise.
        dark: whether the lines are to stand on a dark ground. The picture has no ground of its own.

    Returns:
        `matplotlib.figure.Figure`.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    with matplotlib.style.context("dark_background" if dark else "default"):
        count = len(_CURVES) + bool(probes) + bool(retrievals)
        figure = Figure(figsize=(7, 2.0 * count), layout="constrained")
        axes = list(figure.subplots(count, sharex=True))
        for (name, label), axis in zip(_CURVES, axes, strict=False):
            (line,) = axis.plot(columns["step"], _smoothed(columns[name]), linewidth=1.5)
            color = line.get_color()
            axis.plot(columns["step"], columns[name], linewidth=0.5, alpha=0.4, color=color)
            axis.set_ylabel(label)
        places = iter(axes[len(_CURVES) :])
        if probes:
            axis = next(places)
            axis.plot(*zip(*probes, strict=True), marker="o")
            axis.set_ylabel("SRCC of the probe")
        if retrievals:
            axis = next(places)
            steps = [row["step"] for row in retrievals]
            for kind in ("distortion", "level"):
                shares = [row[kind] for row in retrievals]
                (line,) = axis.plot(steps, shares, marker="o", label=kind)
                chance = retrievals[0][f"{kind}_chance"]
                axis.axhline(chance, color=line.get_color(), linestyle=":", linewidth=1)
            axis.set_ylabel("retrieval (dotted: chance)")
            axis.set_ylim(bottom=0)
            axis.legend(framealpha=0)
        for axis in axes:
            axis.grid(alpha=0.25, linewidth=0.6)
            axis.patch.set_alpha(0)
        axes[-1].set_xlabel("step")
        figure.patch.set_alpha(0)
    return figure


def plot_history(path, picture, probes=(), retrievals=()):
    """Draws the curves of a run on white.

    Args:
        path: the file that a `History` wrote.
        picture: the PNG to make.
        probes: as in `draw_curves`.
        retrievals: likewise.

    Raises:
        OutputError: if the picture cannot be written.
    """
    figure = draw_curves(read_history(path), probes, retrievals)
    with written_whole(picture) as scratch:
        figure.savefig(scratch, dpi=120, facecolor="white")


def _smoothed(values):
    """Means over a window of a fortieth of the run around each step; smaller at the ends."""
    reach = max(1, len(values) // 80)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    low, high = np.maximum(index - reach, 0), np.minimum(index + reach + 1, len(values))
    return (sums[high] - sums[low]) / (high - low)


def _read(path):
    if not path.exists():
        return []
    with open(path, newline="") as file:
        # A row that was cut off in the middle has no last column.
        return [row for row in csv.DictReader(file) if row[COLUMNS[-1]]]
