"""Start TensorFlow without its remarks about itself."""

import os
import sys
import tempfile


def start_tensorflow():
    """Imports TensorFlow, silently unless it fails.

    On every start TensorFlow writes lines about its build and about GPUs that it did not find
    to stderr, past Python and before any setting of its log level counts. They would stand above
    every score. If it does fail, they are shown: then they are what one needs.
    """
    if "tensorflow" in sys.modules:
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as remarks:
        os.dup2(remarks.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_logical_devices()  # the remarks about GPUs come with the first use
        except Exception:
            remarks.seek(0)
            os.write(kept, remarks.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
