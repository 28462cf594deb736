"""What an ONNX file says so that photos can be scored at their own size with it.

A score is a linear function of features, and those of a large photo are merged from its tiles. So
the file gives, beside the features of a tile, the head's kernels as an output of their own, and
this says the rest.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from reiqa_tf.scoring.native_size import FeatureBlock

if TYPE_CHECKING:
    from reiqa_tf.models.scorer import ReIQAScorer

HEAD = "head"
"""Name of the output with the kernels of score, spread and distance: float32 `(3 F,)`."""

NATIVE_SIZE = "native_size"
"""Name of the entry that `NativeHead` is stored in."""

_MOST_BLOCKS = 1000


@dataclasses.dataclass(frozen=True)
class NativeHead:
    """What one needs beside features and kernels.

    Attributes:
        blocks: what the features are, in their order.
        biases: of score, spread and distance; None of encoders without a head.
        spread_limits: `(low, high)`, between which the spread stays; likewise.
    """

    blocks: tuple[FeatureBlock, ...]
    biases: tuple[float, ...] | None = None
    spread_limits: tuple[float, ...] | None = None

    @classmethod
    def of(cls, scorer: ReIQAScorer) -> NativeHead:
        """What a file made of a scorer says.

        Args:
            scorer: a built `ReIQAScorer`.
        """
        head = scorer.head
        if head is None:
            return cls(scorer.feature_blocks)
        biases = (head.bias, head.spread_bias, head.distance_bias)
        return cls(scorer.feature_blocks, tuple(map(float, biases)), head.spread_limits)

    def entry(self) -> dict[str, Any]:
        """As it is stored: JSON."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value}

    @classmethod
    def read(cls, entry: Any) -> NativeHead | None:
        """Reads what `entry` returned.

        Args:
            entry: whatever was found in a file.

        Returns:
            `NativeHead`, or None where a file has none, or none of this version.
        """
        try:
            blocks = tuple(FeatureBlock(int(a), int(b)) for a, b in entry["blocks"][:_MOST_BLOCKS])
            biases, limits = (
                tuple(map(float, entry[name])) if name in entry else None
                for name in ("biases", "spread_limits")
            )
        except (KeyError, TypeError, ValueError):
            return None
        is_right = all(block.numbers in (1, 2, 3) and block.channels > 0 for block in blocks)
        if biases is not None or limits is not None:
            numbers = (*(biases or ()), *(limits or ()))
            is_right &= len(biases or ()) == 3 and len(limits or ()) == 2
            is_right &= all(map(math.isfinite, numbers)) and limits is not None and limits[0] > 0
        return cls(blocks, biases, limits) if blocks and is_right else None

    @property
    def feature_count(self) -> int:
        """Number of features of one photo."""
        return sum(block.numbers * block.channels for block in self.blocks)

    def judge(
        self, features: np.ndarray, kernels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Score, spread and distance, as `LinearHead` computes them.

        Args:
            features: array `(N, F)`.
            kernels: what the file returns as `HEAD`.

        Returns:
            three float32 arrays `(N,)`.
        """
        if self.biases is None or self.spread_limits is None:
            raise ValueError("biases: expected those of a head. Received: none.")
        sums = features.astype(np.float64) @ kernels.reshape(3, -1).T + self.biases
        low, high = np.log(self.spread_limits)
        score, spread, distance = sums.T.astype(np.float32)
        return score, np.exp(np.clip(spread, low, high)), distance
