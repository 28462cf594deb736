"""What is installed beside what scoring needs, and what to say where it is not."""

from __future__ import annotations

import importlib.util

from reiqa_tf.errors import ReiqaError

_TENSORFLOW = {
    "tensorflow": "TensorFlow",
    "keras": "Keras",
    "h5py": "h5py",
    "matplotlib": "Matplotlib",
    "ml_dtypes": "ml_dtypes",
    "rich": "Rich",
    "safetensors": "safetensors",
    "scipy": "SciPy",
    "sklearn": "scikit-learn",
}

EXTRAS = {
    "tensorflow": _TENSORFLOW,
    "tflite": {"ai_edge_litert": "LiteRT"},
    "benchmark": {**_TENSORFLOW, "openpyxl": "openpyxl"},
    "beam": {**_TENSORFLOW, "apache_beam": "Apache Beam", "pyarrow": "PyArrow"},
    "remote": {"fsspec": "fsspec"},
    "export": _TENSORFLOW,  # each format has packages of its own: `reiqa_tf.export.packages`
    "tensorboard": {**_TENSORFLOW, "tensorboard": "TensorBoard"},
}
"""Extras of `setup.cfg`, and the modules that each brings, with what people call them."""


class MissingExtraError(ReiqaError, ImportError):
    """Something needs packages that scoring does without. The message says how to install them."""


def require_extra(extra: str, needed_by: str) -> None:
    """Refuses what needs packages that are not installed. Nothing is imported.

    Args:
        extra: out of `EXTRAS`.
        needed_by: what needs it, for the message.

    Raises:
        MissingExtraError: if a package is missing.

    Example:
    ```python
    from reiqa_tf.extras import MissingExtraError, require_extra

    try:
        require_extra("tensorflow", "my training")
    except MissingExtraError as error:
        print(error)  # my training needs TensorFlow: pip install 'reiqa_tf[tensorflow]'
    ```
    """
    for module, name in EXTRAS[extra].items():
        if not is_installed(module):
            raise MissingExtraError(f"{needed_by} needs {name}: {install_line(extra)}")


def is_installed(module: str) -> bool:
    """Whether a module can be found; it is not imported.

    Args:
        module: name of a module of the top level.

    Returns:
        bool.
    """
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def install_line(extra: str) -> str:
    """The command that installs an extra.

    Args:
        extra: a name out of the extras of `setup.cfg`.

    Returns:
        line for a shell.
    """
    return f"pip install 'reiqa_tf[{extra}]'"
