"""Which of several photos is the better one, and how sure that is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from reiqa_tf.errors import ReiqaError
from reiqa_tf.presets import DEFAULT
from reiqa_tf.progress import Progress, silent
from reiqa_tf.runtimes.opening import open_scorer
from reiqa_tf.scoring.score import Score, ranking
from reiqa_tf.scoring.scorer import PhotoSource
from reiqa_tf.typing import PathLike


@dataclasses.dataclass(frozen=True)
class Place:
    """A photo among others.

    Attributes:
        place: 1 for the best; photos that are a tie share one.
        photo: as it was given.
        score: its `Score`.
        beaten: probability that people find the best photo of all better than this one; 0.5 of
            the best itself.
    """

    place: int
    photo: PhotoSource
    score: Score
    beaten: float


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Photos in order.

    Attributes:
        places: the photos, the best first.
        problems: why others have no score, one error a photo.
    """

    places: list[Place]
    problems: list[ReiqaError]


def compare(
    photos: Sequence[PhotoSource],
    preset: PathLike = DEFAULT,
    runtime: str = "auto",
    progress: Progress = silent,
) -> Comparison:
    """Orders photos, and says which differences are more than chance.

    Args:
        photos: two or more, as `reiqa_tf.score` takes them.
        preset: a folder or the name of a shipped preset.
        runtime: as in `open_scorer`.
        progress: shows how far the work is.

    Returns:
        `Comparison`. Photos whose better one is the better one with a probability below 75 % are
        a tie; see `reiqa_tf.scoring.score.ranking`.

    Raises:
        ReiqaError: if there are fewer than two photos, or as in `open_scorer`.

    Example:
    ```python
    import reiqa_tf

    one, *others = reiqa_tf.compare(["photo.jpg", "holiday/0.jpg", "holiday/1.jpg"]).places
    for other in others:
        print(f"{one.photo} is better than {other.photo}: {other.beaten:.0%}")
    ```
    """
    if len(photos) < 2:
        raise ReiqaError(f"compare: expected two photos or more. Received: {len(photos)}")
    outcomes = list(open_scorer(preset, runtime).score_many(photos, progress))
    problems = [outcome.problem for outcome in outcomes if outcome.problem is not None]
    scored = [(photos[o.index], o.score) for o in outcomes if o.score is not None]
    scores = [score for _, score in scored]
    groups = ranking(scores)
    places = [
        Place(place, *scored[index], beaten=scores[groups[0][0]].beats(scores[index]))
        for place, group in enumerate(groups, 1)
        for index in group
    ]
    return Comparison(places, problems)
