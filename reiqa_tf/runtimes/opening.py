"""Open a preset in the fastest runtime that there is, and score photos with it."""

from __future__ import annotations

import importlib
import os
import pathlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from reiqa_tf.backend import import_tensorflow
from reiqa_tf.data.photos import find_photos
from reiqa_tf.image.reading import MAX_PIXELS
from reiqa_tf.presets import DEFAULT
from reiqa_tf.presets.folders import METADATA_FILE, WEIGHTS_FILE, preset_folder, read_metadata
from reiqa_tf.progress import Progress, silent
from reiqa_tf.runtimes.artifact_scorer import ArtifactScorer
from reiqa_tf.runtimes.errors import (
    ArtifactError,
    MissingArtifactError,
    MissingRuntimeError,
    StaleArtifactError,
)
from reiqa_tf.runtimes.manifest import MANIFEST_FILE
from reiqa_tf.scoring.score import Score
from reiqa_tf.scoring.scorer import Outcome, PhotoSource, Scorer
from reiqa_tf.typing import PathLike

EXPORTS_FOLDER = "exports"
"""Folder inside a preset in which its artifacts lie."""

# Name of the runtime: its file in that folder, its scorer and what that is told. LiteRT is first,
# because it is ready 0.1 s sooner; a photo takes them equally long (perf/cold_start.py).
_LIGHT: dict[str, tuple[str, str, str, dict[str, bool]]] = {
    "tflite": ("model.tflite", "reiqa_tf.runtimes.litert_scorer", "LiteRTScorer", {}),
    "onnx": ("model.onnx", "reiqa_tf.runtimes.onnx_scorer", "OnnxScorer", {"keep": True}),
}

LIGHT_RUNTIMES = tuple(_LIGHT)
"""Names of the runtimes that do without TensorFlow, the fastest first."""

RUNTIMES = ("auto", *sorted(LIGHT_RUNTIMES), "keras")
"""What may be asked for; `auto` is the fastest that the preset was exported to, else Keras."""

NOT_EXPORTED = "{}: has no ONNX file that can be used, and Keras"
"""What needs TensorFlow where no light runtime can score; filled in with the preset."""


