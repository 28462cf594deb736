"""From a list of scored photos to a preset, in one call: what `reiqa fit` does."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from reiqa_tf.data.scored_photos import ScoredPhotos, read_scored_photos
from reiqa_tf.errors import ReiqaError
from reiqa_tf.fitting.defaults import LADDER_WEIGHT, PRESET, RIDGE, SHRINK_TO, ZERO
from reiqa_tf.fitting.encoders import Encoders, Preset, choose_encoders
from reiqa_tf.fitting.fit_head import FEWEST_ROWS, FitError, FittedHead, fit_head
from reiqa_tf.fitting.head_comparison import HeadComparison, compare_heads, seems_to_have_seen
from reiqa_tf.fitting.ladders import choose_ladders, ladder_steps
from reiqa_tf.fitting.regression import Regression, Steps
from reiqa_tf.fitting.scored_features import ScoredFeatures, scored_features
from reiqa_tf.fitting.strange_pictures import strange_features
from reiqa_tf.image.reading import ImageError
from reiqa_tf.metrics import Agreement, measure_agreement, srcc
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.presets import DEFAULT
from reiqa_tf.presets.folders import check_writable
from reiqa_tf.presets.storage import encoders_fingerprint, round_to_half
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import open_cache
from reiqa_tf.typing import PathLike


@dataclasses.dataclass(frozen=True)
class FitRecord:
    """How a head was fitted; the entry `fit` of a preset's metadata.

    Attributes:
        photos: number of photos that it was fitted on.
        regressor: one of `reiqa_tf.fitting.defaults.KINDS`.
        strength: strength of the regulariser that was chosen.
        strength_at_edge: whether the range of strengths was widened to its limit and no best one
            lay inside, or one strength alone was asked for.
        shrunk_to: one of `reiqa_tf.fitting.defaults.SHRINK_TO`: what the head came nearer to the
            stronger the regulariser.
        scale_floor: as in `Regression`.
        part_weights: what each part of the features counted; None where all counted the same.
        ladders: number of ladders that were asked for.
        ladder_weight: how much a step of one counted beside a scored photo.
        seed: of the choice of ladders and of their distortions.
    """

    photos: int
    regressor: str
    strength: float
    strength_at_edge: bool
    shrunk_to: str
    scale_floor: float
    part_weights: dict[str, float] | None
    ladders: int
    ladder_weight: float
    seed: int


@dataclasses.dataclass(frozen=True, eq=False)
class FitResult:
    """What came of a fit.

    Attributes:
        scorer: the `ReIQAScorer` with its new head.
        agreement: how well predictions of held-out photos agree with people, by heads that had not
            seen them.
        record: `FitRecord`: the strength that was chosen, and what else was set.
        comparison: `HeadComparison` of the new head with the preset's own, on the rows of the split
            `test` where there are some, else on held-out photos. None where the preset has no head
            of these features, or too few photos tell.
        held_out: float64 array `(N,)`, those predictions; NaN for photos that were never held out.
        scored: `ScoredPhotos` of the N photos.
        problems: why other photos are missing, one error a photo.
        ladder_problems: why ladders are missing, one error a ladder.
        sources: where the experts are from, as JSON values, or None.
        half_precision: whether `save` stores the encoders as float16.
    """

    scorer: ReIQAScorer
    agreement: Agreement
    record: FitRecord
    comparison: HeadComparison | None
    held_out: np.ndarray
    scored: ScoredPhotos
    problems: list[ReiqaError]
    ladder_problems: list[ImageError]
    sources: dict[str, Any] | None
    half_precision: bool

    def save(
        self,
        folder: PathLike,
        about: Mapping[str, Any] | None = None,
        *,
        overwrite: bool = False,
    ) -> None:
        """Saves the scorer as a preset that says how it was fitted.

        Args:
            folder: as in `save_preset`.
            about: further entries of `metadata.json`, such as `description`, `data`, `license`.
            overwrite: whether an older preset in its place is replaced.

        Raises:
            PresetError: if the folder is in the way, or cannot be written.
        """
        check_writable(folder, overwrite)
        metrics = {"held_out": dataclasses.asdict(self.agreement)}
        if self.comparison is not None:
            metrics["against_preset"] = dataclasses.asdict(self.comparison)
        self.scorer.save_to_preset(
            folder,
            half_precision=self.half_precision,
            **(about or {}),
            sources=self.sources,
            metrics=metrics,
            fit=dataclasses.asdict(self.record),
        )


def fit(
    scores: PathLike | ScoredPhotos,
    out: PathLike | None = None,
    preset: Preset = DEFAULT,
    *,
    overwrite: bool = False,
    content: Preset | None = None,
    quality: Preset | None = None,
    working_size: int | None = None,
    regression: Regression | None = None,
    shrink_to: str = PRESET,
    weighs_parts: bool = False,
    ladders: int = 0,
    ladder_weight: float = LADDER_WEIGHT,
    seed: int = 0,
    half_precision: bool = False,
    about: Mapping[str, Any] | None = None,
    cache: PathLike | None = None,
    progress: Progress = silent,
) -> FitResult:
    """Fits a head on photos that you have scores for.

    Nothing is fitted or chosen on rows of the split `test`: at the end the new head and the
    preset's own are compared on them. The strength of the regulariser is chosen on the rows of
    `val`, or in five folds where there are none. Features are computed by the fastest runtime that
    is installed, the preset's ONNX file where it can be used.

    Args:
        scores: path of a CSV file as `read_scored_photos` reads it, or the `ScoredPhotos`, for
            those who say the range of the scores or that lower ones are better.
        out: folder of the preset to make, or None: `FitResult.save` makes one later.
            `reiqa_tf.export(out, formats=["onnx"])` then makes the file that it scores fastest
            with; the command does so by itself.
        preset: whose encoders are taken: a folder, the name of a shipped preset, or a scorer.
        overwrite: whether an older preset at `out` is replaced.
        content: take the content expert of this preset instead.
        quality: take the quality expert of this preset instead.
        working_size: bring larger photos into a square of this side in pixels; None takes that of
            the preset.
        regression: `Regression`; None takes its defaults.
        shrink_to: `"preset"`: a ridge shrinks towards the preset's own head, brought to the scale
            of your scores, where that is better on held-out photos than towards zero; it is what a
            few photos profit from. `"zero"`: never, as it should be if that head was fitted on some
            of these photos. Where it seems to have been, the first does what the second does.
        weighs_parts: whether a ridge weighs experts, sizes and kinds of pooling by what predicts
            held-out photos best. It takes minutes for 5,000 photos, and profits from a thousand
            and more.
        ladders: number of photos that are shown to the head at the five levels of a distortion
            each, to teach it that scores fall from level to level. It costs the features of six
            pictures a ladder.
        ladder_weight: how much a step of a ladder counts beside a scored photo.
        seed: of the choice of ladders and of their distortions.
        half_precision: whether the encoders are stored as float16. The head is fitted on the
            features that they then give: they are rounded in place, also those of a scorer that
            was given.
        about: entries of the preset's metadata, such as `description`, `data`, `license`.
        cache: SQLite file that keeps features, so that a call which was interrupted goes on where
            it was; `reiqa_tf.scoring.cache.default_cache_file()` is that of the commands. None
            keeps nothing.
        progress: shows how far the work is.

    Returns:
        `FitResult`.

    Raises:
        FitError: if a number is out of its range, if there are too few photos or groups, or if all
            scores are equal.
        ScoredPhotosError: if the list cannot be used.
        PresetError: if a preset cannot be loaded or made.

    Example:
    ```python
    import reiqa_tf

    result = reiqa_tf.fit("scores.csv", "my_preset", preset="content_lite0_biq2021")
    print(result.agreement.srcc, result.agreement.intervals["srcc"])
    print(result.record.strength, result.problems)
    print(reiqa_tf.load_preset("my_preset").score("photo.jpg"))
    ```
    """
    regression = regression or Regression()
    _check_ladders(ladders, ladder_weight, seed, regression)
    if weighs_parts and regression.kind != RIDGE:
        raise FitError(f"weighs_parts: expected a ridge. Received: {regression.kind}")
    if shrink_to not in SHRINK_TO:
        raise FitError(
            f"shrink_to: expected one of {', '.join(SHRINK_TO)}. Received: {shrink_to!r}"
        )
    if out is not None:
        check_writable(out, overwrite)
    scored = scores if isinstance(scores, ScoredPhotos) else read_scored_photos(scores)
    test: ScoredPhotos | None = None
    if scored.splits is not None:
        if "test" in scored.splits:
            test = scored.split("test")
        scored = scored.split("train", "val")
    encoders = choose_encoders(preset, content, quality, working_size)
    computing = encoders.features
    fingerprint = encoders_fingerprint(encoders.scorer)
    if half_precision:
        round_to_half(encoders.scorer)
        rounded = encoders_fingerprint(encoders.scorer)
        if rounded != fingerprint:
            computing, fingerprint = encoders.scorer, rounded
    steps: Steps | None = None
    ladder_problems: list[ImageError] = []
    tested: ScoredFeatures | None = None
    with open_cache(cache, fingerprint) as kept:
        table = scored_features(computing, scored, FEWEST_ROWS, kept, progress)
        if ladders:
            chosen = choose_ladders(len(table.scored), ladders, seed)
            steps, ladder_problems = ladder_steps(
                computing, table.scored, chosen, ladder_weight, kept, progress
            )
        if encoders.head is not None and test is not None:
            tested = scored_features(computing, test, 0, kept, progress)
        strange = strange_features(computing, table.scored.paths, cache=kept, progress=progress)
    prior = _prior(encoders, table, regression) if shrink_to == PRESET else None
    head = fit_head(
        encoders.scorer,
        table.features,
        table.scored,
        regression,
        steps,
        prior,
        strange,
        weighs_parts,
        progress,
    )
    seen = np.isfinite(head.held_out)
    people = table.scored.rows(seen)
    result = FitResult(
        scorer=head.scorer,
        agreement=measure_agreement(head.held_out[seen], people.scores, groups=people.groups),
        record=FitRecord(
            photos=len(table.scored),
            regressor=regression.kind,
            strength=head.strength,
            strength_at_edge=head.at_edge,
            shrunk_to=PRESET if head.around_prior else ZERO,
            scale_floor=regression.scale_floor,
            part_weights=head.part_weights,
            ladders=ladders,
            ladder_weight=ladder_weight,
            seed=seed,
        ),
        comparison=_compared(encoders, head, table, tested),
        held_out=head.held_out,
        scored=table.scored,
        problems=table.problems,
        ladder_problems=ladder_problems,
        sources=encoders.sources,
        half_precision=half_precision,
    )
    if out is not None:
        result.save(out, about, overwrite=overwrite)
    return result


def _prior(encoders: Encoders, table: ScoredFeatures, regression: Regression) -> np.ndarray | None:
    """Coefficients to shrink towards; None where there are none that have not seen the photos."""
    if encoders.head is None or regression.kind != RIDGE:
        return None
    kernel = np.asarray(encoders.head.kernel, np.float64)
    own = srcc(table.features @ kernel, table.scored.scores) if len(table.scored) > 4 else 0.0
    seen = seems_to_have_seen(own, len(table.scored), encoders.held_out_srcc)
    return None if seen else kernel


def _compared(
    encoders: Encoders, head: FittedHead, table: ScoredFeatures, tested: ScoredFeatures | None
) -> HeadComparison | None:
    """The new head beside the preset's own, on the best photos that there are for it."""
    preset = encoders.head
    if preset is None:
        return None

    def compare(rows: str, fitted: np.ndarray, known: ScoredFeatures) -> HeadComparison | None:
        own = np.asarray(preset(known.features), np.float64)
        people = known.scored
        limit = encoders.held_out_srcc
        return compare_heads(rows, fitted, own, people.scores, people.groups, limit)

    found = None
    if tested is not None and len(tested.scored):
        fitted = np.asarray(head.scorer.fitted_head()(tested.features), np.float64)
        found = compare("test", fitted, tested)
    return found or compare("held_out", head.held_out, table)


def _check_ladders(ladders: int, weight: float, seed: int, regression: Regression) -> None:
    if ladders < 0 or seed < 0:
        raise FitError(f"ladders, seed: expected a number from 0. Received: {ladders}, {seed}")
    if ladders and regression.kind != RIDGE:
        raise FitError(
            f"ladders: expected a ridge (--regressor {RIDGE}); an elastic net takes none. "
            f"Received: {regression.kind}"
        )
    if not 0 < weight < np.inf:
        raise FitError(f"ladder_weight: expected a finite number above 0. Received: {weight:g}")
