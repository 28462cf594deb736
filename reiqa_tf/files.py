"""Files and folders that appear whole or not at all."""

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from reiqa_tf.errors import ReiqaError
from reiqa_tf.remote import RemoteError, is_remote, upload
from reiqa_tf.typing import PathLike


class OutputError(ReiqaError):
    """A file that cannot be written."""


@contextlib.contextmanager
def written_whole(path: PathLike) -> Iterator[pathlib.Path]:
    """Gives a name to write to, and puts the file under its own name once it is complete.

    Args:
        path: the file to be; an older one is replaced at the end. Its folder is made if need be.
            Or its address on an object store.

    Yields:
        path of a temporary file in the same folder, with the same ending; of an address, in the
        folder for temporary files.

    Raises:
        OutputError: if it cannot be written. The older file, if any, is then untouched.

    Example:
    ```python
    from reiqa_tf.files import written_whole

    with written_whole("scores.json") as scratch:
        scratch.write_text("{}")
    ```
    """
    if is_remote(path):
        with _uploaded(os.fspath(path)) as scratch:
            yield scratch
        return
    path = pathlib.Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as folder:
            scratch = pathlib.Path(folder) / path.name
            yield scratch
            os.replace(scratch, path)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror or error}). Nothing was left behind."
        ) from error


@contextlib.contextmanager
def _uploaded(address: str) -> Iterator[pathlib.Path]:
    with tempfile.TemporaryDirectory(prefix="reiqa-") as folder:
        scratch = pathlib.Path(folder) / address.rpartition("/")[2]
        yield scratch
        try:
            upload(scratch, address)
        except RemoteError as error:
            raise OutputError(str(error)) from None


def _refuse_address(path: PathLike) -> None:
    if is_remote(path):
        raise OutputError(
            f"{os.fspath(path)}: expected a path on this machine. Addresses are for photos, "
            "`reiqa pack --out` and `reiqa pretrain --out`; write here, and copy it there."
        )


def check_new_file(path: PathLike, overwrite: bool = False) -> None:
    """Refuses the path of a file that could not be written, before the work for it begins.

    Args:
        path: the file to be.
        overwrite: whether it may replace a file.

    Raises:
        OutputError: if a file of that name exists and may not be replaced, if a folder is in the
            way, or if nothing can be written there.

    Example:
    ```python
    from reiqa_tf.files import check_new_file

    check_new_file("scores.json")
    ```
    """
    _refuse_address(path)
    path = pathlib.Path(path)
    if path.is_dir():
        raise OutputError(f"{path}: a folder of that name exists. Name a file.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists. Name another file, or replace it: --overwrite")
    folder = path.absolute().parent
    while not os.path.lexists(folder):
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}).") from None


@contextlib.contextmanager
def folder_written_whole(folder: PathLike, mark: str) -> Iterator[pathlib.Path]:
    """Gives a folder to write into, and puts it under its own name once it is complete.

    What a process that was killed left behind is removed by the next one that writes the folder.

    Args:
        folder: the folder to be; an older one is replaced at the end.
        mark: name of a file by which an older folder is known. A folder that is not empty and does
            not hold it is refused.

    Yields:
        path of a temporary folder next to it.

    Raises:
        OutputError: if it is in the way or cannot be written. An older folder is then untouched.

    Example:
    ```python
    from reiqa_tf.files import folder_written_whole

    with folder_written_whole("exported", mark="manifest.json") as scratch:
        (scratch / "manifest.json").write_text("{}")
    ```
    """
    refuse_occupied(folder, mark)
    folder = pathlib.Path(folder)
    partial = folder.parent / f".{folder.name}.partial"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if (partial / "replaced").exists() and not folder.exists():  # killed at the worst moment
            os.replace(partial / "replaced", folder)
        shutil.rmtree(partial, ignore_errors=True)
        try:
            (partial / folder.name).mkdir(parents=True)
            yield partial / folder.name
            if folder.exists():
                os.replace(folder, partial / "replaced")
            os.replace(partial / folder.name, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror or error}). Nothing was left behind."
        ) from error


def refuse_occupied(folder: PathLike, mark: str) -> None:
    """Refuses a folder that `folder_written_whole` would refuse; for use before long work.

    Args:
        folder: the folder to be.
        mark: as in `folder_written_whole`.

    Raises:
        OutputError: if it is in the way.
    """
    _refuse_address(folder)
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: a file of that name exists. Name another folder.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / mark).is_file():
        raise OutputError(f"{folder}: a folder with other things in it. Name another one.")