def open_scorer(
    preset: PathLike = DEFAULT, runtime: str = "auto", threads: int | None = None
) -> Scorer:
    """Opens a preset in a runtime.

    Args:
        preset: as in `open_artifact`; Keras takes no folder with exports alone.
        runtime: one of `RUNTIMES`.
        threads: number of threads that share the work on a photo; None takes all cores. Keras
            takes TensorFlow's own setting.

    Returns:
        `OnnxScorer`, `LiteRTScorer` or `ReIQAScorer`.

    Raises:
        ValueError: if there is no such runtime.
        PresetError: if there is no such preset.
        MissingExtraError: if nothing but Keras can score, and TensorFlow is not installed.
        ArtifactError: as in `open_artifact`, where one runtime was asked for by name. With `auto`
            an artifact that cannot be used is warned of and left out.

    Example:
    ```python
    import reiqa_tf

    scorer = reiqa_tf.open_scorer("content_lite0_biq2021")
    print(scorer.score("photo.jpg"))
    ```
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"runtime: expected one of {', '.join(RUNTIMES)}. Received: {runtime!r}")
    if runtime in LIGHT_RUNTIMES:
        return open_artifact(preset, runtime, threads)
    needed_by = "the runtime keras"
    if runtime == "auto":
        scorer, problems = open_fastest(preset, threads)
        for problem in problems:
            warnings.warn(f"{problem} Going on without it.", stacklevel=2)
        if scorer is not None:
            return scorer
        needed_by = NOT_EXPORTED.format(preset)
    return _with_keras(preset, needed_by)


def open_artifact(preset: PathLike, runtime: str, threads: int | None = None) -> ArtifactScorer:
    """Opens what a preset was exported to for one runtime.

    Args:
        preset: a folder, or the name of a preset that the package ships. The folder may also be
            what `reiqa export --out` made.
        runtime: one of `LIGHT_RUNTIMES`.
        threads: as in `open_scorer`.

    Returns:
        `OnnxScorer` or `LiteRTScorer`.

    Raises:
        PresetError: if there is no such preset.
        MissingRuntimeError: if the runtime is not installed.
        MissingArtifactError: if the preset was not exported for it.
        StaleArtifactError: if it was, with other weights.
        ArtifactError: if the file cannot be used.

    Example:
    ```python
    from reiqa_tf.runtimes.opening import open_artifact

    scorer = open_artifact("content_lite0_biq2021", "onnx", threads=1)
    ```
    """
    file_name, module, class_name, options = _LIGHT[runtime]
    folder, weights = _exports_of(preset)
    path = folder / file_name
    again = f"reiqa export --preset {preset} --format {runtime}"
    if weights is None:
        again = f"reiqa export --preset PRESET --format {runtime} --out {preset}"
    elif not pathlib.Path(preset).is_dir():  # shipped: where it lies is nobody's to write to
        again += " --out FOLDER, and score with --preset FOLDER"
    if not path.is_file():
        raise MissingArtifactError(
            f"{preset}: was not exported for the runtime {runtime}. Export it: {again}"
        )
    scorer_class = getattr(importlib.import_module(module), class_name)
    scorer: ArtifactScorer = scorer_class(path, threads, **options)
    if weights not in (None, scorer.contract.weights_sha256):
        raise StaleArtifactError(
            f"{path}: made of other weights than the preset has. Make it anew: {again}"
        )
    return scorer


def _exports_of(preset: PathLike) -> tuple[pathlib.Path, str | None]:
    """The folder with a preset's artifacts, and the digest of the weights that it has now.

    What `reiqa export --out` made is such a folder by itself, with no weights to compare: None.
    """
    folder = pathlib.Path(preset)
    if (folder / MANIFEST_FILE).is_file() and not (folder / METADATA_FILE).exists():
        return folder, None
    weights = read_metadata(preset)["sha256"].get(WEIGHTS_FILE, "")
    return preset_folder(preset) / EXPORTS_FOLDER, weights


def open_fastest(
    preset: PathLike, threads: int | None = None, runtimes: Sequence[str] = LIGHT_RUNTIMES
) -> tuple[ArtifactScorer | None, list[ArtifactError]]:
    """Opens the fastest that a preset was exported to and that is installed.

    Args:
        preset: as in `open_artifact`.
        threads: as in `open_scorer`.
        runtimes: those to try, in this order.

    Returns:
        pair of the scorer, or None if there is none, and a list of `ArtifactError`: artifacts that
        are there and cannot be used.

    Raises:
        PresetError: if there is no such preset.
    """
    problems: list[ArtifactError] = []
    for runtime in runtimes:
        try:
            return open_artifact(preset, runtime, threads), problems
        except (MissingRuntimeError, MissingArtifactError):
            continue
        except ArtifactError as problem:
            problems.append(problem)
    return None, problems


def score(
    photo: PhotoSource,
    preset: PathLike = DEFAULT,
    runtime: str = "auto",
    *,
    max_pixels: int = MAX_PIXELS,
) -> Score:
    """Scores one photo; for more, `score_many` or a scorer of `open_scorer` open the preset once.

    Args:
        photo: path, bytes of a file, array or `PIL.Image`, as `read_image` takes them.
        preset: as in `open_scorer`.
        runtime: as in `open_scorer`.
        max_pixels: most pixels that a photo's file may have; see `read_image`.

    Returns:
        `Score`: a number, higher is better, with its interval.

    Raises:
        ImageError: if the photo cannot be read.
        ReiqaError: as in `open_scorer`.

    Example:
    ```python
    import reiqa_tf

    print(reiqa_tf.score("photo.jpg"))
    ```
    """
    return open_scorer(preset, runtime).score(photo, max_pixels=max_pixels)


def score_many(
    photos: PathLike | Sequence[PhotoSource],
    preset: PathLike = DEFAULT,
    runtime: str = "auto",
    progress: Progress = silent,
    *,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[tuple[PhotoSource, Outcome]]:
    """Scores many photos, in memory that does not grow with their number.

    Args:
        photos: a folder or a pattern, as in `find_photos`, or a list of photos as in `score`.
        preset: as in `open_scorer`.
        runtime: as in `open_scorer`.
        progress: shows how far the work is.
        max_pixels: most pixels that a photo's file may have; see `read_image`.

    Returns:
        iterator over pairs of each photo and its `Outcome`: a score, or the reason why there is
        none; in the order in which they are finished.

    Raises:
        ImageError: if the folder or pattern has no photos.
        ReiqaError: as in `open_scorer`.

    Example:
    ```python
    import reiqa_tf

    for photo, outcome in reiqa_tf.score_many("holiday/"):
        print(photo, outcome.problem or outcome.score)
    ```
    """
    listed: Sequence[PhotoSource]
    listed = find_photos(photos) if isinstance(photos, (str, os.PathLike)) else list(photos)
    outcomes = open_scorer(preset, runtime).score_many(listed, progress, max_pixels=max_pixels)
    return ((listed[outcome.index], outcome) for outcome in outcomes)


def _with_keras(preset: PathLike, needed_by: str) -> Any:
    import_tensorflow(needed_by)
    from reiqa_tf.models.scorer import load_preset

    return load_preset(preset)
