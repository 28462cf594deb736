"""SHA-256 and bytes of artifacts: as they were exported, and what has changed since."""

from __future__ import annotations

import hashlib
import os
import pathlib

from reiqa_tf.runtimes.manifest import DigestEntry, FileEntry
from reiqa_tf.typing import PathLike


def describe_file(path: PathLike) -> FileEntry:
    """SHA-256 and bytes of a file.

    Args:
        path: the file.

    Returns:
        dictionary with `sha256` and `bytes`.
    """
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": digest, "bytes": os.path.getsize(path)}


def describe_artifact(path: PathLike) -> DigestEntry:
    """SHA-256 and bytes of an artifact; of a folder, those of each of its files as well.

    Args:
        path: a file or a folder.

    Returns:
        dictionary with `sha256` and `bytes`; for a folder also `files`, the same for each file by
        its name within the folder. A folder's `sha256` is that of the names and digests.
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        digest = describe_file(path)
        return {"sha256": digest["sha256"], "bytes": digest["bytes"]}
    files = {
        file.relative_to(path).as_posix(): describe_file(file)
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }
    names = "".join(f"{name} {entry['sha256']}\n" for name, entry in files.items())
    return {
        "sha256": hashlib.sha256(names.encode()).hexdigest(),
        "bytes": sum(entry["bytes"] for entry in files.values()),
        "files": files,
    }


def find_damage(path: PathLike, entry: DigestEntry) -> list[str]:
    """Compares an artifact with its entry of the manifest.

    Args:
        path: where the artifact should be.
        entry: its entry, or what `describe_artifact` returned.

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


def _changed(path: pathlib.Path, received: FileEntry, expected: FileEntry) -> str:
    if received["bytes"] != expected["bytes"]:
        return (
            f"{path}: damaged or changed; expected {expected['bytes']:,} bytes, received "
            f"{received['bytes']:,}"
        )
    return f"{path}: damaged or changed; the SHA-256 is another"
