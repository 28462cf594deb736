"""What `benchmark.json` holds, and what a contestant's results on one database are made of."""

from __future__ import annotations

from typing import NotRequired, TypeAlias, TypedDict

Figures: TypeAlias = dict[str, float]
"""SRCC, KRCC, both PLCC and RMSE by name; see `metrics.agreement`."""

Summary: TypeAlias = dict[str, dict[str, float]]
"""For each figure by name its `median` over the splits and the ends `low` and `high` of its
interval."""


class SplitResult(TypedDict):
    """What came of one contestant on one split.

    `figures` on the test rows; `predicted` for them, in the order of `Split.test`; where something
    was fitted `strength`, `at_edge`, and `cross`: the figures on all rows of other databases.
    """

    figures: Figures
    predicted: list[float]
    strength: NotRequired[float]
    at_edge: NotRequired[bool]
    cross: NotRequired[dict[str, Figures]]


class SplitFigures(TypedDict):
    """What the document keeps of a `SplitResult`."""

    figures: Figures
    strength: NotRequired[float]
    at_edge: NotRequired[bool]


class Difference(TypedDict):
    """SRCC of one minus SRCC of another, with its interval."""

    difference: float
    low: float
    high: float


class NamedDifference(Difference):
    """A difference between two presets on a database."""

    database: str
    metric: str
    first: str
    second: str


class VariantAccount(TypedDict):
    """A contestant, or a part of its features; `whole_ahead`: all features less this part."""

    summary: Summary
    splits: list[SplitFigures]
    whole_ahead: NotRequired[Difference]


class LabelFigures(TypedDict):
    """The rows of one label: how many, and medians over the splits."""

    count: int
    srcc: float
    plcc: float


class Account(TypedDict):
    """One contestant on one database."""

    variants: dict[str, VariantAccount]
    distortions: NotRequired[dict[str, LabelFigures]]
    levels: NotRequired[dict[str, LabelFigures]]


class SplitAbout(TypedDict):
    """A split: its digest, and how many rows are for training, validation and test."""

    digest: str
    rows: list[int]


class LeakPair(TypedDict):
    """Two photos that look alike, and the splits (from 1) on both sides of which they stand."""

    photos: list[str]
    distance: int
    splits: list[int]


class Leaks(TypedDict):
    """Near-duplicates on both sides of a split."""

    by: str
    distance: int
    pairs: list[LeakPair]


class DatabaseAbout(TypedDict):
    """A database as it took part."""

    title: str
    photos: int
    score_range: list[float]
    groups: int | None
    splits_are: str
    splits: list[SplitAbout]
    leaks: Leaks
    problems: list[str]


class ContestantAbout(TypedDict):
    """A contestant; all but `kind` and `fingerprint` of presets alone."""

    kind: str
    fingerprint: str
    features: NotRequired[int]
    experts: NotRequired[dict[str, list[int]]]
    working_size: NotRequired[int | None]
    parameters: NotRequired[int]


class Protocol(TypedDict):
    """How figures came about."""

    shares: dict[str, float]
    seed: int
    resamples: int
    regressor: str
    strengths: list[float]
    strengths_tried: int
    scale_floor: float
    confidence: float


class CrossFigures(TypedDict):
    """Regressors of one database on another."""

    summary: Summary
    splits: list[Figures]


class BenchmarkDocument(TypedDict):
    """Everything that a benchmark's result file holds.

    `results`: database, contestant; `cross`: database fitted on, database predicted, contestant;
    `published`: database, method, (SRCC, PLCC).
    """

    format: int
    versions: dict[str, str]
    protocol: Protocol
    databases: dict[str, DatabaseAbout]
    contestants: dict[str, ContestantAbout]
    results: dict[str, dict[str, Account]]
    cross: dict[str, dict[str, dict[str, CrossFigures]]]
    differences: list[NamedDifference]
    published: dict[str, dict[str, tuple[float, float | None]]]
