"""Whether what artifacts say about why photos have their scores is what Keras says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reiqa_tf.explanation.diagnosis import Probe
from reiqa_tf.explanation.graph import compiled_outputs
from reiqa_tf.export.formats import RunPicture
from reiqa_tf.export.parity import Picture
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.runtimes.explained import DIAGNOSIS, MAP

PICTURES = 4
"""Pictures that are compared; an explanation is a thousand numbers."""

TOLERANCE = 0.02
"""Largest difference of probabilities, and of maps as a share of Keras's largest place."""


def compare(
    run: RunPicture, scorer: ReIQAScorer, probe: Probe, pictures: Sequence[Picture]
) -> list[str]:
    """Compares the explanations of an artifact with those of Keras.

    Args:
        run: what `ExportFormat.explain` returned.
        scorer: what the artifact was made of.
        probe: likewise.
        pictures: pictures to compare on; the first few are.

    Returns:
        complaints, empty if explanations are near enough.
    """
    compute = compiled_outputs(scorer, probe)
    maps, probabilities = [0.0], [0.0]
    for picture in pictures[:PICTURES]:
        expected, received = compute(picture.image[np.newaxis]), run(picture)
        scale = np.abs(expected[MAP]).max()
        maps.append(float(np.abs(received[MAP] - expected[MAP]).max() / scale))
        distance = np.abs(received[DIAGNOSIS] - expected[DIAGNOSIS])[..., 0].max()
        probabilities.append(float(distance))
    found = []
    # Not written as "worst > tolerance": a difference that is no number is none that is small.
    for what, worst in (("map", max(maps)), ("diagnosis", max(probabilities))):
        if not worst <= TOLERANCE:
            found.append(f"its {what} differs from Keras by {worst:.2g}, more than {TOLERANCE:g}")
    return found
