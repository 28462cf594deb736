"""Configurations by name or from a file. Needs no TensorFlow, so that commands fail at once."""

import importlib
import importlib.util
import pathlib
import pkgutil
from collections.abc import Sequence
from typing import TypeVar

from reiqa_tf.training.settings import ConfigError, hint
from reiqa_tf.typing import PathLike

HOME = "reiqa_tf.configs"
"""The package whose modules are the shipped configurations."""

_Config = TypeVar("_Config")


def config_names() -> list[str]:
    """Names of all configurations that the package ships, of every objective, sorted."""
    modules = pkgutil.iter_modules(importlib.import_module(HOME).__path__)
    return sorted(module.name for module in modules)


def load_config_of(kind: type[_Config], name: PathLike, known: Sequence[str]) -> _Config:
    """Loads the configuration of an objective.

    Args:
        kind: the class that `get_config` of the module returns.
        name: one of the known names, or the path of a Python file, which is executed.
        known: names of the shipped configurations of this objective.

    Returns:
        the configuration.

    Raises:
        ConfigError: if there is none of that name, or the file has no `get_config`.
    """
    if str(name).endswith(".py"):
        path = pathlib.Path(name)
        if not path.is_file():
            raise ConfigError(f"{path}: no such file.")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None  # noqa: S101 -- for type checkers: the name ends with .py
        assert spec.loader is not None  # noqa: S101
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    elif name in known:
        module = importlib.import_module(f"{HOME}.{name}")
    else:
        raise ConfigError(
            f"{name}: no such configuration.{hint(str(name), known)} "
            "A file of your own ends with .py."
        )
    config = getattr(module, "get_config", lambda: None)()
    if not isinstance(config, kind):
        raise ConfigError(
            f"{name}: expected a function get_config() that returns a {kind.__name__}. "
            f"Received: {config!r}"
        )
    return config
