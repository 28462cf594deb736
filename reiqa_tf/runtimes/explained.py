"""What an artifact says about the outputs that explain its scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from reiqa_tf.scoring.parts import MapName, PartName

PARTS = "parts"
"""Name of the output with the points of each part: float32 `(N, P)`."""

MAPS = "maps"
"""Name of the output with the points of each place: float32 `(N, M, 32, 32)`."""

MAP = "map"
"""Name of the output with all maps together: float32 `(N, 32, 32)`."""

DIAGNOSIS = "diagnosis"
"""Name of the output with probability and amount of each fault: float32 `(N, K, 2)`."""

EXPLAINING = (PARTS, MAPS, MAP, DIAGNOSIS)
"""Names of all outputs that explain scores."""


EXPLAINED = ("score", MAP, DIAGNOSIS)
"""Names of what is returned where a score and its explanation are asked for together."""

EXPLAIN = "explain"
"""Name of the signature of a SavedModel that returns `EXPLAINED`, from `images`."""


@dataclasses.dataclass(frozen=True)
class ExplainedOutputs:
    """What one needs to read the outputs that explain scores.

    Attributes:
        average_score: score of the average photo, to which the parts add up to the score.
        parts: names of the columns of `parts`.
        maps: names of what `maps` holds.
        families: names of the faults in `diagnosis`.
        thresholds: probabilities from which on these count as found.
    """

    average_score: float
    parts: tuple[PartName, ...]
    maps: tuple[MapName, ...]
    families: tuple[str, ...]
    thresholds: tuple[float, ...]

    def entries(self) -> dict[str, str | float]:
        """As it is stored: flat, from names to texts and numbers."""
        return {
            "average_score": self.average_score,
            "parts": ",".join("/".join(name) for name in self.parts),
            "maps": ",".join("/".join(name) for name in self.maps),
            "families": ",".join(self.families),
            "thresholds": " ".join(map(repr, self.thresholds)),
        }

    @classmethod
    def read(cls, entries: Mapping[str, Any]) -> ExplainedOutputs | None:
        """Reads what `entries` returned.

        Args:
            entries: whatever was found in a file.

        Returns:
            `ExplainedOutputs`, or None where a file has none, or none of this version.
        """
        try:
            return cls(
                average_score=float(entries["average_score"]),
                parts=tuple(PartName(*name.split("/")) for name in entries["parts"].split(",")),
                maps=tuple(MapName(*name.split("/")) for name in entries["maps"].split(",")),
                families=tuple(entries["families"].split(",")),
                thresholds=tuple(map(float, entries["thresholds"].split())),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
