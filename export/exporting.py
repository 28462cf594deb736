"""From a preset to a folder of artifacts, measured, with their manifest; whole or not at all."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.explanation.graph import about_outputs
from reiqa_tf.export import explanations, measuring, parity
from reiqa_tf.export.comparison import ComparedArtifact, Comparison
from reiqa_tf.export.digests import describe_artifact
from reiqa_tf.export.formats import Order
from reiqa_tf.export.graphs import graphs_given_back
from reiqa_tf.export.measurements import Measurements
from reiqa_tf.export.planning import ExportPlan, plan_export
from reiqa_tf.files import folder_written_whole
from reiqa_tf.image.reading import ImageError, read_bytes
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.presets.folders import WEIGHTS_FILE
from reiqa_tf.progress import Progress, silent
from reiqa_tf.runtimes.contract import Contract
from reiqa_tf.runtimes.input_form import RGB
from reiqa_tf.runtimes.manifest import MANIFEST_FILE, ArtifactEntry, write_manifest
from reiqa_tf.typing import PathLike, Size

WARM_UP_PHOTOS = 8
"""Photos of which warm-up requests are made."""


def export(
    preset: PathLike,
    out: PathLike | None = None,
    formats: Sequence[str] = ("tflite", "onnx"),
    precisions: Sequence[str] = ("float32",),
    sizes: Sequence[Size | None] | None = None,
    photos: PathLike | Sequence[PathLike] | None = None,
    scores: PathLike | ScoredPhotos | None = None,
    split: str | None = None,
    calibration: PathLike | Sequence[PathLike] | None = None,
    model_version: int = 1,
    progress: Progress = silent,
    explain: bool = False,
    pixels: str = RGB,
    rotation: int = 0,
) -> Comparison:
    """Exports a preset for servers, phones and browsers, and compares what was made with Keras.

    The folder appears whole at the end or not at all. Beside the artifacts stands `manifest.json`
    with all that was measured, for `verify`.

    Args:
        preset: a folder, or the name of a preset that the package ships. Its name is also that of
            the model on a server.
        out: the folder to make. An older export in its place is replaced; any other folder that
            is not empty is refused. None makes `exports` in the preset's own folder, where
            `open_scorer` looks; a shipped preset has no such place.
        formats: out of `reiqa_tf.export.formats.NAMES`; all are made in those of the precisions
            that they have.
        precisions: out of `reiqa_tf.export.formats.PRECISIONS`.
        sizes: sizes of the pictures that the TFLite files take: `(height, width)` in pixels from
            32 up, and None for any size in one file. None in place of a list makes files for any
            size, and for the preset's working size in precisions that need a fixed one.
        photos: real photos to compare on and to warm up with: a folder, a pattern or a list of
            paths; None takes those of `scores`, or else those that the package ships.
        scores: photos that people scored, a CSV file or what `read_scored_photos` returned of one,
            to compare rank correlations; None does without.
        split: the split of `scores` whose rows are taken, or None for all rows.
        calibration: real photos, named as `photos`, for full-integer weights; None takes those
            that the package ships.
        model_version: version of the model on a server, from 1 up.
        progress: shows how far the work is.
        explain: whether artifacts explain their scores as well: a map of the places that raise or
            lower them, and a diagnosis. The preset must have one; see `reiqa fit-diagnosis`.
        pixels: what pixels TFLite files take: `"rgb"`, uint8; `"rgba"`, uint8 with a fourth byte
            that is not looked at; `"float"`, RGB in [0, 1].
        rotation: by how many degrees TFLite files turn pictures clockwise: 0, 90, 180 or 270. Then
            `sizes` are those of the upright picture.

    Returns:
        `Comparison`: what was made, how far it is from Keras, and whether that is near enough.

    Raises:
        FormatError: if there is no such format, precision, size or version, or a shipped preset
            is to be exported into its own folder.
        InputFormError: if there are no such pixels, or no such rotation.
        MissingExtraError: if a package of a format is not installed.
        PresetError: if there is no such preset.
        OutputError: if the folder is in the way or cannot be written.
        ImageError: if no photo to compare on can be read.
        ScoredPhotosError: if `scores` or `split` cannot be used.
        DiagnosisError: if scores are to be explained and the preset has no diagnosis.
        ReiqaError: if a conversion fails.

    Example:
    ```text
    import reiqa_tf

    made = reiqa_tf.export("content_lite0_biq2021", "exported", formats=["onnx"])
    for artifact in made.artifacts:
        print(artifact.path, artifact.measured.difference, artifact.complaints)
    ```
    """
    return carry_out(
        plan_export(
            preset,
            out,
            formats,
            precisions,
            sizes,
            photos,
            scores,
            split,
            calibration,
            model_version,
            explain,
            pixels,
            rotation,
        ),
        progress,
    )


def carry_out(plan: ExportPlan, progress: Progress = silent) -> Comparison:
    """Does what was planned; see `export`.

    Args:
        plan: what `plan_export` returned.
        progress: as in `export`.

    Returns:
        `Comparison`.

    Raises:
        ReiqaError: as in `export`, but for what planning refuses.
    """
    folder, chosen, listed, scored = plan.folder, plan.chosen, plan.photos, plan.scored
    scorer = load_preset(plan.preset)
    name = pathlib.Path(plan.preset).resolve().name
    contract = Contract.of(
        scorer,
        name,
        plan.metadata["sha256"][WEIGHTS_FILE],
        plan.metadata,
        None if plan.probe is None else about_outputs(scorer, plan.probe),
    )
    order = Order(
        scorer=scorer,
        contract=contract,
        model_name=name,
        model_version=plan.model_version,
        photos=_warm_up_photos(listed, scorer.working_size),
        calibration=plan.calibration,
        probe=plan.probe,
        form=plan.form,
    )
    reference = measuring.Reference(
        listed, scorer.working_size, scorer, scored=scored, progress=progress
    )
    for _, size in chosen:
        reference.pictures(size)  # photos that cannot be read are better known before converting
    entries: dict[str, ArtifactEntry] = {}
    measured: dict[str, Measurements] = {}
    unlike: dict[str, list[str]] = {}
    with folder_written_whole(folder, mark=MANIFEST_FILE) as scratch:
        for number, (row, size) in enumerate(chosen, 1):
            artifact = row.path_for(size)
            title = f"making {artifact}, {number} of {len(chosen)}"
            for path in progress([scratch / artifact], title, 1):
                with graphs_given_back():
                    row.write(order, path, size)
            entries[artifact] = {
                "format": row.name,
                "precision": row.precision,
                "size": None if size is None else list(size),
                **describe_artifact(scratch / artifact),
                "contract": row.contract_of(order).entries(),
                "versions": row.versions(),
                "tolerance": row.tolerances(),
                **Measurements().entries(),
            }
        # The runtimes open nothing that no manifest describes.
        write_manifest(scratch, name, {}, entries)
        for row, size in chosen:
            artifact = row.path_for(size)
            measured[artifact] = measuring.measure(
                row, scratch / artifact, size, contract, reference
            )
            if plan.probe is not None:
                unlike[artifact] = explanations.compare(
                    row.explain(scratch / artifact), scorer, plan.probe, reference.pictures(size)
                )
            entries[artifact] = {**entries[artifact], **measured[artifact].entries()}
        write_manifest(scratch, name, reference.entries(), entries)
        gpu_obstacles = [row.gpu_obstacles_of(scratch / row.path_for(size)) for row, size in chosen]
    compared = []
    for (row, size), obstacles in zip(chosen, gpu_obstacles, strict=True):
        artifact = row.path_for(size)
        complaints = [*row.complaints(measured[artifact]), *unlike.get(artifact, [])]
        compared.append(
            ComparedArtifact(
                path=folder / artifact,
                format=row.name,
                precision=row.precision,
                size=size,
                byte_count=entries[artifact]["bytes"],
                measured=measured[artifact],
                tolerance=row.tolerance,
                srcc_tolerance=row.srcc_tolerance,
                complaints=tuple(f"{artifact}: {line}" for line in complaints),
                gpu_obstacles=obstacles,
            )
        )
    return Comparison(
        folder=folder,
        preset=name,
        remark="compared with Keras",
        artifacts=tuple(compared),
        scored_photos=0 if scored is None else len(scored),
        problems=tuple(reference.problems),
    )


def _warm_up_photos(photos: Sequence[PathLike], working_size: int | None) -> list[bytes]:
    """Some photos as a client would send them: JPEG and PNG as they are, others as PNG."""
    contents = []
    for path in (photos[i * len(photos) // WARM_UP_PHOTOS] for i in range(WARM_UP_PHOTOS)):
        try:
            (picture,) = parity.cut_pictures([path], working_size, count=1)
        except ImageError:
            continue
        whole = read_bytes(path)
        is_served = whole.startswith((b"\xff\xd8\xff", b"\x89PNG"))
        contents.append(whole if is_served else picture.contents)
    return list(dict.fromkeys(contents))
