"""Which configurations the package ships; so light that every command can say it in its help."""

import importlib
import pkgutil

HOME = "reiqa_tf.configs"
"""The package that they are modules of."""

DEFAULT = "quality_lite0"
"""The configuration of a run that names none."""


def shipped_configs() -> list[str]:
    """Names of the configurations that the package ships.

    Returns:
        list of names, in alphabetical order.
    """
    modules = pkgutil.iter_modules(importlib.import_module(HOME).__path__)
    return sorted(module.name for module in modules)
