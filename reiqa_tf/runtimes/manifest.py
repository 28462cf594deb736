"""The `manifest.json` beside artifacts: what they are, and whether a file is still what it was."""

import hashlib
import json
import pathlib

from reiqa_tf.runtimes.errors import ArtifactError, MissingArtifactError

MANIFEST_FILE = "manifest.json"

_LARGEST = 10_000_000  # bytes; a real manifest takes some kilobytes


def read_artifact(path):
    """Reads an artifact's file, and compares it with the manifest in its folder, if there is one.

    Runtimes are written for files that they can trust, and a damaged one can take the process
    down; so it is found out before a runtime sees it.

    Args:
        path: path of the file.

    Returns:
        bytes of the file.

    Raises:
        MissingArtifactError: if there is no such file.
        ArtifactError: if file or manifest cannot be read, or the file is not the one that the
            manifest describes.
    """
    path = pathlib.Path(path)
    try:
        contents = path.read_bytes()
    except FileNotFoundError:
        raise MissingArtifactError(f"{path}: no such file.") from None
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror}).") from None
    entry = _entry(path)
    if entry is not None:
        received = hashlib.sha256(contents).hexdigest()
        if received != entry.get("sha256"):
            raise ArtifactError(
                f"{path}: damaged or changed. Expected the SHA-256 {entry.get('sha256')} of "
                f"{MANIFEST_FILE}, received {received}. Export it again, or get a whole copy."
            )
    return contents


def _entry(path):
    manifest_path = path.parent / MANIFEST_FILE
    try:
        if manifest_path.stat().st_size > _LARGEST:
            raise ArtifactError(f"{manifest_path}: larger than {_LARGEST:,} bytes; no manifest.")
        manifest = json.loads(manifest_path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ArtifactError(f"{manifest_path}: cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            f"{manifest_path}: not the JSON of a manifest ({error}). Export again."
        ) from None
    artifacts = manifest.get("artifacts") if isinstance(manifest, dict) else None
    if not isinstance(artifacts, dict):
        raise ArtifactError(f"{manifest_path}: expected an entry `artifacts`. Export again.")
    entry = artifacts.get(path.name)
    if entry is not None and not isinstance(entry, dict):
        raise ArtifactError(f"{manifest_path}: its entry {path.name} is damaged. Export again.")
    return entry
