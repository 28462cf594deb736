"""From photos to the diagnosis of a preset: distort, compute features, learn, measure, store."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from reiqa_tf.data.photos import find_photos
from reiqa_tf.data.scored_photos import is_table, read_scored_photos
from reiqa_tf.errors import ReiqaError
from reiqa_tf.explanation.diagnosis import DIAGNOSIS_FILE, Probe
from reiqa_tf.explanation.faults import FAMILIES
from reiqa_tf.files import written_whole
from reiqa_tf.fitting.diagnosis_report import DiagnosisReport, report
from reiqa_tf.fitting.fast_features import fastest_features
from reiqa_tf.fitting.fault_samples import Recipe, choose_recipes, make_sample, smaller_copies
from reiqa_tf.fitting.fit_probe import fit_probe
from reiqa_tf.image.reading import ImageError
from reiqa_tf.models.scorer import ReIQAScorer, load_preset
from reiqa_tf.presets.folders import METADATA_FILE, preset_folder, read_json
from reiqa_tf.presets.storage import encoders_fingerprint
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import FeatureCache, open_cache
from reiqa_tf.scoring.features import FeatureScorer, feature_table, features_of
from reiqa_tf.scoring.reading_ahead import ahead
from reiqa_tf.typing import PathLike

COUNT = 3600
"""Pictures with faults that a diagnosis is learnt from."""

MOST_PHOTOS = 1000
"""Photos that are clean examples, and whose mean is the average photo."""

LEAST_PHOTOS = 20
"""Fewest photos that anything can be learnt from."""

_DEPTH = 2  # pictures that are made before their features are asked for
_CLEANEST = 0.2  # of scored photos, those that count as clean


class FitDiagnosisError(ReiqaError):
    """Photos that no diagnosis can be learnt from."""


@dataclasses.dataclass(frozen=True)
class FittedDiagnosis:
    """What became of `fit_diagnosis`.

    Attributes:
        probe: the `Probe`.
        path: of the file that it is stored in.
        report: how well it tells faults of photos that it has not seen, or None.
        problems: why photos could not be used.
    """

    probe: Probe
    path: pathlib.Path
    report: DiagnosisReport | None
    problems: list[ReiqaError]


def fit_diagnosis(
    photos: PathLike | Sequence[PathLike],
    preset: PathLike,
    unseen: PathLike | Sequence[PathLike] | None = None,
    count: int = COUNT,
    seed: int = 0,
    cache: PathLike | None = None,
    progress: Progress = silent,
) -> FittedDiagnosis:
    """Learns the diagnosis of a preset and stores it in the preset's folder.

    Args:
        photos: good photos, in which no fault is to be found: a folder, a pattern or a list. Of a
            CSV file with scores the best fifth of the rows that are no test rows; then the average
            photo is that of all of these rows.
        preset: folder of the preset.
        unseen: other good photos, to measure the diagnosis on; None measures nothing.
        count: pictures with faults that are made of the photos.
        seed: of faults and choices.
        cache: file of a `FeatureCache`, or None.
        progress: shows how far the work is.

    Returns:
        `FittedDiagnosis`.

    Raises:
        FitDiagnosisError: if there are too few photos.
        ReiqaError: if photos or preset cannot be used.

    Example:
    ```text
    fitted = fit_diagnosis("good_photos/", "my_preset", unseen="kodak/")
    print(fitted.report["false_alarms"])
    ```
    """
    folder = preset_folder(preset)
    clean, ordinary = _chosen(photos, seed)
    tests = [] if unseen is None else list(_listed(unseen))
    scorer = load_preset(preset)
    fastest = fastest_features(preset, scorer)
    with open_cache(cache, encoders_fingerprint(scorer)) as kept:
        of_clean, problems = feature_table(fastest, clean, progress, cache=kept)
        readable = np.flatnonzero(np.isfinite(of_clean[:, 0]))
        if len(readable) < LEAST_PHOTOS:
            raise FitDiagnosisError(
                f"expected {LEAST_PHOTOS} readable photos or more. Received: {len(readable)}"
            )
        average = of_clean[readable].mean(axis=0)
        if ordinary is not None:
            table, _ = feature_table(fastest, ordinary, progress, cache=kept)
            average = np.nanmean(table, axis=0)
        used = [clean[row] for row in readable]
        recipes = smaller_copies(len(used), seed) + choose_recipes(len(used), count, seed, True)
        made = _Made.of(fastest, used, recipes, kept, progress)
        probe = fit_probe(
            np.concatenate([of_clean[readable], made.features]),
            np.concatenate([np.full((len(used), len(FAMILIES)), np.nan), made.amounts]),
            np.concatenate([np.arange(len(used)), [recipe.row for recipe in made.recipes]]),
            _columns(scorer),
            average,
        )
        path = folder / DIAGNOSIS_FILE
        _store(probe, path)
        probe = Probe.read(path)
        measured = None
        if tests:
            of_tests, more = feature_table(fastest, tests, progress, cache=kept)
            tests = [test for row, test in enumerate(tests) if row not in more]
            test_recipes = choose_recipes(len(tests), _test_count(len(tests)), seed + 1)
            shown = _Made.of(fastest, tests, test_recipes, kept, progress)
            of_tests = of_tests[np.isfinite(of_tests[:, 0])]
            measured = report(probe, of_tests, shown.features, shown.amounts, shown.recipes)
    return FittedDiagnosis(probe, path, measured, [*problems.values(), *made.problems])


@dataclasses.dataclass(frozen=True)
class _Made:
    """Features of the pictures that recipes made."""

    features: np.ndarray
    amounts: np.ndarray
    recipes: list[Recipe]
    problems: list[ImageError]

    @classmethod
    def of(
        cls,
        scorer: FeatureScorer,
        photos: Sequence[str],
        recipes: Sequence[Recipe],
        cache: FeatureCache | None,
        progress: Progress,
    ) -> _Made:
        compute = scorer.compile_features()

        def make(index: int) -> tuple[np.ndarray, np.ndarray] | ImageError:
            recipe = recipes[index]
            try:
                return make_sample(photos[recipe.row], recipe, scorer.working_size)
            except ImageError as problem:
                return problem

        features, amounts, used = [], [], []
        problems: list[ImageError] = []
        found: Iterator[tuple[np.ndarray, np.ndarray] | ImageError]
        found = ahead(make, len(recipes), _DEPTH)
        for recipe, entry in progress(zip(recipes, found, strict=True), "faults", len(recipes)):
            if isinstance(entry, ImageError):
                problems.append(entry)
                continue
            picture, amount = entry
            features.append(features_of(compute, picture[None], cache)[0])
            amounts.append(amount)
            used.append(recipe)
        return cls(np.array(features), np.array(amounts), used, problems)


def _listed(photos: PathLike | Sequence[PathLike]) -> list[str]:
    sources = [photos] if isinstance(photos, (str, os.PathLike)) else list(photos)
    return [photo for source in sources for photo in find_photos(source)]


def _chosen(photos: PathLike | Sequence[PathLike], seed: int) -> tuple[list[str], list[str] | None]:
    """The clean photos, and those whose mean is the average photo, if these are others."""
    generator = np.random.default_rng(seed)

    def some(listed: Sequence[str]) -> list[str]:
        chosen = generator.permutation(len(listed))[:MOST_PHOTOS]
        return [listed[row] for row in sorted(chosen)]

    if isinstance(photos, (str, os.PathLike)) and is_table(photos):
        scored = read_scored_photos(photos)
        if scored.splits is not None:
            scored = scored.rows(np.flatnonzero(scored.splits != "test"))
        order = np.argsort(-scored.scores, kind="stable")
        best = [scored.paths[row] for row in order[: max(1, int(len(order) * _CLEANEST))]]
        return some(best), some(list(scored.paths))
    return some(_listed(photos)), None


def _columns(scorer: ReIQAScorer) -> slice:
    """The features of the quality expert, or of the only one that there is."""
    order = scorer.feature_order
    return slice(*order.get("quality", next(iter(order.values()))))


def _test_count(photos: int) -> int:
    """Pictures to test on: some of each family and level of every few photos."""
    return min(COUNT // 2, max(900, 36 * photos))


def _store(probe: Probe, path: pathlib.Path) -> None:
    """Puts the probe into the preset's folder, and its digest into the preset's metadata."""
    with written_whole(path) as scratch:
        probe.save(scratch)
    about = path.parent / METADATA_FILE
    metadata = read_json(about)
    metadata["sha256"][DIAGNOSIS_FILE] = hashlib.sha256(path.read_bytes()).hexdigest()
    with written_whole(about) as scratch:
        scratch.write_text(json.dumps(metadata, indent=2) + "\n")
