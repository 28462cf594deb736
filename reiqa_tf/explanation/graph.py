"""The graph that computes scores and explains them; for Keras, and for what is exported."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from reiqa_tf.explanation.diagnosis import Probe, as_learnt
from reiqa_tf.explanation.faults import FAMILIES, FAMILY_NAMES
from reiqa_tf.models.contributions import contributions, map_names, part_names
from reiqa_tf.models.inference import graph_of_constants
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.runtimes.contract import DISTANCE, FEATURES, SCORE, SPREAD
from reiqa_tf.runtimes.explained import DIAGNOSIS, MAP, MAPS, PARTS, ExplainedOutputs
from reiqa_tf.typing import Tensor


def explained_outputs(scorer: ReIQAScorer, images: Tensor, probe: Probe) -> dict[str, Tensor]:
    """Computes scores and what explains them.

    Args:
        scorer: a built `ReIQAScorer` with a head.
        images: `(N, H, W, 3)`, RGB, uint8 or floats in [0, 1].
        probe: the diagnosis of its preset.

    Returns:
        dictionary of float32 tensors: `features` `(N, F)`, `score`, `spread` and `distance`
        `(N,)`, and the outputs of `reiqa_tf.runtimes.explained`.

    Raises:
        MissingHeadError: if the scorer has no head.
        ValueError: if the probe is for other features.
    """
    head = scorer.fitted_head()
    if len(probe.average) != scorer.feature_count:
        raise ValueError(
            f"probe: expected one for {scorer.feature_count} features. Received: one for "
            f"{len(probe.average)}"
        )
    found = contributions(scorer, images, probe.average)
    return {
        FEATURES: found.features,
        SCORE: head(found.features),
        SPREAD: head.spread(found.features),
        DISTANCE: head.distance(found.features),
        PARTS: found.parts,
        MAPS: found.maps,
        MAP: tf.reduce_sum(found.maps, axis=1),
        DIAGNOSIS: _diagnosis(found.features, probe),
    }


def _diagnosis(features: Tensor, probe: Probe) -> Tensor:
    """Probability and amount of each family's fault, `(N, K, 2)`."""
    # Only the rows that are looked at become constants of the graph.
    rows = np.flatnonzero(np.abs(probe.kernel).any(axis=1))
    first, end = int(rows[0]), int(rows[-1]) + 1
    raw = tf.linalg.matmul(features[:, first:end], tf.constant(probe.kernel[first:end]))
    logits, learnt = tf.split(raw + tf.constant(probe.bias, tf.float32), 2, axis=1)
    low, high = (as_learnt(limits).astype(np.float32) for limits in probe.limits)
    learnt = tf.clip_by_value(learnt, low, high)
    signed = np.array([family.is_signed for family in FAMILIES], np.float32)
    amounts = signed * learnt + (1 - signed) * tf.exp((1 - signed) * learnt)
    return tf.stack([tf.sigmoid(logits), amounts], axis=-1)


def about_outputs(scorer: ReIQAScorer, probe: Probe) -> ExplainedOutputs:
    """What one needs to read the outputs.

    Args:
        scorer: a built `ReIQAScorer` with a head.
        probe: the diagnosis of its preset.

    Returns:
        `ExplainedOutputs`.
    """
    average = scorer.fitted_head()(probe.average[None])
    return ExplainedOutputs(
        average_score=float(keras.ops.convert_to_numpy(average)[0]),
        parts=tuple(part_names(scorer)),
        maps=tuple(map_names(scorer)),
        families=FAMILY_NAMES,
        thresholds=tuple(map(float, probe.thresholds)),
    )


def compiled_outputs(
    scorer: ReIQAScorer, probe: Probe
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Compiles `explained_outputs` for inference; later changes of weights do not reach it.

    Args:
        scorer: a built `ReIQAScorer` with a head.
        probe: the diagnosis of its preset.

    Returns:
        function from uint8 `(N, H, W, 3)` to the outputs as arrays.
    """
    graph = graph_of_constants(scorer, lambda images: explained_outputs(scorer, images, probe))

    def compute(images: np.ndarray) -> dict[str, np.ndarray]:
        return {name: value.numpy() for name, value in graph(tf.constant(images)).items()}

    return compute
