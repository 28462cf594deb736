"""What an export is to make and to compare: all that can be refused before TensorFlow starts."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from reiqa_tf.data.scored_photos import ScoredPhotos, read_scored_photos
from reiqa_tf.explanation.diagnosis import Probe, load_probe
from reiqa_tf.export import parity
from reiqa_tf.export.formats import TFLITE, ExportFormat, FormatError, choose_formats
from reiqa_tf.export.packages import require_packages
from reiqa_tf.files import refuse_occupied
from reiqa_tf.presets.folders import read_metadata
from reiqa_tf.runtimes.input_form import RGB, InputForm
from reiqa_tf.runtimes.manifest import MANIFEST_FILE
from reiqa_tf.runtimes.opening import EXPORTS_FOLDER
from reiqa_tf.typing import PathLike, Size


@dataclasses.dataclass(frozen=True)
class ExportPlan:
    """What `reiqa_tf.export` does with its arguments.

    Attributes:
        preset: a folder, or the name of a preset that the package ships.
        folder: the folder to make.
        metadata: what the preset says about itself.
        chosen: pairs of a format and a size, in the order in which they are made.
        model_version: version of the model on a server.
        photos: paths of the photos to compare on.
        scored: photos that people scored, or None.
        calibration: paths of the photos for full-integer weights.
        probe: the diagnosis of the preset, if artifacts are to explain scores; None otherwise.
        form: in which form TFLite files take pictures.
    """

    preset: PathLike
    folder: pathlib.Path
    metadata: dict[str, Any]
    chosen: list[tuple[ExportFormat, Size | None]]
    model_version: int
    photos: list[str]
    scored: ScoredPhotos | None
    calibration: list[str]
    probe: Probe | None = None
    form: InputForm = dataclasses.field(default_factory=InputForm)


def plan_export(
    preset: PathLike,
    out: PathLike | None,
    formats: Sequence[str],
    precisions: Sequence[str],
    sizes: Sequence[Size | None] | None,
    photos: PathLike | Sequence[PathLike] | None,
    scores: PathLike | ScoredPhotos | None,
    split: str | None,
    calibration: PathLike | Sequence[PathLike] | None,
    model_version: int,
    explain: bool = False,
    pixels: str = RGB,
    rotation: int = 0,
) -> ExportPlan:
    """Checks the arguments of `reiqa_tf.export.exporting.export`, which are those of this function.

    Returns:
        `ExportPlan`.

    Raises:
        FormatError: as in `export`.
        InputFormError: likewise.
        MissingExtraError: if a package of a format is not installed.
        PresetError: if there is no such preset.
        OutputError: if the folder is in the way.
        ImageError: if there are no photos.
        ScoredPhotosError: if `scores` or `split` cannot be used.
        DiagnosisError: if scores are to be explained and the preset has no diagnosis.
    """
    if out is None and not pathlib.Path(preset).is_dir():
        raise FormatError(f"{preset} is a shipped preset. Say where its exports go: --out DIR")
    folder = pathlib.Path(preset) / EXPORTS_FOLDER if out is None else pathlib.Path(out)
    if model_version < 1:
        raise FormatError(f"model version: expected 1 or more. Received: {model_version}")
    form = InputForm(pixels, rotation)
    if form != InputForm() and TFLITE not in formats:
        raise FormatError(
            f"pixels, rotation: expected the format {TFLITE}, whose files alone take pictures in "
            f"other forms. Received: {', '.join(formats)}"
        )
    metadata = read_metadata(preset)
    probe = load_probe(preset) if explain else None
    chosen = choose_formats(formats, precisions, sizes, metadata.get("working_size"))
    for row, _ in chosen:
        require_packages(row.name)
    refuse_occupied(folder, MANIFEST_FILE)
    listed, scored = reference_photos(photos, scores, split)
    calibrated_on = (
        parity.shipped_photos() if calibration is None else parity.listed_photos(calibration)
    )
    return ExportPlan(
        preset, folder, metadata, chosen, model_version, listed, scored, calibrated_on, probe, form
    )


def reference_photos(
    photos: PathLike | Sequence[PathLike] | None,
    scores: PathLike | ScoredPhotos | None,
    split: str | None,
) -> tuple[list[str], ScoredPhotos | None]:
    """The photos to compare on, and those that people scored.

    Args:
        photos: a folder, a pattern or a list of paths; None takes those of `scores`, or else those
            that the package ships.
        scores: a CSV file of scored photos or what was read of one; None does without.
        split: the split whose rows are taken, or None for all rows.

    Returns:
        pair of a list of paths, and `ScoredPhotos` or None.

    Raises:
        ImageError: if there are no photos.
        ScoredPhotosError: if the file or the split cannot be used.
    """
    scored = scores if isinstance(scores, ScoredPhotos | None) else read_scored_photos(scores)
    if scored is not None and split:
        scored = scored.split(split)
    if photos is not None:
        return parity.listed_photos(photos), scored
    return (parity.shipped_photos() if scored is None else list(scored.paths)), scored
