"""Presets: a scorer on disk, with everything that it says about itself.

A preset is a folder with KerasHub's file names: `config.json` (the model's arguments),
`model.weights.h5` (its weights) and `metadata.json` (what it is, and the SHA-256 of the other
two). Nothing in it is executed when it is loaded: the configuration may name the classes of this
package alone, and damaged files are recognised before they are opened.
"""

import datetime
import errno
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
import warnings

import h5py
import keras
import numpy as np

from reiqa_tf.models.efficientnet_lite import EfficientNetLiteBackbone
from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.head import LinearHead
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.presets.folders import (
    CONFIG_FILE,
    METADATA_FILE,
    WEIGHTS_FILE,
    PresetError,
    preset_folder,
    read_json,
    read_metadata,
)
from reiqa_tf.version import __version__

_OUR_CLASSES = {
    keras.saving.get_registered_name(each)
    for each in (
        ReIQAScorer,
        ReIQAEncoder,
        ResNetBackbone,
        EfficientNetLiteBackbone,
        LinearHead,
    )
}
_KERAS_CLASSES = {"DTypePolicy"}


def load_preset(preset, dtype=None):
    """Loads a scorer.

    Args:
        preset: a folder written by `save_preset`, or the name of a preset that the package ships
            (`./name` is a folder of that name).
        dtype: dtype policy of the backbones, such as `"mixed_bfloat16"`; None takes the one that
            they were saved with. Scaling, pooling and the head are computed in float32 anyway.

    Returns:
        `ReIQAScorer`, built, with its weights.

    Raises:
        PresetError: if there is no such preset, or if it is damaged or names foreign classes.

    Example:
    ```python
    scorer = load_preset("content_lite0_biq2021")
    scorer = load_preset("folder/of/my/preset", dtype="mixed_bfloat16")
    ```
    """
    folder = preset_folder(preset)
    digests = read_metadata(folder)["sha256"]
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        path = folder / name
        try:
            received = _sha256(path)
        except OSError as error:
            raise PresetError(f"{path}: cannot be read ({error.strerror}).") from None
        if received != digests.get(name):
            raise PresetError(
                f"{path}: damaged or changed. Expected the SHA-256 {digests.get(name)} of "
                f"{METADATA_FILE}, received {received}. Get a whole copy of the preset."
            )
    config = read_json(folder / CONFIG_FILE)
    _refuse_foreign_classes(config, folder / CONFIG_FILE)
    try:
        if dtype is not None:
            for expert in ("content", "quality"):
                if config["config"][expert] is not None:
                    config["config"][expert]["config"]["backbone"]["config"]["dtype"] = dtype
        scorer = ReIQAScorer.from_config(config["config"])
        scorer.build((None, None, None, 3))
        with warnings.catch_warnings():
            # Keras only warns when it leaves layers as they were.
            warnings.simplefilter("error", UserWarning)
            scorer.load_weights(folder / WEIGHTS_FILE)
    except (
        UserWarning,
        AttributeError,
        KeyError,
        LookupError,
        OSError,
        TypeError,
        ValueError,
    ) as error:
        raise PresetError(
            f"{folder}: its configuration and weights do not make a scorer of reiqa_tf "
            f"{__version__} ({_in_a_line(error)})."
        ) from error
    for variable in scorer.variables:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise PresetError(f"{folder}: the weights of {variable.path} are not finite.")
    return scorer


def save_preset(scorer, folder, half_precision=False, **about):
    """Saves a scorer as a preset, whole or not at all.

    Args:
        scorer: a built `ReIQAScorer`.
        folder: the folder to make. An older preset in its place is replaced; any other folder
            that is not empty is refused.
        half_precision: whether the encoders' weights are stored as float16, which halves the
            file. (They are computed with in float32 either way; the head is always stored in
            float32.)
        **about: further entries of `metadata.json`, anything JSON can hold, such as
            `description`, `data`, `metrics`, `license`.

    Raises:
        PresetError: if `folder` is in the way, or cannot be written.

    Example:
    ```python
    save_preset(scorer, "my_preset", data="my photos", license="CC-BY-4.0")
    ```
    """
    folder = pathlib.Path(folder)
    _refuse_occupied(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
            whole = pathlib.Path(scratch) / "preset"
            whole.mkdir()
            _require_space(whole, scorer)
            _write(scorer, whole, half_precision, about)
            if folder.exists():
                shutil.move(folder, pathlib.Path(scratch) / "replaced")
            os.replace(whole, folder)
    except OSError as error:
        raise PresetError(
            f"{folder}: cannot be written ({_in_a_line(error)}). Nothing was left behind."
        ) from error


def check_writable(folder):
    """Refuses a folder that `save_preset` would refuse; for use before long work.

    Args:
        folder: the folder of the preset to be.

    Raises:
        PresetError: as in `save_preset`.
    """
    folder = pathlib.Path(folder)
    _refuse_occupied(folder)
    parent = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not os.access(parent, os.W_OK):
        raise PresetError(f"{folder}: {parent} may not be written to.")


def encoders_fingerprint(scorer):
    """Names the features that a scorer computes: the same text, the same features.

    Args:
        scorer: a built `ReIQAScorer`.

    Returns:
        hexadecimal SHA-256 over the encoders' arguments and weights and the working size.
    """
    config = scorer.get_config()
    arguments = {name: config[name] for name in ("content", "quality", "working_size")}
    # The version, because what it does to a photo before the encoders see it may change.
    arguments["reiqa_tf"] = __version__
    digest = hashlib.sha256(json.dumps(_plain(arguments), sort_keys=True).encode())
    for encoder in scorer.experts().values():
        for variable in encoder.variables:
            digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(variable)))
    return digest.hexdigest()


