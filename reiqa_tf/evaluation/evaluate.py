"""How well a preset agrees with people, in one call: what `reiqa evaluate` does."""

from __future__ import annotations

import dataclasses
import json

import numpy as np

from reiqa_tf.data.scored_photos import ScoredPhotos, read_scored_photos
from reiqa_tf.errors import ReiqaError
from reiqa_tf.evaluation import charts
from reiqa_tf.files import written_whole
from reiqa_tf.fitting.encoders import Preset, loaded
from reiqa_tf.fitting.fast_features import fastest_features
from reiqa_tf.fitting.scored_features import scored_features
from reiqa_tf.metrics import MINIMUM_ROWS, Agreement, measure_agreement
from reiqa_tf.presets import DEFAULT
from reiqa_tf.presets.storage import encoders_fingerprint
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import open_cache
from reiqa_tf.scoring.score import Score
from reiqa_tf.typing import PathLike


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """A preset's scores beside those of people.

    Attributes:
        agreement: SRCC, KRCC, both PLCC and RMSE, with intervals.
        scored: `ScoredPhotos` of the photos that could be read.
        predicted: list of the preset's `Score` for each.
        problems: why other photos are missing, one error a photo.
    """

    agreement: Agreement
    scored: ScoredPhotos
    predicted: list[Score]
    problems: list[ReiqaError]

    @property
    def unfamiliar(self) -> int:
        """Number of photos unlike those that the preset was fitted on."""
        return sum(score.familiar is False for score in self.predicted)

    def write_json(self, path: PathLike, **about: str | None) -> None:
        """Writes the figures.

        Args:
            path: the file.
            **about: further entries, such as the name of the preset.

        Raises:
            OutputError: if it cannot be written.
        """
        document = {
            **dataclasses.asdict(self.agreement),
            **about,
            "unfamiliar": self.unfamiliar,
            "problems": [str(problem) for problem in self.problems],
        }
        with written_whole(path) as scratch:
            scratch.write_text(json.dumps(document, indent=2) + "\n")

    def plot(self, path: PathLike, title: str = "") -> None:
        """Draws people's scores over predicted ones, with the logistic mapping through them.

        Args:
            path: the picture to write; its ending says the format (png, svg, pdf).
            title: line above the picture.

        Raises:
            OutputError: if it cannot be written.
        """
        with written_whole(path) as scratch:
            charts.draw_agreement(
                np.array(self.predicted, float),
                self.scored.scores,
                self.agreement,
                self.scored.score_range,
                title,
                scratch,
            )


def evaluate(
    scores: PathLike | ScoredPhotos,
    preset: Preset = DEFAULT,
    *,
    split: str | None = None,
    cache: PathLike | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Compares a preset's scores with those of people. The two scales may differ.

    Features are computed by the fastest runtime that is installed, the preset's ONNX file where it
    can be used.

    Args:
        scores: path of a CSV file as `read_scored_photos` reads it, or the `ScoredPhotos`, for
            those whose lower scores are better.
        preset: a folder, the name of a shipped preset, or a scorer.
        split: take the rows of this split only: `train`, `val` or `test`.
        cache: SQLite file that keeps features, so that a call which was interrupted goes on where
            it was; `reiqa_tf.scoring.cache.default_cache_file()` is that of the commands. None
            keeps nothing.
        progress: shows how far the work is.

    Returns:
        `Evaluation`.

    Raises:
        ScoredPhotosError: if the list cannot be used.
        PresetError: if the preset cannot be loaded.
        MissingHeadError: if it has no head.
        MetricError: if there are fewer than five photos, or groups.

    Example:
    ```python
    import reiqa_tf

    evaluation = reiqa_tf.evaluate("scores.csv", "content_lite0_biq2021", split="test")
    print(evaluation.agreement.srcc, evaluation.agreement.intervals["srcc"])
    evaluation.plot("scatter.png", title="my photos")
    ```
    """
    scored = scores if isinstance(scores, ScoredPhotos) else read_scored_photos(scores)
    if split is not None:
        scored = scored.split(split)
    scorer = loaded(preset)
    scorer.fitted_head()
    fingerprint = encoders_fingerprint(scorer)
    with open_cache(cache, fingerprint) as kept:
        computing = fastest_features(preset, scorer)
        table = scored_features(computing, scored, MINIMUM_ROWS, kept, progress)
    predicted = scorer.judge_features(table.features)
    people = table.scored
    agreement = measure_agreement(predicted, people.scores, groups=people.groups)
    return Evaluation(agreement, people, predicted, table.problems)
