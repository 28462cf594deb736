"""How well a diagnosis tells faults: recall, precision, amounts, false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from reiqa_tf.distortions.distortion import LEVELS
from reiqa_tf.explanation.diagnosis import Probe
from reiqa_tf.explanation.faults import FAMILIES
from reiqa_tf.fitting.fault_samples import Recipe


class FamilyReport(TypedDict):
    """How well the faults of one family are told.

    Attributes:
        family: its name.
        count: pictures that have the fault, on its own.
        recall: share of these in which it is found.
        recall_by_level: the same for each of the five levels; None where there is no picture.
        recall_of_two: share of the pictures with another fault as well in which it is found.
        precision: share of the pictures in which it is found that have it; of pictures with one
            fault at most.
        precision_by_level: the same for each of the five levels, each with a fifth of the false
            claims; None where nothing is found.
        main: share of the pictures in which it is found on its own and is the surest fault.
        amount_error: median error of the amount, as a share of it; of signed amounts, in their
            unit.
        unit: unit of the amount.
    """

    family: str
    count: int
    recall: float
    recall_by_level: list[float | None]
    recall_of_two: float | None
    precision: float | None
    precision_by_level: list[float | None]
    main: float
    amount_error: float
    unit: str


class DiagnosisReport(TypedDict):
    """How well faults are told.

    Attributes:
        clean: number of photos without a made fault.
        false_alarms: share of these in which a fault is found.
        two: number of pictures with two faults.
        both_found: share of these in which both are found.
        one_found: share of these in which one is found, or both.
        calibration_error: mean distance between probabilities and how often they came true, in
            ten bins of probability, over all families.
        families: a `FamilyReport` each.
    """

    clean: int
    false_alarms: float
    two: int
    both_found: float | None
    one_found: float | None
    calibration_error: float
    families: list[FamilyReport]


def report(
    probe: Probe,
    clean: np.ndarray,
    features: np.ndarray,
    amounts: np.ndarray,
    recipes: Sequence[Recipe],
) -> DiagnosisReport:
    """Measures a diagnosis on pictures that it has not seen.

    Args:
        probe: the `Probe`.
        clean: features of clean photos, `(M, F)`.
        features: of pictures with faults, `(N, F)`.
        amounts: `(N, K)`; NaN where a family's fault is not there.
        recipes: what was done to each of the N pictures.

    Returns:
        `DiagnosisReport`.
    """
    probabilities, told = probe.numbers(features)
    of_clean, _ = probe.numbers(clean)
    found, alarms = probabilities > probe.thresholds, of_clean > probe.thresholds
    is_there = np.isfinite(amounts)
    number = is_there.sum(axis=1)
    two = number == 2
    both = (found | ~is_there).all(axis=1)
    either = (found & is_there).any(axis=1)
    odds = np.log(probabilities / (1 - probabilities))
    odds -= np.log(probe.thresholds / (1 - probe.thresholds))
    surest = odds.argmax(axis=1)
    families: list[FamilyReport] = []
    for place, family in enumerate(FAMILIES):
        alone = is_there[:, place] & (number == 1)
        level = np.array(
            [next((lv for step, _, lv in recipe.steps if step == place), -1) for recipe in recipes]
        )
        with_other = is_there[:, place] & two
        told_of = found[:, place] & (number <= 1)
        hits = [(told_of & alone & (level == step)).sum() for step in range(LEVELS)]
        false = (told_of & ~is_there[:, place]).sum() + alarms[:, place].sum()
        truth, guess = amounts[alone, place], told[alone, place]
        error = np.abs(guess - truth) if family.is_signed else np.abs(guess / truth - 1)
        families.append(
            {
                "family": family.name,
                "count": int(alone.sum()),
                "recall": _share(found[alone, place]) or 0.0,
                "recall_by_level": [
                    _share(found[alone & (level == step), place]) for step in range(LEVELS)
                ],
                "recall_of_two": _share(found[with_other, place]),
                "precision": _precision(sum(hits), false),
                "precision_by_level": [_precision(hit, false / LEVELS) for hit in hits],
                "main": _share((found[alone, place]) & (surest[alone] == place)) or 0.0,
                "amount_error": float(np.median(error)) if len(error) else float("nan"),
                "unit": family.unit,
            }
        )
    return {
        "clean": len(clean),
        "false_alarms": float(alarms.any(axis=1).mean()),
        "two": int(two.sum()),
        "both_found": _share(both[two]),
        "one_found": _share(either[two]),
        "calibration_error": _calibration_error(
            np.concatenate([probabilities, of_clean]).ravel(),
            np.concatenate([is_there, np.zeros_like(alarms)]).ravel(),
        ),
        "families": families,
    }


def _precision(hits: float, false: float) -> float | None:
    return float(hits / (hits + false)) if hits + false else None


def _share(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _calibration_error(probabilities: np.ndarray, is_there: np.ndarray) -> float:
    bins = np.minimum((probabilities * 10).astype(int), 9)
    error = 0.0
    for place in range(10):
        inside = bins == place
        if inside.any():
            error += inside.mean() * abs(probabilities[inside].mean() - is_there[inside].mean())
    return float(error)
