"""What a head learns from photos that get worse step by step, without anybody's scores.

Scored photos come with the faults that cameras make; a linear head that has seen no others may
call a photo better for its grain. A ladder shows it a photo at the five rising levels of one
distortion, with the demand that its score falls at every step: learning to rank from distortions of
known order, as in RankIQA (Liu, van de Weijer, Bagdanov, ICCV 2017), with a linear model. To the
distortions of the bank come the degradations that it lacks, and photos that are turned, whose score
stays.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.distortions.bank import DISTORTIONS, LEVELS
from reiqa_tf.distortions.ladder import ladder, read_distortable, shrunk
from reiqa_tf.fitting.defaults import LADDER_WEIGHT
from reiqa_tf.fitting.degradations import DEGRADATIONS
from reiqa_tf.fitting.regression import Steps
from reiqa_tf.image.reading import ImageError
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import FeatureCache
from reiqa_tf.scoring.features import FeatureScorer, features_of
from reiqa_tf.scoring.reading_ahead import ahead

FALL = 0.2
"""How far a score falls along a step, in standard deviations of the scores: one over the whole
ladder. Ours."""

TURNED = "turned"
"""The kind of a ladder that shows a photo turned by 90, 180 or 270 degrees: one step, no fall."""

EMPHASIS = {
    "darken": 20,
    "brighten": 10,
    "color_shift": 10,
    "motion_blur": 10,
    "impulse_noise": 6,
    "color_diffusion": 3,
    "lab_saturation": 3,
    "non_eccentricity": 3,
    "sharpen": 30,
    "halos": 50,
    "overexposed": 300,
    "missing_part": 30,
    TURNED: 10,
}
"""How many times more the steps of some kinds count: of those between whose neighbouring levels the
features differ least, or differ from photo to photo. Ours, chosen on held-out training photos and
on good photos that are made worse (docs/trials.md)."""

REPEATS = {"halos": 4, TURNED: 13}
"""How many photos are shown for one that is dealt, of kinds that few photos do not teach. Ours."""

_SMALLEST_SHARE = 1 / 1.8
"""How far photos are shrunk at most after they were sharpened: most are, on their way to a screen,
and halos of one pixel look like sharpness then."""

_DEPTH = 2  # ladders that are made before their features are asked for


@dataclasses.dataclass(frozen=True)
class Ladder:
    """A photo and what is done to it.

    Attributes:
        row: place of the photo in its table.
        kind: out of `KINDS`.
        seed: of its draws, two integers or more.
    """

    row: int
    kind: str
    seed: tuple[int, ...]


def ordered_names() -> tuple[str, ...]:
    """The distortions of the bank that ladders are made of: a higher level is always worse."""
    return tuple(distortion.name for distortion in DISTORTIONS if distortion.ordered)


KINDS = (*ordered_names(), *DEGRADATIONS, TURNED)
"""What ladders are made of."""


def choose_ladders(photo_count: int, count: int, seed: int = 0) -> list[Ladder]:
    """Deals kinds to photos: all of them equally often, photos in a random order.

    Args:
        photo_count: number of photos; one is taken again when all have been taken.
        count: number of ladders. More of them begin with the same ones.
        seed: whole number from 0.

    Returns:
        list of `Ladder`s: `count` of them, and more of the kinds in `REPEATS`.
    """
    generator, more = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    orders = (generator.permutation(photo_count) for _ in itertools.count())
    rows = itertools.islice(itertools.chain.from_iterable(orders), count)
    dealt = []
    for number, row in enumerate(rows):
        kind = KINDS[number % len(KINDS)]
        dealt.append(Ladder(int(row), kind, (seed, number)))
        for again in range(1, REPEATS.get(kind, 1)):
            other = int(more.integers(photo_count))
            dealt.append(Ladder(other, kind, (seed, number, again)))
    return dealt


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
    ladders = [Ladder(row=0, kind="jpeg", seed=(0, 0))]
    steps, problems = ladder_steps(scorer, scored, ladders)
    print(steps.differences.shape)  # a row for each of the five levels
    ```
    """
    compute = scorer.compile_features()

    def make(index: int) -> list[np.ndarray] | ImageError:
        chosen = ladders[index]
        try:
            return _pictures(scored.paths[chosen.row], chosen, scorer.working_size)
        except ImageError as problem:
            return problem

    differences = np.empty((LEVELS * len(ladders), scorer.feature_count), np.float32)
    rows: list[int] = []
    weights: list[float] = []
    changes: list[float] = []
    fall = -FALL * float(np.std(scored.scores))
    problems: list[ImageError] = []
    made = ahead(make, len(ladders), _DEPTH)
    for chosen, pictures in progress(zip(ladders, made, strict=True), "ladders", len(ladders)):
        if isinstance(pictures, ImageError):
            problems.append(pictures)
            continue
        features = np.concatenate([features_of(compute, some, cache) for some in pictures])
        count = len(features) - 1
        differences[len(rows) : len(rows) + count] = np.diff(features, axis=0)
        rows += count * [chosen.row]
        weights += count * [weight * EMPHASIS.get(chosen.kind, 1)]
        changes += count * [0.0 if chosen.kind == TURNED else fall]
    if not rows:
        return None, problems
    steps = Steps(differences[: len(rows)], np.array(rows), np.array(changes), np.array(weights))
    return steps, problems


def _pictures(path: str, chosen: Ladder, working_size: int | None) -> list[np.ndarray]:
    """The photo and its levels, uint8 `(N, H, W, 3)`: one array, or two where sizes differ."""
    image = read_distortable(path, working_size, name=path)
    if chosen.kind == TURNED:
        turned = np.rot90(image, 1 + sum(chosen.seed) % 3)
        return [image[None], np.ascontiguousarray(turned)[None]]
    if chosen.kind in DEGRADATIONS:
        degrade = DEGRADATIONS[chosen.kind]
        # Every level draws the same.
        worse = [
            degrade(image, level, np.random.default_rng(chosen.seed)) for level in range(LEVELS)
        ]
        return [np.stack(_shrunk([image, *worse], chosen))]
    return [np.concatenate([image[None], ladder(image, chosen.kind, chosen.seed)])]


def _shrunk(pictures: list[np.ndarray], chosen: Ladder) -> list[np.ndarray]:
    """Pictures as people see them after they were sharpened; others as they are."""
    if chosen.kind != "halos":
        return pictures
    share = np.random.default_rng([*chosen.seed, 1]).uniform(_SMALLEST_SHARE, 1)
    return [shrunk(picture, share) for picture in pictures]
