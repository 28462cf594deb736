"""What an artifact says about itself: its names, read and checked.

`reiqa_tf.export.contract` writes what is read here, under these very names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from reiqa_tf.runtimes.errors import ArtifactError
from reiqa_tf.scoring.score import MissingHeadError
from reiqa_tf.typing import PathLike

SCORE = "score"
"""Name of the output with the scores: float32 `(N,)`."""

DISTANCE = "distance"
"""Name of the output that says how unfamiliar photos are: float32 `(N,)`."""

FEATURES = "features"
"""Name of the only output of encoders without a head: float32 `(N, F)`."""

CONTRACT_FILE = "contract.json"
"""Name of the entry with the contract in the archive at the end of a `.tflite` file."""

_OUTPUTS = ((SCORE, DISTANCE), (FEATURES,))


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _number(value: Any) -> bool:
    # True is no number here, nor are NaN, infinities and whole numbers beyond those of floats.
    return type(value) in (int, float) and -1e30 < value < 1e30


def _size(value: Any) -> bool:
    return type(value) is int and 32 <= value <= 2**15


@dataclasses.dataclass(frozen=True)
class _Entry:
    """What an entry must be, in words and as a test."""

    expected: str
    is_right: Callable[[Any], bool]


_OF_ALL = {
    "preset": _Entry("a name", _text),
    "weights_sha256": _Entry("a hexadecimal digest", _text),
    "outputs": _Entry(
        "score,distance or features",
        lambda value: _text(value) and tuple(value.split(",")) in _OUTPUTS,
    ),
    "working_size": _Entry(
        "32 to 32,768 px, or nothing", lambda value: value is None or _size(value)
    ),
}
_OF_HEADS = {
    "score_low": _Entry("a number", _number),
    "score_high": _Entry("a number", _number),
    "higher_is_better": _Entry("true", lambda value: value is True),
    "margin": _Entry("a number from 0 up", lambda value: _number(value) and value >= 0),
    "coverage": _Entry("between 0 and 1", lambda value: _number(value) and 0 < value < 1),
    "distance_limit": _Entry("above 0", lambda value: _number(value) and value > 0),
}


@dataclasses.dataclass(frozen=True)
class HeadContract:
    """What one needs beside the numbers of a head to make scores of them.

    Attributes:
        score_range: `(low, high)`, the scale.
        margin: half the width of the interval around a score.
        coverage: share of held-out photos whose score lay within it.
        distance_limit: distance above which a photo counts as unfamiliar.
    """

    score_range: tuple[float, float]
    margin: float
    coverage: float
    distance_limit: float


@dataclasses.dataclass(frozen=True)
class Contract:
    """What one needs beside an artifact's graph to judge photos with it.

    Attributes:
        preset: name of the preset that it was made of.
        weights_sha256: SHA-256 of that preset's weights.
        outputs: names of the graph's outputs.
        working_size: side in pixels of the square that larger photos are shrunk to, or None.
        head: what the scores mean; None of encoders without a head.
    """

    preset: str
    weights_sha256: str
    outputs: tuple[str, ...]
    working_size: int | None
    head: HeadContract | None = None

    def fitted_head(self) -> HeadContract:
        """What the scores mean.

        Raises:
            MissingHeadError: if there is no head.
        """
        if self.head is None:
            raise MissingHeadError
        return self.head

    @classmethod
    def read(cls, entries: Mapping[str, Any], path: PathLike) -> Contract:
        """Checks what was found in a file.

        Args:
            entries: dictionary from the names that `reiqa_tf.export.contract` writes to values;
                further names are left alone.
            path: the file, for messages.

        Returns:
            `Contract`.

        Raises:
            ArtifactError: if an entry is missing or absurd.
        """
        with_head = entries.get("outputs") != FEATURES
        for name, entry in {**_OF_ALL, **(_OF_HEADS if with_head else {})}.items():
            if not entry.is_right(entries.get(name)):
                raise ArtifactError(
                    f"{path}: its entry {name} should be {entry.expected}. Received: "
                    f"{entries.get(name)!r}. Export the preset again: reiqa export --preset PRESET"
                )
        return cls(
            preset=entries["preset"],
            weights_sha256=entries["weights_sha256"],
            outputs=tuple(entries["outputs"].split(",")),
            working_size=entries.get("working_size"),
            head=_read_head(entries, path) if with_head else None,
        )


def _read_head(entries: Mapping[str, Any], path: PathLike) -> HeadContract:
    low, high = entries["score_low"], entries["score_high"]
    if not low < high:
        raise ArtifactError(
            f"{path}: a scale from {low} to {high}. "
            "Export the preset again: reiqa export --preset PRESET"
        )
    return HeadContract(
        score_range=(float(low), float(high)),
        margin=float(entries["margin"]),
        coverage=float(entries["coverage"]),
        distance_limit=float(entries["distance_limit"]),
    )
