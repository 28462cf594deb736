"""Names of the parts that a score is the sum of."""

from __future__ import annotations

from typing import NamedTuple

GRID = 32
"""Rows and columns of a map, whatever the size of the photo."""

SIZES = ("full", "half")
"""The sizes at which experts see a photo."""

KINDS = ("means", "deviations", "center")
"""What is pooled over a channel: its mean, its standard deviation, its mean over the middle."""


class MapName(NamedTuple):
    """What a map is about.

    Attributes:
        expert: `content` or `quality`.
        size: out of `SIZES`.
        kind: out of `KINDS`.
    """

    expert: str
    size: str
    kind: str


class PartName(NamedTuple):
    """What a part of a score comes from.

    Attributes:
        expert: `content` or `quality`.
        size: out of `SIZES`.
        stage: name of the backbone's stage.
        kind: out of `KINDS`.
    """

    expert: str
    size: str
    stage: str
    kind: str

    @property
    def of_map(self) -> MapName:
        """The map that this part is in."""
        return MapName(self.expert, self.size, self.kind)
