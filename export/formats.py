"""The formats as a table: how each is written, opened in its runtime, timed, and how near it is.

The converters and runtimes are imported when a row is used: a format needs its own packages only.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from reiqa_tf.errors import ReiqaError
from reiqa_tf.export.measurements import Measurements
from reiqa_tf.export.packages import PACKAGES
from reiqa_tf.export.parity import Picture, cut_pictures
from reiqa_tf.export.quiet import quiet
from reiqa_tf.image.reading import MINIMUM_SIDE
from reiqa_tf.runtimes.contract import IMAGE_BYTES, Contract
from reiqa_tf.runtimes.errors import ArtifactError
from reiqa_tf.runtimes.explained import EXPLAIN, EXPLAINED
from reiqa_tf.runtimes.input_form import InputForm
from reiqa_tf.runtimes.manifest import ToleranceEntry
from reiqa_tf.typing import PathLike, Size

if TYPE_CHECKING:
    from reiqa_tf.explanation.diagnosis import Probe
    from reiqa_tf.models.scorer import ReIQAScorer

TFLITE = "tflite"
"""Name of the format of phones."""

RunPicture: TypeAlias = Callable[[Picture], dict[str, np.ndarray]]
"""An artifact in its runtime: from a picture to its outputs, arrays with one row, by name."""


class FormatError(ReiqaError):
    """A format, precision or size that cannot be exported. The message says which there are."""


@dataclasses.dataclass(frozen=True)
class Order:
    """What an artifact is made of.

    Attributes:
        scorer: a built `ReIQAScorer`.
        contract: what the artifact says about itself.
        model_name: name of the model on a server.
        model_version: version of the model on a server.
        photos: the bytes of some real photos, JPEG or PNG, for warm-up requests.
        calibration: paths of the real photos that full-integer weights are calibrated on.
        probe: the diagnosis of the preset, if artifacts explain scores; None otherwise.
        form: in which form TFLite files take pictures.
        float_models: what the TFLite converter made so far, by size: all precisions begin with it.
    """

    scorer: ReIQAScorer
    contract: Contract
    model_name: str
    model_version: int
    photos: Sequence[bytes]
    calibration: Sequence[PathLike]
    probe: Probe | None = None
    form: InputForm = dataclasses.field(default_factory=InputForm)
    float_models: dict[Size | None, bytes] = dataclasses.field(default_factory=dict)

    @property
    def contract_with_form(self) -> Contract:
        """What files say about themselves that take one picture, in the form of this order."""
        return dataclasses.replace(self.contract, input=self.form)


@dataclasses.dataclass(frozen=True)
class ExportFormat:
    """A row of the table.

    Attributes:
        name: name of the format, such as `onnx`.
        precision: such as `float32`.
        file_name: what the artifact is called; `{}` is filled in as precision and size ask.
        write: function that writes what an `Order` asks for to a path, at a size or for any (None).
        open: function from a path and a number of threads, or None for all cores, to a
            `RunPicture`.
        tolerance: largest difference from Keras as a share of the score's range; None where the
            rank correlation alone counts.
        srcc_tolerance: largest change of SRCC.
        takes_any_size: whether one artifact can take all sizes.
        takes_fixed_size: whether artifacts of one size are made.
        is_folder: whether the artifact is a folder.
        has_form: whether it takes one picture at a time, in the form of the order.
        gpu_obstacles: function from the artifact's bytes to what keeps a phone's GPU from running
            it whole; None of formats that no phone runs on its GPU.
    """

    name: str
    precision: str
    file_name: str
    write: Callable[[Order, pathlib.Path, Size | None], None]
    open: Callable[[PathLike, int | None], RunPicture]
    tolerance: float | None
    srcc_tolerance: float
    takes_any_size: bool = True
    takes_fixed_size: bool = False
    is_folder: bool = False
    has_form: bool = False
    gpu_obstacles: Callable[[bytes], list[str]] | None = None

    def contract_of(self, order: Order) -> Contract:
        """What an artifact of this format says about itself."""
        return order.contract_with_form if self.has_form else order.contract

    def gpu_obstacles_of(self, path: pathlib.Path) -> tuple[str, ...] | None:
        """What keeps a phone's GPU from running an artifact whole; None where no GPU would."""
        return None if self.gpu_obstacles is None else tuple(self.gpu_obstacles(path.read_bytes()))

    def path_for(self, size: Size | None) -> str:
        """Name of the artifact of a size, `(height, width)` or None."""
        precision = "" if self.precision == "float32" else f"_{self.precision}"
        return self.file_name.format(precision + ("" if size is None else f"_{size_text(size)}"))

    def tolerances(self) -> ToleranceEntry:
        """How far from Keras an artifact may be, as a manifest has it."""
        return {"score": self.tolerance, "srcc": self.srcc_tolerance}

    def explain(self, path: PathLike) -> RunPicture:
        """Opens what an artifact of this format says about why pictures have their scores.

        Args:
            path: of the artifact.

        Returns:
            `RunPicture` with `map` and `diagnosis` beside `score`.
        """
        return _EXPLAINED[self.name](path)

    def complaints(self, measured: Measurements) -> list[str]:
        """What of an artifact's measurements is not as near Keras as this format should be.

        Args:
            measured: what was measured of the artifact.

        Returns:
            list of texts, empty if all is well.
        """
        found = []
        difference, ranks = measured.difference, measured.srcc
        # Not written as "worst > tolerance": a difference that is no number is none that is small.
        if difference and self.tolerance is not None and not difference.worst <= self.tolerance:
            found.append(
                f"differs from Keras by {difference.worst:.2g} of the range, more than "
                f"{self.tolerance:g}"
            )
        if ranks and not abs(ranks.change) <= self.srcc_tolerance:
            found.append(f"changes SRCC by {ranks.change:+.2g}, more than {self.srcc_tolerance:g}")
        return found

    def versions(self) -> dict[str, str]:
        """Versions of everything that took part."""
        names = ("reiqa_tf", "tensorflow", "keras", "numpy", "pillow", *PACKAGES[self.name])
        return {name: importlib.metadata.version(name) for name in names}


