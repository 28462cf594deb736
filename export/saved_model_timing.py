"""Times a SavedModel with a number of threads, which TensorFlow fixes for the whole process.

Run as `python -m reiqa_tf.export.saved_model_timing FOLDER THREADS REPEATS < photo.png`; prints the
median of the milliseconds that a photo takes.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from reiqa_tf.errors import ReiqaError
from reiqa_tf.typing import PathLike


class TimingError(ReiqaError):
    """A SavedModel that could not be timed."""


def time_saved_model(folder: PathLike, contents: bytes, threads: int, repeats: int) -> float:
    """Starts a process that times a SavedModel.

    Args:
        folder: folder with `saved_model.pb`.
        contents: bytes of a photo.
        threads: number of threads.
        repeats: number of times of which the median is taken.

    Returns:
        milliseconds.

    Raises:
        TimingError: if the process fails.
    """
    result = subprocess.run(  # noqa: S603
        [sys.executable, "-m", __spec__.name, str(folder), str(threads), str(repeats)],
        input=contents,
        capture_output=True,
        check=False,
    )
    if result.returncode:
        reason = result.stderr.decode(errors="replace").strip().splitlines()
        raise TimingError(f"{folder}: could not be timed ({reason[-1] if reason else 'killed'}).")
    return float(result.stdout.split()[-1])


def median_time(run: Callable[[], object], repeats: int) -> float:
    """Median of the milliseconds of a call, after two calls to warm up.

    Args:
        run: function without arguments; what it returns is not looked at.
        repeats: number of calls.

    Returns:
        milliseconds.
    """
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[2:])


def _print_time(folder: str, threads: str, repeats: str) -> None:
    """What the process does."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    tf.config.threading.set_inter_op_parallelism_threads(1)
    loaded = tf.saved_model.load(folder)
    compute = loaded.signatures["serving_default"]
    photo = tf.constant([sys.stdin.buffer.read()])
    sys.stdout.write(f"{median_time(lambda: compute(image_bytes=photo), int(repeats))}\n")


if __name__ == "__main__":
    _print_time(*sys.argv[1:])
