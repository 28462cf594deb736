"""Which configurations of distillation the package ships; so light that help can name them."""

from reiqa_tf.training.config_files import config_names

DEFAULT = "nano_lite0"
"""The configuration of a run that names none."""


def shipped_configs() -> list[str]:
    """Names of the configurations of distillation that the package ships.

    Returns:
        list of names, in alphabetical order.
    """
    return [name for name in config_names() if name.startswith("nano_")]