def size_text(size: Size | None) -> str:
    """How a size is written: height x width, or `any`."""
    return "any" if size is None else f"{size[0]}x{size[1]}"


def _write_saved_model(order: Order, path: pathlib.Path, _size: Size | None) -> None:
    from reiqa_tf.export.saved_model import write_saved_model

    write_saved_model(
        order.scorer, path, order.model_name, order.photos, order.model_version, order.probe
    )


class _ServedModel:
    """The signature of a SavedModel that takes whole files.

    Args:
        loaded: the SavedModel. It is kept, because a signature does not keep its weights alive.
    """

    def __init__(self, loaded: Any) -> None:
        self._loaded = loaded
        self._compute = loaded.signatures["serving_default"]

    def __call__(self, picture: Picture) -> dict[str, np.ndarray]:
        import tensorflow as tf

        outputs = self._compute(**{IMAGE_BYTES: tf.constant([picture.contents])})
        return {name: value.numpy() for name, value in outputs.items()}


def _open_saved_model(path: PathLike, _threads: int | None) -> RunPicture:
    # TensorFlow's threads are those of the process; `saved_model_timing` is a process of its own.
    import tensorflow as tf

    (model,) = pathlib.Path(path).glob("*/*/saved_model.pb")
    try:
        return _ServedModel(tf.saved_model.load(model.parent))
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        raise ArtifactError(f"{path}: not a SavedModel of ours ({error}).") from None


def _open_onnx(path: PathLike, threads: int | None) -> RunPicture:
    from reiqa_tf.runtimes.onnx_scorer import OnnxScorer

    scorer = OnnxScorer(path, threads)
    return lambda picture: scorer.run(picture.image[np.newaxis])


def _open_tflite(path: PathLike, threads: int | None) -> RunPicture:
    from reiqa_tf.runtimes.litert_scorer import LiteRTScorer

    with quiet():  # LiteRT announces its delegates
        scorer = LiteRTScorer(path, threads)
    return lambda picture: scorer.run(picture.image[np.newaxis])


def _gpu_obstacles(model: bytes) -> list[str]:
    from reiqa_tf.export.gpu_readiness import gpu_obstacles

    return gpu_obstacles(model)


def _explained_saved_model(path: PathLike) -> RunPicture:
    import tensorflow as tf

    (model,) = pathlib.Path(path).glob("*/*/saved_model.pb")
    loaded = tf.saved_model.load(model.parent)

    def run(picture: Picture) -> dict[str, np.ndarray]:
        outputs = loaded.signatures[EXPLAIN](tf.constant(picture.image[np.newaxis]))
        return {name: value.numpy() for name, value in outputs.items()}

    return run


def _explained_onnx(path: PathLike) -> RunPicture:
    from reiqa_tf.runtimes.onnx_scorer import OnnxScorer

    scorer = OnnxScorer(path)
    return lambda picture: scorer.run_for(picture.image[np.newaxis], EXPLAINED)


def _explained_tflite(path: PathLike) -> RunPicture:
    from reiqa_tf.runtimes.litert_scorer import LiteRTScorer

    with quiet():
        scorer = LiteRTScorer(path)
    return lambda picture: scorer.run_for(picture.image[np.newaxis], EXPLAINED)


_EXPLAINED: dict[str, Callable[[PathLike], RunPicture]] = {
    "saved_model": _explained_saved_model,
    "onnx": _explained_onnx,
    TFLITE: _explained_tflite,
}


def _onnx(precision: str, tolerance: float, srcc_tolerance: float) -> ExportFormat:
    """The row of ONNX in one precision."""

    def write(order: Order, path: pathlib.Path, _size: Size | None) -> None:
        from reiqa_tf.export.onnx import convert_onnx

        path.write_bytes(convert_onnx(order.scorer, precision, order.contract, order.probe))

    return ExportFormat(
        "onnx",
        precision,
        "model{}.onnx",
        write,
        _open_onnx,
        tolerance,
        srcc_tolerance,
    )


