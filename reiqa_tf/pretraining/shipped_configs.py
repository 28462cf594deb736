"""Which configurations of pretraining the package ships; so light that help texts can name them."""

from reiqa_tf.training.config_files import config_names

DEFAULT = "quality_lite0"
"""The configuration of a run that names none."""

_OTHERS = ("tune_", "nano_")
"""How configurations of other objectives begin: of tuning, of distillation."""


def shipped_configs() -> list[str]:
    """Names of the configurations of pretraining that the package ships.

    Returns:
        list of names, in alphabetical order.
    """
    return [name for name in config_names() if not name.startswith(_OTHERS)]
