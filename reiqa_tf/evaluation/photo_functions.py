"""What a function says about each of many photos: read and computed in threads or processes, kept.

For functions that know nothing of models: competitors, baselines, perceptual hashes.
"""

import concurrent.futures
import dataclasses
import hashlib
import importlib
import inspect
import itertools
import multiprocessing
import os
import pathlib
from collections.abc import Callable

import numpy as np

from reiqa_tf.errors import ReiqaError
from reiqa_tf.image.reading import ImageError, read_bytes, read_image
from reiqa_tf.scoring.cache import photo_digest
from reiqa_tf.version import __version__

_FEW = 100
"""Up to so many photos are judged here: to start processes would take longer."""


class FunctionError(ReiqaError):
    """A function that cannot be found, or that does not answer numbers."""


@dataclasses.dataclass(frozen=True)
class PhotoFunction:
    """A function of a photo, with a name by which its answers are kept.

    Args:
        name: what people call it.
        function: from a uint8 array `(H, W, 3)`, RGB, to a number or a row of numbers. It is sent
            to other processes, so it must stand at the top of a module.
        version: text that changes when the answers do; its file's contents are counted anyway.
    """

    name: str
    function: Callable
    version: str = ""

    @property
    def fingerprint(self):
        """Text that names the function and what it is made of."""
        file = inspect.getsourcefile(self.function)
        source = pathlib.Path(file).read_bytes() if file else b""
        digest = hashlib.sha256(source + self.version.encode() + __version__.encode()).hexdigest()
        return f"{self.function.__module__}:{self.function.__qualname__}:{digest}"

    def __call__(self, image):
        """Answers the numbers of one photo.

        Args:
            image: uint8 array `(H, W, 3)`, RGB.

        Returns:
            float32 array `(K,)`.

        Raises:
            FunctionError: if the function fails or answers anything but finite numbers.
        """
        try:
            answer = np.atleast_1d(np.asarray(self.function(image), np.float32)).ravel()
        except Exception as error:
            raise FunctionError(f"{self.name}: {type(error).__name__}: {error}") from error
        if not answer.size or not np.isfinite(answer).all():
            raise FunctionError(f"{self.name}: expected finite numbers. Received: {answer}")
        return answer


def function_named(name):
    """Finds a function of the user's.

    Args:
        name: `module:function`; the module must be importable from here.

    Returns:
        `PhotoFunction`.

    Raises:
        FunctionError: if there is no such module or function.
    """
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise FunctionError(
            f"expected module:function, importable from here (see PYTHONPATH). Received: "
            f"{name!r} ({error})"
        ) from None
    if not callable(function):
        raise FunctionError(f"{name}: expected a function. Received: {function!r}")
    return PhotoFunction(name, function)


def value_table(function, photos, cache=None, fit=None, workers=None, progress=iter):
    """Gathers what a function says about many photos.

    Args:
        function: `PhotoFunction`.
        photos: list of paths.
        cache: an open `FeatureCache` whose fingerprint is the function's, or None.
        fit: side of the square that photos are brought into first; None takes them as they are.
        workers: number of processes; None takes one a core where there are photos enough.
        progress: wraps the iterator over photos, to show how far the work is.

    Returns:
        pair of a float32 array `(N, K)`, with rows of NaN for photos that could not be judged, and
        a dictionary from their index to the error.
    """
    digests, rows, problems, waiting = {}, {}, {}, []
    for index, path in enumerate(photos):
        known = None
        if cache is not None:
            try:
                digests[index] = photo_digest(read_bytes(path))
            except ImageError as problem:
                problems[index] = problem
                continue
            known = cache.get(digests[index])
        if known is None:
            waiting.append(index)
        else:
            rows[index] = known
    for index, answer in progress(_answers(function, photos, waiting, fit, workers)):
        if isinstance(answer, ReiqaError):
            problems[index] = answer
            continue
        rows[index] = answer
        if cache is not None:
            cache.put(digests[index], answer)
    width = max((len(row) for row in rows.values()), default=1)
    table = np.full((len(photos), width), np.nan, np.float32)
    for index, row in rows.items():
        table[index] = row
    return table, dict(sorted(problems.items()))


def _answers(function, photos, waiting, fit, workers):
    if workers is None:
        workers = 1 if len(waiting) <= _FEW else os.cpu_count() or 1
    workers = min(workers, len(waiting))
    if workers < 2:
        yield from ((index, _answer(function, photos[index], fit)) for index in waiting)
        return
    # Fresh processes: a copy of one in which TensorFlow has threads would hang.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        answers = pool.map(
            _answer,
            itertools.repeat(function),
            [photos[index] for index in waiting],
            itertools.repeat(fit),
            chunksize=8,
        )
        yield from zip(waiting, answers, strict=True)


def _answer(function, photo, fit):
    try:
        return function(read_image(photo, fit=fit))
    except ReiqaError as problem:
        return problem
