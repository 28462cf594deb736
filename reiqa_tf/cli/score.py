"""`reiqa score`: photos in, scores out."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from reiqa_tf import presets
from reiqa_tf.backend import silenced
from reiqa_tf.cli import score_outputs, terminal
from reiqa_tf.cli.score_inputs import FoundInputs, find_inputs
from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.errors import ReiqaError
from reiqa_tf.extras import require_extra

if TYPE_CHECKING:
    import numpy as np

    from reiqa_tf.albums.album import Album, AlbumPhoto, Order
    from reiqa_tf.explanation.explainer import Explainer
    from reiqa_tf.runtimes.onnx_scorer import OnnxScorer
    from reiqa_tf.scoring.features import NativeFeatureScorer
    from reiqa_tf.scoring.scorer import Outcome, Scorer

BELOW = 3
"""Exit code where a photo scores below the limit, and nothing else is wrong."""

_EXAMPLES = """\
  reiqa score photo.jpg
  reiqa score holiday/ --page holiday.html                 a page to look at
  reiqa score holiday/ 'more/**/*.png' --sort worst        the worst first
  reiqa score holiday/ --top 20 --best-of-bursts           the best, and one of each burst
  reiqa score holiday/ --out scores.csv                    or .json, .jsonl
  reiqa score holiday/ --why                               what is wrong with each photo
  reiqa score holiday/ --xmp                               stars for darktable, digiKam and others
  reiqa score upload.jpg --below 0.4                       exit code 3 if it scores less
  reiqa score photo.jpg --native-size                      fine detail of a large photo counts
  reiqa score holiday/ --features features.npz             for models of your own
  find . -name '*.jpg' | reiqa score -                     paths on standard input (or -print0)
  reiqa score - < photo.jpg                                or a photo itself
  reiqa score packed                                       what `reiqa pack` made of a folder
  reiqa score s3://bucket/photos                           on a store: reiqa_tf[remote]

Scores have the range and direction of the preset (higher is better). The word (bad, poor, fair,
good, excellent) and the percentile say where a photo stands among those that the preset knows. The
interval covers the score that people would give with the stated probability; `unfamiliar` marks
photos unlike those that the preset was fitted on. Photos that look the same, or alike and taken
within three seconds of each other, are marked: `best of 3`, `2 of 3`.

What is found is printed as a table, unless --out, --page or --xmp take it elsewhere; there it is
printed, too, if --format, --sort, --top, --below or --best-of-bursts is given. The last three
choose what is printed and what --out holds; a page and sidecars have all photos.

exit codes:
  0  every photo has a score (and, with --below, none a lower one)
  1  a photo could not be read or a file not be written; each is named at the end, the rest is done
  2  the options are wrong
  3  with --below: a photo scores less, and nothing else is wrong
  130 after Ctrl-C (what was scored by then is printed), 141 if whoever read the output has gone

