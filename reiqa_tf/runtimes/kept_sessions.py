"""Sessions of onnxruntime that are kept in the user's cache folder, to be opened sooner.

Most of the time in which onnxruntime opens a file of ours goes into preparing its graph: kernels
are multiplied with their factors, operators merged, kernels brought into the order that the
processor likes. The same file, processor and version give the same graph, so it is written down and
read the next time: 23 MB of disk for a preset, half of the time, and the same scores to the last
bit.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import zlib
from collections.abc import Callable
from typing import Any

WORTH_KEEPING = 1_000_000
"""Bytes of a file from which on a session is worth keeping: a smaller one is opened in no time."""

_MOST = 4  # sessions that are kept; the oldest goes

_BLOCK = 2**18  # bytes that are checked at a time, which fit into the processor's cache


def open_kept(name: str, read: Callable[[], bytes], open_session: Callable[..., Any]) -> Any:
    """Opens a session from what was kept of it, or from its file, and then keeps it.

    Where nothing can be kept, for want of a folder, of space or of rights, nothing is.

    Args:
        name: names the file's contents and the version of onnxruntime.
        read: function that returns the bytes of the file, checked.
        open_session: function from such bytes to a session. With `optimized_path` it also writes
            the prepared graph there; with `is_prepared` it takes the path of one.

    Returns:
        the session.

    Raises:
        Exception: as `read` and `open_session` do.
    """
    processor = _processor()
    if processor is None:
        return open_session(read())
    folder, name = _folder(), f"{name}-{processor}"
    for kept in folder.glob(f"{name}-*.onnx"):
        # Any error: onnxruntime's own derive from Exception alone. The file itself is still there.
        with contextlib.suppress(Exception):
            if kept.stem == f"{name}-{_checksum(kept)}":
                # By its path: bytes would be copied twice on their way.
                return open_session(os.fspath(kept), is_prepared=True)
        with contextlib.suppress(OSError):
            kept.unlink()
    contents = read()
    # A full disk, say; what is wrong with the file itself is raised below.
    with contextlib.suppress(Exception):
        return _open_and_keep(folder, name, contents, open_session)
    return open_session(contents)


def _open_and_keep(
    folder: pathlib.Path, name: str, contents: bytes, open_session: Callable[..., Any]
) -> Any:
    """A session of a file's bytes, whose prepared graph is kept under its name and checksum."""
    import tempfile

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as scratch:
        written = pathlib.Path(scratch) / "session.onnx"
        session = open_session(contents, optimized_path=written)
        os.replace(written, folder / f"{name}-{_checksum(written)}.onnx")
    _drop_oldest(folder)
    return session


def _checksum(path: pathlib.Path) -> str:
    """The CRC-32 of a file, against damage."""
    checksum = 0
    with open(path, "rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            checksum = zlib.crc32(block, checksum)
    return f"{checksum:08x}"


def _drop_oldest(folder: pathlib.Path) -> None:
    kept = sorted(folder.glob("*.onnx"), key=lambda path: path.stat().st_mtime)
    for path in kept[:-_MOST]:
        path.unlink(missing_ok=True)


def _folder() -> pathlib.Path:
    import platformdirs

    return pathlib.Path(platformdirs.user_cache_dir("reiqa_tf")) / "sessions"


def _processor() -> str | None:
    """A digest of what the processor can do; None where that is not said.

    A folder may be shared by machines, and a graph that was prepared for wider registers is none
    for narrower ones.
    """
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    said = [line for line in lines if line.startswith(("flags", "Features"))]
    if not said:
        return None
    return hashlib.sha256(f"{os.uname().machine} {said[0]}".encode()).hexdigest()[:16]
