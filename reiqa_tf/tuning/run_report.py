"""A run that trains a scorer as one page: what it learned from, how held-out photos were scored."""

from __future__ import annotations

import json
import pathlib

from reiqa_tf.files import written_whole
from reiqa_tf.pages import page_template
from reiqa_tf.training.history import (
    Line,
    Panel,
    draw_curves,
    picture_address,
    plot_history,
    read_history,
    settings_rows,
)
from reiqa_tf.tuning.validation import best_of, read_validation
from reiqa_tf.typing import PathLike
from reiqa_tf.version import __version__

LABELS = {
    "loss": "loss",
    "huber": "Huber",
    "plcc": "1 - PLCC",
    "parts": "parts of the teacher's score",
    "learning_rate": "learning rate",
    "pictures_per_second": "pictures a second",
}
"""What the curves of a run are called, by the columns that its history may have."""

_MATERIAL = ("photos", "pairs", "lessons")
"""What a run may have learned from, by the entries of its `config.json`."""


def write_run_report(folder: PathLike, title: str, start: str) -> None:
    """Writes `curves.png` and `report.html` from what a run has left in its folder.

    Args:
        folder: folder of the run, with `config.json`, `history.csv` and `validation.csv`.
        title: of the page.
        start: what the run began with, in a few words.

    Raises:
        OutputError: if the picture or the page cannot be written.
    """
    folder = pathlib.Path(folder)
    described = json.loads((folder / "config.json").read_text())
    columns = read_history(folder / "history.csv")
    labels = {name: label for name, label in LABELS.items() if name in columns}
    rows = read_validation(folder / "validation.csv")
    points = [(row.step, row.value) for row in rows]
    is_scored = described["photos"]["count"] > 0
    measure = "SRCC" if is_scored else "pairs in order"
    panels = [Panel(f"{measure}, held out", [Line(points)])] if points else []
    plot_history(folder / "history.csv", folder / "curves.png", labels, panels)
    page = page_template(__package__).render(
        version=__version__,
        title=title,
        start=start,
        is_scored=is_scored,
        material=", ".join(
            f"{described[name]['count']:,} {name}"
            for name in _MATERIAL
            if described.get(name, {"count": 0})["count"]
        ),
        epochs=int(columns["epoch"].max()),
        steps=int(columns["step"][-1]),
        measure=measure,
        rows=rows,
        best=best_of(rows),
        curves={
            ground: picture_address(draw_curves(columns, labels, panels, dark=ground == "dark"))
            for ground in ("light", "dark")
        },
        settings=list(settings_rows(described["config"])),
    )
    with written_whole(folder / "report.html") as scratch:
        scratch.write_text(page, encoding="utf-8")
