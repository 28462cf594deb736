"""What a run was like, step by step: a CSV file, and curves drawn from it."""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reiqa_tf.files import written_whole
from reiqa_tf.typing import PathLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class History:
    """A CSV file with one row a step, which goes on where a checkpoint was.

    Args:
        path: the file.
        columns: names of its columns; the first one is `step`.
        step: number of steps that the run goes on from; later rows are dropped, because those
            steps will be made again.

    Example:
    ```python
    from reiqa_tf.training.history import History, read_history

    with History("history.csv", ("step", "loss"), step=0) as history:
        history.append({"step": 1, "loss": 7.1})
    assert read_history("history.csv")["loss"] == [7.1]
    ```
    """

    def __init__(self, path: PathLike, columns: Sequence[str], step: int) -> None:
        self.path = pathlib.Path(path)
        rows = _read(self.path)[1] if self.path.exists() else []
        kept = [row for row in rows if int(row["step"]) <= step]
        with written_whole(self.path) as scratch, open(scratch, "w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(kept)
        self._file = open(self.path, "a", newline="", buffering=1)  # noqa: SIM115 -- `close`
        self._writer = csv.DictWriter(self._file, columns)

    def append(self, row: Mapping[str, float]) -> None:
        """Adds a row.

        Args:
            row: dictionary with a value for each column.
        """
        self._writer.writerow(row)

    def __enter__(self) -> History:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def read_history(path: PathLike) -> dict[str, np.ndarray]:
    """Reads what a `History` wrote.

    Args:
        path: the file.

    Returns:
        dictionary from each column to a float64 array.
    """
    columns, rows = _read(pathlib.Path(path))
    return {name: np.array([float(row[name]) for row in rows]) for name in columns}


@dataclasses.dataclass(frozen=True)
class Line:
    """Measurements over the steps.

    Attributes:
        points: pairs of a step and a number.
        name: what stands in the legend; empty for a line that needs none.
        chance: what a blind guess would reach, drawn dotted; None draws nothing.
    """

    points: Sequence[tuple[int, float]]
    name: str = ""
    chance: float | None = None


@dataclasses.dataclass(frozen=True)
class Panel:
    """Lines of one kind, drawn below the curves of the history.

    Attributes:
        label: what the numbers are.
        lines: the lines.
    """

    label: str
    lines: Sequence[Line]


def draw_curves(
    columns: Mapping[str, np.ndarray],
    labels: Mapping[str, str],
    panels: Sequence[Panel] = (),
    dark: bool = False,
) -> Figure:
    """Draws the numbers of a history over the steps, and what was measured meanwhile.

    Args:
        columns: what `read_history` returns.
        labels: what to call the columns that are drawn, by their names, from the top.
        panels: what was measured meanwhile.
        dark: whether the lines are to stand on a dark ground. The picture has no ground of its own.

    Returns:
        `matplotlib.figure.Figure`.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    with matplotlib.style.context("dark_background" if dark else "default"):
        count = len(labels) + len(panels)
        figure = Figure(figsize=(7, 2.0 * count), layout="constrained")
        axes = list(figure.subplots(count, squeeze=False, sharex=True)[:, 0])
        for (name, label), axis in zip(labels.items(), axes, strict=False):
            (line,) = axis.plot(columns["step"], _smoothed(columns[name]), linewidth=1.5)
            color = line.get_color()
            axis.plot(columns["step"], columns[name], linewidth=0.5, alpha=0.4, color=color)
            axis.set_ylabel(label)
        for panel, axis in zip(panels, axes[len(labels) :], strict=True):
            for measured in panel.lines:
                (line,) = axis.plot(
                    *zip(*measured.points, strict=True), marker="o", label=measured.name
                )
                if measured.chance is not None:
                    axis.axhline(
                        measured.chance, color=line.get_color(), linestyle=":", linewidth=1
                    )
                    axis.set_ylim(bottom=0)
            axis.set_ylabel(panel.label)
            if any(measured.name for measured in panel.lines):
                axis.legend(framealpha=0)
        for axis in axes:
            axis.grid(alpha=0.25, linewidth=0.6)
            axis.patch.set_alpha(0)
        axes[-1].set_xlabel("step")
        figure.patch.set_alpha(0)
    return figure


def plot_history(
    path: PathLike, picture: PathLike, labels: Mapping[str, str], panels: Sequence[Panel] = ()
) -> None:
    """Draws the curves of a run on white.

    Args:
        path: the file that a `History` wrote.
        picture: the PNG to make.
        labels: as in `draw_curves`.
        panels: likewise.

    Raises:
        OutputError: if the picture cannot be written.
    """
    figure = draw_curves(read_history(path), labels, panels)
    with written_whole(picture) as scratch:
        figure.savefig(scratch, dpi=120, facecolor="white")


def picture_address(figure: Figure) -> str:
    """A figure as a `data:` address, for a page that needs no other file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=160)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def settings_rows(part: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """A configuration as rows of a table.

    Args:
        part: the configuration, as `as_dictionary` makes it.
        path: where in a larger one it stands.

    Yields:
        pairs of a name, with dots, and its value as text.
    """
    for name, value in part.items():
        where = f"{path}.{name}" if path else name
        if isinstance(value, dict):
            yield where, value["is"]
            yield from settings_rows(value, where)
        elif name != "is":
            yield where, str(value)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Means over a window of a fortieth of the run around each step; smaller at the ends."""
    reach = max(1, len(values) // 80)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    low, high = np.maximum(index - reach, 0), np.minimum(index + reach + 1, len(values))
    means: np.ndarray = (sums[high] - sums[low]) / (high - low)
    return means


def _read(path: pathlib.Path) -> tuple[list[str], list[dict[str, str]]]:
    """Names of the columns, and the rows."""
    with open(path, newline="") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or ())
        # A row that was cut off in the middle has no last column.
        return columns, [row for row in reader if row[columns[-1]]]
