"""Files by paths that may be addresses on object stores, such as `s3://bucket/photos/1.jpg`.

The only place that knows fsspec. What has no `://` is a path of this machine and needs none of it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from reiqa_tf.errors import ReiqaError
from reiqa_tf.extras import require_extra
from reiqa_tf.typing import PathLike

# Two letters or more, so that no drive of Windows is one.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?=://)")


class RemoteError(ReiqaError):
    """An address that cannot be used. The message says which, why, and the way out."""


def is_remote(path: PathLike) -> bool:
    """Whether a path is an address for fsspec.

    Args:
        path: any path.

    Example:
    ```python
    from reiqa_tf.remote import is_remote

    assert is_remote("gs://bucket/photo.jpg") and not is_remote("photo.jpg")
    ```
    """
    return _SCHEME.match(os.fspath(path)) is not None


def joined(folder: PathLike, name: str) -> str:
    """The path of a file in a folder.

    Args:
        folder: path of this machine, or an address.
        name: of the file.
    """
    folder = os.fspath(folder)
    return f"{folder.rstrip('/')}/{name}" if is_remote(folder) else os.path.join(folder, name)


def read_file(path: PathLike, start: int | None = None, end: int | None = None) -> bytes:
    """Reads a file, or a part of one.

    Args:
        path: of this machine, or an address.
        start: first byte; 0, if None.
        end: the byte after the last one; the end, if None.

    Returns:
        its bytes.

    Raises:
        OSError: if a file of this machine cannot be read; FileNotFoundError of an address, too.
        RemoteError: if an address cannot be used.
        MissingExtraError: if fsspec is not installed.
    """
    if is_remote(path):
        with _explained(path):
            contents: bytes = _system(path).cat_file(os.fspath(path), start=start, end=end)
            return contents
    with open(path, "rb") as file:
        if start:
            file.seek(start)
        return file.read() if end is None else file.read(end - (start or 0))


@contextlib.contextmanager
def opened(path: PathLike) -> Iterator[BinaryIO]:
    """Opens a file for reading from its beginning to its end, for a `with` statement.

    Args:
        path: as in `read_file`.

    Yields:
        the file.

    Raises:
        Exception: as `read_file`.
    """
    if not is_remote(path):
        with open(path, "rb") as file:
            yield file
        return
    with _explained(path), _system(path).open(os.fspath(path), "rb") as remote_file:
        yield remote_file


def size_of(path: PathLike) -> int | None:
    """Size of a file in bytes; None where there is none.

    Args:
        path: as in `read_file`.

    Raises:
        RemoteError: as `read_file`.
        MissingExtraError: likewise.
    """
    if not is_remote(path):
        return os.path.getsize(path) if os.path.isfile(path) else None
    try:
        with _explained(path):
            found = _system(path).info(os.fspath(path))
    except FileNotFoundError:
        return None
    return int(found["size"]) if found["type"] == "file" else None


def find_files(source: PathLike) -> list[str]:
    """Lists the files that an address stands for.

    Args:
        source: address of a file, of a folder, which is searched with those below it, or a pattern
            with `*`, `?`, `[...]` or `**`.

    Returns:
        list of addresses, in alphabetical order; empty if nothing is there.

    Raises:
        RemoteError: as `read_file`.
        MissingExtraError: likewise.
    """
    address = os.fspath(source)
    with _explained(address):
        system = _system(address)
        if system.isfile(address):
            return [address]
        found = system.find(address)
        if not found and re.search(r"[*?[]", address):
            found = [path for path in system.glob(address) if system.isfile(path)]
    beginning = system._strip_protocol(address).rstrip("/")
    return sorted(
        # As it was asked for, where that is the beginning: stores call themselves in several ways.
        address.rstrip("/") + path[len(beginning) :]
        if path.startswith(f"{beginning}/")
        else str(system.unstrip_protocol(path))
        for path in found
    )


def upload(path: PathLike, address: str) -> None:
    """Copies a file of this machine to an address.

    Args:
        path: of this machine.
        address: where it is to be; what is there is replaced. Stores show files once all of them is
            there.

    Raises:
        RemoteError: if it cannot be written.
        MissingExtraError: if fsspec is not installed.
    """
    with _explained(address, "written"):
        system = _system(address)
        system.makedirs(address.rpartition("/")[0], exist_ok=True)
        system.put_file(os.fspath(path), address)


def remove(path: PathLike) -> None:
    """Removes a file, if it is there.

    Args:
        path: as in `read_file`.

    Raises:
        OSError: if it cannot be removed.
        RemoteError: likewise.
    """
    with contextlib.suppress(FileNotFoundError):
        if is_remote(path):
            with _explained(path, "removed"):
                _system(path).rm_file(os.fspath(path))
        else:
            os.remove(path)


def _system(address: PathLike) -> Any:
    """The file system of an address."""
    scheme = _SCHEME.match(os.fspath(address))
    name = scheme[0] if scheme else ""
    require_extra("remote", f"{name}://")
    try:
        return _system_named(name)
    except ImportError as error:  # each store has a package of its own
        raise RemoteError(
            f"{os.fspath(address)}: {name}:// needs one more package: {error}"
        ) from None
    except ValueError:
        raise RemoteError(
            f"{os.fspath(address)}: expected an address that fsspec knows, such as s3://, gs:// or "
            f"https://. Received: {name}://"
        ) from None


@functools.cache
def _system_named(name: str) -> Any:
    import fsspec

    return fsspec.filesystem(name)


@contextlib.contextmanager
def _explained(address: PathLike, done: str = "read") -> Iterator[None]:
    """Says in one line why a store refused; whether something is not there is for the caller."""
    try:
        yield
    except (ReiqaError, FileNotFoundError, ImportError):
        raise
    except NotADirectoryError as error:
        raise FileNotFoundError(*error.args) from None
    except Exception as error:  # any type: each store has its own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RemoteError(f"{os.fspath(address)}: cannot be {done} ({reason}).") from None
