"""What a pretraining run is made of, as data.

A configuration is Python: a module with a function `get_config` that answers a `PretrainConfig`.
Which class stands in a place says what is done, the numbers in it how much.
"""

import ast
import dataclasses
import difflib
import importlib
import importlib.util
import pathlib
import pkgutil
import typing

from reiqa_tf.errors import ReiqaError

_HOME = "reiqa_tf.configs"


class ConfigError(ReiqaError):
    """A configuration that cannot be used. The message names the entry and the way out."""


@dataclasses.dataclass(frozen=True)
class ResNet:
    """`reiqa_tf.models.resnet.ResNetBackbone`."""

    blocks: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64


@dataclasses.dataclass(frozen=True)
class EfficientNetLite:
    """`reiqa_tf.models.efficientnet_lite.EfficientNetLiteBackbone`."""

    width: float = 1.0
    depth: float = 1.0
    last_stage: str = "head"


@dataclasses.dataclass(frozen=True)
class Normalization:
    """What an encoder subtracts from and divides RGB in [0, 1] by."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Encoder:
    """`reiqa_tf.models.encoder.ReIQAEncoder`.

    `start` is a preset, by name or folder, whose backbone's weights the training begins with; of
    two experts the one that is trained, or else the other one. None begins with random weights.
    """

    backbone: ResNet | EfficientNetLite
    normalization: Normalization | None = None
    stages: tuple[str, ...] | None = None
    pooling: str = "mean"
    start: str | None = None


@dataclasses.dataclass(frozen=True)
class QualityPairs:
    """`reiqa_tf.pretraining.quality_views.QualityViews`: trains the quality-aware expert."""

    patch: int = 160
    distorted: int = 11
    levels_each: int = 1


@dataclasses.dataclass(frozen=True)
class ContentPairs:
    """`reiqa_tf.pretraining.content_views.ContentViews`: trains the content-aware expert."""

    patch: int = 224


@dataclasses.dataclass(frozen=True)
class Contrast:
    """`reiqa_tf.pretraining.moco.MoCo`."""

    units: int = 128
    hidden_units: int | None = None
    queue_size: int = 65_536
    temperature: float = 0.2
    momentum: float = 0.999
    synchronized: bool = False
    frozen_normalization: bool = False


@dataclasses.dataclass(frozen=True)
class Lars:
    """`reiqa_tf.pretraining.optimizers.LARS`. The rate is for `per_photos` photos in a batch."""

    rate: float
    per_photos: int
    momentum: float = 0.9
    decay: float = 1e-4
    trust: float = 1e-3


@dataclasses.dataclass(frozen=True)
class Sgd:
    """`reiqa_tf.pretraining.optimizers.MomentumSGD`. The rate is for `per_photos` photos."""

    rate: float
    per_photos: int
    momentum: float = 0.9
    decay: float = 1e-4


@dataclasses.dataclass(frozen=True)
class AdamW:
    """`keras.optimizers.AdamW`; one-dimensional tensors do not decay. Rate as in `Lars`."""

    rate: float
    per_photos: int
    decay: float = 0.05


@dataclasses.dataclass(frozen=True)
class Schedule:
    """`reiqa_tf.pretraining.schedules.WarmupCosine`."""

    epochs: int
    warmup_epochs: int = 5
    warmup_from: float = 0.01
    final_share: float = 1e-3


@dataclasses.dataclass(frozen=True)
class Checkpoints:
    """A checkpoint every `every` steps, of which the newest `keep` stay."""

    every: int = 500
    keep: int = 3


@dataclasses.dataclass(frozen=True)
class PretrainConfig:
    """A pretraining run.

    Attributes:
        encoder: the network.
        pairs: what is made of a photo; it also says which expert is trained.
        contrast: the loss and its queue.
        optimizer: what moves the weights.
        schedule: the learning rate over the run.
        batch_size: photos in a step, on all replicas together.
        parts: parts that each replica's share of a step is worked off in, one after the other, so
            that what a network remembers for its gradient fits into a small memory. Batch
            normalisation has the statistics of a part ("ghost batch norm"), as it has those of a
            replica; all else is as without parts. The pictures themselves lie in the host's memory
            whole: 24 bytes for each pixel of a crop and pair, of this step and two to come.
        precision: `float32`, or `bfloat16` for computing with 16 bits and weights of 32.
        result: which network becomes the preset, `query` or `momentum`.
        seed: of the weights and of all that is random in the data.
        checkpoints: how often the run is saved.
        clean_photos: whole, undistorted photos on which batch normalisation is measured again at
            the end, for the preset alone: the checkpoints keep the moving averages of the crops. 0
            leaves those to the preset, too.
    """

    encoder: Encoder
    pairs: QualityPairs | ContentPairs
    contrast: Contrast
    optimizer: Lars | Sgd | AdamW
    schedule: Schedule
    batch_size: int
    parts: int = 1
    precision: str = "float32"
    result: str = "query"
    seed: int = 0
    checkpoints: Checkpoints = Checkpoints()
    clean_photos: int = 0

    def __post_init__(self):
        for name, allowed in (
            ("precision", ("float32", "bfloat16")),
            ("result", ("query", "momentum")),
        ):
            if getattr(self, name) not in allowed:
                raise ConfigError(
                    f"{name}: expected {' or '.join(allowed)}. Received: {getattr(self, name)!r}"
                )
        for name, least in (("batch_size", 1), ("parts", 1), ("clean_photos", 0)):
            if getattr(self, name) < least:
                raise ConfigError(
                    f"{name}: expected {least} or more. Received: {getattr(self, name)}"
                )

    @property
    def expert(self):
        """The expert that is trained: `quality` or `content`."""
        return {QualityPairs: "quality", ContentPairs: "content"}[type(self.pairs)]

    @property
    def learning_rate(self):
        """The base rate, scaled to the batch."""
        return self.optimizer.rate * self.batch_size / self.optimizer.per_photos


def shipped_configs():
    """Names of the configurations that the package ships.

    Returns:
        list of names, in alphabetical order.
    """
    return sorted(module.name for module in pkgutil.iter_modules(_package().__path__))


def load_config(name):
    """Loads a configuration.

    Args:
        name: of a shipped configuration, or the path of a Python file of your own, which is
            executed.

    Returns:
        `PretrainConfig`.

    Raises:
        ConfigError: if there is none of that name, or the file has no `get_config`.

    Example:
    ```python
    config = load_config("quality_resnet50")
    config = override(config, "batch_size=64")
    ```
    """
    if str(name).endswith(".py"):
        path = pathlib.Path(name)
        if not path.is_file():
            raise ConfigError(f"{path}: no such file.")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    elif name in shipped_configs():
        module = importlib.import_module(f"{_HOME}.{name}")
    else:
        raise ConfigError(
            f"{name}: no such configuration.{_hint(name, shipped_configs())} "
            "A file of your own ends with .py."
        )
    config = getattr(module, "get_config", lambda: None)()
    if not isinstance(config, PretrainConfig):
        raise ConfigError(
            f"{name}: expected a function get_config() that answers a PretrainConfig. "
            f"Received: {config!r}"
        )
    return config


def override(config, setting):
    """Changes one number of a configuration.

    Args:
        config: a `PretrainConfig`.
        setting: `name=value`, with dots into its parts: `optimizer.rate=0.3`. Values are written
            as in Python; texts need no quotes.

    Returns:
        the changed configuration.

    Raises:
        ConfigError: if there is no such entry, or the value is not of its type.

    Example:
    ```python
    config = override(load_config("smoke"), "schedule.epochs=4")
    ```
    """
    path, equals, text = setting.partition("=")
    if not equals:
        raise ConfigError(f"{setting}: expected NAME=VALUE, such as schedule.epochs=10.")
    return _replaced(config, path.strip(), path.strip().split("."), text.strip())


def as_dictionary(config):
    """A configuration as nested dictionaries, in which `is` names the class of each part.

    Args:
        config: a `PretrainConfig`.

    Returns:
        dictionary that JSON can hold.
    """
    if dataclasses.is_dataclass(config):
        entries = {f.name: as_dictionary(getattr(config, f.name)) for f in _fields(config)}
        return {"is": type(config).__name__, **entries}
    return list(config) if isinstance(config, tuple) else config


def differences(one, other, path=""):
    """Lists the entries in which two dictionaries of `as_dictionary` differ.

    Args:
        one: a dictionary.
        other: another one.
        path: where in a larger dictionary they stand.

    Returns:
        list of texts such as `schedule.epochs: 10 and 20`.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        names = dict.fromkeys([*one, *other])
        found = [
            differences(one.get(name), other.get(name), f"{path}.{name}" if path else name)
            for name in names
        ]
        return [text for texts in found for text in texts]
    return [] if one == other else [f"{path}: {one} and {other}"]


