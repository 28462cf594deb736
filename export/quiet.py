"""Converters talk: keep what they say until it is needed."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    r"""Holds back what is written to stdout and stderr, unless an exception passes through.

    The converters and the runtimes write remarks, past Python and before any setting of theirs
    counts, about what is no concern of whoever exports. If they fail, the remarks are shown: then
    they are what one needs.

    Example:
    ```python
    import os

    from reiqa_tf.export.quiet import quiet

    with quiet():
        os.write(2, b"a remark of a converter\n")
    ```
    """
    streams = (sys.stdout, sys.stderr)
    for stream in streams:
        stream.flush()
    kept = [os.dup(descriptor) for descriptor in (1, 2)]
    with tempfile.TemporaryFile() as remarks, open(os.devnull, "w") as nowhere:
        for descriptor in (1, 2):
            os.dup2(remarks.fileno(), descriptor)
        try:
            # What replaced Python's streams (a notebook, a test runner) has no descriptor.
            with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
                yield
        except Exception:  # not so Ctrl-C, of which the converter knows nothing
            remarks.seek(0)
            os.write(kept[1], remarks.read())
            raise
        finally:
            for copy, descriptor in zip(kept, (1, 2), strict=True):
                os.dup2(copy, descriptor)
                os.close(copy)
