"""Presets: a scorer on disk, with everything that it says about itself.

A preset is a folder with KerasHub's file names: `config.json` (the model's arguments),
`model.weights.h5` (its weights) and `metadata.json` (what it is, and the SHA-256 of the other
two). Nothing in it is executed when it is loaded: the configuration may name the classes of this
package alone, and damaged files are recognised before they are opened.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import pathlib
import shutil
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TypeVar

import h5py
import keras
import numpy as np

from reiqa_tf.files import OutputError, folder_written_whole
from reiqa_tf.presets.folders import (
    CONFIG_FILE,
    METADATA_FILE,
    WEIGHTS_FILE,
    PresetError,
    nearest_existing,
    preset_folder,
    read_json,
    read_metadata,
    refuse_occupied,
)
from reiqa_tf.typing import PathLike
from reiqa_tf.version import __version__

_PACKAGE = "reiqa_tf"
_KERAS_CLASSES = {"DTypePolicy"}
_STORABLE: dict[str, type] = {}

_Class = TypeVar("_Class", bound=type)


def storable(cls: _Class) -> _Class:
    """Decorates a class of which presets may be made; presets may name no others.

    Args:
        cls: a Keras layer or model with `get_config`.

    Returns:
        the class, registered with Keras under the package `reiqa_tf`.
    """
    registered: _Class = keras.saving.register_keras_serializable(package=_PACKAGE)(cls)
    _STORABLE[keras.saving.get_registered_name(registered)] = registered
    return registered


class Storable(Protocol):
    """What a model has of which presets are made; `ReIQAScorer` is one."""

    higher_is_better: bool
    working_size: int | None
    head: Any
    variables: list[Any]

    def experts(self) -> Mapping[str, keras.Model]:
        """The encoders by name."""

    @property
    def feature_order(self) -> Mapping[str, list[int]]:
        """What stands where among the features."""

    def get_config(self) -> dict[str, Any]:
        """The arguments that make the model again."""

    def count_params(self) -> int:
        """Number of the model's parameters."""

    def save_weights(self, filepath: pathlib.Path) -> None:
        """Writes the weights."""


def load_model(preset: PathLike, dtype: str | None = None) -> Any:
    """Loads the model that a preset holds. Its class must have been imported.

    People call `reiqa_tf.load_preset`, which imports the classes.

    Args:
        preset: a folder written by `save_model`, or the name of a preset that the package ships
            (`./name` is a folder of that name).
        dtype: dtype policy of the backbones, such as `"mixed_bfloat16"`. None takes the one that
            `keras.config.set_dtype_policy` set, or if that is float32, the one that they were saved
            with.

    Returns:
        the model, built, with its weights.

    Raises:
        PresetError: if there is no such preset, or if it is damaged or names foreign classes.
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
        if dtype is None and keras.config.dtype_policy().name != "float32":
            dtype = keras.config.dtype_policy().name
        if dtype is not None:
            for backbone in _parts_named("backbone", config["config"]):
                backbone["config"]["dtype"] = dtype
        model = _class_named(config["class_name"]).from_config(config["config"])
        model.build((None, None, None, 3))
        with warnings.catch_warnings():
            # Keras only warns when it leaves layers as they were.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(folder / WEIGHTS_FILE)
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
            f"{__version__} ({_in_a_line(error)}). If an older version made it, make it again: "
            "reiqa fit scores.csv --out NEW"
        ) from error
    for variable in model.variables:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise PresetError(f"{folder}: the weights of {variable.path} are not finite.")
    return model


def _class_named(name: str) -> Any:
    return _STORABLE[f"{_PACKAGE}>{name}"]


def _parts_named(name: str, config: Any) -> Iterator[dict[str, Any]]:
    """The parts of a configuration that stand under a name, at whatever depth."""
    if isinstance(config, dict):
        for key, value in config.items():
            if key == name and value is not None:
                yield value
            else:
                yield from _parts_named(name, value)


def save_model(
    model: Storable,
    folder: PathLike,
    half_precision: bool = False,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Saves a model as a preset, whole or not at all.

    Args:
        model: a built model whose class is `storable`.
        folder: the folder to make. An older preset in its place is replaced; any other folder
            that is not empty is refused.
        half_precision: whether the encoders' weights are stored as float16, which halves the
            file. (They are computed with in float32 either way; the head is always stored in
            float32.)
        about: further entries of `metadata.json`, anything JSON can hold.

    Raises:
        PresetError: if `folder` is in the way, or cannot be written.
    """
    folder = pathlib.Path(folder)
    refuse_occupied(folder)
    _require_space(folder, model)
    try:
        with folder_written_whole(folder, mark=METADATA_FILE) as scratch:
            _write(model, scratch, half_precision, about or {})
    except OutputError as error:
        raise PresetError(str(error)) from error


def encoders_fingerprint(scorer: Storable) -> str:
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
            digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(variable)).data)
    return digest.hexdigest()


def _write(
    scorer: Storable, folder: pathlib.Path, half_precision: bool, about: Mapping[str, Any]
) -> None:
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


def _require_space(folder: pathlib.Path, model: Storable) -> None:
    """Refuses a disk that is too full beforehand: HDF5 takes the process down when it fills up."""
    needed = 8 * model.count_params() + 2**20  # float32 twice, while a file is rewritten
    free = shutil.disk_usage(nearest_existing(folder)).free
    if free < needed:
        raise PresetError(
            f"{folder}: cannot be written (No space left on device: {needed:,} bytes, {free:,} "
            "free). Nothing was left behind."
        )


def _in_a_line(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return text.splitlines()[0]


def round_to_half(scorer: Storable) -> None:
    """Rounds the encoders' weights to float16, as `save_model(half_precision=True)` stores them.

    For whoever fits a head: it should see the features that the stored preset will have.

    Args:
        scorer: a built `ReIQAScorer`; changed in place, its weights stay float32 numbers.

    Raises:
        PresetError: if a weight does not fit into float16.
    """
    for expert in scorer.experts().values():
        for variable in expert.weights:
            variable.assign(_to_half(keras.ops.convert_to_numpy(variable), variable.path))


def _halve(path: pathlib.Path) -> None:
    """Rewrites a weights file with the encoders' arrays as float16."""
    halved = path.with_suffix(".half")
    with h5py.File(path) as source, h5py.File(halved, "w") as target:

        def copy(name: str, item: Any) -> None:
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


def _to_half(array: np.ndarray, name: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    if not np.isfinite(half).all():
        raise PresetError(f"{name}: does not fit into float16. Save with half_precision=False.")
    return half


def _refuse_foreign_classes(config: dict[str, Any], path: pathlib.Path) -> None:
    """Lets through the classes of this package alone: Keras would import whatever is named."""
    pending = [config.get("config")]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            name = item.get("registered_name") or item.get("class_name")
            ours = name in _STORABLE
            keras_own = item.get("module") == "keras" and name in _KERAS_CLASSES
            if "class_name" in item and not (ours or keras_own):
                raise PresetError(f"{path}: names the foreign class {name!r}; refused.")
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def _plain(config: Any) -> Any:
    """A configuration without what Keras adds about how a model was built and compiled."""
    if isinstance(config, dict):
        left_out = ("build_config", "compile_config")
        return {key: _plain(value) for key, value in config.items() if key not in left_out}
    if isinstance(config, (list, tuple)):
        return [_plain(value) for value in config]
    return config


def _sha256(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
