"""Find what a preset was exported to, and open it in the runtime that is installed."""

import importlib
import pathlib

from reiqa_tf.presets.folders import WEIGHTS_FILE, preset_folder, read_metadata
from reiqa_tf.runtimes.errors import (
    ArtifactError,
    MissingArtifactError,
    MissingRuntimeError,
    StaleArtifactError,
)

EXPORTS_FOLDER = "exports"
"""Folder inside a preset in which its artifacts lie."""

# Name of the runtime: its file in that folder, its scorer. LiteRT is first, because it is ready
# 0.1 s sooner; a photo takes them equally long (benchmarks/cold_start.py).
_RUNTIMES = {
    "tflite": ("model.tflite", "reiqa_tf.runtimes.litert_scorer", "LiteRTScorer"),
    "onnx": ("model.onnx", "reiqa_tf.runtimes.onnx_scorer", "OnnxScorer"),
}

NAMES = tuple(_RUNTIMES)
"""Names of the runtimes that do without TensorFlow, the fastest first."""


def open_scorer(preset, runtime, threads=None):
    """Opens what a preset was exported to for one runtime.

    Args:
        preset: a folder, or the name of a preset that the package ships.
        runtime: one of `NAMES`.
        threads: as in `OnnxScorer`.

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
    scorer = open_scorer("content_lite0_biq2021", "onnx", threads=1)
    ```
    """
    file_name, module, class_name = _RUNTIMES[runtime]
    weights = read_metadata(preset)["sha256"].get(WEIGHTS_FILE)
    path = preset_folder(preset) / EXPORTS_FOLDER / file_name
    again = f"reiqa export --preset {preset}"
    if not pathlib.Path(preset).is_dir():
        again += f" --out {path.parent}"  # where a shipped preset lies need not be writable
    if not path.is_file():
        raise MissingArtifactError(
            f"{preset}: was not exported for the runtime {runtime}. Export it: {again}"
        )
    scorer = getattr(importlib.import_module(module), class_name)(path, threads)
    if scorer.contract.weights_sha256 != weights:
        raise StaleArtifactError(
            f"{path}: made of other weights than the preset has. Make it anew: {again}"
        )
    return scorer


def open_fastest(preset, threads=None):
    """Opens the fastest that a preset was exported to and that is installed.

    Args:
        preset: as in `open_scorer`.
        threads: as in `open_scorer`.

    Returns:
        pair of the scorer, or None if there is none, and a list of `ArtifactError`: artifacts that
        are there and cannot be used.

    Raises:
        PresetError: if there is no such preset.
    """
    problems = []
    for runtime in NAMES:
        try:
            return open_scorer(preset, runtime, threads), problems
        except (MissingRuntimeError, MissingArtifactError):
            continue
        except ArtifactError as problem:
            problems.append(problem)
    return None, problems
