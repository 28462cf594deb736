"""Runs whose folder is on an object store: worked on here, and copied there as they go.

A run appends to its history and renames its checkpoints, which stores cannot do. So it has a folder
on this machine, and after each checkpoint what is new in it is copied: the checkpoint last, so that
what is on the store is always a run that can go on.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
import warnings
from collections.abc import Iterator

import keras

from reiqa_tf.files import OutputError
from reiqa_tf.remote import RemoteError, find_files, is_remote, joined, read_file, remove, upload
from reiqa_tf.training.objective import Logs
from reiqa_tf.typing import PathLike

CHECKPOINTS = "checkpoints"
"""The folder within a run that is copied last."""


@contextlib.contextmanager
def run_folder(
    out: PathLike, writes: bool = True
) -> Iterator[tuple[pathlib.Path, list[keras.callbacks.Callback]]]:
    """Gives the folder that a run works in, for a `with` statement.

    Args:
        out: folder of the run, on this machine or on an object store.
        writes: whether this worker is the one that writes.

    Yields:
        folder on this machine, and callbacks that the run needs. Of a store it is a folder for
        temporary files with what is there, and a `CopyToStore`; it is gone at the end.

    Raises:
        RemoteError: if the store cannot be read.
        OutputError: if the end of the run cannot be written to it.
    """
    if not is_remote(out):
        yield pathlib.Path(out), []
        return
    address = os.fspath(out).rstrip("/")
    with tempfile.TemporaryDirectory(prefix="reiqa-run-") as scratch:
        folder = pathlib.Path(scratch)
        for file in find_files(address):
            path = folder / file[len(address) :].lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(read_file(file))
        if not writes:
            yield folder, []
            return
        copy = CopyToStore(folder, address)
        try:
            yield folder, [copy]
        finally:  # what an interrupted or failed run has reached, too
            try:
                copy.copy()
            except RemoteError as error:
                raise OutputError(str(error)) from None


class CopyToStore(keras.callbacks.Callback):
    """Copies the folder of a run to an object store whenever there is a new checkpoint.

    Args:
        folder: of the run, on this machine; as the store has it when the run begins.
        address: where the run is on the store.
    """

    def __init__(self, folder: pathlib.Path, address: str) -> None:
        super().__init__()
        self.folder = folder
        self.address = address
        self._copied = self._files()
        self._checkpoints = self._checkpoint_names()

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:  # noqa: ARG002
        """Copies what is new, if the step before left a checkpoint."""
        if self._checkpoint_names() != self._checkpoints:
            try:
                self.copy()
            except RemoteError as error:
                warnings.warn(f"{error} The run goes on, and tries again.", stacklevel=2)

    def copy(self) -> None:
        """Copies files that are new or have changed, and removes those that are gone.

        Raises:
            RemoteError: if the store refuses.
        """
        checkpoints, files = self._checkpoint_names(), self._files()
        changed = [name for name in files if files[name] != self._copied.get(name)]
        for name in sorted(changed, key=lambda name: (name.startswith(CHECKPOINTS), name)):
            upload(self.folder / name, joined(self.address, name))
            self._copied[name] = files[name]
        for name in [name for name in self._copied if name not in files]:
            remove(joined(self.address, name))
            del self._copied[name]
        self._checkpoints = checkpoints

    def _checkpoint_names(self) -> set[str]:
        folder = self.folder / CHECKPOINTS
        return {name for name in os.listdir(folder) if name[0] != "."} if folder.is_dir() else set()

    def _files(self) -> dict[str, tuple[int, int]]:
        """Size and time of each file that is whole, by its name relative to the folder."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder)
            if path.is_file() and not any(part.startswith(".") for part in name.parts):
                state = path.stat()
                found[name.as_posix()] = (state.st_size, state.st_mtime_ns)
        return found
