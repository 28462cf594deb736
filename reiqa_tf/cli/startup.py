"""Start TensorFlow and other runtimes without their remarks about themselves."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import TypeVar

from reiqa_tf.backend import require_tensorflow
from reiqa_tf.errors import ReiqaError

_Prepared = TypeVar("_Prepared")


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Keeps from the terminal what is written to stderr past Python; shows it if all fails.

    An error of the package itself says what matters, and the remarks are not shown with it.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as remarks:
        os.dup2(remarks.fileno(), 2)
        try:
            yield
        except ReiqaError:
            raise
        except Exception:
            remarks.seek(0)
            os.write(kept, remarks.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def start_tensorflow(prepare: Callable[[], _Prepared] | None = None) -> _Prepared | None:
    """Imports TensorFlow, silently unless it fails.

    On every start TensorFlow writes lines about its build and about GPUs that it did not find
    to stderr, past Python and before any setting of its log level counts. They would stand above
    every score. If it does fail, they are shown: then they are what one needs.

    Args:
        prepare: function to call before TensorFlow first uses a device, which is the last chance to
            split or to connect devices.

    Returns:
        what `prepare` returned, or None.

    Raises:
        MissingExtraError: if TensorFlow is not installed.
        BackendError: if Keras is set to another backend.
    """
    require_tensorflow()
    if "tensorflow" in sys.modules:
        return prepare() if prepare else None
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what fails, fails in Python
    with silenced():
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # its hints on tracing are for us, not for users
        prepared = prepare() if prepare else None
        tf.config.list_logical_devices()  # the remarks about GPUs come with the first use
    return prepared
