"""Charts: those of a benchmark as SVG texts, to stand inside a page; others as pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure  # without pyplot: no window system is asked for

from reiqa_tf import metrics
from reiqa_tf.evaluation.sensitivity_document import DistortionFigures, SensitivityDocument
from reiqa_tf.typing import PathLike

BLUE, RED, GREY = "#2a6f97", "#c8553d", "#8a939b"

_STYLE = {
    "svg.fonttype": "none",  # the page's own font, and text that can be searched
    "svg.hashsalt": "reiqa",  # the same chart is the same text
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": "#333",
    "xtick.color": "#555",
    "ytick.color": "#555",
}
_MANY_POINTS = 1500
"""Above so many points a cloud is drawn as pixels: as shapes it would weigh more than the rest."""


def splits_chart(rows: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Draws SRCC on every split, a line a contestant, its median marked.

    Args:
        rows: list of `(name, list of SRCC)`, the best first.

    Returns:
        SVG text.
    """
    figure = Figure(figsize=(7.2, 0.55 + 0.34 * len(rows)), layout="constrained")
    with matplotlib.rc_context(_STYLE):
        axes = figure.add_subplot()
        for height, (_, values) in enumerate(reversed(rows)):
            axes.plot(values, [height] * len(values), "o", ms=5, alpha=0.45, mew=0, color=BLUE)
            axes.plot([np.nanmedian(values)], [height], "|", ms=15, mew=2.5, color=RED)
        axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
        axes.set(xlabel="SRCC on each split; red: median", ylim=(-0.6, len(rows) - 0.4))
        axes.grid(axis="x", alpha=0.25)
        axes.tick_params(axis="y", length=0)
        return _svg(figure, f"SRCC of {len(rows)} contestants on every split")


def draw_agreement(
    predicted: np.ndarray,
    scores: np.ndarray,
    agreement: metrics.Agreement,
    score_range: tuple[float, float],
    title: str,
    path: PathLike,
) -> None:
    """Draws people's scores over predicted ones, with the logistic mapping through them.

    Args:
        predicted: array `(N,)`.
        scores: array `(N,)`, what people gave.
        agreement: of the two.
        score_range: `(low, high)` of the scale.
        title: line above the picture.
        path: the picture to write; its ending says the format (png, svg, pdf).
    """
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.add_subplot()
    axes.scatter(predicted, scores, s=12, alpha=0.5, linewidths=0, color="#2a6f97")
    line = np.linspace(np.min(predicted), np.max(predicted), 200)
    mapping = metrics.fit_logistic(predicted, scores)
    axes.plot(line, mapping(line), color="#d1495b", linewidth=2, label="logistic mapping")
    axes.plot(score_range, score_range, color="0.6", linewidth=1, linestyle=":", label="identity")
    low, high = agreement.intervals["srcc"]
    axes.set(
        xlabel="predicted score",
        ylabel="mean opinion score",
        title=f"{title}\nSRCC {agreement.srcc:.3f} [{low:.3f}, {high:.3f}]   "
        f"PLCC {agreement.plcc:.3f}   {agreement.count} photos",
    )
    axes.legend(loc="upper left", frameon=False)
    axes.grid(alpha=0.2)
    figure.savefig(path, dpi=150)


def scatter_chart(
    predicted: np.ndarray, scores: np.ndarray, score_range: tuple[float, float], title: str
) -> str:
    """Draws people's scores over predicted ones, with the logistic mapping between them.

    Args:
        predicted: array `(N,)`.
        scores: array `(N,)`.
        score_range: `(low, high)` of the scores.
        title: line above the chart.

    Returns:
        SVG text.
    """
    figure = Figure(figsize=(3.25, 3.0), layout="constrained")
    with matplotlib.rc_context(_STYLE):
        axes = figure.add_subplot()
        many = len(scores) > _MANY_POINTS
        axes.plot(predicted, scores, "o", ms=3, alpha=0.35, mew=0, color=BLUE, rasterized=many)
        line = np.linspace(np.min(predicted), np.max(predicted), 200)
        axes.plot(line, metrics.fit_logistic(predicted, scores)(line), color=RED, lw=2)
        low, high = score_range
        margin = 0.03 * (high - low)
        axes.set(xlabel="predicted", ylabel="people's score", ylim=(low - margin, high + margin))
        axes.set_title(title, fontsize=9, loc="left")
        axes.grid(alpha=0.2)
        return _svg(figure, f"Scores of people over those of {title}")


