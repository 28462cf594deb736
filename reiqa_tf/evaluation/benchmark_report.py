"""A benchmark as files: a page for people, a document for programs, splits and predictions."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import pathlib
from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np
from PIL import Image

from reiqa_tf.data.splits import photo_names, write_splits
from reiqa_tf.evaluation import charts
from reiqa_tf.evaluation.benchmark_document import Account, DatabaseAbout, NamedDifference
from reiqa_tf.evaluation.contest import Benchmark
from reiqa_tf.evaluation.contestants import WHOLE
from reiqa_tf.evaluation.protocol import Trial
from reiqa_tf.files import written_whole
from reiqa_tf.image.reading import read_image
from reiqa_tf.metrics import MINIMUM_ROWS, fit_logistic, srcc
from reiqa_tf.pages import page_template
from reiqa_tf.typing import PathLike

PAGE, DOCUMENT = "report.html", "benchmark.json"

_THUMBNAIL = 240  # px
_MOST_BOXES = 40


class WorstPhoto(TypedDict):
    """A photo that a contestant scored badly; the score is on people's scale once `mapped`."""

    name: str
    score: float
    mapped: float
    picture: str


class ContestantCharts(TypedDict):
    """What the page shows of one contestant on one database; charts are SVG texts."""

    name: str
    scatter: str
    residuals: str | None
    worst: list[WorstPhoto]


class Section(TypedDict):
    """What the page shows of one database."""

    name: str
    about: DatabaseAbout
    order: list[str]
    results: Mapping[str, Account]
    published: Mapping[str, tuple[float, float | None]]
    splits: str
    contestants: list[ContestantCharts]
    differences: list[NamedDifference]


def write_benchmark(benchmark: Benchmark, out: PathLike, worst: int = 0) -> None:
    """Writes everything that came of a benchmark.

    `report.html`, which needs no other file; `benchmark.json`; for every database its splits
    (`splits/`, see `write_splits`) and the predictions of every split (`predictions/`).

    Args:
        benchmark: `Benchmark`.
        out: folder.
        worst: number of the photos to show whose score is farthest off, for each contestant. They
            are embedded in the page: publish it only if the database's terms allow that.

    Raises:
        OutputError: if something cannot be written.
    """
    folder = pathlib.Path(out)
    document = _without_nan(benchmark.document)
    with written_whole(folder / DOCUMENT) as scratch:
        scratch.write_text(json.dumps(document, indent=1) + "\n")
    for trial in benchmark.trials:
        name = trial.name.replace("/", "_")
        write_splits(folder / "splits" / f"{name}.csv", trial.scored, trial.splits)
        _write_predictions(folder / "predictions" / f"{name}.csv", trial, benchmark)
    with written_whole(folder / PAGE) as scratch:
        scratch.write_text(benchmark_page(benchmark, worst), encoding="utf-8")


def benchmark_page(benchmark: Benchmark, worst: int = 0) -> str:
    """Makes the page.

    Args:
        benchmark: `Benchmark`.
        worst: as in `write_benchmark`.

    Returns:
        HTML text without links to anything.
    """
    filters = {"figure": _figure, "thousands": "{:,}".format}
    template = page_template(__package__, filters)
    sections = [_section(benchmark, trial, worst) for trial in benchmark.trials]
    return template.render(document=benchmark.document, sections=sections, whole=WHOLE)


def _section(benchmark: Benchmark, trial: Trial, worst: int) -> Section:
    """What the page shows of one database, the best contestant first."""
    results = benchmark.document["results"][trial.name]
    order = sorted(results, key=lambda name: -_median_srcc(results[name]))
    rows = [
        (name, [split["figures"]["srcc"] for split in results[name]["variants"][WHOLE]["splits"]])
        for name in order
    ]
    contestants: list[ContestantCharts] = []
    for name in order:
        table = benchmark.predicted[trial.name][name]
        residuals = _residuals(table, trial.scored.scores)
        contestants.append(
            {
                "name": name,
                "scatter": _scatter(table, trial, name),
                "residuals": _boxes(residuals, trial.scored.distortions),
                "worst": _worst(residuals, trial, worst),
            }
        )
    return {
        "name": trial.name,
        "about": benchmark.document["databases"][trial.name],
        "order": order,
        "results": results,
        "published": benchmark.document["published"].get(trial.name, {}),
        "splits": charts.splits_chart(rows),
        "contestants": contestants,
        "differences": [
            difference
            for difference in benchmark.document["differences"]
            if difference["database"] == trial.name
        ],
    }


