"""Files that appear whole or not at all."""

import contextlib
import os
import pathlib
import tempfile

from reiqa_tf.errors import ReiqaError


class OutputError(ReiqaError):
    """A file that cannot be written."""


@contextlib.contextmanager
def written_whole(path):
    """Gives a name to write to, and puts the file under its own name once it is complete.

    Args:
        path: the file to be; an older one is replaced at the end. Its folder is made if need be.

    Yields:
        path of a temporary file in the same folder, with the same ending.

    Raises:
        OutputError: if it cannot be written. The older file, if any, is then untouched.

    Example:
    ```python
    with written_whole("scores.json") as scratch:
        scratch.write_text("{}")
    ```
    """
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
