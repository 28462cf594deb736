"""The formats as a table: how each is written, opened in its runtime, timed, and how near it is.

The converters and runtimes are imported when a row is used: a format needs its own packages only.
"""

import dataclasses
import importlib.metadata
import pathlib
from collections.abc import Callable

import numpy as np

from reiqa_tf.errors import ReiqaError
from reiqa_tf.export import contract
from reiqa_tf.export.parity import cut_pictures
from reiqa_tf.export.quiet import quiet
from reiqa_tf.runtimes.errors import ArtifactError


class FormatError(ReiqaError):
    """A format, precision or size that cannot be exported. The message says which there are."""


@dataclasses.dataclass(frozen=True)
class Order:
    """What an artifact is made of.

    Attributes:
        scorer: a built `ReIQAScorer`.
        contract: what `contract.contract` says of it.
        model_name: name of the model on a server.
        model_version: version of the model on a server.
        photos: list of the bytes of some real photos, JPEG or PNG, for warm-up requests.
        calibration: list of the paths of real photos that full-integer weights are calibrated on.
    """

    scorer: object
    contract: dict
    model_name: str
    model_version: int
    photos: list
    calibration: list


@dataclasses.dataclass(frozen=True)
class Format:
    """A row of the table.

    Attributes:
        name: name of the format, such as `onnx`.
        precision: such as `float32`.
        file_name: what the artifact is called; `{}` is filled in as precision and size ask.
        write: function from an `Order`, the path to write and the size to nothing.
        open: function from a path and a number of threads to a function from a
            `reiqa_tf.export.parity.Picture` to a dictionary of arrays with one row.
        packages: names of the distributions that write and run it.
        tolerance: largest difference from Keras as a share of the score's range; None where the
            rank correlation alone counts.
        srcc_tolerance: largest change of SRCC.
        takes_any_size: whether one artifact can take all sizes.
        takes_fixed_size: whether artifacts of one size are made.
        is_folder: whether the artifact is a folder.
    """

    name: str
    precision: str
    file_name: str
    write: Callable
    open: Callable
    packages: tuple
    tolerance: float | None
    srcc_tolerance: float
    takes_any_size: bool = True
    takes_fixed_size: bool = False
    is_folder: bool = False

    def path_for(self, size):
        """Name of the artifact of a size, `(height, width)` or None."""
        precision = "" if self.precision == "float32" else f"_{self.precision}"
        return self.file_name.format(precision + ("" if size is None else f"_{size_text(size)}"))

    def tolerances(self):
        """How far from Keras an artifact may be: `score` and `srcc`, as in its fields."""
        return {"score": self.tolerance, "srcc": self.srcc_tolerance}

    def require_packages(self):
        """Refuses a format whose packages are not installed.

        Raises:
            FormatError: if one is missing.
        """
        for package in self.packages:
            try:
                importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                raise FormatError(
                    f"{self.name} needs {', '.join(self.packages)}; {package} is not installed. "
                    "Install it: pip install 'reiqa_tf[export]'"
                ) from None

    def versions(self):
        """Versions of everything that took part."""
        names = ("reiqa_tf", "tensorflow", "keras", "numpy", "pillow", *self.packages)
        return {name: importlib.metadata.version(name) for name in names}


def size_text(size):
    """How a size is written: height x width, or `any`."""
    return "any" if size is None else f"{size[0]}x{size[1]}"


def _write_saved_model(order, path, size):  # noqa: ARG001
    from reiqa_tf.export.saved_model import write_saved_model

    write_saved_model(order.scorer, path, order.model_name, order.photos, order.model_version)


def _open_saved_model(path, threads):  # noqa: ARG001
    # TensorFlow's threads are those of the process; `saved_model_timing` is a process of its own.
    import tensorflow as tf

    (model,) = pathlib.Path(path).glob("*/*/saved_model.pb")
    try:
        loaded = tf.saved_model.load(model.parent)
        compute = loaded.signatures["serving_default"]
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        raise ArtifactError(f"{path}: not a SavedModel of ours ({error}).") from None

    def run(picture):
        answer = compute(**{contract.IMAGE_BYTES: tf.constant([picture.contents])})
        return {name: value.numpy() for name, value in answer.items()}

    run.keep = loaded  # a signature does not keep its weights alive
    return run


def _write_onnx(precision):
    def write(order, path, size):  # noqa: ARG001
        from reiqa_tf.export.onnx import convert_onnx

        path.write_bytes(convert_onnx(order.scorer, precision, contract=order.contract))

    return write


def _open_onnx(path, threads):
    from reiqa_tf.runtimes.onnx_scorer import OnnxScorer

    scorer = OnnxScorer(path, threads)
    return lambda picture: scorer.run(picture.image[np.newaxis])


