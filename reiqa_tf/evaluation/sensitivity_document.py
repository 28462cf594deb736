"""What `sensitivity.json` holds."""

from __future__ import annotations

from typing import Any, TypedDict


class Mean(TypedDict):
    """A mean over photos with its interval; no interval of fewer than `metrics.MINIMUM_ROWS`."""

    mean: float
    low: float | None
    high: float | None


class DistortionFigures(TypedDict):
    """What the scores of many photos say about one distortion.

    - `ordered`, `unit`, `levels`: as in the bank;
    - `means`: mean score at each of the five levels, 1 (mildest) to 5;
    - `steps`: mean change of a photo's score from each level to the next;
    - `means_fall`: whether the mean is lower at each level than at the one before;
    - `tau`: Kendall's tau-b between level and falling score over the five levels of a photo, on
      average over the photos: 1 where the score always falls, -1 where it always rises. A photo
      whose score does not change counts 0;
    - `tau_with_clean`: the same over six pictures, the clean photo below the mildest level;
    - `falls_strictly`: share of photos whose score is lower at each level than at the one before.
    """

    ordered: bool
    unit: str
    levels: list[float]
    means: list[Mean]
    steps: list[Mean]
    means_fall: bool
    tau: Mean
    tau_with_clean: Mean
    falls_strictly: float


class Falls(TypedDict):
    """The mean score of the clean photos, and what is said of each distortion by its name."""

    clean: Mean
    distortions: dict[str, DistortionFigures]


class PhotoScores(TypedDict):
    """The scores of one photo: clean, and by distortion at each level."""

    clean: float
    distorted: dict[str, list[float]]


class MeasuredPreset(TypedDict):
    """The preset that was measured."""

    name: str
    fingerprint: Any
    score_range: list[float]
    working_size: int | None


class SensitivityProtocol(TypedDict):
    """How the figures came about."""

    seed: int
    resamples: int
    confidence: float


class SensitivityDocument(Falls):
    """Everything that the result file holds."""

    format: int
    versions: dict[str, str]
    preset: MeasuredPreset
    protocol: SensitivityProtocol
    photos: dict[str, PhotoScores]
    problems: list[str]
