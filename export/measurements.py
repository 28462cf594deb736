"""What is measured of an artifact: how far it is from Keras, its ranks, the time that it takes."""

from __future__ import annotations

import dataclasses
from typing import cast

import numpy as np

from reiqa_tf import metrics
from reiqa_tf.runtimes.manifest import MeasurementsEntry
from reiqa_tf.typing import Size


@dataclasses.dataclass(frozen=True)
class KerasDifference:
    """How far an artifact's outputs are from Keras's, as shares of the score's range.

    Attributes:
        worst: over all pictures; of features, as a share of the largest one.
        mean: over all pictures.
        pictures: number of pictures.
    """

    worst: float
    mean: float
    pictures: int

    @classmethod
    def between(cls, expected: np.ndarray, received: np.ndarray, scale: float) -> KerasDifference:
        """Compares an artifact's outputs with Keras's.

        Args:
            expected: array `(N, ...)`, Keras's outputs for N pictures.
            received: array of the same shape.
            scale: width of the score's range; for features, what counts as 1.

        Returns:
            `KerasDifference`.
        """
        gaps = np.abs(np.asarray(received, np.float64) - np.asarray(expected, np.float64)) / scale
        return cls(worst=float(gaps.max()), mean=float(gaps.mean()), pictures=len(gaps))


@dataclasses.dataclass(frozen=True)
class RankAgreement:
    """How well Keras and an artifact agree with people, and what the conversion changes.

    Attributes:
        keras: SRCC of Keras's scores.
        artifact: SRCC of the artifact's.
        change: what the second has more than the first.
        photos: number of photos.
    """

    keras: float
    artifact: float
    change: float
    photos: int

    @classmethod
    def with_people(
        cls, scores: np.ndarray, expected: np.ndarray, received: np.ndarray
    ) -> RankAgreement:
        """Compares the scores of Keras and of an artifact with people's.

        Args:
            scores: array `(N,)`, what people gave, higher is better.
            expected: array `(N,)`, Keras's scores.
            received: array `(N,)`, the artifact's scores.

        Returns:
            `RankAgreement`.
        """
        before, after = (float(metrics.srcc(found, scores)) for found in (expected, received))
        return cls(keras=before, artifact=after, change=after - before, photos=len(scores))


@dataclasses.dataclass(frozen=True)
class Latency:
    """How long an artifact takes for one picture.

    Attributes:
        milliseconds: median by number of threads.
        size: `(height, width)` of the picture.
        repeats: number of times of which the median is taken.
    """

    milliseconds: dict[int, float]
    size: Size
    repeats: int


@dataclasses.dataclass(frozen=True)
class Measurements:
    """All that is measured of an artifact.

    Attributes:
        difference: None where Keras's outputs are not known.
        srcc: None without photos that people scored.
        latency: None where the artifact was not opened.
    """

    difference: KerasDifference | None = None
    srcc: RankAgreement | None = None
    latency: Latency | None = None

    def entries(self) -> MeasurementsEntry:
        """The measurements as a manifest has them."""
        # Numbers of threads become texts when the manifest is written.
        return cast(MeasurementsEntry, dataclasses.asdict(self))