def _replaced(part, whole_path, names, text):
    name, *rest = names
    known = [field.name for field in _fields(part)]
    if name not in known:
        raise ConfigError(f"{whole_path}: no entry {name!r}.{_hint(name, known)}")
    value = getattr(part, name)
    if rest:
        if not dataclasses.is_dataclass(value):
            raise ConfigError(f"{whole_path}: {name} is {value!r} and has no parts.")
        return dataclasses.replace(part, **{name: _replaced(value, whole_path, rest, text)})
    if dataclasses.is_dataclass(value):
        entries = ", ".join(field.name for field in _fields(value))
        raise ConfigError(f"{whole_path}: has parts. Set one of them: {entries}.")
    wanted = typing.get_type_hints(type(part))[name]
    return dataclasses.replace(part, **{name: _parsed(text, wanted, whole_path)})


def _parsed(text, wanted, path):
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text  # a word: texts need no quotes
    for each in typing.get_args(wanted) if _is_union(wanted) else (wanted,):
        fits, converted = _fitted(value, each)
        if fits:
            return converted
    raise ConfigError(f"{path}: expected {_in_words(wanted)}. Received: {text}")


def _fitted(value, wanted):
    """Whether a value is of a type, and the value as that type."""
    if wanted is float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number, float(value) if number else value
    if typing.get_origin(wanted) is tuple:
        inner = typing.get_args(wanted)[0]
        if not isinstance(value, (tuple, list)):
            return False, value
        fitted = [_fitted(each, inner) for each in value]
        return all(fits for fits, _ in fitted), tuple(each for _, each in fitted)
    return type(value) is wanted, value  # not isinstance: True is no number


def _is_union(wanted):
    return len(typing.get_args(wanted)) > 1 and typing.get_origin(wanted) is not tuple


def _in_words(wanted):
    words = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}
    if _is_union(wanted):
        return " or ".join(_in_words(each) for each in typing.get_args(wanted))
    if typing.get_origin(wanted) is tuple:
        return f"a list, each {_in_words(typing.get_args(wanted)[0])}"
    return words.get(wanted, "None")


def _fields(part):
    return dataclasses.fields(part)


def _hint(name, known):
    close = difflib.get_close_matches(str(name), known, n=1)
    return f" Did you mean {close[0]}?" if close else f" Known are: {', '.join(known)}."


def _package():
    return importlib.import_module(_HOME)
