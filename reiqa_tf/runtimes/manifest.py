"""`manifest.json` beside artifacts: what they are, out of what, and how near Keras they are."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import pathlib
import platform
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict, cast

from reiqa_tf.runtimes.contract import Entries
from reiqa_tf.runtimes.errors import ArtifactError, ManifestError, MissingArtifactError
from reiqa_tf.typing import PathLike

MANIFEST_FILE = "manifest.json"

FORMAT = 1
"""Version of the manifest's own form."""

_LARGEST = 10_000_000  # bytes; a real manifest takes some kilobytes


class FileEntry(TypedDict):
    """What tells a file from a damaged one."""

    sha256: str
    bytes: int


class DigestEntry(FileEntry):
    """The same of an artifact; where that is a folder, with the `files` in it by their names."""

    files: NotRequired[dict[str, FileEntry]]


class ToleranceEntry(TypedDict):
    """How far from Keras an artifact may be.

    `score`: largest difference as a share of the score's range; None where the rank correlation
    alone counts. `srcc`: largest change of SRCC.
    """

    score: float | None
    srcc: float


class DifferenceEntry(TypedDict):
    """How far an artifact's outputs are from Keras's, as shares of the score's range.

    `worst` and `mean` over `pictures` pictures; of features, as shares of the largest one.
    """

    worst: float
    mean: float
    pictures: int


class RanksEntry(TypedDict):
    """How well Keras and an artifact agree with people: SRCC of both over `photos` photos."""

    keras: float
    artifact: float
    change: float
    photos: int


class LatencyEntry(TypedDict):
    """Median `milliseconds` by number of threads, of a picture of `size`, over `repeats`."""

    milliseconds: dict[str, float]
    size: list[int]
    repeats: int


class MeasurementsEntry(TypedDict):
    """What was measured of an artifact; None for what was not."""

    difference: DifferenceEntry | None
    srcc: RanksEntry | None
    latency: LatencyEntry | None


class ArtifactEntry(DigestEntry, MeasurementsEntry):
    """An artifact: what it is, what it must be, and what was measured of it.

    `size` is `[height, width]`, or None for any.
    """

    format: str
    precision: str
    size: list[int] | None
    contract: Entries
    versions: dict[str, str]
    tolerance: ToleranceEntry


class ReferenceEntry(TypedDict):
    """Keras's scores of the pictures of one size, and the digest of those pictures."""

    sha256: str
    scores: list[float]


class Manifest(TypedDict):
    """The whole document; `artifacts` by their names, `reference` by the size of its pictures."""

    manifest: int
    preset: str
    date: str
    machine: dict[str, str | int | None]
    reference: dict[str, ReferenceEntry]
    artifacts: dict[str, ArtifactEntry]


def write_manifest(
    folder: PathLike,
    preset: str,
    reference: Mapping[str, ReferenceEntry],
    artifacts: Mapping[str, ArtifactEntry],
) -> None:
    """Writes the manifest of a folder.

    Args:
        folder: the folder of the artifacts.
        preset: name of the preset.
        reference: what Keras returned, so that others can compare without it.
        artifacts: the entries of the artifacts, by their names in the folder.
    """
    document: Manifest = {
        "manifest": FORMAT,
        "preset": preset,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "reference": dict(reference),
        "artifacts": dict(artifacts),
    }
    (pathlib.Path(folder) / MANIFEST_FILE).write_text(json.dumps(document, indent=2) + "\n")


def read_manifest(folder: PathLike) -> Manifest:
    """Reads the manifest of a folder, and checks it whole.

    Args:
        folder: the folder that `reiqa export` wrote.

    Returns:
        `Manifest`.

    Raises:
        ManifestError: if it is missing or damaged.

    Example:
    ```python
    import reiqa_tf
    from reiqa_tf.presets.folders import preset_folder
    from reiqa_tf.runtimes.manifest import read_manifest

    manifest = read_manifest(preset_folder("content_lite0_biq2021") / "exports")
    print(manifest["artifacts"]["model.onnx"]["difference"])
    ```
    """
    path = pathlib.Path(folder) / MANIFEST_FILE
    try:
        document = _read_document(path)
    except FileNotFoundError:
        raise ManifestError(
            f"{path}: missing, so {folder} holds no export. Make one: reiqa export --out {folder}"
        ) from None
    if not _is_manifest(document):
        raise ManifestError(f"{path}: damaged, or of another version of reiqa_tf. Export again.")
    return cast(Manifest, document)