def _write(scorer, folder, half_precision, about):
    config = {"class_name": type(scorer).__name__, "config": scorer.get_config()}
    (folder / CONFIG_FILE).write_text(json.dumps(_plain(config), indent=2) + "\n")
    scorer.save_weights(folder / WEIGHTS_FILE)
    if half_precision:
        _halve(folder / WEIGHTS_FILE)
    head = scorer.head
    metadata = {
        **about,
        "working_size": scorer.working_size,
        "feature_order": scorer.feature_order,
        "score_range": None if head is None else list(head.score_range),
        "higher_is_better": scorer.higher_is_better,
        "parameter_count": scorer.count_params(),
        "reiqa_tf_version": __version__,
        "keras_version": keras.__version__,
        "date_saved": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "sha256": {name: _sha256(folder / name) for name in (CONFIG_FILE, WEIGHTS_FILE)},
    }
    (folder / METADATA_FILE).write_text(json.dumps(metadata, indent=2) + "\n")


def _require_space(folder, scorer):
    """Refuses a disk that is too full beforehand: HDF5 takes the process down when it fills up."""
    needed = 8 * scorer.count_params() + 2**20  # float32 twice, while a file is rewritten
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {needed:,} bytes, {free:,} free")


def _in_a_line(error):
    text = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return text.splitlines()[0]


def round_to_half(scorer):
    """Rounds the encoders' weights to float16, as `save_preset(half_precision=True)` stores them.

    For whoever fits a head: it should see the features that the stored preset will have.

    Args:
        scorer: a built `ReIQAScorer`; changed in place, its weights stay float32 numbers.

    Raises:
        PresetError: if a weight does not fit into float16.
    """
    for expert in scorer.experts().values():
        for variable in expert.weights:
            variable.assign(_to_half(keras.ops.convert_to_numpy(variable), variable.path))


def _halve(path):
    """Rewrites a weights file with the encoders' arrays as float16."""
    halved = path.with_suffix(".half")
    with h5py.File(path) as source, h5py.File(halved, "w") as target:

        def copy(name, item):
            if isinstance(item, h5py.Group):
                made = target.require_group(name)
            else:
                array = item[()]
                if not name.startswith("head/") and array.dtype == np.float32:
                    array = _to_half(array, name)
                made = target.create_dataset(name, data=array)
            made.attrs.update(item.attrs)

        source.visititems(copy)
        target.attrs.update(source.attrs)
    os.replace(halved, path)


def _to_half(array, name):
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    if not np.isfinite(half).all():
        raise PresetError(f"{name}: does not fit into float16. Save with half_precision=False.")
    return half


def _refuse_foreign_classes(config, path):
    """Lets through the classes of this package alone: Keras would import whatever is named."""
    pending = [config.get("config")]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            name = item.get("registered_name") or item.get("class_name")
            ours = name in _OUR_CLASSES
            keras_own = item.get("module") == "keras" and name in _KERAS_CLASSES
            if "class_name" in item and not (ours or keras_own):
                raise PresetError(f"{path}: names the foreign class {name!r}; refused.")
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def _refuse_occupied(folder):
    if folder.is_dir():
        if any(folder.iterdir()) and not (folder / METADATA_FILE).is_file():
            raise PresetError(f"{folder}: a folder with other things in it. Name another one.")
    elif folder.exists():
        raise PresetError(f"{folder}: a file of that name exists. Name another folder.")


def _plain(config):
    """A configuration without what Keras adds about how a model was built and compiled."""
    if isinstance(config, dict):
        left_out = ("build_config", "compile_config")
        return {key: _plain(value) for key, value in config.items() if key not in left_out}
    if isinstance(config, (list, tuple)):
        return [_plain(value) for value in config]
    return config


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