def _write_tflite(precision):
    def write(order, path, size):
        from reiqa_tf.export.tflite import convert_tflite

        calibration = None
        if precision == "full_integer":
            calibration = [each.image for each in cut_pictures(order.calibration, size=size)]
        converted = convert_tflite(
            order.scorer, size, precision, calibration=calibration, contract=order.contract
        )
        path.write_bytes(converted)

    return write


def _open_tflite(path, threads):
    from reiqa_tf.runtimes.litert_scorer import LiteRTScorer

    with quiet():  # LiteRT announces its delegates
        scorer = LiteRTScorer(path, threads)
    return lambda picture: scorer.run(picture.image[np.newaxis])


def _onnx(precision, *tolerances):
    return Format(
        "onnx",
        precision,
        "model{}.onnx",
        _write_onnx(precision),
        _open_onnx,
        ("tf2onnx", "onnx", "onnxruntime"),
        *tolerances,
    )


def _tflite(precision, *tolerances, takes_any_size=True):
    return Format(
        "tflite",
        precision,
        "model{}.tflite",
        _write_tflite(precision),
        _open_tflite,
        ("ai-edge-litert", "ai-edge-quantizer"),
        *tolerances,
        takes_any_size=takes_any_size,
        takes_fixed_size=True,
    )


FORMATS = (
    Format(
        "saved_model",
        "float32",
        "saved_model{}",
        _write_saved_model,
        _open_saved_model,
        ("tensorflow-serving-api",),
        1e-4,
        0.0005,
        is_folder=True,
    ),
    _onnx("float32", 1e-4, 0.0005),
    _onnx("float16", 1e-3, 0.001),
    _tflite("float32", 1e-4, 0.0005),
    _tflite("float16", 1e-3, 0.001),
    _tflite("dynamic_range", None, 0.005),
    # Of any size it would have the matrices of half size quantised, and LiteRT stops.
    _tflite("full_integer", None, 0.005, takes_any_size=False),
)
"""All that can be exported."""

NAMES = tuple(dict.fromkeys(row.name for row in FORMATS))
PRECISIONS = tuple(dict.fromkeys(row.precision for row in FORMATS))


def find_format(name, precision):
    """The row of a format and precision.

    Args:
        name: out of `NAMES`.
        precision: out of `PRECISIONS`.

    Returns:
        `Format`.

    Raises:
        FormatError: if there is none.
    """
    for row in FORMATS:
        if (row.name, row.precision) == (name, precision):
            return row
    raise FormatError(f"expected one of {_listed()}. Received: {name} in {precision}")


def choose(names, precisions, sizes):
    """What to make when formats, precisions and sizes are asked for.

    Args:
        names: formats out of `NAMES`; each is made in those of the precisions that it has.
        precisions: out of `PRECISIONS`.
        sizes: list of `(height, width)`, and of None for any size; formats without fixed sizes are
            made for any size whatever is asked for.

    Returns:
        list of pairs of a `Format` and a size, in the order of the table.

    Raises:
        FormatError: if something is unknown, or a format would not be made at all.
    """
    for asked, known in ((names, NAMES), (precisions, PRECISIONS)):
        unknown = [name for name in asked if name not in known]
        if unknown or not asked:
            raise FormatError(
                f"expected some of {', '.join(known)}. Received: {', '.join(unknown) or 'none'}"
            )
    chosen = [
        (row, size)
        for row in FORMATS
        if row.name in names and row.precision in precisions
        for size in (sizes if row.takes_fixed_size else [None])
        if size is not None or row.takes_any_size
    ]
    for name in names:
        if not any(row.name == name for row, _ in chosen):
            raise FormatError(
                f"{name}: nothing to make in {', '.join(precisions)} at the sizes "
                f"{', '.join(map(size_text, sizes))}. There are: {_listed()}; full_integer needs "
                "a fixed size"
            )
    return chosen


def parse_sizes(text):
    """Reads sizes as people write them.

    Args:
        text: sizes separated by commas: `512` for a square, `384x512` for height x width, `any`.

    Returns:
        list of `(height, width)`, and None for `any`.

    Raises:
        FormatError: if a size is none, or smaller than 32 px.
    """
    sizes = []
    for word in text.split(","):
        sides = [int(side) if side.isdecimal() else 0 for side in word.strip().split("x")]
        if word.strip() == "any":
            sizes.append(None)
        elif len(sides) in (1, 2) and min(sides) >= 32:
            sizes.append((sides[0], sides[-1]))
        else:
            raise FormatError(
                "sizes: expected pixels from 32 up, such as 512 or 384x512 (height x width), or "
                f"any, separated by commas. Received: {word!r}"
            )
    return list(dict.fromkeys(sizes))


def _listed():
    return ", ".join(
        f"{name} ({', '.join(row.precision for row in FORMATS if row.name == name)})"
        for name in NAMES
    )
