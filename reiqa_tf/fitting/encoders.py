"""Whose encoders a head is fitted on: those of a preset, or an expert from each of two."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeAlias

from reiqa_tf.errors import ReiqaError
from reiqa_tf.fitting.fast_features import fastest_features
from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.head import LinearHead
from reiqa_tf.models.scorer import ReIQAScorer, load_preset
from reiqa_tf.presets.folders import read_metadata
from reiqa_tf.scoring.features import FeatureScorer
from reiqa_tf.typing import PathLike

Preset: TypeAlias = PathLike | ReIQAScorer
"""A preset as people name it: a folder, the name of a shipped one, or one that is loaded."""


@dataclasses.dataclass(frozen=True, eq=False)
class Encoders:
    """Encoders that wait for a head.

    Attributes:
        scorer: a built `ReIQAScorer` without a head.
        sources: for each expert what is known about where it is from, as JSON values; None where
            nothing is.
        features: what computes their features fastest, the scorer itself or another runtime.
        head: the preset's own head, where it is one of just these features; else None.
        held_out_srcc: upper end of the interval of that head's SRCC on photos that were held out
            when it was fitted, or None.
    """

    scorer: ReIQAScorer
    sources: dict[str, Any] | None
    features: FeatureScorer
    head: LinearHead | None = None
    held_out_srcc: float | None = None


def loaded(preset: Preset) -> ReIQAScorer:
    """The scorer that is meant.

    Args:
        preset: a folder, the name of a shipped preset, or the scorer itself.

    Returns:
        `ReIQAScorer`.

    Raises:
        PresetError: if it cannot be loaded.
    """
    return preset if isinstance(preset, ReIQAScorer) else load_preset(preset)


def choose_encoders(
    preset: Preset,
    content: Preset | None = None,
    quality: Preset | None = None,
    working_size: int | None = None,
) -> Encoders:
    """Takes all encoders of one preset, or one expert from each of others.

    Args:
        preset: the preset whose encoders are taken if neither of the next two is given.
        content: the preset whose content expert is taken.
        quality: the preset whose quality expert is taken.
        working_size: side in pixels of the square that larger photos are brought into; None takes
            that of the preset, of the first where there are two.

    Returns:
        `Encoders`.

    Raises:
        PresetError: if one cannot be loaded.
        ReiqaError: if a preset lacks the expert that it was named for.
    """
    if content is None and quality is None:
        base, metadata = _opened(preset)
        size = base.working_size if working_size is None else working_size
        scorer = without_head(base.experts(), size)
        is_same = size == base.working_size
        return Encoders(
            scorer,
            metadata.get("sources"),
            fastest_features(preset, scorer),
            base.head if is_same else None,
            _held_out_srcc(metadata),
        )
    experts, sources, size = {}, {}, None
    for expert, chosen in (("content", content), ("quality", quality)):
        if chosen is None:
            continue
        base, metadata = _opened(chosen)
        if expert not in base.experts():
            raise ReiqaError(f"{chosen}: expected a preset with a {expert} expert. It has none.")
        experts[expert] = base.experts()[expert]
        known = (metadata.get("sources") or {}).get(expert)
        sources[expert] = known or {"pretraining": metadata.get("pretraining")}
        size = size or base.working_size
    scorer = without_head(experts, size if working_size is None else working_size)
    return Encoders(scorer, sources, scorer)


def without_head(experts: dict[str, ReIQAEncoder], working_size: int | None) -> ReIQAScorer:
    """A scorer that waits for a head.

    Args:
        experts: built encoders by name.
        working_size: as in `ReIQAScorer`.

    Returns:
        built `ReIQAScorer`, which shares the encoders.
    """
    scorer = ReIQAScorer(**experts, working_size=working_size)
    scorer.build((None, None, None, 3))
    return scorer


def _held_out_srcc(metadata: dict[str, Any]) -> float | None:
    """The upper end that a preset's metadata give, written by whichever version."""
    try:
        return float(metadata["metrics"]["held_out"]["intervals"]["srcc"][1])
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _opened(preset: Preset) -> tuple[ReIQAScorer, dict[str, Any]]:
    """The scorer, and what the preset says about itself; of one that is loaded that is nothing."""
    if isinstance(preset, ReIQAScorer):
        return preset, {}
    metadata = read_metadata(preset)
    return load_preset(preset), metadata
