"""Does a score fall as a photo gets worse? Every distortion at every level, photo by photo.

Every photo is brought to the preset's working size, distorted in memory and rounded to the 8 bits
of a file without loss. A distortion draws once for each photo (see `ladder`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from keras import ops

from reiqa_tf import metrics
from reiqa_tf.data.photos import short_names
from reiqa_tf.distortions.bank import DISTORTIONS, LEVELS
from reiqa_tf.distortions.ladder import ladder, read_distortable
from reiqa_tf.evaluation import charts
from reiqa_tf.evaluation.parts import Parts
from reiqa_tf.evaluation.sensitivity_document import (
    DistortionFigures,
    Falls,
    Mean,
    PhotoScores,
    SensitivityDocument,
)
from reiqa_tf.evaluation.sensitivity_photos import (
    SEEDS,
    SensitivityError,
    choose_photos,
    list_photos,
    require_seed,
)
from reiqa_tf.evaluation.versions import versions
from reiqa_tf.files import written_whole
from reiqa_tf.image.reading import ImageError, read_bytes
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.presets import DEFAULT
from reiqa_tf.presets.folders import read_metadata
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import photo_digest
from reiqa_tf.scoring.features import BATCH_SIZE
from reiqa_tf.scoring.reading_ahead import ahead
from reiqa_tf.typing import PathLike
from reiqa_tf.version import __version__

FORMAT = 1
"""Version of the document."""

DOCUMENT, PICTURE = "sensitivity.json", "sensitivity.png"

_DEPTH = 2  # distortions, five pictures each, that are made before the scorer asks for them


class PictureScorer(Protocol):
    """A function from pictures to scores that says what it is; `CompiledPreset` is one.

    Attributes:
        name: what people call it.
        working_size: side in pixels of the square that photos are brought into, or None.
        score_range: `(low, high)`, the scale of the scores.
        fingerprint: what the scores depend on, as JSON values.
    """

    name: str
    working_size: int | None
    score_range: tuple[float, float]
    fingerprint: Any

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Scores uint8 pictures `(N, H, W, 3)`: an array `(N,)`, higher is better."""
        ...


