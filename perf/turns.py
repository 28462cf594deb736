"""What the scripts that time scorers share: processes of so many cores, and runtimes in turns."""

import concurrent.futures
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np

from reiqa_tf.backend import silenced
from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.typing import PathLike

Run: TypeAlias = Callable[[np.ndarray], object]
"""What scores a batch of photos; what it returns is not looked at."""

_Name = TypeVar("_Name")
_Result = TypeVar("_Result")


def in_its_own_process(function: Callable[..., _Result], *arguments: Any) -> _Result:
    """Calls a function in a fresh process: TensorFlow's threads are set once, its memory stays."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def start_on(threads: int) -> None:
    """Starts TensorFlow with so many threads, on as many cores where a process can be bound."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

    def limit_tensorflow() -> None:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)

    start_tensorflow(limit_tensorflow)


def litert(path: PathLike, threads: int) -> tuple[Run, dict[str, Any]]:
    """A TFLite file as a function of a batch of photos, and what LiteRT says of its input."""
    from ai_edge_litert.interpreter import Interpreter

    with silenced():  # it tells what it is about to do
        interpreter = Interpreter(str(path), num_threads=threads)
        interpreter.allocate_tensors()
    (image,) = interpreter.get_input_details()

    def run(photo: np.ndarray) -> None:
        interpreter.set_tensor(image["index"], photo)
        interpreter.invoke()

    return run, image


def median_seconds(
    runs: Mapping[_Name, Run], photos: Sequence[np.ndarray], rounds: int, threads: int
) -> dict[_Name, float]:
    """Lets runtimes score photos in turns, so that whatever else the machine does meets all alike.

    Args:
        runs: functions of a batch of one photo, by name.
        photos: list of uint8 arrays `(H, W, 3)`.
        rounds: photos that each gets, after two to warm up.
        threads: that BLAS may use.

    Returns:
        median seconds by name.
    """
    import threadpoolctl

    seconds: dict[_Name, list[float]] = {name: [] for name in runs}
    with threadpoolctl.threadpool_limits(threads):
        for turn in range(-2, rounds):
            photo = photos[turn % len(photos)][None]
            for name, run in runs.items():
                start = time.perf_counter()
                run(photo)
                if turn >= 0:
                    seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(times)) for name, times in seconds.items()}
