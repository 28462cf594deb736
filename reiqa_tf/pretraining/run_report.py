"""A run as one page: what was trained, how it went, and what its features know."""

from __future__ import annotations

import base64
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from reiqa_tf.files import written_whole
from reiqa_tf.pages import page_template
from reiqa_tf.pretraining.config import ContentPairs, QualityPairs
from reiqa_tf.pretraining.contrastive import Described
from reiqa_tf.pretraining.probe import Probed, read_probes
from reiqa_tf.pretraining.retrieval import RetrievalRow, read_retrievals
from reiqa_tf.training.history import (
    Line,
    Panel,
    draw_curves,
    picture_address,
    plot_history,
    read_history,
    settings_rows,
)
from reiqa_tf.typing import PathLike
from reiqa_tf.version import __version__

LABELS = {
    "loss": "contrastive loss",
    "accuracy": "top-1 accuracy",
    "learning_rate": "learning rate",
    "pairs_per_second": "pairs a second",
}
"""What the curves of a run are called, by the columns of its history."""

_EXPERTS = {"QualityPairs": "Quality-aware", "ContentPairs": "Content-aware"}


def write_run_report(folder: PathLike) -> None:
    """Writes `curves.png` and `report.html` from what a run has left in its folder.

    The page needs no other file.

    Args:
        folder: folder of the run, with `config.json` and `history.csv`; `probe.csv`,
            `retrieval.json` and `views.png` are shown where they are there.

    Raises:
        OutputError: if the picture or the page cannot be written.

    Example:
    ```text
    train_encoder(config, pipeline, "run")
    write_run_report("run")
    ```
    """
    folder = pathlib.Path(folder)
    described: Described = json.loads((folder / "config.json").read_text())
    columns = read_history(folder / "history.csv")
    probes = read_probes(folder / "probe.csv")
    retrievals = read_retrievals(folder / "retrieval.json")
    panels = measured_panels(probes, retrievals)
    plot_history(folder / "history.csv", folder / "curves.png", LABELS, panels)
    views = folder / "views.png"
    curves = {
        ground: picture_address(draw_curves(columns, LABELS, panels, dark=ground == "dark"))
        for ground in ("light", "dark")
    }
    epochs = described["config"]["schedule"]["epochs"]
    page = page_template(__package__).render(
        title=f"{_EXPERTS[described['config']['pairs']['is']]} encoder",
        version=__version__,
        figures=_figures(columns, epochs, probes, retrievals),
        epochs=epochs,
        steps=int(columns["step"][-1]),
        filled_after=steps_to_fill_the_queue(described["config"]),
        photos=described["photos"]["count"],
        curves=curves,
        views=_data_uri(views.read_bytes()) if views.exists() else None,
        probes=probes,
        retrievals=retrievals,
        settings=list(settings_rows(described["config"])),
    )
    with written_whole(folder / "report.html") as scratch:
        scratch.write_text(page, encoding="utf-8")


def steps_to_fill_the_queue(config: Mapping[str, Any]) -> int:
    """After how many steps the queue holds keys of photos alone.

    Args:
        config: the configuration as `config.json` has it.

    Returns:
        number of steps, at least 1.
    """
    kind = {"QualityPairs": QualityPairs, "ContentPairs": ContentPairs}[config["pairs"]["is"]]
    pairs = kind(**{name: value for name, value in config["pairs"].items() if name != "is"})
    pairs_of_a_step = config["batch_size"] * pairs.pairs_per_photo
    return -(-int(config["contrast"]["queue_size"]) // pairs_of_a_step)


def measured_panels(probes: list[Probed], retrievals: list[RetrievalRow]) -> list[Panel]:
    """What was measured of the features, to be drawn below the curves.

    Args:
        probes: what `read_probes` returns.
        retrievals: what `read_retrievals` returns.

    Returns:
        list of panels, none where nothing was measured.
    """
    panels = []
    if probes:
        panels.append(Panel("SRCC of the probe", [Line(probes)]))
    if retrievals:
        first = retrievals[0]
        distortion = [(row["step"], row["distortion"]) for row in retrievals]
        level = [(row["step"], row["level"]) for row in retrievals]
        lines = [
            Line(distortion, "distortion", first["distortion_chance"]),
            Line(level, "level", first["level_chance"]),
        ]
        panels.append(Panel("retrieval (dotted: chance)", lines))
    return panels


def _figures(
    columns: Mapping[str, np.ndarray],
    epochs: int,
    probes: list[Probed],
    retrievals: list[RetrievalRow],
) -> Iterator[tuple[str, str, str]]:
    """What one reads first: captions, numbers, and remarks on them."""
    last = columns["epoch"] == columns["epoch"].max()
    yield "steps", f"{int(columns['step'][-1]):,}", f"epoch {int(columns['epoch'][-1])} of {epochs}"
    yield "loss", f"{columns['loss'][last].mean():.3f}", "mean of the last epoch"
    yield "top-1 accuracy", f"{columns['accuracy'][last].mean():.1%}", "mean of the last epoch"
    if probes:
        first, newest = probes[0], probes[-1]
        yield "SRCC of the probe", f"{newest.srcc:.3f}", f"{first.srcc:.3f} at step {first.step}"
    if retrievals:
        began, ended = retrievals[0], retrievals[-1]
        yield _retrieved(
            "distortion",
            began["distortion"],
            ended["distortion"],
            began["step"],
            began["distortion_chance"],
        )
        yield _retrieved(
            "level", began["level"], ended["level"], began["step"], began["level_chance"]
        )


def _retrieved(
    kind: str, began: float, ended: float, step: int, chance: float
) -> tuple[str, str, str]:
    remark = f"{began:.1%} at step {step}, {chance:.1%} by chance"
    return f"retrieval of {kind}", f"{ended:.1%}", remark


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