class CompiledPreset:
    """A preset as a function from pictures to scores.

    Args:
        preset: a folder or the name of a shipped preset.

    Attributes:
        name: the preset as it was asked for.
        working_size: that of the scorer.
        score_range: `(low, high)`, the scale of the scores.
        fingerprint: what the scores depend on, as JSON values.

    Raises:
        PresetError: if it cannot be loaded.
        MissingHeadError: if it has no head.
    """

    def __init__(self, preset: PathLike) -> None:
        scorer = load_preset(preset)
        self.name = os.fspath(preset)
        self.working_size = scorer.working_size
        self.score_range = scorer.score_range
        self.fingerprint: Any = read_metadata(preset)["sha256"]
        self._head = scorer.fitted_head()
        self._features = scorer.compile_features()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Scores pictures.

        Args:
            images: uint8 array `(N, H, W, 3)`.

        Returns:
            float32 array `(N,)`; higher is better.
        """
        scores: np.ndarray = ops.convert_to_numpy(self._head(self._features(images)))
        return scores


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """What came of a measurement.

    Attributes:
        document: everything that the result file holds, as JSON values.
        problems: list of the errors of photos that were left out.
    """

    document: SensitivityDocument
    problems: list[ImageError]


def sensitivity(
    photos: PathLike | Sequence[PathLike],
    out: PathLike,
    preset: PathLike = DEFAULT,
    *,
    split: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Sensitivity:
    """Measures how a preset's score falls with distortions, and writes the results.

    Args:
        photos: good photos to distort: files, folders, patterns, or CSV files with a column
            `image`; one or several.
        out: folder that gets `DOCUMENT`, `PICTURE` and finished photos, from which an interrupted
            call goes on.
        preset: a folder or the name of a shipped preset.
        split: of CSV files, the rows of this split: `train`, `val` or `test`.
        limit: choose so many of the photos; None takes all.
        seed: of choice, distortions and intervals, 0 up to `SEEDS`.
        progress: shows how far the work is.

    Returns:
        `Sensitivity`.

    Raises:
        SensitivityError: if no photo can be read, or a number is out of its range.
        PresetError: if the preset cannot be loaded.
        OutputError: if something cannot be written.

    Example:
    ```text
    from reiqa_tf.evaluation.sensitivity import sensitivity

    found = sensitivity("holiday/", "fall", "content_lite0_biq2021", limit=1)
    print(found.document["distortions"]["jpeg"]["tau"]["mean"])
    ```
    """
    sources = [photos] if isinstance(photos, (str, os.PathLike)) else list(photos)
    chosen = choose_photos(list_photos(sources, split), limit, seed)
    found = measure_sensitivity(CompiledPreset(preset), chosen, out, seed=seed, progress=progress)
    write_sensitivity(found, out)
    return found


def draw_seed(seed: int, digest: str, name: str) -> tuple[int, int]:
    """The seed with which a distortion is drawn for a photo; one for all of its levels.

    Args:
        seed: of the measurement, 0 up to `SEEDS`.
        digest: `photo_digest` of the file, so that neither its name nor its neighbours count.
        name: of the distortion.

    Returns:
        two integers, as `distort` takes them.
    """
    drawn = hashlib.sha256(f"{digest} {name}".encode()).digest()
    return seed, int.from_bytes(drawn[:4], "big") % SEEDS


def score_versions(
    score: Callable[[np.ndarray], np.ndarray], image: np.ndarray, digest: str, seed: int
) -> tuple[float, np.ndarray]:
    """Scores a photo, clean and in each distortion at each level.

    Args:
        score: function from uint8 `(N, H, W, 3)` to scores `(N,)`.
        image: uint8 array `(H, W, 3)`, at least 32 px either way.
        digest: as in `draw_seed`.
        seed: as in `draw_seed`.

    Returns:
        pair of the clean photo's score, a float, and a float64 array `(26, 5)`.
    """
    order: list[bytes] = []
    scores: dict[bytes, float] = {}
    waiting: dict[bytes, np.ndarray] = {}

    def score_waiting() -> None:
        found = score(np.stack(list(waiting.values())))
        scores.update(zip(waiting, found, strict=True))
        waiting.clear()

    for picture in _pictures(image, digest, seed):
        # Some levels are the identity: equal pixels are scored once, and their scores are equal to
        # the last bit whatever batch they would have been in.
        pixels = hashlib.sha256(picture.tobytes()).digest()
        order.append(pixels)
        if pixels not in scores:
            waiting[pixels] = picture
        if len(waiting) == BATCH_SIZE:
            score_waiting()
    if waiting:
        score_waiting()
    clean, *rest = (float(scores[pixels]) for pixels in order)
    return clean, np.reshape(rest, (len(DISTORTIONS), LEVELS))


def _pictures(image: np.ndarray, digest: str, seed: int) -> Iterator[np.ndarray]:
    """The photo, then its distorted versions, made ahead in threads."""
    yield image

    def versions_of(index: int) -> np.ndarray:
        name = DISTORTIONS[index].name
        return ladder(image, name, draw_seed(seed, digest, name))

    for five in ahead(versions_of, len(DISTORTIONS), _DEPTH):
        yield from five


def measure_sensitivity(
    scorer: PictureScorer,
    photos: Sequence[str],
    out: PathLike,
    seed: int = 0,
    resamples: int = 1000,
    progress: Progress = silent,
) -> Sensitivity:
    """Scores photos in every distortion at every level and says whether the scores fall.

    The scores of a photo are kept in `out/parts` as soon as they are known: after an interruption
    the same call goes on where it was and ends with the same numbers.

    Args:
        scorer: `CompiledPreset`, or another `PictureScorer`.
        photos: list of paths.
        out: folder for the parts.
        seed: of the distortions' draws and of the bootstraps, 0 up to `SEEDS`.
        resamples: of the bootstraps over photos.
        progress: shows how far the work is.

    Returns:
        `Sensitivity`.

    Raises:
        SensitivityError: if the seed is out of its range or no photo can be read.
        OutputError: if a part cannot be written.

    Example:
    ```text
    scorer = CompiledPreset("content_lite0_biq2021")
    document = measure_sensitivity(scorer, ["a.jpg", "b.jpg"], "out").document
    print(document["distortions"]["jpeg"]["tau"])
    ```
    """
    require_seed(seed)
    parts = Parts(pathlib.Path(out) / "parts")
    names: list[str] = []
    found: list[PhotoScores] = []
    problems: list[ImageError] = []
    title = f"{len(DISTORTIONS)} distortions at {LEVELS} levels"
    shown = short_names([os.path.abspath(photo) for photo in photos])
    for name, path in progress(zip(shown, photos, strict=True), title, len(photos)):
        try:
            found.append(_scores_of(scorer, path, seed, parts))
            names.append(name)
        except ImageError as problem:
            problems.append(problem)
    if not found:
        raise SensitivityError(
            f"none of {len(photos)} photos could be judged, such as: {problems[0]}"
            if problems
            else "expected at least one photo. Received: none"
        )
    clean = np.array([scores["clean"] for scores in found])
    tables = np.array([list(scores["distorted"].values()) for scores in found])
    falls = summarise_falls(clean, tables, seed, resamples)
    document: SensitivityDocument = {
        "format": FORMAT,
        "versions": versions(),
        "preset": {
            "name": scorer.name,
            "fingerprint": scorer.fingerprint,
            "score_range": list(scorer.score_range),
            "working_size": scorer.working_size,
        },
        "protocol": {"seed": seed, "resamples": resamples, "confidence": metrics.CONFIDENCE},
        **falls,
        "photos": dict(zip(names, found, strict=True)),
        "problems": [str(problem) for problem in problems],
    }
    return Sensitivity(document, problems)


def _scores_of(scorer: PictureScorer, path: str, seed: int, parts: Parts) -> PhotoScores:
    contents = read_bytes(path)
    digest = photo_digest(contents)
    ingredients = {
        "photo": digest,
        "judge": scorer.fingerprint,  # the name by which finished photos are found
        "seed": seed,
        "distortions": [[distortion.name, *distortion.levels] for distortion in DISTORTIONS],
        "reiqa_tf": __version__,
    }

    def make() -> PhotoScores:
        image = read_distortable(contents, scorer.working_size, name=path)
        clean, table = score_versions(scorer, image, digest, seed)
        names = [distortion.name for distortion in DISTORTIONS]
        return {"clean": clean, "distorted": dict(zip(names, table.tolist(), strict=True))}

    scores: PhotoScores = parts.get_or_make(ingredients, make)
    return scores


def summarise_falls(
    clean: np.ndarray, tables: np.ndarray, seed: int = 0, resamples: int = 1000
) -> Falls:
    """What the scores of many photos say about each distortion.

    Args:
        clean: array `(P,)`, scores of the clean photos.
        tables: array `(P, 26, 5)`, scores of the distorted ones.
        seed: of the bootstraps over photos.
        resamples: of the bootstraps.

    Returns:
        `Falls`.
    """

    def about(values: np.ndarray | list[float]) -> Mean:
        found = metrics.mean_interval(values, resamples, seed)
        if len(values) < metrics.MINIMUM_ROWS:
            return {"mean": found["mean"], "low": None, "high": None}
        return {"mean": found["mean"], "low": found["low"], "high": found["high"]}

    distortions: dict[str, DistortionFigures] = {}
    for index, distortion in enumerate(DISTORTIONS):
        scores = tables[:, index]
        with_clean = np.column_stack([clean, scores])
        means = scores.mean(axis=0)
        distortions[distortion.name] = {
            "ordered": distortion.ordered,
            "unit": distortion.unit,
            "levels": list(distortion.levels),
            "means": [about(column) for column in scores.T],
            "steps": [about(column) for column in np.diff(scores).T],
            "means_fall": bool((np.diff(means) < 0).all()),
            "tau": about([fall(row) for row in scores]),
            "tau_with_clean": about([fall(row) for row in with_clean]),
            "falls_strictly": float((np.diff(scores) < 0).all(axis=1).mean()),
        }
    return {"clean": about(clean), "distortions": distortions}


def fall(scores: Sequence[float] | np.ndarray) -> float:
    """How faithfully scores fall: Kendall's tau-b between their order and their negatives.

    Args:
        scores: array-like of at least 5 scores, the mildest level first.

    Returns:
        float from -1 (always rising) to 1 (always falling); 0 if nothing changes.
    """
    tau = metrics.krcc(np.arange(len(scores)), np.negative(scores))
    return 0.0 if np.isnan(tau) else tau


def write_sensitivity(found: Sensitivity, out: PathLike) -> None:
    """Writes `DOCUMENT` and `PICTURE`.

    Args:
        found: what was measured.
        out: folder.

    Raises:
        OutputError: if one cannot be written.
    """
    folder = pathlib.Path(out)
    with written_whole(folder / DOCUMENT) as scratch:
        scratch.write_text(json.dumps(found.document, indent=1) + "\n")
    with written_whole(folder / PICTURE) as scratch:
        charts.draw_sensitivity(found.document, scratch)