The shipped presets are scored by onnxruntime, your own if `reiqa export` made an ONNX or TFLite
file of them (for TFLite: pip install 'reiqa_tf[tflite]'). `--runtime auto` takes such a file if it
was made of the weights that the preset has, and otherwise Keras, which gives the same scores and
needs TensorFlow (pip install 'reiqa_tf[tensorflow]'). --native-size takes an ONNX file or Keras."""


class NeedsKerasError(ReiqaError):
    """An option that no light runtime has."""


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
        "--format",
        choices=("table", "json", "jsonl", "csv"),
        help="of what is printed, or of --out where its ending does not say (default: table)",
    )
    parser.add_argument(
        "--sort",
        choices=("best", "worst", "name"),
        help="the best photo first, the worst first, or by name (default: as given)",
    )
    parser.add_argument(
        "--top",
        type=_positive,
        metavar="N",
        help="only the first N photos of that order (of the best first, without --sort)",
    )
    parser.add_argument(
        "--below",
        type=_finite,
        metavar="X",
        help="only photos that score less than X; exit code 3 if there are any, for gates",
    )
    parser.add_argument(
        "--best-of-bursts",
        action="store_true",
        help="only the best photo of each burst and of near-duplicates",
    )
    parser.add_argument(
        "--out", metavar="FILE", help="write to this file (.csv, .json, .jsonl) instead"
    )
    parser.add_argument(
        "--page",
        metavar="FILE.html",
        help="write a page to look at: thumbnails in order, histogram, filters; one file that asks "
        "the network for nothing",
    )
    parser.add_argument(
        "--why",
        action="store_true",
        help="say the main fault of each photo, and show on a page which places raise or lower its "
        "score; see `reiqa explain`",
    )
    parser.add_argument(
        "--xmp",
        action="store_true",
        help="write 1 to 5 stars (bad to excellent) to photo.jpg.xmp beside photo.jpg; the photo "
        "is never touched, nor what else a sidecar says, nor another rating without --overwrite",
    )
    parser.add_argument(
        "--features",
        metavar="FILE.npz",
        help="also write the features: arrays `photos` (N,) and `features` (N, F)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace files that exist, and ratings in sidecars; never photos",
    )
    parser.add_argument(
        "--native-size",
        action="store_true",
        help="score photos as they are, large ones in tiles, instead of at the preset's working "
        "size",
    )
    parser.add_argument(
        "--max-pixels",
        type=_positive,
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


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def run(arguments: argparse.Namespace) -> int:
    """Scores the photos and returns the exit code."""
    _refuse_what_no_runtime_does(arguments)
    score_outputs.check(arguments)
    if arguments.runtime in _EXTRAS:
        require_extra(_EXTRAS[arguments.runtime], f"--runtime {arguments.runtime}")
    from reiqa_tf.presets.folders import preset_folder
    from reiqa_tf.scoring.score import MissingHeadError

    preset_folder(arguments.preset)  # a wrong name is refused before anything starts
    found = find_inputs(arguments.photos)
    if not found.photos:
        terminal.report_failures(found.problems, found.asked)
        return 1
    if arguments.xmp:
        score_outputs.check_sidecars(found.photos)
    if arguments.why:
        from reiqa_tf.explanation.explainer import open_explainer

        with silenced():
            explainer = open_explainer(arguments.preset, arguments.runtime)
        return _score(explainer, found, arguments)
    scorer = _open(arguments)
    if scorer.has_head:
        return _score(scorer, found, arguments)
    if not arguments.features or score_outputs.needs_scores(arguments):
        raise MissingHeadError
    return _write_features_alone(scorer, found, arguments)


def _score(scorer: Scorer | Explainer, found: FoundInputs, arguments: argparse.Namespace) -> int:
    from reiqa_tf.albums.album import Album, AlbumAbout, score_for_album
    from reiqa_tf.albums.thumbnails import thumbnail_side

    about = AlbumAbout.of(scorer, arguments.preset, arguments.native_size)
    low, high = about.score_range
    if arguments.below is not None and not low <= arguments.below <= high:
        raise ReiqaError(
            f"--below {arguments.below:g}: expected a score on the preset's scale, "
            f"{low:g} to {high:g}"
        )
    entries: dict[int, AlbumPhoto | ReiqaError] = {}
    is_finished = False
    try:
        for index, entry in score_for_album(
            scorer,
            found.photos,
            terminal.show_progress,
            names=found.names,
            native_size=arguments.native_size,
            with_features=bool(arguments.features),
            thumbnail_side=thumbnail_side(len(found.photos)) if arguments.page else None,
            max_pixels=_max_pixels(arguments),
        ):
            entries[index] = entry  # noqa: PERF403 - what there is survives Ctrl-C
        is_finished = True
    finally:
        # After Ctrl-C too: what was scored is not lost. Ratings wait until all have a score.
        album = Album.of_entries(about, entries, found.problems, found.left_out)
        listed, is_below = _listed(album, arguments)
        failures = score_outputs.save(album, listed, arguments, with_sidecars=is_finished)
        try:
            score_outputs.print_listed(album, listed, arguments)
        finally:
            terminal.report_failures(album.problems, found.asked)
            for failure in failures:
                print(f"reiqa: {failure}", file=sys.stderr)
    if album.problems or failures:
        return 1
    return BELOW if is_below else 0


def _listed(album: Album, arguments: argparse.Namespace) -> tuple[list[AlbumPhoto], bool]:
    """The photos to list, in their order, and whether one scores below the limit."""
    photos = album.best_of_groups() if arguments.best_of_bursts else list(album.photos)
    is_below = False
    if arguments.below is not None:
        photos = album.below(arguments.below, photos)
        is_below = bool(photos)
    order: Order | None = arguments.sort or ("best" if arguments.top else None)
    if order:
        photos = album.sorted(order, photos)
    return photos[: arguments.top], is_below


def _write_features_alone(scorer: Scorer, found: FoundInputs, arguments: argparse.Namespace) -> int:
    """Writes the features of a preset that has no head, so that there are no scores."""
    problems = list(found.problems)
    table: dict[int, np.ndarray] = {}
    try:
        for outcome in _features(scorer, found, arguments):
            if outcome.features is not None:
                table[outcome.index] = outcome.features
            elif outcome.problem is not None:
                problems.append(outcome.problem)
    finally:
        if table:
            score_outputs.write_features(
                arguments.features,
                [(found.names[index], table[index]) for index in sorted(table)],
            )
        terminal.report_failures(problems, found.asked)
    return 1 if problems else 0


def _features(
    scorer: Scorer, found: FoundInputs, arguments: argparse.Namespace
) -> Iterator[Outcome]:
    from reiqa_tf.scoring.features import compute_features, compute_native_features

    # What may be asked for features is Keras or onnxruntime.
    able, max_pixels = cast("NativeFeatureScorer", scorer), _max_pixels(arguments)
    outcomes = (
        compute_native_features(able, found.photos, max_pixels)
        if arguments.native_size
        else compute_features(able, found.photos, max_pixels=max_pixels)
    )
    return terminal.show_progress(outcomes, "features", len(found.photos))


def _max_pixels(arguments: argparse.Namespace) -> int:
    from reiqa_tf.image.reading import MAX_PIXELS

    return MAX_PIXELS if arguments.max_pixels is None else int(arguments.max_pixels)


def _refuse_what_no_runtime_does(arguments: argparse.Namespace) -> None:
    runtime = arguments.runtime
    if arguments.native_size and runtime == "tflite":
        raise NeedsKerasError(
            "--runtime tflite scores photos at the working size alone. For --native-size take "
            "--runtime onnx, keras or none"
        )
    if arguments.why and (arguments.native_size or arguments.features or runtime == "tflite"):
        raise NeedsKerasError(
            "--why goes with --runtime onnx, keras or none, and neither with --native-size nor "
            "with --features"
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

    if arguments.runtime != "keras":
        with silenced():  # LiteRT tells what it is about to do
            if arguments.runtime != "auto":
                return open_artifact(arguments.preset, arguments.runtime)
            needs_features = arguments.features or arguments.native_size
            runtimes = ("onnx",) if needs_features else LIGHT_RUNTIMES
            scorer, problems = open_fastest(arguments.preset, runtimes=runtimes)
        if needs_features and scorer is not None:
            light = cast("OnnxScorer", scorer)
            try:
                light.require_native_size() if arguments.native_size else light.compile_features()
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
