"""What a head learns from photos that get worse step by step, without anybody's scores.

Scored photos come with the faults that cameras make; a linear head that has seen no others may
call a photo better for its grain. A ladder shows it a photo at the five rising levels of one
distortion, with the demand that its score falls at every step: learning to rank from distortions of
known order, as in RankIQA (Liu, van de Weijer, Bagdanov, ICCV 2017), with a linear model.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.distortions.bank import DISTORTIONS, LEVELS
from reiqa_tf.distortions.ladder import ladder, read_distortable
from reiqa_tf.fitting.defaults import LADDER_WEIGHT
from reiqa_tf.fitting.regression import Steps
from reiqa_tf.image.reading import ImageError
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import FeatureCache
from reiqa_tf.scoring.features import FeatureScorer, features_of
from reiqa_tf.scoring.reading_ahead import ahead

FALL = 0.2
"""How far a score falls along a step, in standard deviations of the scores: one over the whole
ladder. Ours."""

EMPHASIS = {
    "darken": 20,
    "brighten": 10,
    "color_shift": 10,
    "motion_blur": 10,
    "impulse_noise": 6,
    "color_diffusion": 3,
    "lab_saturation": 3,
    "non_eccentricity": 3,
    "sharpen": 3,
}
"""How many times more the steps of some distortions count: of those between whose neighbouring
levels the features differ least. Ours, chosen on held-out training photos (docs/trials.md)."""

_DEPTH = 2  # ladders that are made before their features are asked for


@dataclasses.dataclass(frozen=True)
class Ladder:
    """A photo and what is done to it.

    Attributes:
        row: place of the photo in its table.
        distortion: name of an ordered distortion.
        seed: of its draws, two integers.
    """

    row: int
    distortion: str
    seed: tuple[int, int]


def ordered_names() -> tuple[str, ...]:
    """The distortions that ladders are made of: a higher level is always a worse picture."""
    return tuple(distortion.name for distortion in DISTORTIONS if distortion.ordered)


def choose_ladders(photo_count: int, count: int, seed: int = 0) -> list[Ladder]:
    """Deals distortions to photos: all of them equally often, photos in a random order.

    Args:
        photo_count: number of photos; one is taken again when all have been taken.
        count: number of ladders. More of them begin with the same ones.
        seed: whole number from 0.

    Returns:
        list of `count` `Ladder`s.
    """
    generator = np.random.default_rng(seed)
    names = ordered_names()
    orders = (generator.permutation(photo_count) for _ in itertools.count())
    rows = itertools.islice(itertools.chain.from_iterable(orders), count)
    return [
        Ladder(int(row), names[number % len(names)], (seed, number))
        for number, row in enumerate(rows)
    ]


def ladder_steps(
    scorer: FeatureScorer,
    scored: ScoredPhotos,
    ladders: Sequence[Ladder],
    weight: float = LADDER_WEIGHT,
    cache: FeatureCache | None = None,
    progress: Progress = silent,
) -> tuple[Steps | None, list[ImageError]]:
    """Computes the steps of ladders: differences of features between levels that follow each other.

    The first step leads from the clean photo to the mildest level.

    Args:
        scorer: a built `ReIQAScorer`.
        scored: `ScoredPhotos` of the photos that `Ladder.row` counts.
        ladders: list of `Ladder`.
        weight: how much a step counts beside a scored photo; `EMPHASIS` times as much for some
            distortions.
        cache: an open `FeatureCache`, or None.
        progress: shows how far the work is.

    Returns:
        pair of `Steps` and a list of the `ImageError`s of ladders that could not be made. Steps are
        None if there are none.

    Example:
    ```python
    import reiqa_tf
    from reiqa_tf.data.scored_photos import read_scored_photos
    from reiqa_tf.fitting.ladders import Ladder, ladder_steps

    scorer = reiqa_tf.load_preset("content_lite0_biq2021")
    scored = read_scored_photos("scores.csv")
    ladders = [Ladder(row=0, distortion="jpeg", seed=(0, 0))]
    steps, problems = ladder_steps(scorer, scored, ladders)
    print(steps.differences.shape)  # a row for each of the five levels
    ```
    """
    compute = scorer.compile_features()

    def make(index: int) -> np.ndarray | ImageError:
        chosen = ladders[index]
        try:
            return _pictures(scored.paths[chosen.row], chosen, scorer.working_size)
        except ImageError as problem:
            return problem

    differences = np.empty((LEVELS * len(ladders), scorer.feature_count), np.float32)
    rows: list[int] = []
    weights: list[float] = []
    problems: list[ImageError] = []
    made = ahead(make, len(ladders), _DEPTH)
    for chosen, pictures in progress(zip(ladders, made, strict=True), "ladders", len(ladders)):
        if isinstance(pictures, ImageError):
            problems.append(pictures)
            continue
        features = features_of(compute, pictures, cache)
        differences[len(rows) : len(rows) + LEVELS] = np.diff(features, axis=0)
        rows += LEVELS * [chosen.row]
        weights += LEVELS * [weight * EMPHASIS.get(chosen.distortion, 1)]
    if not rows:
        return None, problems
    change = -FALL * float(np.std(scored.scores))
    return Steps(differences[: len(rows)], np.array(rows), change, np.array(weights)), problems


def _pictures(path: str, chosen: Ladder, working_size: int | None) -> np.ndarray:
    """The photo and its five levels, uint8 `(6, H, W, 3)`."""
    image = read_distortable(path, working_size, name=path)
    return np.concatenate([image[None], ladder(image, chosen.distortion, chosen.seed)])
