"""From a preset to a folder of artifacts, measured, with their manifest; whole or not at all."""

import pathlib

from reiqa_tf.export import formats, measuring, parity
from reiqa_tf.export.contract import contract
from reiqa_tf.export.manifest import describe_artifact, write_manifest
from reiqa_tf.files import folder_written_whole
from reiqa_tf.image.reading import ImageError, read_bytes
from reiqa_tf.presets.folders import WEIGHTS_FILE
from reiqa_tf.runtimes.contract import Contract
from reiqa_tf.runtimes.manifest import MANIFEST_FILE
from reiqa_tf.runtimes.opening import EXPORTS_FOLDER

WARM_UP_PHOTOS = 8
"""Photos of which warm-up requests are made."""


def export(
    scorer,
    metadata,
    preset_name,
    folder,
    chosen,
    photos=None,
    calibration=None,
    scored=None,
    model_version=1,
    progress=measuring.no_progress,
):
    """Exports a scorer and proves it.

    Args:
        scorer: a built `ReIQAScorer`.
        metadata: what its preset says about itself.
        preset_name: name of its preset; also that of the model on a server.
        folder: the folder to make. An older export in its place is replaced; any other folder that
            is not empty is refused.
        chosen: what `formats.choose` answered.
        photos: paths of the real photos to compare on and to warm up with; None takes those that
            the package ships.
        calibration: paths of the real photos for full-integer weights; None takes those that
            the package ships.
        scored: `reiqa_tf.data.scored_photos.Manifest` of photos that people scored, or None.
        model_version: version of the model on a server, from 1 up.
        progress: function from a description and a total to a wrapper of iterators, such as
            `reiqa_tf.cli.terminal.progress`.

    Returns:
        pair of the artifacts' entries in the manifest by name, and the list of the errors of
        scored photos that could not be read.

    Raises:
        OutputError: if the folder is in the way or cannot be written.
        ImageError: if no photo to compare on can be read.
        FormatError: if a package of a format is not installed.
        ReiqaError: if a conversion fails.

    Example:
    ```python
    scorer, metadata = load_preset("my_preset"), read_metadata("my_preset")
    chosen = choose(["onnx"], ["float32"], [None])
    entries, _ = export(scorer, metadata, "my_preset", "exported", chosen)
    entries["model.onnx"]["difference"]["worst"]
    ```
    """
    for row, _ in chosen:
        row.require_packages()
    photos = photos or parity.shipped_photos()
    order = formats.Order(
        scorer=scorer,
        contract=contract(scorer, preset_name, metadata["sha256"][WEIGHTS_FILE], metadata),
        model_name=preset_name,
        model_version=model_version,
        photos=_warm_up_photos(photos, scorer.working_size),
        calibration=calibration or parity.shipped_photos(),
    )
    reference = measuring.Reference(
        photos, scorer.working_size, scorer, scored=scored, progress=progress
    )
    entries, known = {}, Contract.read(order.contract, preset_name)
    with folder_written_whole(folder, mark=MANIFEST_FILE) as scratch:
        shown = progress("converting", len(chosen))
        for row, size in shown(chosen):
            name = row.path_for(size)
            row.write(order, scratch / name, size)
            entries[name] = {
                "format": row.name,
                "precision": row.precision,
                "size": None if size is None else list(size),
                **describe_artifact(scratch / name),
                "contract": order.contract,
                "versions": row.versions(),
                "tolerance": row.tolerances(),
            }
        # The runtimes open nothing that no manifest describes.
        write_manifest(scratch, preset_name, {}, entries)
        for row, size in chosen:
            name = row.path_for(size)
            measured = measuring.measure(row, scratch / name, size, known, reference)
            entries[name].update(measured)
        write_manifest(scratch, preset_name, reference.entries(), entries)
    return entries, reference.problems


def outside_tolerance(entry):
    """What of an artifact's measurements is not as near Keras as its format should be.

    Args:
        entry: its entry in a manifest.

    Returns:
        list of texts, empty if all is well.
    """
    complaints = []
    tolerance = entry["tolerance"]
    apart, ranks = entry.get("difference"), entry.get("srcc")
    if apart and tolerance["score"] is not None and not apart["worst"] <= tolerance["score"]:
        complaints.append(
            f"differs from Keras by {apart['worst']:.2g} of the range, more than "
            f"{tolerance['score']:g}"
        )
    if ranks and not abs(ranks["change"]) <= tolerance["srcc"]:
        complaints.append(
            f"changes SRCC by {ranks['change']:+.2g}, more than {tolerance['srcc']:g}"
        )
    return complaints


def _warm_up_photos(photos, working_size):
    """Some photos as a client would send them: JPEG and PNG as they are, others as PNG."""
    contents = []
    for picture_of in (photos[i * len(photos) // WARM_UP_PHOTOS] for i in range(WARM_UP_PHOTOS)):
        try:
            (picture,) = parity.cut_pictures([picture_of], working_size, count=1)
        except ImageError:
            continue
        whole = read_bytes(picture_of)
        is_served = whole.startswith((b"\xff\xd8\xff", b"\x89PNG"))
        contents.append(whole if is_served else picture.contents)
    return list(dict.fromkeys(contents))


def default_folder(preset):
    """Where the exports of a preset are looked for: in its own folder.

    Args:
        preset: a folder with a preset.

    Returns:
        `pathlib.Path`.
    """
    return pathlib.Path(preset) / EXPORTS_FOLDER