def _tflite(
    precision: str, tolerance: float | None, srcc_tolerance: float, takes_any_size: bool = True
) -> ExportFormat:
    """The row of TFLite in one precision."""

    def write(order: Order, path: pathlib.Path, size: Size | None) -> None:
        from reiqa_tf.export.tflite import convert_tflite, float_model

        calibration = None
        if precision == "full_integer":
            pictures = cut_pictures(order.calibration, size=size)
            calibration = [picture.image for picture in pictures]
        if size not in order.float_models:
            order.float_models[size] = float_model(order.scorer, size, order.probe, order.form)
        path.write_bytes(
            convert_tflite(
                order.scorer,
                size,
                precision,
                order.contract_with_form,
                calibration,
                order.float_models[size],
            )
        )

    return ExportFormat(
        TFLITE,
        precision,
        "model{}.tflite",
        write,
        _open_tflite,
        tolerance,
        srcc_tolerance,
        takes_any_size=takes_any_size,
        takes_fixed_size=True,
        has_form=True,
        gpu_obstacles=_gpu_obstacles,
    )


FORMATS = (
    ExportFormat(
        "saved_model",
        "float32",
        "saved_model{}",
        _write_saved_model,
        _open_saved_model,
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


def find_format(name: str, precision: str) -> ExportFormat:
    """The row of a format and precision.

    Args:
        name: out of `NAMES`.
        precision: out of `PRECISIONS`.

    Returns:
        `ExportFormat`.

    Raises:
        FormatError: if there is none.
    """
    for row in FORMATS:
        if (row.name, row.precision) == (name, precision):
            return row
    raise FormatError(f"expected one of {_listed()}. Received: {name} in {precision}")


def choose_formats(
    names: Sequence[str],
    precisions: Sequence[str],
    sizes: Sequence[Size | None] | None,
    working_size: int | None = None,
) -> list[tuple[ExportFormat, Size | None]]:
    """What to make when formats, precisions and sizes are asked for.

    Args:
        names: formats out of `NAMES`; all are made in those of the precisions that they have.
        precisions: out of `PRECISIONS`.
        sizes: `(height, width)` in pixels from 32 up, and None for any size; formats without fixed
            sizes are made for any size whatever is asked for. None in place of a list makes files
            for any size, and for the working size in precisions that need a fixed one.
        working_size: the preset's, in pixels, or None.

    Returns:
        list of pairs of a `ExportFormat` and a size, in the order of the table.

    Raises:
        FormatError: if something is unknown, or a format would not be made at all.

    Example:
    ```python
    from reiqa_tf.export.formats import choose_formats

    for row, size in choose_formats(["onnx", "tflite"], ["float32"], [None, (384, 512)]):
        print(row.path_for(size), row.tolerance)
    ```
    """
    for asked, known in ((names, NAMES), (precisions, PRECISIONS)):
        unknown = [name for name in asked if name not in known]
        if unknown or not asked:
            raise FormatError(
                f"expected some of {', '.join(known)}. Received: {', '.join(unknown) or 'none'}"
            )
    by_default = sizes is None
    if sizes is None:
        sizes = [None] if working_size is None else [None, (working_size, working_size)]
    for size in sizes:
        if size is not None and not (len(size) == 2 and min(size) >= MINIMUM_SIDE):
            raise FormatError(_SIZES_EXPECTED.format(size))
    chosen = [
        (row, size)
        for row in FORMATS
        if row.name in names and row.precision in precisions
        for size in (sizes if row.takes_fixed_size else [None])
        if (size is None) == row.takes_any_size or (size is not None and not by_default)
    ]
    for name in names:
        if not any(row.name == name for row, _ in chosen):
            raise FormatError(
                f"{name}: nothing to make in {', '.join(precisions)} at the sizes "
                f"{', '.join(map(size_text, sizes))}. There are: {_listed()}; full_integer needs "
                "a fixed size"
            )
    return chosen


def parse_sizes(text: str) -> list[Size | None]:
    """Reads sizes as people write them.

    Args:
        text: sizes separated by commas: `512` for a square, `384x512` for height x width, `any`.

    Returns:
        list of `(height, width)`, and None for `any`.

    Raises:
        FormatError: if a size is none, or smaller than 32 px.
    """
    sizes: list[Size | None] = []
    for word in text.split(","):
        sides = [int(side) if side.isdecimal() else 0 for side in word.strip().split("x")]
        if word.strip() == "any":
            sizes.append(None)
        elif len(sides) in (1, 2) and min(sides) >= MINIMUM_SIDE:
            sizes.append((sides[0], sides[-1]))
        else:
            raise FormatError(_SIZES_EXPECTED.format(repr(word)))
    return list(dict.fromkeys(sizes))


_SIZES_EXPECTED = (
    "sizes: expected pixels from 32 up, such as 512 or 384x512 (height x width), or any, separated "
    "by commas. Received: {}"
)


def _listed() -> str:
    return ", ".join(
        f"{name} ({', '.join(row.precision for row in FORMATS if row.name == name)})"
        for name in NAMES
    )
