"""`reiqa score`: photos in, scores out."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypedDict, cast

from reiqa_tf import presets
from reiqa_tf.cli import terminal
from reiqa_tf.cli.startup import silenced, start_tensorflow
from reiqa_tf.errors import ReiqaError
from reiqa_tf.extras import require_extra

if TYPE_CHECKING:
    import numpy as np

    from reiqa_tf.models.scorer import ReIQAScorer
    from reiqa_tf.runtimes.onnx_scorer import OnnxScorer
    from reiqa_tf.scoring.score import Score
    from reiqa_tf.scoring.scorer import Outcome, PhotoSource, Scorer

_EXAMPLES = """\
  reiqa score photo.jpg
  reiqa score holiday/ 'more/**/*.png' --sort score        the worst first
  reiqa score holiday/ --format csv > scores.csv
  reiqa score photo.jpg --native-size                      fine detail of a large photo counts
  reiqa score holiday/ --features features.npz             for models of your own
  reiqa score holiday/ --runtime keras                     with TensorFlow, even if it starts slowly
  find . -name '*.jpg' | reiqa score -                     paths on standard input (or -print0)
  reiqa score - < photo.jpg                                or a photo itself

Scores have the range and direction of the preset (higher is better). The interval covers the
score that people would give with the stated probability; `unfamiliar` marks photos unlike those
that the preset was fitted on. Photos that cannot be read are named at the end, and the exit code
is 1; the rest is scored.

