"""Check artifacts again later, on another machine: whole, opened, and as near Keras as stated."""

import dataclasses
import pathlib

from reiqa_tf.errors import ReiqaError
from reiqa_tf.export import formats, measuring
from reiqa_tf.export.exporting import outside_tolerance
from reiqa_tf.export.manifest import find_damage
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.presets.folders import WEIGHTS_FILE, read_metadata, shipped_presets
from reiqa_tf.runtimes.contract import Contract
from reiqa_tf.runtimes.errors import StaleArtifactError


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What became of one artifact.

    Attributes:
        name: its name in the folder.
        entry: its entry in the manifest, with what was measured now in place of what was then.
        complaints: list of texts, empty if all is well.
    """

    name: str
    entry: dict
    complaints: list


def verify(folder, manifest, reference):
    """Checks every artifact of a folder.

    Args:
        folder: the folder.
        manifest: what `reiqa_tf.export.manifest.read_manifest` answered.
        reference: the `reiqa_tf.export.measuring.Reference` to compare with.

    Yields:
        one `Verdict` for each artifact. A damaged one is not opened: runtimes trust what they read.
    """
    for name, entry in manifest["artifacts"].items():
        path = pathlib.Path(folder) / name
        complaints = find_damage(path, entry)
        if complaints:
            yield Verdict(name, {**entry, **_NOTHING_MEASURED}, complaints)
            continue
        size = None if entry["size"] is None else tuple(entry["size"])
        try:
            row = formats.find_format(entry["format"], entry["precision"])
            known = Contract.read(entry["contract"], path)
            measured = measuring.measure(row, path, size, known, reference)
        except ReiqaError as error:
            yield Verdict(name, {**entry, **_NOTHING_MEASURED}, [str(error)])
            continue
        entry = {**entry, **measured, "tolerance": row.tolerances()}
        yield Verdict(name, entry, [f"{path}: {each}" for each in outside_tolerance(entry)])


def preset_scorer(manifest, preset=None):
    """Loads the scorer that artifacts were made of, if it can be had.

    Args:
        manifest: what `reiqa_tf.export.manifest.read_manifest` answered.
        preset: a folder or the name of a shipped preset; None tries the shipped one of the
            manifest's name.

    Returns:
        pair of a `ReIQAScorer`, or None, and a text that says what artifacts are compared with.

    Raises:
        PresetError: if `preset` is given and cannot be loaded.
        StaleArtifactError: if it has other weights than the artifacts were made of.
    """
    asked = preset is not None
    preset = preset if asked else manifest["preset"]
    if not asked and preset not in shipped_presets():
        return None, "compared with Keras's answers of then"
    digests = {entry["contract"].get("weights_sha256") for entry in manifest["artifacts"].values()}
    received = read_metadata(preset)["sha256"].get(WEIGHTS_FILE)
    if digests != {received}:
        raise StaleArtifactError(
            f"{preset}: has other weights than the artifacts were made of. Expected the SHA-256 "
            f"{', '.join(map(str, digests))}; received {received}. Export it again, or give the "
            "preset that they were made of (--preset)."
        )
    return load_preset(preset), "compared with Keras"


_NOTHING_MEASURED = {"difference": None, "srcc": None, "latency": None}
