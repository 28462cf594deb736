"""Keras as this package needs it: on TensorFlow, and knowing the package's classes by name.

Nothing here imports Keras before others do, so that `import reiqa_tf` stays cheap.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

from reiqa_tf.errors import ReiqaError
from reiqa_tf.extras import require_extra

BACKEND = "tensorflow"
"""The backend of Keras that the models, the training and the exports are written for."""

SAVED_CLASSES = {
    "AdamWByDepth": "reiqa_tf.training.optimizers",
    "EfficientNetLiteBackbone": "reiqa_tf.models.efficientnet_lite",
    "KeyQueue": "reiqa_tf.pretraining.key_queue",
    "LARS": "reiqa_tf.training.optimizers",
    "LinearHead": "reiqa_tf.models.head",
    "MoCo": "reiqa_tf.pretraining.moco",
    "MomentumSGD": "reiqa_tf.training.optimizers",
    "ProjectionHead": "reiqa_tf.pretraining.projection",
    "ReIQAEncoder": "reiqa_tf.models.encoder",
    "ReIQAScorer": "reiqa_tf.models.scorer",
    "ResNetBackbone": "reiqa_tf.models.resnet",
    "WarmupCosine": "reiqa_tf.training.schedules",
}
"""Classes that `.keras` files may name, and the modules that they live in."""


class BackendError(ReiqaError):
    """Keras runs on another backend. The message says which, and how to choose TensorFlow."""


def require_tensorflow(needed_by: str = "this part of reiqa_tf") -> None:
    """Refuses Keras on another backend, before Keras is imported where that is still to come.

    Args:
        needed_by: what needs TensorFlow, for the message.

    Raises:
        MissingExtraError: if TensorFlow is not installed.
        BackendError: if Keras is set to another backend, or runs on it already.
    """
    require_extra("tensorflow", needed_by)
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "config"):
        chosen, where = keras.config.backend(), "is loaded with"
    else:
        chosen, where = _backend_set()
    if chosen != BACKEND:
        raise BackendError(
            f"Keras {where} the backend {chosen!r}; reiqa_tf is written for {BACKEND!r}. Set "
            f"KERAS_BACKEND={BACKEND} before Python starts."
        )


def import_tensorflow(needed_by: str = "this part of reiqa_tf") -> None:
    """Imports TensorFlow without the lines about its build and devices that it writes past Python.

    If it fails, they are shown: then they are what one needs. What fails later, fails in Python.
    Who wants to read what TensorFlow says sets `TF_CPP_MIN_LOG_LEVEL`, or imports it first.

    Args:
        needed_by: what needs TensorFlow, for the message.

    Raises:
        MissingExtraError: as `require_tensorflow`.
        BackendError: as `require_tensorflow`.
    """
    require_tensorflow(needed_by)
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read once, when it is loaded
        with silenced(), _uncollected():
            importlib.import_module("tensorflow")


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Keeps from the terminal what is written to stderr past Python; shows it if all fails.

    An error of the package itself says what matters, and the remarks are not shown with it.
    """
    try:
        kept = os.dup(2)
    except OSError:  # a program without a terminal, which has no such stream
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    import tempfile  # not above: every score would wait for it

    with tempfile.TemporaryFile() as remarks:
        os.dup2(remarks.fileno(), 2)
        try:
            yield
        except ReiqaError:
            raise
        except Exception:
            remarks.seek(0)
            os.write(kept, remarks.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keeps Python from looking for garbage, which takes a tenth of TensorFlow's import."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _backend_set() -> tuple[str, str]:
    """The backend that Keras will take, and where that is set; as Keras looks for it."""
    named = os.environ.get("KERAS_BACKEND")
    if named:
        return named, "is set by KERAS_BACKEND to"
    home = os.environ.get("KERAS_HOME")
    folder = pathlib.Path(home) if home else pathlib.Path(os.path.expanduser("~"), ".keras")
    file = folder / "keras.json"
    try:
        named = json.loads(file.read_text()).get("backend", BACKEND)
    except (OSError, ValueError, AttributeError):
        return BACKEND, ""
    return str(named), f"is set by {file} to"


def name_classes_to_keras() -> None:
    """Lets `keras.saving.load_model` find the package's classes, which nothing has imported yet.

    Keras looks classes of others up in a table of its own by their names, which a class enters when
    its module is imported. Stand-ins enter it here, each of which imports the real class when it is
    asked for: at once if Keras is loaded, otherwise when Keras will be.
    """
    if sys.modules.get("keras") is not None:
        _enter_stand_ins()
    elif not any(isinstance(finder, _KerasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _KerasFinder())


def _enter_stand_ins() -> None:
    table = importlib.import_module("keras").saving.get_custom_objects()
    for name, module in SAVED_CLASSES.items():
        table.setdefault(f"reiqa_tf>{name}", _stand_in(name, module))


def _stand_in(name: str, module: str) -> type:
    def from_config(_: Any, /, config: dict[str, Any], **options: Any) -> Any:
        real = getattr(importlib.import_module(module), name)
        return real.from_config(config, **options)

    return type(name, (), {"from_config": classmethod(from_config), "__module__": module})


class _KerasFinder:
    """Steps in once, when Keras is imported, to enter the stand-ins right after that."""

    def find_spec(
        self,
        name: str,
        _path: Sequence[str] | None = None,
        _target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Finds Keras as without this, with a loader that goes on a little further."""
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_enter(module: types.ModuleType) -> None:
                load(module)
                _enter_stand_ins()

            spec.loader.exec_module = load_and_enter  # type: ignore[method-assign]  # this one's own
        return spec
