"""A run as one page: what was trained, how it went, and what its features know."""

import base64
import io
import json
import pathlib

from reiqa_tf.files import written_whole
from reiqa_tf.pages import page_template
from reiqa_tf.pretraining.history import draw_curves, read_history
from reiqa_tf.pretraining.probe import read_probes
from reiqa_tf.pretraining.retrieval import read_retrievals
from reiqa_tf.version import __version__


def write_report(folder):
    """Writes `report.html` from what a run has left in its folder. It needs no other file.

    Args:
        folder: folder of the run, with `config.json` and `history.csv`; `probe.csv`,
            `retrieval.json` and `views.png` are shown where they are there.

    Raises:
        OutputError: if the page cannot be written.

    Example:
    ```python
    pretrain(config, pipeline, "run")
    write_report("run")
    ```
    """
    folder = pathlib.Path(folder)
    described = json.loads((folder / "config.json").read_text())
    columns = read_history(folder / "history.csv")
    probes = read_probes(folder / "probe.csv")
    retrievals = read_retrievals(folder / "retrieval.json")
    views = folder / "views.png"
    curves = {
        ground: _png(draw_curves(columns, probes, retrievals, dark=ground == "dark"))
        for ground in ("light", "dark")
    }
    epochs = described["config"]["schedule"]["epochs"]
    page = page_template(__package__).render(
        title=f"{_EXPERTS[described['config']['pairs']['is']]} encoder",
        version=__version__,
        figures=_figures(columns, epochs, probes, retrievals),
        epochs=epochs,
        photos=described["photos"]["count"],
        curves={ground: _data_uri(contents) for ground, contents in curves.items()},
        views=_data_uri(views.read_bytes()) if views.exists() else None,
        probes=probes,
        retrievals=retrievals,
        settings=list(_settings(described["config"])),
    )
    with written_whole(folder / "report.html") as scratch:
        scratch.write_text(page, encoding="utf-8")


_EXPERTS = {"QualityPairs": "Quality-aware", "ContentPairs": "Content-aware"}


def _figures(columns, epochs, probes, retrievals):
    """What one reads first: captions, numbers, and remarks on them."""
    last = columns["epoch"] == columns["epoch"].max()
    yield "steps", f"{int(columns['step'][-1]):,}", f"epoch {int(columns['epoch'][-1])} of {epochs}"
    yield "loss", f"{columns['loss'][last].mean():.3f}", "mean of the last epoch"
    yield "top-1 accuracy", f"{columns['accuracy'][last].mean():.1%}", "mean of the last epoch"
    if probes:
        (step, began), (_, newest) = probes[0], probes[-1]
        yield "SRCC of the probe", f"{newest:.3f}", f"{began:.3f} at step {step}"
    for kind in ("distortion", "level"):
        if retrievals:
            first, newest = retrievals[0], retrievals[-1]
            began = f"{first[kind]:.1%} at step {first['step']}"
            chance = f"{first[f'{kind}_chance']:.1%} by chance"
            yield f"retrieval of {kind}", f"{newest[kind]:.1%}", f"{began}, {chance}"


def _settings(part, path=""):
    """The configuration as rows: name and value."""
    for name, value in part.items():
        where = f"{path}.{name}" if path else name
        if isinstance(value, dict):
            yield where, value["is"]
            yield from _settings(value, where)
        elif name != "is":
            yield where, str(value)


def _png(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=160)
    return file.getvalue()


def _data_uri(png):
    return "data:image/png;base64," + base64.b64encode(png).decode()
