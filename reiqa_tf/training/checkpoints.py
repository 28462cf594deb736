"""Checkpoints of a run: whole or not there, checked when they are read, the newest few kept.

A checkpoint is one uncompressed NumPy archive. It gets its name only once it is complete and on the
disk, and each array in it has a checksum, so that neither a half-written nor a damaged file can be
taken for a good one.
"""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from reiqa_tf.errors import ReiqaError
from reiqa_tf.files import written_whole
from reiqa_tf.typing import PathLike

_NAME = re.compile(r"step-\d{9}\.npz")
_ABOUT = "about.json"


class CheckpointError(ReiqaError):
    """A checkpoint that cannot be used."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What is known at the end of a step.

    Attributes:
        step: number of steps that were made.
        arrays: dictionary of arrays by name.
        about: dictionary of what JSON can hold.
    """

    step: int
    arrays: Mapping[str, np.ndarray]
    about: Mapping[str, Any]


class CheckpointFolder:
    """The checkpoints of one run.

    Args:
        folder: where they are; made when the first one is saved.
        keep: number of checkpoints that stay, from 1 up.

    Example:
    ```python
    import numpy as np

    from reiqa_tf.training.checkpoints import Checkpoint, CheckpointFolder

    checkpoints = CheckpointFolder("run/checkpoints", keep=3)
    checkpoints.save(Checkpoint(100, {"weights": np.zeros(3)}, {"seed": 1}))
    assert checkpoints.newest().step == 100
    ```
    """

    def __init__(self, folder: PathLike, keep: int) -> None:
        if keep < 1:
            raise ValueError(f"keep: expected 1 or more. Received: {keep}")
        self.folder = pathlib.Path(folder)
        self.keep = keep

    def save(self, checkpoint: Checkpoint) -> None:
        """Saves a checkpoint, and then removes those that are too many.

        Args:
            checkpoint: the `Checkpoint`.

        Raises:
            OutputError: if it cannot be written. The older ones are then untouched.
        """
        path = self.folder / f"step-{checkpoint.step:09d}.npz"
        about = np.frombuffer(json.dumps(checkpoint.about).encode(), np.uint8)
        arrays: dict[str, Any] = {_ABOUT: about, **checkpoint.arrays}
        with written_whole(path) as scratch, open(scratch, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())  # the name must not be on the disk before the contents
        for old in self._paths()[: -self.keep]:
            old.unlink(missing_ok=True)

    def newest(self) -> Checkpoint | None:
        """Reads the newest checkpoint that is whole.

        Returns:
            `Checkpoint`, or None if there is none.

        Raises:
            CheckpointError: if there are some and all are damaged.
        """
        paths = self._paths()
        for path in reversed(paths):
            try:
                return _read(path)
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
                warnings.warn(f"{path}: damaged ({error}); taking the one before.", stacklevel=2)
        if paths:
            raise CheckpointError(
                f"{self.folder}: all {len(paths)} checkpoints are damaged. Start anew in another "
                "folder, or restore one from a backup."
            )
        return None

    def clear_after(self, step: int) -> None:
        """Puts aside what a killed process left: unfinished files, and damaged checkpoints.

        Checkpoints after the step are renamed to `.damaged`, so that they take nobody's place among
        the newest few.

        Args:
            step: of the checkpoint that the run goes on from.
        """
        for path in self._paths():
            if _step(path) > step:
                path.rename(path.with_suffix(".damaged"))
        if self.folder.is_dir():
            for unfinished in self.folder.glob(".step-*"):
                shutil.rmtree(unfinished, ignore_errors=True)

    def _paths(self) -> list[pathlib.Path]:
        """The checkpoints, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if _NAME.fullmatch(path.name))


def _step(path: pathlib.Path) -> int:
    """The step in the name of a checkpoint."""
    return int(path.stem.removeprefix("step-"))


def _read(path: pathlib.Path) -> Checkpoint:
    # Opened here, because NumPy leaves a damaged file open.
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
        # Reading an array to its end compares its checksum.
        arrays = {name: archive[name] for name in archive.files}
    about = json.loads(arrays.pop(_ABOUT).tobytes())
    return Checkpoint(_step(path), arrays, about)
