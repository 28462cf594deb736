"""`manifest.json`: what was exported, out of what, with what, and how near Keras it is."""

import datetime
import hashlib
import json
import os
import pathlib
import platform

from reiqa_tf.errors import ReiqaError
from reiqa_tf.runtimes.manifest import MANIFEST_FILE

FORMAT = 1
"""Version of the manifest's own form."""

_LARGEST = 50_000_000  # bytes; a real one takes some kilobytes


class ManifestError(ReiqaError):
    """A manifest that cannot be used. The message says which and why."""


def describe_file(path):
    """SHA-256 and bytes of a file.

    Args:
        path: the file.

    Returns:
        dictionary with `sha256` and `bytes`.
    """
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": digest, "bytes": os.path.getsize(path)}


def describe_artifact(path):
    """SHA-256 and bytes of an artifact; of a folder, those of each of its files as well.

    Args:
        path: a file or a folder.

    Returns:
        dictionary with `sha256` and `bytes`; for a folder also `files`, the same for each file by
        its name within the folder. A folder's `sha256` is that of the names and digests.
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        return describe_file(path)
    files = {
        each.relative_to(path).as_posix(): describe_file(each)
        for each in sorted(path.rglob("*"))
        if each.is_file()
    }
    names = "".join(f"{name} {entry['sha256']}\n" for name, entry in files.items())
    return {
        "sha256": hashlib.sha256(names.encode()).hexdigest(),
        "bytes": sum(entry["bytes"] for entry in files.values()),
        "files": files,
    }


def find_damage(path, entry):
    """Compares an artifact with its entry of the manifest.

    Args:
        path: where the artifact should be.
        entry: its entry.

    Returns:
        list of texts, each naming a file and what is wrong with it; empty if all is well.
    """
    path = pathlib.Path(path)
    if not path.exists():
        return [f"{path}: missing"]
    received = describe_artifact(path)
    if "files" not in entry:
        is_whole = received["sha256"] == entry["sha256"]
        return [] if is_whole else [_changed(path, received, entry)]
    found, expected = received.get("files", {}), entry["files"]
    return [
        *(f"{path / name}: missing" for name in expected if name not in found),
        *(f"{path / name}: was not exported" for name in found if name not in expected),
        *(
            _changed(path / name, found[name], expected[name])
            for name in expected
            if name in found and found[name]["sha256"] != expected[name]["sha256"]
        ),
    ]


def _changed(path, received, expected):
    if received["bytes"] != expected["bytes"]:
        return (
            f"{path}: damaged or changed; expected {expected['bytes']:,} bytes, received "
            f"{received['bytes']:,}"
        )
    return f"{path}: damaged or changed; the SHA-256 is another"


def write_manifest(folder, preset, reference, artifacts):
    """Writes the manifest of a folder.

    Args:
        folder: the folder of the artifacts.
        preset: name of the preset.
        reference: what Keras answered, so that others can compare without it.
        artifacts: dictionary from the artifacts' names in the folder to their entries.
    """
    document = {
        "manifest": FORMAT,
        "preset": preset,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "reference": reference,
        "artifacts": artifacts,
    }
    (pathlib.Path(folder) / MANIFEST_FILE).write_text(json.dumps(document, indent=2) + "\n")


def read_manifest(folder):
    """Reads the manifest of a folder.

    Args:
        folder: the folder that `reiqa export` wrote.

    Returns:
        dictionary; see `write_manifest`.

    Raises:
        ManifestError: if it is missing or damaged.
    """
    path = pathlib.Path(folder) / MANIFEST_FILE
    try:
        if path.stat().st_size > _LARGEST:
            raise ManifestError(f"{path}: larger than {_LARGEST:,} bytes; no manifest.")
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ManifestError(
            f"{path}: missing, so {folder} holds no export. Make one: reiqa export --out {folder}"
        ) from None
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{path}: not the JSON of a manifest ({error}).") from None
    if not _is_manifest(manifest):
        raise ManifestError(f"{path}: damaged, or of another version of reiqa_tf. Export again.")
    return manifest


_ENTRY_TYPES = {
    "format": str,
    "precision": str,
    "size": (list, type(None)),
    "bytes": int,
    "sha256": str,
    "contract": dict,
    "tolerance": dict,
}


def _is_manifest(manifest):
    if not isinstance(manifest, dict) or manifest.get("manifest") != FORMAT:
        return False
    artifacts, reference = manifest.get("artifacts"), manifest.get("reference")
    texts = isinstance(manifest.get("preset"), str)
    if not texts or not isinstance(artifacts, dict) or not isinstance(reference, dict):
        return False
    return bool(artifacts) and all(
        pathlib.PurePath(name).name == name
        and isinstance(entry, dict)
        and all(isinstance(entry.get(key, 0.5), kind) for key, kind in _ENTRY_TYPES.items())
        and _is_size(entry["size"])
        and _are_files(entry.get("files", {}))
        for name, entry in artifacts.items()
    )


def _is_size(size):
    return size is None or (len(size) == 2 and all(type(side) is int and side > 0 for side in size))


def _are_files(files):
    return isinstance(files, dict) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("sha256"), str)
        and isinstance(entry.get("bytes"), int)
        for entry in files.values()
    )