The shipped presets are scored by onnxruntime, your own if `reiqa export` made an ONNX or TFLite
file of them (for TFLite: pip install 'reiqa_tf[tflite]'). `--runtime auto` takes such a file if it
was made of the weights that the preset has, and otherwise Keras, which gives the same scores and
needs TensorFlow (pip install 'reiqa_tf[tensorflow]'), as --native-size always does."""


class NeedsKerasError(ReiqaError):
    """An option that no light runtime has."""


class ScoreRow(TypedDict):
    """A scored photo, as it is printed."""

    photo: str
    score: float
    low: float
    high: float
    familiar: bool


@dataclasses.dataclass(frozen=True)
class Page:
    """All that is printed of a run.

    Attributes:
        rows: the photos that have a score.
        problems: why others have none.
        scorer: what scored them.
        preset: as it was asked for.
        native_size: whether photos were taken at their own size.
    """

    rows: list[ScoreRow]
    problems: list[ReiqaError]
    scorer: Scorer
    preset: str
    native_size: bool


_SORT_KEYS: dict[str, Callable[[ScoreRow], float | str]] = {
    "score": lambda row: row["score"],
    "-score": lambda row: -row["score"],
    "photo": lambda row: row["photo"],
}


# What runtimes need beside what every installation has.
_EXTRAS = {"keras": "tensorflow", "tflite": "tflite"}


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "score", run, "Score photos: files, folders, patterns.", _EXAMPLES
    )
    parser.add_argument(
        "photos",
        nargs="+",
        metavar="PHOTO|FOLDER|PATTERN|-",
        help="what to score; folders are searched with their subfolders",
    )
    parser.add_argument(
        "--preset",
        default=presets.DEFAULT,
        help="a folder or the name of a shipped preset (default: %(default)s)",
    )
    parser.add_argument(
        "--format", choices=("table", "json", "jsonl", "csv"), default="table", help="of the output"
    )
    parser.add_argument(
        "--sort",
        choices=tuple(_SORT_KEYS),
        help="worst first (score), best first (-score; write --sort=-score) or by name (photo); "
        "default: as given",
    )
    parser.add_argument(
        "--features",
        metavar="FILE.npz",
        help="also write the features: arrays `photos` (N,) and `features` (N, F)",
    )
    parser.add_argument(
        "--native-size",
        action="store_true",
        help="score photos as they are, large ones in tiles, instead of at the preset's working "
        "size",
    )
    parser.add_argument(
        "--max-pixels",
        type=_pixels,
        metavar="N",
        help="refuse files of more pixels than this (default: 268435456), against those that are "
        "made to fill the memory",
    )
    parser.add_argument(
        "--runtime",
        choices=("auto", "onnx", "tflite", "keras"),
        default="auto",
        help="what computes the scores (default: %(default)s, the fastest that there is)",
    )


def _pixels(text: str) -> int:
    pixels = int(text)
    if pixels < 1:
        raise ValueError
    return pixels


def run(arguments: argparse.Namespace) -> int:
    """Scores the photos and returns the exit code."""
    _refuse_what_no_runtime_does(arguments)
    if arguments.native_size:
        require_extra("tensorflow", "--native-size")
    elif arguments.runtime in _EXTRAS:
        require_extra(_EXTRAS[arguments.runtime], f"--runtime {arguments.runtime}")
    from reiqa_tf.scoring.score import MissingHeadError

    names, photos, problems = _find(arguments.photos)
    asked = len(photos) + len(problems)
    if not photos:
        terminal.report_failures(problems, asked)
        return 1
    scorer = _open(arguments)
    if not (arguments.features or scorer.has_head):
        raise MissingHeadError
    rows: dict[int, ScoreRow] = {}
    table: dict[int, np.ndarray] = {}
    try:
        for outcome in _outcomes(scorer, photos, arguments):
            if outcome.problem is not None:
                problems.append(outcome.problem)
                continue
            if arguments.features and outcome.features is not None:
                table[outcome.index] = outcome.features
            if outcome.score is not None:
                rows[outcome.index] = _row(names[outcome.index], outcome.score)
    finally:
        # After Ctrl-C too: what was scored is not lost.
        scored = [rows[index] for index in sorted(rows)]
        if arguments.sort:
            scored.sort(key=_SORT_KEYS[arguments.sort])
        if scorer.has_head:
            page = Page(scored, problems, scorer, arguments.preset, arguments.native_size)
            _PRINTERS[arguments.format](page)
        if arguments.features and table:
            _write_features(arguments.features, names, table)
        terminal.report_failures(problems, asked)
    return 1 if problems else 0


def _refuse_what_no_runtime_does(arguments: argparse.Namespace) -> None:
    runtime = arguments.runtime
    if arguments.native_size and runtime in ("onnx", "tflite"):
        raise NeedsKerasError(
            f"--runtime {runtime} scores photos at the working size alone. For --native-size take "
            "--runtime keras, or none"
        )
    if arguments.features and runtime == "tflite":
        raise NeedsKerasError(
            "--runtime tflite gives scores alone. For --features take --runtime onnx, keras or none"
        )


def _open(arguments: argparse.Namespace) -> Scorer:
    """The scorer that the arguments ask for."""
    from reiqa_tf.runtimes.errors import MissingFeaturesError
    from reiqa_tf.runtimes.opening import (
        LIGHT_RUNTIMES,
        NOT_EXPORTED,
        open_artifact,
        open_fastest,
    )

    if not arguments.native_size and arguments.runtime != "keras":
        with silenced():  # LiteRT tells what it is about to do
            if arguments.runtime != "auto":
                return open_artifact(arguments.preset, arguments.runtime)
            runtimes = ("onnx",) if arguments.features else LIGHT_RUNTIMES
            scorer, problems = open_fastest(arguments.preset, runtimes=runtimes)
        if arguments.features and scorer is not None:
            try:
                cast("OnnxScorer", scorer).compile_features()
            except MissingFeaturesError as missing:
                scorer = None
                problems.append(missing)
        for problem in problems:
            print(f"reiqa: {problem}\nreiqa: going on without it", file=sys.stderr)
        if scorer is not None:
            return scorer
    require_extra("tensorflow", NOT_EXPORTED.format(arguments.preset))
    start_tensorflow()
    from reiqa_tf.models.scorer import load_preset

    return load_preset(arguments.preset)


def _outcomes(
    scorer: Scorer, photos: list[PhotoSource], arguments: argparse.Namespace
) -> Iterator[Outcome]:
    from reiqa_tf.image.reading import MAX_PIXELS

    max_pixels = MAX_PIXELS if arguments.max_pixels is None else arguments.max_pixels
    if scorer.runtime == "onnx" and arguments.features:
        onnx_scorer = cast("OnnxScorer", scorer)
        return onnx_scorer.score_many(
            photos, terminal.show_progress, with_features=True, max_pixels=max_pixels
        )
    if scorer.runtime != "keras":
        return scorer.score_many(photos, terminal.show_progress, max_pixels=max_pixels)
    keras_scorer = cast("ReIQAScorer", scorer)
    if scorer.has_head:
        return keras_scorer.score_many(
            photos, terminal.show_progress, arguments.native_size, max_pixels=max_pixels
        )
    from reiqa_tf.scoring.features import compute_features, compute_native_features

    outcomes = (
        compute_native_features(keras_scorer, photos, max_pixels)
        if arguments.native_size
        else compute_features(keras_scorer, photos, max_pixels=max_pixels)
    )
    return terminal.show_progress(outcomes, "features", len(photos))


def _find(
    sources: list[str],
) -> tuple[list[str], list[PhotoSource], list[ReiqaError]]:
    """Names and photos (paths, or bytes from standard input), and what could not be found.

    Says on stderr what searches of folders left out.
    """
    from reiqa_tf.data.photos import FoundPhotos, left_out_line, search_photos
    from reiqa_tf.image.reading import ImageError

    names: list[str] = []
    photos: list[PhotoSource] = []
    problems: list[ReiqaError] = []
    searches: list[FoundPhotos] = []
    for source in sources:
        if source == "-":
            contents = sys.stdin.buffer.read()
            listed = _listed(contents)
            if listed is None:
                names.append("-")
                photos.append(contents)
                continue
            if not listed:
                problems.append(ImageError("-: no photo and no path on standard input."))
        else:
            listed = [source]
        for path in listed:
            try:
                found = search_photos(path)
            except ImageError as problem:
                problems.append(problem)
                continue
            searches.append(found)
            names += found.photos
            photos += found.photos
    line = left_out_line(searches)
    if line:
        print(f"reiqa: {line}", file=sys.stderr)
    return names, photos, problems


def _listed(contents: bytes) -> list[str] | None:
    """The paths of a list, one a line or ended by zeros; None if the bytes are a photo's.

    Names may be in any encoding. Bytes that are neither a known picture nor lines of text count as
    a photo, which is then refused in one line.
    """
    from reiqa_tf.image.formats import format_of

    if format_of(contents) is not None:
        return None
    if contents.startswith((b"\xff\xfe", b"\xfe\xff")):  # as PowerShell writes lists
        contents = contents.decode("utf-16", "replace").encode()
    contents = contents.removeprefix(b"\xef\xbb\xbf")
    if any(byte < 32 and byte not in b"\0\t\n\r" for byte in contents):
        return None
    lines = contents.split(b"\0") if b"\0" in contents else contents.splitlines()
    paths = [os.fsdecode(line) for line in lines if line.strip()]
    return [path if os.path.lexists(path) else path.strip() for path in paths]


def _row(name: str, score: Score) -> ScoreRow:
    return {
        "photo": name,
        "score": float(score),
        "low": score.low,
        "high": score.high,
        "familiar": score.familiar,
    }


def _print_table(page: Page) -> None:
    if not page.rows:
        return
    low, high = page.scorer.score_range
    size = "native size" if page.native_size else f"at most {page.scorer.working_size} px"
    terminal.print_table(
        None,
        [
            ("photo", "left"),
            ("score", "right"),
            (f"{page.scorer.coverage:.0%} interval", "right"),
            ("", "left"),
        ],
        [
            (
                row["photo"],
                f"{row['score']:.4g}",
                f"{row['low']:.3g} to {row['high']:.3g}",
                "" if row["familiar"] else "unfamiliar",
            )
            for row in page.rows
        ],
        caption=f"{page.preset}: {low:g} to {high:g}, higher is better; {size}; "
        f"{page.scorer.runtime}",
    )


def _print_json(page: Page) -> None:
    document = {
        "preset": page.preset,
        "score_range": list(page.scorer.score_range),
        "higher_is_better": page.scorer.higher_is_better,
        "coverage": page.scorer.coverage,
        "native_size": page.native_size,
        "runtime": page.scorer.runtime,
        "scores": page.rows,
        "problems": [str(problem) for problem in page.problems],
    }
    print(json.dumps(document, indent=2))


def _print_json_lines(page: Page) -> None:
    for row in page.rows:
        print(json.dumps(row))


def _print_csv(page: Page) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(ScoreRow.__annotations__))
    writer.writeheader()
    writer.writerows(page.rows)
    sys.stdout.write(text.getvalue())


_PRINTERS = {
    "table": _print_table,
    "json": _print_json,
    "jsonl": _print_json_lines,
    "csv": _print_csv,
}


def _write_features(path: str, names: list[str], table: dict[int, np.ndarray]) -> None:
    import numpy as np

    from reiqa_tf.files import written_whole

    order = sorted(table)
    with written_whole(path) as scratch, open(scratch, "wb") as file:
        np.savez(
            file,
            photos=np.array([names[index] for index in order]),
            features=np.stack([table[index] for index in order]),
        )