def artifact_digest(path: PathLike) -> str | None:
    """The SHA-256 that an artifact's file should have; nothing is computed.

    Args:
        path: path of the file.

    Returns:
        hexadecimal digits; None if no manifest stands beside the file.

    Raises:
        ManifestError: if the manifest cannot be read.
    """
    entry = _entry_of(pathlib.Path(path))
    return None if entry is None else str(entry.get("sha256"))


def read_artifact(path: PathLike) -> bytes:
    """Reads an artifact's file, and compares it with the manifest in its folder, if there is one.

    Runtimes are written for files that they can trust, and a damaged one can take the process
    down; so it is found out before a runtime sees it.

    Args:
        path: path of the file.

    Returns:
        bytes of the file.

    Raises:
        MissingArtifactError: if there is no such file.
        ManifestError: if the manifest cannot be read.
        ArtifactError: if the file cannot be read, or is not the one that the manifest describes.
    """
    path = pathlib.Path(path)
    try:
        contents = path.read_bytes()
    except FileNotFoundError:
        raise MissingArtifactError(f"{path}: no such file.") from None
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror}).") from None
    entry = _entry_of(path)
    if entry is not None:
        received = hashlib.sha256(contents).hexdigest()
        if received != entry.get("sha256"):
            raise ArtifactError(
                f"{path}: damaged or changed. Expected the SHA-256 {entry.get('sha256')} of "
                f"{MANIFEST_FILE}, received {received}. Export it again, or get a whole copy."
            )
    return contents


def _entry_of(path: pathlib.Path) -> dict[str, Any] | None:
    """The entry of one file, whatever else the manifest beside it says; None if there is none."""
    manifest_path = path.parent / MANIFEST_FILE
    try:
        document = _read_document(manifest_path)
    except FileNotFoundError:
        return None
    artifacts = document.get("artifacts") if isinstance(document, dict) else None
    if not isinstance(artifacts, dict):
        raise ManifestError(f"{manifest_path}: expected an entry `artifacts`. Export again.")
    entry = artifacts.get(path.name)
    if entry is not None and not isinstance(entry, dict):
        raise ManifestError(f"{manifest_path}: its entry {path.name} is damaged. Export again.")
    return entry


def _read_document(path: pathlib.Path) -> Any:
    """The JSON of a manifest, unchecked. Raises `FileNotFoundError` if there is no such file."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ManifestError(f"{path}: larger than {_LARGEST:,} bytes; no manifest.")
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise ManifestError(
            f"{path}: not the JSON of a manifest ({error}). Export again."
        ) from None


_ENTRY_TYPES: dict[str, type | tuple[type, ...]] = {
    "format": str,
    "precision": str,
    "size": (list, type(None)),
    "bytes": int,
    "sha256": str,
    "contract": dict,
    "tolerance": dict,
}


def _is_manifest(document: Any) -> bool:
    if not isinstance(document, dict) or document.get("manifest") != FORMAT:
        return False
    artifacts, reference = document.get("artifacts"), document.get("reference")
    has_name = isinstance(document.get("preset"), str)
    if not has_name or not isinstance(artifacts, dict) or not isinstance(reference, dict):
        return False
    return bool(artifacts) and all(
        pathlib.PurePath(name).name == name
        and isinstance(entry, dict)
        # A number with a fraction stands for what is missing: no entry may be one.
        and all(isinstance(entry.get(key, 0.5), kind) for key, kind in _ENTRY_TYPES.items())
        and _is_size(entry["size"])
        and _are_files(entry.get("files", {}))
        for name, entry in artifacts.items()
    )


def _is_size(size: list[Any] | None) -> bool:
    return size is None or (len(size) == 2 and all(type(side) is int and side > 0 for side in size))


def _are_files(files: Any) -> bool:
    return isinstance(files, dict) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("sha256"), str)
        and isinstance(entry.get("bytes"), int)
        for entry in files.values()
    )
