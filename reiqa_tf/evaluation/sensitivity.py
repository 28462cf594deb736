"""Does a score fall as a photo gets worse? Every distortion at every level, photo by photo.

Every photo is brought to the preset's working size, distorted in memory and rounded to the 8 bits
of a file without loss. A distortion draws once for each photo (see `ladder`).
"""

import dataclasses
import hashlib
import json
import os

import numpy as np
from keras import ops

from reiqa_tf import metrics
from reiqa_tf.data.photos import short_names
from reiqa_tf.distortions.bank import DISTORTIONS, LEVELS
from reiqa_tf.distortions.ladder import ladder, read_distortable
from reiqa_tf.errors import ReiqaError
from reiqa_tf.evaluation import charts
from reiqa_tf.evaluation.parts import Parts
from reiqa_tf.evaluation.versions import versions
from reiqa_tf.files import written_whole
from reiqa_tf.image.reading import ImageError, read_bytes
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.presets.folders import read_metadata
from reiqa_tf.scoring.cache import photo_digest
from reiqa_tf.scoring.features import BATCH_SIZE
from reiqa_tf.scoring.reading_ahead import ahead
from reiqa_tf.version import __version__

FORMAT = 1
"""Version of the document."""

DOCUMENT, PICTURE = "sensitivity.json", "sensitivity.png"

SEEDS = 2**31
"""Seeds are whole numbers below this one."""

_DEPTH = 2  # distortions, five pictures each, that are made before the scorer asks for them


class SensitivityError(ReiqaError):
    """Photos of which nothing can be said."""


class PresetJudge:
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

    def __init__(self, preset):
        scorer = load_preset(preset)
        self.name = preset
        self.working_size = scorer.working_size
        self.score_range = scorer.score_range
        self.fingerprint = read_metadata(preset)["sha256"]
        self._head = scorer.fitted_head()
        self._features = scorer.compile_features()

    def __call__(self, images):
        """Scores pictures.

        Args:
            images: uint8 array `(N, H, W, 3)`.

        Returns:
            float32 array `(N,)`; higher is better.
        """
        return ops.convert_to_numpy(self._head(self._features(images)))


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """What came of a measurement.

    Attributes:
        document: everything that the result file holds, as JSON values.
        problems: list of the errors of photos that were left out.
    """

    document: dict
    problems: list


def choose(photos, limit, seed):
    """Chooses some of many photos, the same for the same seed.

    Args:
        photos: list.
        limit: how many are wanted, or None for all. A larger limit adds to what a smaller chose.
        seed: of the choice.

    Returns:
        list of at most `limit` different photos, in the order that they had.

    Raises:
        SensitivityError: if the limit is below 1 or the seed out of its range.
    """
    _check_seed(seed)
    photos = list({os.path.abspath(photo): photo for photo in photos}.values())
    if limit is None:
        return photos
    if limit < 1:
        raise SensitivityError(f"expected a limit of at least 1 photo. Received: {limit}")
    chosen = np.random.default_rng(seed).permutation(len(photos))[:limit]
    return [photos[index] for index in sorted(chosen)]


def _check_seed(seed):
    if not 0 <= seed < SEEDS:
        raise SensitivityError(f"expected a seed from 0 to {SEEDS - 1}. Received: {seed}")


def draw_seed(seed, digest, name):
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


def score_versions(judge, image, digest, seed):
    """Scores a photo, clean and in each distortion at each level.

    Args:
        judge: function from uint8 `(N, H, W, 3)` to scores `(N,)`.
        image: uint8 array `(H, W, 3)`, at least 32 px either way.
        digest: as in `draw_seed`.
        seed: as in `draw_seed`.

    Returns:
        pair of the clean photo's score, a float, and a float64 array `(26, 5)`.
    """
    order, scores, waiting = [], {}, {}

    def judge_waiting():
        found = judge(np.stack(list(waiting.values())))
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
            judge_waiting()
    if waiting:
        judge_waiting()
    clean, *rest = (float(scores[pixels]) for pixels in order)
    return clean, np.reshape(rest, (len(DISTORTIONS), LEVELS))


def _pictures(image, digest, seed):
    """The photo, then its distorted versions, made ahead in threads."""
    yield image

    def versions_of(index):
        name = DISTORTIONS[index].name
        return ladder(image, name, draw_seed(seed, digest, name))

    for five in ahead(versions_of, len(DISTORTIONS), _DEPTH):
        yield from five


