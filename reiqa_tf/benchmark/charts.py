"""Charts of a benchmark as SVG texts, to stand inside a page."""

import io

import matplotlib
import numpy as np
from matplotlib.figure import Figure  # without pyplot: no window system is asked for

from reiqa_tf import metrics

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


def splits_chart(rows):
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


def scatter_chart(predicted, scores, score_range, title):
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


def residuals_chart(groups, unit):
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


def _svg(figure, description):
    text = io.StringIO()
    figure.savefig(text, format="svg", dpi=150, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    return svg.replace("<svg", f'<svg role="img" aria-label="{_escaped(description)}"', 1)


def _escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
