"""What a function says about each of many photos: read and computed in threads or processes, kept.

For functions that know nothing of models: competitors, baselines, perceptual hashes.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import importlib
import inspect
import itertools
import multiprocessing
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from reiqa_tf.errors import ReiqaError
from reiqa_tf.image.reading import ImageError, read_bytes, read_image
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import FeatureCache, photo_digest
from reiqa_tf.version import __version__

_FEW = 100
"""Up to so many photos are computed in this process: to start others would take longer."""


class FunctionError(ReiqaError):
    """A function that cannot be found, or that does not return numbers."""


@dataclasses.dataclass(frozen=True)
class PhotoFunction:
    """A function of a photo, with a name by which its values are kept.

    Args:
        name: what people call it.
        function: from a uint8 array `(H, W, 3)`, RGB, to a number or a row of numbers. It is sent
            to other processes, so it must stand at the top of a module.
        version: text that changes when the values do; its file's contents are counted anyway.
    """

    name: str
    function: Callable[[np.ndarray], Any]
    version: str = ""

    @property
    def fingerprint(self) -> str:
        """Text that names the function and what it is made of."""
        file = inspect.getsourcefile(self.function)
        source = pathlib.Path(file).read_bytes() if file else b""
        digest = hashlib.sha256(source + self.version.encode() + __version__.encode()).hexdigest()
        return f"{self.function.__module__}:{self.function.__qualname__}:{digest}"

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The numbers of one photo.

        Args:
            image: uint8 array `(H, W, 3)`, RGB.

        Returns:
            float32 array `(K,)`.

        Raises:
            FunctionError: if the function fails or returns anything but finite numbers.
        """
        try:
            values = np.atleast_1d(np.asarray(self.function(image), np.float32)).ravel()
        except Exception as error:
            raise FunctionError(f"{self.name}: {type(error).__name__}: {error}") from error
        if not values.size or not np.isfinite(values).all():
            raise FunctionError(f"{self.name}: expected finite numbers. Received: {values}")
        return values


def function_named(name: str) -> PhotoFunction:
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


def value_table(
    function: PhotoFunction,
    photos: Sequence[str],
    cache: FeatureCache | None = None,
    fit: int | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> tuple[np.ndarray, dict[int, ReiqaError]]:
    """Gathers what a function says about many photos.

    Args:
        function: `PhotoFunction`.
        photos: list of paths.
        cache: an open `FeatureCache` whose fingerprint is the function's, or None.
        fit: side of the square that photos are brought into first; None takes them as they are.
        workers: number of processes; None takes one a core where there are photos enough.
        progress: shows how far the work is.

    Returns:
        pair of a float32 array `(N, K)`, with rows of NaN for photos that have no values, and
        a dictionary from their index to the error.
    """
    digests: dict[int, str] = {}
    rows: dict[int, np.ndarray] = {}
    problems: dict[int, ReiqaError] = {}
    waiting: list[int] = []
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
    computed = _computed(function, photos, waiting, fit, workers)
    for index, values in progress(computed, function.name, len(waiting)):
        if isinstance(values, ReiqaError):
            problems[index] = values
            continue
        rows[index] = values
        if cache is not None:
            cache.put(digests[index], values)
    width = max((len(row) for row in rows.values()), default=1)
    table = np.full((len(photos), width), np.nan, np.float32)
    for index, row in rows.items():
        table[index] = row
    return table, dict(sorted(problems.items()))


def _computed(
    function: PhotoFunction,
    photos: Sequence[str],
    waiting: Sequence[int],
    fit: int | None,
    workers: int | None,
) -> Iterator[tuple[int, np.ndarray | ReiqaError]]:
    if workers is None:
        workers = 1 if len(waiting) <= _FEW else os.cpu_count() or 1
    workers = min(workers, len(waiting))
    if workers < 2:
        yield from ((index, _values_of(function, photos[index], fit)) for index in waiting)
        return
    # Fresh processes: a copy of one in which TensorFlow has threads would hang.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        values = pool.map(
            _values_of,
            itertools.repeat(function),
            [photos[index] for index in waiting],
            itertools.repeat(fit),
            chunksize=8,
        )
        yield from zip(waiting, values, strict=True)


def _values_of(function: PhotoFunction, photo: str, fit: int | None) -> np.ndarray | ReiqaError:
    try:
        return function(read_image(photo, fit=fit))
    except ReiqaError as problem:
        return problem
