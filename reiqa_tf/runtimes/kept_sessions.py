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
_CHECK_BYTES = 4  # CRC-32 at the end of a file, against damage


def open_kept(name: str, read: Callable[[], bytes], open_session: Callable[..., Any]) -> Any:
    """Opens a session from what was kept of it, or from its file, and then keeps it.

    Where nothing can be kept, for want of a folder, of space or of rights, nothing is.

    Args:
        name: names the file's contents and the version of onnxruntime.
        read: function that returns the bytes of the file, checked.
        open_session: function from such bytes to a session. With `optimized_path` it also writes
            the prepared graph there; with `is_prepared` it takes the bytes for one.

    Returns:
        the session.

    Raises:
        Exception: as `read` and `open_session` do.
    """
    processor = _processor()
    if processor is None:
        return open_session(read())
    path = _folder() / f"{name}-{processor}.onnx"
    graph = _whole(path)
    if graph is not None:
        # Any error: onnxruntime's own derive from Exception alone. The file itself is still there.
        with contextlib.suppress(Exception):
            return open_session(graph, is_prepared=True)
    from reiqa_tf.files import written_whole

    contents = read()
    # A full disk, say; what is wrong with the file itself is raised below.
    with contextlib.suppress(Exception):
        with written_whole(path) as scratch:
            session = open_session(contents, optimized_path=scratch)
            graph = scratch.read_bytes()
            scratch.write_bytes(graph + zlib.crc32(graph).to_bytes(_CHECK_BYTES, "big"))
        _drop_oldest(path.parent)
        return session
    return open_session(contents)


def _whole(path: pathlib.Path) -> bytes | None:
    """The graph in a file; None if there is none, or a damaged one."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    graph, check = stored[:-_CHECK_BYTES], stored[-_CHECK_BYTES:]
    return graph if zlib.crc32(graph).to_bytes(_CHECK_BYTES, "big") == check else None


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
