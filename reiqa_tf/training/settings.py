"""Configurations, which are nested frozen dataclasses, as text: changed, written and compared."""

import ast
import dataclasses
import difflib
import operator
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from reiqa_tf.errors import ReiqaError

_Config = TypeVar("_Config")


class ConfigError(ReiqaError):
    """A configuration that cannot be used. The message names the entry and the way out."""


def override(config: _Config, setting: str) -> _Config:
    """Changes one number of a configuration.

    Args:
        config: a frozen dataclass, such as a `PretrainConfig`.
        setting: `name=value`, with dots into its parts: `optimizer.rate=0.3`. Values are written
            as in Python; texts need no quotes.

    Returns:
        the changed configuration.

    Raises:
        ConfigError: if there is no such entry, or the value is not of its type.

    Example:
    ```python
    from reiqa_tf.pretraining.config import load_config
    from reiqa_tf.training.settings import override

    config = override(load_config("smoke"), "schedule.epochs=4")
    assert config.schedule.epochs == 4
    ```
    """
    path, equals, text = setting.partition("=")
    if not equals:
        raise ConfigError(f"{setting}: expected NAME=VALUE, such as schedule.epochs=10.")
    changed: _Config = _replaced(config, path.strip(), path.strip().split("."), text.strip())
    return changed


def as_dictionary(config: Any) -> Any:
    """A configuration as nested dictionaries, in which `is` names the class of each part.

    Args:
        config: a dataclass, or a value in one.

    Returns:
        dictionary, or value, that JSON can hold.
    """
    if dataclasses.is_dataclass(config):
        entries = {name: as_dictionary(getattr(config, name)) for name in _names_of_entries(config)}
        return {"is": type(config).__name__, **entries}
    return list(config) if isinstance(config, tuple) else config


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Lists the entries in which two dictionaries of `as_dictionary` differ.

    Args:
        one: a dictionary, or a value in one.
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


def require_words(config: Any, allowed: Mapping[str, Sequence[str]]) -> None:
    """Refuses a configuration with a word that is not one of those that are known.

    Args:
        config: a dataclass.
        allowed: words by the names of entries.

    Raises:
        ConfigError: if an entry has another one.
    """
    for name, words in allowed.items():
        if getattr(config, name) not in words:
            raise ConfigError(
                f"{name}: expected {' or '.join(words)}. Received: {getattr(config, name)!r}"
            )


def require_least(config: Any, least: Mapping[str, int]) -> None:
    """Refuses a configuration with a number that is too small.

    Args:
        config: a dataclass.
        least: the smallest number by the name of the entry, with dots into its parts.

    Raises:
        ConfigError: if an entry has a smaller one.
    """
    for name, smallest in least.items():
        value = operator.attrgetter(name)(config)
        if value < smallest:
            raise ConfigError(f"{name}: expected {smallest} or more. Received: {value}")


PRECISIONS = ("float32", "bfloat16")
"""What a run may compute in."""


def hint(name: str, known: Iterable[str]) -> str:
    """The end of a message about a name that is not known: the nearest one, or all that are."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else f" Known are: {', '.join(known)}."


def _replaced(part: Any, whole_path: str, names: list[str], text: str) -> Any:
    name, *rest = names
    known = _names_of_entries(part)
    if name not in known:
        raise ConfigError(f"{whole_path}: no entry {name!r}.{hint(name, known)}")
    value = getattr(part, name)
    if rest:
        if not dataclasses.is_dataclass(value):
            raise ConfigError(f"{whole_path}: {name} is {value!r} and has no parts.")
        return dataclasses.replace(part, **{name: _replaced(value, whole_path, rest, text)})
    if dataclasses.is_dataclass(value):
        entries = ", ".join(_names_of_entries(value))
        raise ConfigError(f"{whole_path}: has parts. Set one of them: {entries}.")
    wanted = typing.get_type_hints(type(part))[name]
    return dataclasses.replace(part, **{name: _parsed(text, wanted, whole_path)})


def _parsed(text: str, wanted: Any, path: str) -> Any:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text  # a word: texts need no quotes
    for kind in typing.get_args(wanted) if _is_union(wanted) else (wanted,):
        fits, converted = _fitted(value, kind)
        if fits:
            return converted
    raise ConfigError(f"{path}: expected {_in_words(wanted)}. Received: {text}")


def _fitted(value: Any, wanted: Any) -> tuple[bool, Any]:
    """Whether a value is of a type, and the value as that type."""
    if wanted is float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number, float(value) if number else value
    if typing.get_origin(wanted) is tuple:
        inner = typing.get_args(wanted)[0]
        if not isinstance(value, (tuple, list)):
            return False, value
        fitted = [_fitted(entry, inner) for entry in value]
        return all(fits for fits, _ in fitted), tuple(entry for _, entry in fitted)
    return type(value) is wanted, value  # not isinstance: True is no number


def _is_union(wanted: Any) -> bool:
    return len(typing.get_args(wanted)) > 1 and typing.get_origin(wanted) is not tuple


def _in_words(wanted: Any) -> str:
    words = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}
    if _is_union(wanted):
        return " or ".join(_in_words(kind) for kind in typing.get_args(wanted))
    if typing.get_origin(wanted) is tuple:
        return f"a list, each {_in_words(typing.get_args(wanted)[0])}"
    return words.get(wanted, "None")


def _names_of_entries(part: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(part)]
