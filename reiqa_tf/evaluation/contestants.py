"""What is judged: presets, whose features need a regressor, and functions that answer scores."""

import dataclasses

import numpy as np

from reiqa_tf.errors import ReiqaError
from reiqa_tf.evaluation.photo_functions import PhotoFunction, value_table
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.presets.storage import encoders_fingerprint
from reiqa_tf.scoring.cache import FeatureCache
from reiqa_tf.scoring.features import feature_table

WHOLE = "whole"
"""Name of the variant with all the features that a contestant has."""


class PresetContestant:
    """The encoders of a preset: features once, a regressor for every split. Its head is not used.

    Args:
        name: what the report calls it.
        preset: a folder or the name of a shipped preset.

    Raises:
        PresetError: if it cannot be loaded.
    """

    is_fitted = True

    def __init__(self, name, preset):
        self.name = name
        self._scorer = load_preset(preset)
        self.fingerprint = encoders_fingerprint(self._scorer)

    def table(self, photos, cache_file=None, progress=iter, workers=None):  # noqa: ARG002
        """Features of photos, through the cache.

        Args:
            photos: list of paths.
            cache_file: SQLite file that keeps them, or None.
            progress: as in `feature_table`.
            workers: not used: TensorFlow has threads of its own. See `bulk.shards`.

        Returns:
            float32 array `(N, F)`, with rows of NaN for photos that could not be read, and a
            dictionary from their index to the error.
        """
        if cache_file is None:
            return feature_table(self._scorer, photos, progress=progress)
        with FeatureCache(cache_file, self.fingerprint) as cache:
            return feature_table(self._scorer, photos, progress=progress, cache=cache)

    def variants(self):
        """The parts of the features that an ablation compares.

        Returns:
            dictionary from a name to the numbers of the columns: all of them as `WHOLE`; then
            every expert, and both where there are two, at full size, at half size and at both.
        """
        scales = {"full size": (0, 1), "half size": (1, 2), "both sizes": (0, 2)}
        order = self._scorer.feature_order
        choices = {f"{name} expert": (name,) for name in order}
        if len(order) > 1:
            choices["both experts"] = tuple(order)
        variants = {WHOLE: np.arange(self._scorer.feature_count)}
        for expert, names in choices.items():
            for scale, (first, end) in scales.items():
                columns = np.concatenate([_halves(*order[name], first, end) for name in names])
                if len(columns) < self._scorer.feature_count:
                    variants[f"{expert}, {scale}"] = columns
        return variants

    def describe(self):
        """What the result file says about it."""
        return {
            "kind": "preset",
            "fingerprint": self.fingerprint,
            "features": self._scorer.feature_count,
            "experts": {name: list(ends) for name, ends in self._scorer.feature_order.items()},
            "working_size": self._scorer.working_size,
            "parameters": int(sum(np.prod(v.shape) for v in self._scorer.trainable_variables)),
        }


@dataclasses.dataclass(frozen=True)
class FunctionContestant:
    """A function from a photo to a score: judged as it is, nothing is fitted.

    Args:
        function: `PhotoFunction` that answers one number, higher is better.
    """

    function: PhotoFunction

    is_fitted = False

    @property
    def name(self):
        """What the report calls it."""
        return self.function.name

    @property
    def fingerprint(self):
        """Text that names the function and its version."""
        return self.function.fingerprint

    def table(self, photos, cache_file=None, progress=iter, workers=None):
        """Scores of photos, through the cache; as `PresetContestant.table`, with one column."""
        options = {"progress": progress, "workers": workers}
        if cache_file is None:
            values, problems = value_table(self.function, photos, **options)
        else:
            with FeatureCache(cache_file, self.fingerprint) as cache:
                values, problems = value_table(self.function, photos, cache=cache, **options)
        if values.shape[1] != 1:
            raise ReiqaError(
                f"{self.name}: expected one number a photo. Received: {values.shape[1]}"
            )
        return values, problems

    def variants(self):
        """There is nothing to leave out."""
        return {WHOLE: np.arange(1)}

    def describe(self):
        """What the result file says about it."""
        return {"kind": "function", "fingerprint": self.fingerprint}


def _halves(start, stop, first, end):
    """Columns of an encoder's halves `first` to `end`: the full size comes before the half size."""
    middle = (start + stop) // 2
    edges = (start, middle, stop)
    return np.arange(edges[first], edges[end])
