"""What a run learns from and what it holds out: photos with scores, pairs that people compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from reiqa_tf.data.scored_photos import ScoredPhotos, read_scored_photos, require_photos
from reiqa_tf.fitting.fit_head import FEWEST_ROWS
from reiqa_tf.training.objective import TrainingError
from reiqa_tf.tuning.pairs import Pairs, read_pairs
from reiqa_tf.typing import PathLike

FEWEST_PAIRS = 20
"""Fewest pairs that are learned from, and held out, where there are no scores. Ours."""

_FEWEST_PARTIES = 5


@dataclasses.dataclass(frozen=True, eq=False)
class Material:
    """What a run has.

    Attributes:
        learned: the `ScoredPhotos` to learn from, or None where pairs are alone.
        pairs: pairs of paths to learn from, the better photo first.
        held_out: `ScoredPhotos`, or pairs where they are alone.
    """

    learned: ScoredPhotos | None
    pairs: Pairs
    held_out: ScoredPhotos | Pairs


def gather(
    scores: PathLike | ScoredPhotos | None, pairs: PathLike | None, share: float, seed: int
) -> Material:
    """Reads lists, and holds a part out.

    Args:
        scores: CSV file of scored photos, or the `ScoredPhotos`, or None.
        pairs: CSV file of pairs, or None.
        share: share that is held out, from 0 to 1.
        seed: of the choice.

    Returns:
        `Material`. With scores, photos are held out and all pairs are learned from.

    Raises:
        ReiqaError: if there is neither, or too little.
    """
    compared = [] if pairs is None else read_pairs(pairs)
    if scores is None:
        if not compared:
            raise TrainingError("expected scored photos, or pairs, or both. Received: neither")
        learned_pairs, held_pairs = split_pairs(compared, share, seed)
        if min(len(learned_pairs), len(held_pairs)) < FEWEST_PAIRS:
            raise TrainingError(
                f"expected at least {FEWEST_PAIRS} pairs to learn from and {FEWEST_PAIRS} to hold "
                f"out. Received: {len(learned_pairs)} and {len(held_pairs)} of {len(compared)}. "
                "Compare more photos, or change held_out."
            )
        return Material(None, learned_pairs, held_pairs)
    scored = scores if isinstance(scores, ScoredPhotos) else read_scored_photos(scores)
    if scored.splits is not None:
        scored = scored.split("train", "val")
    learned, held_out = split_off(scored, share, seed)
    for part, purpose in ((learned, "learn from"), (held_out, "hold out")):
        if len(part) < FEWEST_ROWS:
            raise TrainingError(
                f"expected at least {FEWEST_ROWS} scored photos to {purpose}. Received: "
                f"{len(part)} of {len(scored)}. Score more photos, or change held_out."
            )
        require_photos(part, FEWEST_ROWS)
    return Material(learned, compared, held_out)


def split_off(scored: ScoredPhotos, share: float, seed: int) -> tuple[ScoredPhotos, ScoredPhotos]:
    """Parts scored photos into those to learn from and those to hold out.

    Args:
        scored: rows of `train` and `val`, or without splits.
        share: share of the groups that is held out where there is no row of `val`.
        seed: of the choice.

    Returns:
        two `ScoredPhotos`; no group is in both, unless the column `split` says so.
    """
    if scored.splits is not None and (scored.splits == "val").any():
        held = scored.splits == "val"
        return scored.rows(~held), scored.rows(held)
    groups = np.arange(len(scored)) if scored.groups is None else scored.groups
    if len(np.unique(groups)) < 2:
        raise TrainingError("group: expected two groups or more, so that one can be held out.")
    learned, held_out = _parted(groups, share, seed)
    return scored.rows(learned), scored.rows(held_out)


def split_pairs(pairs: Pairs, share: float, seed: int) -> tuple[Pairs, Pairs]:
    """Parts pairs into those to learn from and those to hold out.

    Photos that are connected by pairs stay together. Where nearly all are, as in a tournament,
    pairs are parted and a photo may be in both parts.

    Args:
        pairs: pairs of paths.
        share: share that is held out.
        seed: of the choice.

    Returns:
        two lists of pairs.
    """
    parties = _parties(pairs)
    if len(np.unique(parties)) < _FEWEST_PARTIES:
        parties = np.arange(len(pairs))
    if len(pairs) < 2:
        return pairs, []
    learned, held_out = _parted(parties, share, seed)
    return [pairs[row] for row in learned], [pairs[row] for row in held_out]


def _parties(pairs: Pairs) -> np.ndarray:
    """For each pair a number that all pairs have which photos connect with it."""
    leader: dict[Hashable, Hashable] = {}

    def led(photo: Hashable) -> Hashable:
        while leader.setdefault(photo, photo) != photo:
            leader[photo] = leader[leader[photo]]
            photo = leader[photo]
        return photo

    for better, worse in pairs:
        leader[led(better)] = led(worse)
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(led(better), len(numbers)) for better, _ in pairs])


def _parted(groups: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows to hold out, in their order."""
    parting = GroupShuffleSplit(1, test_size=share, random_state=seed)
    learned, held_out = next(parting.split(groups, groups=groups))
    return np.sort(learned), np.sort(held_out)