def measure_sensitivity(
    judge,
    photos,
    out,
    seed=0,
    resamples=1000,
    progress=lambda description, total: iter,  # noqa: ARG005
):
    """Scores photos in every distortion at every level and says whether the scores fall.

    The scores of a photo are kept in `out/parts` as soon as they are known: after an interruption
    the same call goes on where it was and ends with the same numbers.

    Args:
        judge: `PresetJudge`, or what has its attributes and is called like it.
        photos: list of paths.
        out: folder for the parts, a `pathlib.Path`.
        seed: of the distortions' draws and of the bootstraps, 0 up to `SEEDS`.
        resamples: of the bootstraps over photos.
        progress: function from a description and a total to a wrapper of iterators.

    Returns:
        `Sensitivity`.

    Raises:
        SensitivityError: if the seed is out of its range or no photo can be read.
        OutputError: if a part cannot be written.

    Example:
    ```python
    judge = PresetJudge("content_lite0_biq2021")
    document = measure_sensitivity(judge, ["a.jpg", "b.jpg"], pathlib.Path("out")).document
    print(document["distortions"]["jpeg"]["tau"])
    ```
    """
    _check_seed(seed)
    parts = Parts(out / "parts")
    names, found, problems = [], [], []
    bar = progress("26 distortions at 5 levels", len(photos))
    shown = short_names([os.path.abspath(photo) for photo in photos])
    for name, path in bar(zip(shown, photos, strict=True)):
        try:
            found.append(_scores_of(judge, path, seed, parts))
            names.append(name)
        except ImageError as problem:
            problems.append(problem)
    if not found:
        raise SensitivityError(
            f"none of {len(photos)} photos could be judged, such as: {problems[0]}"
            if problems
            else "expected at least one photo. Received: none"
        )
    clean = np.array([each["clean"] for each in found])
    tables = np.array([list(each["distorted"].values()) for each in found])
    bootstrap = {"seed": seed, "resamples": resamples}
    document = {
        "format": FORMAT,
        "versions": versions(),
        "preset": {
            "name": judge.name,
            "fingerprint": judge.fingerprint,
            "score_range": list(judge.score_range),
            "working_size": judge.working_size,
        },
        "protocol": {**bootstrap, "confidence": metrics.CONFIDENCE},
        **summarise(clean, tables, **bootstrap),
        "photos": dict(zip(names, found, strict=True)),
        "problems": [str(problem) for problem in problems],
    }
    return Sensitivity(document, problems)


def _scores_of(judge, path, seed, parts):
    contents = read_bytes(path)
    digest = photo_digest(contents)
    ingredients = {
        "photo": digest,
        "judge": judge.fingerprint,
        "seed": seed,
        "distortions": [[each.name, *each.levels] for each in DISTORTIONS],
        "reiqa_tf": __version__,
    }

    def make():
        image = read_distortable(contents, judge.working_size, name=path)
        clean, table = score_versions(judge, image, digest, seed)
        return {
            "clean": clean,
            "distorted": {
                each.name: row.tolist() for each, row in zip(DISTORTIONS, table, strict=True)
            },
        }

    return parts.get_or_make(ingredients, make)


def summarise(clean, tables, seed=0, resamples=1000):
    """What the scores of many photos say about each distortion.

    Args:
        clean: array `(P,)`, scores of the clean photos.
        tables: array `(P, 26, 5)`, scores of the distorted ones.
        seed: of the bootstraps over photos.
        resamples: of the bootstraps.

    Returns:
        dictionary with `clean` (mean score with its interval) and `distortions`, for each of them
        by its name:

        - `ordered`, `unit`, `levels`: as in the bank;
        - `means`: mean score at each of the five levels, with intervals;
        - `steps`: mean change of a photo's score from each level to the next, with intervals;
        - `means_fall`: whether the mean is lower at each level than at the one before;
        - `tau`: Kendall's tau-b between level and falling score over the five levels of a photo, on
          average over the photos: 1 where the score always falls, -1 where it always rises. A photo
          whose score does not change counts 0;
        - `tau_with_clean`: the same over six pictures, the clean photo below the mildest level;
        - `falls_strictly`: share of photos whose score is lower at each level than at the one
          before.

        Intervals are None for fewer than `metrics.MINIMUM_ROWS` photos.
    """

    def about(values):
        found = metrics.mean_interval(values, resamples, seed)
        few = len(values) < metrics.MINIMUM_ROWS
        return {name: None if few and name != "mean" else found[name] for name in found}

    distortions = {}
    for index, each in enumerate(DISTORTIONS):
        scores = tables[:, index]
        with_clean = np.column_stack([clean, scores])
        means = scores.mean(axis=0)
        distortions[each.name] = {
            "ordered": each.ordered,
            "unit": each.unit,
            "levels": list(each.levels),
            "means": [about(column) for column in scores.T],
            "steps": [about(column) for column in np.diff(scores).T],
            "means_fall": bool((np.diff(means) < 0).all()),
            "tau": about([fall(row) for row in scores]),
            "tau_with_clean": about([fall(row) for row in with_clean]),
            "falls_strictly": float((np.diff(scores) < 0).all(axis=1).mean()),
        }
    return {"clean": about(clean), "distortions": distortions}


def fall(scores):
    """How faithfully scores fall: Kendall's tau-b between their order and their negatives.

    Args:
        scores: array-like of at least 5 scores, the mildest level first.

    Returns:
        float from -1 (always rising) to 1 (always falling); 0 if nothing changes.
    """
    tau = metrics.krcc(np.arange(len(scores)), np.negative(scores))
    return 0.0 if np.isnan(tau) else tau


def write_sensitivity(sensitivity, out):
    """Writes `DOCUMENT` and `PICTURE`.

    Args:
        sensitivity: `Sensitivity`.
        out: folder, a `pathlib.Path`.

    Raises:
        OutputError: if one cannot be written.
    """
    with written_whole(out / DOCUMENT) as scratch:
        scratch.write_text(json.dumps(sensitivity.document, indent=1) + "\n")
    with written_whole(out / PICTURE) as scratch:
        charts.draw_sensitivity(sensitivity.document, scratch)
