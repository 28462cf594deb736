"""Check artifacts again later, on another machine: whole, opened, and as near Keras as stated."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.errors import ReiqaError
from reiqa_tf.explanation.diagnosis import load_probe
from reiqa_tf.export import explanations, measuring
from reiqa_tf.export.comparison import ComparedArtifact, Comparison
from reiqa_tf.export.digests import find_damage
from reiqa_tf.export.formats import ExportFormat, find_format
from reiqa_tf.export.measurements import Measurements
from reiqa_tf.export.planning import reference_photos
from reiqa_tf.models.scorer import ReIQAScorer, load_preset
from reiqa_tf.presets.folders import WEIGHTS_FILE, PresetError, read_metadata, shipped_presets
from reiqa_tf.progress import Progress, silent
from reiqa_tf.runtimes.contract import Contract
from reiqa_tf.runtimes.errors import StaleArtifactError
from reiqa_tf.runtimes.manifest import ArtifactEntry, Manifest, read_manifest
from reiqa_tf.typing import PathLike, Size


def verify(
    folder: PathLike,
    preset: PathLike | None = None,
    photos: PathLike | Sequence[PathLike] | None = None,
    scores: PathLike | ScoredPhotos | None = None,
    split: str | None = None,
    progress: Progress = silent,
) -> Comparison:
    """Checks artifacts again: whole, opened in their runtimes, and as near Keras as they should be.

    Args:
        folder: the folder that `export` made.
        preset: the preset that the artifacts were made of, a folder or the name of a shipped one.
            None takes the shipped one of that name, or where there is none, Keras's scores that
            the manifest holds, if the pictures are the same.
        photos: real photos to compare on: a folder, a pattern or a list of paths; None takes those
            of `scores`, or else those that the package ships.
        scores: photos that people scored, a CSV file or what `read_scored_photos` returned of one,
            to compare rank correlations; None does without.
        split: the split of `scores` whose rows are taken, or None for all rows.
        progress: shows how far the work is.

    Returns:
        `Comparison`. An artifact that is damaged is not opened: runtimes trust what they read.
        Where artifacts explain scores and the preset is there, explanations are compared as well.

    Raises:
        ManifestError: if the folder has no manifest, or a damaged one.
        PresetError: if `preset` cannot be loaded, or is needed for `scores` and not there.
        StaleArtifactError: if the preset has other weights than the artifacts were made of.
        ImageError: if no photo to compare on can be read.
        ScoredPhotosError: if `scores` or `split` cannot be used.

    Example:
    ```text
    import reiqa_tf

    checked = reiqa_tf.verify("exported")
    print(checked.is_sound, checked.complaints)
    ```
    """
    manifest = read_manifest(folder)
    preset = _known_preset(manifest, preset)
    scorer = None if preset is None else _load(manifest, preset)
    listed, scored = reference_photos(photos, scores, split)
    if scored is not None and scorer is None:
        raise PresetError(
            f"{manifest['preset']} is no shipped preset, and SRCC is compared with that of Keras. "
            "Give the preset: --preset"
        )
    reference = measuring.Reference(
        listed,
        _working_size(manifest),
        scorer,
        stored=manifest["reference"],
        scored=scored,
        progress=progress,
    )
    folder = pathlib.Path(folder)
    artifacts = tuple(
        _compare(folder / name, entry, reference, preset)
        for name, entry in manifest["artifacts"].items()
    )
    return Comparison(
        folder=folder,
        preset=manifest["preset"],
        remark="compared with Keras"
        if scorer is not None
        else "compared with Keras's outputs at the time of the export",
        artifacts=artifacts,
        scored_photos=0 if scored is None else len(scored),
        problems=tuple(reference.problems),
    )


def _compare(
    path: pathlib.Path,
    entry: ArtifactEntry,
    reference: measuring.Reference,
    preset: PathLike | None,
) -> ComparedArtifact:
    size = None if entry["size"] is None else (entry["size"][0], entry["size"][1])
    measured, complaints = Measurements(), find_damage(path, entry)
    obstacles = None
    if not complaints:
        try:
            row = find_format(entry["format"], entry["precision"])
            contract = Contract.read(entry["contract"], path)
            measured, complaints = _measure(row, path, size, contract, reference, preset)
            obstacles = row.gpu_obstacles_of(path)
        except ReiqaError as error:
            complaints = [str(error)]
    return ComparedArtifact(
        path=path,
        format=entry["format"],
        precision=entry["precision"],
        size=size,
        byte_count=entry["bytes"],
        measured=measured,
        tolerance=entry["tolerance"]["score"],
        srcc_tolerance=entry["tolerance"]["srcc"],
        complaints=tuple(complaints),
        gpu_obstacles=obstacles,
    )


def _measure(
    row: ExportFormat,
    path: pathlib.Path,
    size: Size | None,
    contract: Contract,
    reference: measuring.Reference,
    preset: PathLike | None,
) -> tuple[Measurements, list[str]]:
    measured = measuring.measure(row, path, size, contract, reference)
    complaints = row.complaints(measured)
    if contract.explained is not None and preset is not None and reference.scorer is not None:
        complaints = [
            *complaints,
            *explanations.compare(
                row.explain(path), reference.scorer, load_probe(preset), reference.pictures(size)
            ),
        ]
    return measured, [f"{path}: {line}" for line in complaints]


def _known_preset(manifest: Manifest, preset: PathLike | None) -> PathLike | None:
    """The preset that artifacts were made of, if it can be had."""
    if preset is None and manifest["preset"] in shipped_presets():
        return manifest["preset"]
    return preset


def _load(manifest: Manifest, preset: PathLike) -> ReIQAScorer:
    """The scorer that artifacts were made of; refuses another one."""
    digests = {entry["contract"].get("weights_sha256") for entry in manifest["artifacts"].values()}
    received = read_metadata(preset)["sha256"].get(WEIGHTS_FILE)
    if digests != {received}:
        raise StaleArtifactError(
            f"{preset}: has other weights than the artifacts were made of. Expected the SHA-256 "
            f"{', '.join(map(str, digests))}; received {received}. Export it again, or give the "
            "preset that they were made of (--preset)."
        )
    return load_preset(preset)


def _working_size(manifest: Manifest) -> int | None:
    entry = next(iter(manifest["artifacts"].values()))
    size = entry["contract"].get("working_size")
    return size if isinstance(size, int) else None
