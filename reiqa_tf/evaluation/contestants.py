"""What takes part: presets, whose features need a regressor, and functions that give scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from reiqa_tf.errors import ReiqaError
from reiqa_tf.evaluation.benchmark_document import ContestantAbout
from reiqa_tf.evaluation.photo_functions import PhotoFunction, value_table
from reiqa_tf.fitting.encoders import Preset, loaded
from reiqa_tf.presets.storage import encoders_fingerprint
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import open_cache
from reiqa_tf.scoring.features import feature_table
from reiqa_tf.typing import PathLike

WHOLE = "whole"
"""Name of the variant with all the features that a contestant has."""


class Contestant(Protocol):
    """What can take part in a benchmark; `PresetContestant` and `FunctionContestant` do."""

    @property
    def name(self) -> str:
        """What the report calls it."""
        ...

    @property
    def is_fitted(self) -> bool:
        """Whether a regressor is fitted on its numbers; otherwise they are scores as they are."""
        ...

    @property
    def fingerprint(self) -> str:
        """Text that changes when its numbers may."""
        ...

    def table(
        self,
        photos: Sequence[str],
        cache_file: PathLike | None = None,
        progress: Progress = silent,
        workers: int | None = None,
    ) -> tuple[np.ndarray, Mapping[int, ReiqaError]]:
        """Its numbers for photos, through the cache.

        Args:
            photos: paths.
            cache_file: SQLite file that keeps them, or None.
            progress: shows how far the work is.
            workers: number of processes; None takes as many as are good.

        Returns:
            float32 array `(N, F)`, with rows of NaN for photos that have none, and the errors of
            those by their index.
        """
        ...

    def variants(self) -> dict[str, np.ndarray]:
        """Names of parts of its numbers, and their columns; all of them as `WHOLE`."""
        ...

    def describe(self) -> ContestantAbout:
        """What the result file says about it."""
        ...


class PresetContestant:
    """The encoders of a preset: features once, a regressor for every split. Its head is not used.

    Args:
        name: what the report calls it.
        preset: a folder, the name of a shipped preset, or a scorer.

    Raises:
        PresetError: if it cannot be loaded.
    """

    is_fitted = True

    def __init__(self, name: str, preset: Preset) -> None:
        self.name = name
        self._scorer = loaded(preset)
        self.fingerprint = encoders_fingerprint(self._scorer)

    def table(
        self,
        photos: Sequence[str],
        cache_file: PathLike | None = None,
        progress: Progress = silent,
        workers: int | None = None,  # noqa: ARG002 -- TensorFlow has threads; see `bulk.shards`
    ) -> tuple[np.ndarray, Mapping[int, ReiqaError]]:
        """Features of photos; see `Contestant.table`."""
        with open_cache(cache_file, self.fingerprint) as cache:
            return feature_table(self._scorer, photos, progress=progress, cache=cache)

    def variants(self) -> dict[str, np.ndarray]:
        """The parts of the features that an ablation compares.

        Returns:
            dictionary from a name to the numbers of the columns: all of them as `WHOLE`; then
            every expert, and both where there are two, at full size, at half size and at both.
        """
        scales = {"full size": (0, 1), "half size": (1, 2), "both sizes": (0, 2)}
        order = self._scorer.feature_order
        choices: dict[str, tuple[str, ...]] = {f"{name} expert": (name,) for name in order}
        if len(order) > 1:
            choices["both experts"] = tuple(order)
        variants = {WHOLE: np.arange(self._scorer.feature_count)}
        for expert, names in choices.items():
            for scale, (first, end) in scales.items():
                columns = np.concatenate([_halves(order[name], first, end) for name in names])
                if len(columns) < self._scorer.feature_count:
                    variants[f"{expert}, {scale}"] = columns
        return variants

    def describe(self) -> ContestantAbout:
        """What the result file says about it."""
        weights = self._scorer.trainable_variables
        return {
            "kind": "preset",
            "fingerprint": self.fingerprint,
            "features": self._scorer.feature_count,
            "experts": {name: list(ends) for name, ends in self._scorer.feature_order.items()},
            "working_size": self._scorer.working_size,
            "parameters": int(sum(np.prod(variable.shape) for variable in weights)),
        }


@dataclasses.dataclass(frozen=True)
class FunctionContestant:
    """A function from a photo to a score: taken as it is, nothing is fitted.

    Args:
        function: `PhotoFunction` that returns one number, higher is better.
    """

    function: PhotoFunction

    is_fitted = False

    @property
    def name(self) -> str:
        """What the report calls it."""
        return self.function.name

    @property
    def fingerprint(self) -> str:
        """Text that names the function and its version."""
        return self.function.fingerprint

    def table(
        self,
        photos: Sequence[str],
        cache_file: PathLike | None = None,
        progress: Progress = silent,
        workers: int | None = None,
    ) -> tuple[np.ndarray, Mapping[int, ReiqaError]]:
        """Scores of photos, in one column; see `Contestant.table`."""
        with open_cache(cache_file, self.fingerprint) as cache:
            values, problems = value_table(
                self.function, photos, cache=cache, workers=workers, progress=progress
            )
        if values.shape[1] != 1:
            raise ReiqaError(
                f"{self.name}: expected one number a photo. Received: {values.shape[1]}"
            )
        return values, problems

    def variants(self) -> dict[str, np.ndarray]:
        """There is nothing to leave out."""
        return {WHOLE: np.arange(1)}

    def describe(self) -> ContestantAbout:
        """What the result file says about it."""
        return {"kind": "function", "fingerprint": self.fingerprint}


def _halves(ends: Sequence[int], first: int, end: int) -> np.ndarray:
    """Columns of an encoder's halves `first` to `end`: the full size comes before the half size."""
    start, stop = ends
    edges = (start, (start + stop) // 2, stop)
    return np.arange(edges[first], edges[end])