def residuals_chart(groups: Sequence[tuple[str, np.ndarray]], unit: str) -> str:
    """Draws how far predictions lie off, a box a distortion.

    Args:
        groups: list of `(name, array of residuals)`.
        unit: what the residuals are.

    Returns:
        SVG text.
    """
    figure = Figure(figsize=(7.2, 0.7 + 0.24 * len(groups)), layout="constrained")
    with matplotlib.rc_context(_STYLE):
        axes = figure.add_subplot()
        names = [name for name, _ in reversed(groups)]
        boxes = axes.boxplot(
            [values for _, values in reversed(groups)],
            orientation="horizontal",
            tick_labels=names,
            widths=0.6,
            patch_artist=True,
            flierprops={"ms": 2, "alpha": 0.4, "markeredgecolor": GREY},
            medianprops={"color": RED, "lw": 1.5},
        )
        for box in boxes["boxes"]:
            box.set(facecolor="#dbe7ee", edgecolor=BLUE)
        axes.axvline(0, color=GREY, lw=0.8)
        axes.set_xlabel(unit)
        axes.grid(axis="x", alpha=0.25)
        return _svg(figure, "Residuals by distortion")


_PANELS_IN_A_ROW = 7


def draw_sensitivity(document: SensitivityDocument, path: PathLike) -> None:
    """Draws how the mean score moves with the level, a panel a distortion.

    Args:
        document: what `sensitivity.measure_sensitivity` made.
        path: picture to write, PNG.
    """
    distortions = document["distortions"]
    rows = -(-len(distortions) // _PANELS_IN_A_ROW)
    figure = Figure(figsize=(15, 0.8 + 2.2 * rows), layout="constrained")
    with matplotlib.rc_context(_STYLE):
        panels = figure.subplots(rows, _PANELS_IN_A_ROW, sharey=True).ravel()
        for axes, (name, about) in zip(panels, distortions.items(), strict=False):
            _draw_levels(axes, name, about, document["clean"]["mean"])
        for axes in panels[len(distortions) :]:
            axes.axis("off")
        photos = len(document["photos"])
        figure.suptitle(
            f"{document['preset']['name']}: mean score of {photos} photos at five levels of each "
            "distortion\nband: 95 % interval; dashed: clean photos; \u03c4: Kendall's, of level "
            "and falling score, mean over photos; red: the mean does not fall at every step",
            fontsize=11,
        )
        figure.savefig(path, format="png", dpi=110)


def _draw_levels(axes: Any, name: str, about: DistortionFigures, clean: float) -> None:
    places = range(len(about["levels"]))
    colour = GREY if not about["ordered"] else BLUE if about["means_fall"] else RED
    axes.axhline(clean, color=GREY, lw=0.8, ls="--")
    axes.plot(places, [mean["mean"] for mean in about["means"]], "o-", ms=3, lw=1.4, color=colour)
    if about["means"][0]["low"] is not None:
        ends = [[mean["low"] for mean in about["means"]], [mean["high"] for mean in about["means"]]]
        axes.fill_between(places, *ends, color=colour, alpha=0.15, lw=0)
    axes.set_xticks(places, [f"{level:g}" for level in about["levels"]], fontsize=7)
    axes.set_xlabel(about["unit"], fontsize=8)
    axes.set_title(name if about["ordered"] else f"{name} (not ordered)", fontsize=9, loc="left")
    axes.text(
        0.04, 0.06, f"\u03c4 {about['tau']['mean']:.2f}", transform=axes.transAxes, fontsize=9
    )
    axes.grid(axis="y", alpha=0.25)


def _svg(figure: Figure, description: str) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", dpi=150, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    return svg.replace("<svg", f'<svg role="img" aria-label="{_escaped(description)}"', 1)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