def _median_srcc(account: Account) -> float:
    value = account["variants"][WHOLE]["summary"]["srcc"]["median"]
    return -math.inf if math.isnan(value) else value


def _scatter(table: np.ndarray, trial: Trial, name: str) -> str:
    """The split whose SRCC is nearest to the median stands for all."""
    figures = []
    for row in table:
        tested = ~np.isnan(row)
        figures.append(srcc(row[tested], trial.scored.scores[tested]))
    number = int(np.nanargmin(np.abs(np.array(figures) - np.nanmedian(figures))))
    tested = ~np.isnan(table[number])
    return charts.scatter_chart(
        table[number, tested],
        trial.scored.scores[tested],
        trial.scored.score_range,
        f"{name}, split {number + 1}: SRCC {figures[number]:.3f}",
    )


def _residuals(table: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Mapped prediction minus score, array `(S, N)`, NaN where a split does not test a row."""
    residuals = np.full(table.shape, np.nan)
    for row, predicted in zip(residuals, table, strict=True):
        tested = ~np.isnan(predicted)
        mapping = fit_logistic(predicted[tested], scores[tested])
        row[tested] = mapping(predicted[tested]) - scores[tested]
    return residuals


def _boxes(residuals: np.ndarray, labels: np.ndarray | None) -> str | None:
    if labels is None:
        return None
    groups = []
    for label in np.unique(labels):
        values = residuals[:, labels == label]
        values = values[~np.isnan(values)]
        if values.size >= MINIMUM_ROWS:
            groups.append((str(label), values))
    groups.sort(key=lambda group: np.median(group[1]))
    if not groups or len(groups) > _MOST_BOXES:
        return None
    return charts.residuals_chart(groups, "predicted (mapped) minus people's score")


def _worst(residuals: np.ndarray, trial: Trial, count: int) -> list[WorstPhoto]:
    """The photos with the largest residuals, averaged over the splits that test them."""
    tested = np.flatnonzero(~np.isnan(residuals).all(axis=0))
    errors = np.nanmean(residuals[:, tested], axis=0)
    names = photo_names(trial.scored)
    by_size = sorted(zip(errors, tested, strict=True), key=lambda pair: -abs(pair[0]))
    return [
        {
            "name": names[row],
            "score": trial.scored.scores[row],
            "mapped": trial.scored.scores[row] + error,
            "picture": _thumbnail(trial.scored.paths[row]),
        }
        for error, row in by_size[:count]
    ]


def _thumbnail(path: str) -> str:
    contents = io.BytesIO()
    Image.fromarray(read_image(path, fit=_THUMBNAIL)).save(contents, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(contents.getvalue()).decode()


def _write_predictions(path: pathlib.Path, trial: Trial, benchmark: Benchmark) -> None:
    names = photo_names(trial.scored)
    with written_whole(path) as scratch, open(scratch, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", "mos", "contestant", "split", "predicted"])
        for name, table in benchmark.predicted[trial.name].items():
            for number, row in zip(*np.nonzero(~np.isnan(table)), strict=True):
                score, predicted = trial.scored.scores[row], table[number, row]
                writer.writerow(
                    [names[row], f"{score:g}", name, number + 1, repr(float(predicted))]
                )


def _figure(value: Mapping[str, float] | float | None, digits: int = 3) -> str:
    if isinstance(value, Mapping):
        if math.isnan(value["median"]):
            return "–"  # noqa: RUF001 (a dash of the page's typography)
        text = f"{value['median']:.{digits}f}"
        return f"{text} [{value['low']:.{digits}f}, {value['high']:.{digits}f}]"
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"  # noqa: RUF001


def _without_nan(value: Any) -> Any:
    """JSON knows no NaN: a figure that is not defined is null."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
