"""TFLite (LiteRT) files: one signature, built-in operators only, nothing left to preprocess."""

from __future__ import annotations

import dataclasses
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import tensorflow as tf

from reiqa_tf.errors import ReiqaError
from reiqa_tf.export.quiet import quiet
from reiqa_tf.export.serving import Outputs, contract_outputs, explaining, folded_function
from reiqa_tf.export.tflite_metadata import with_metadata
from reiqa_tf.export.tflite_pixels import with_dequantized_pixels
from reiqa_tf.image.reading import MINIMUM_SIDE
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.runtimes.contract import IMAGES, Contract, output_names
from reiqa_tf.runtimes.explained import EXPLAINED
from reiqa_tf.runtimes.input_form import BATCH_SIZE, InputForm
from reiqa_tf.typing import Size, Tensor

if TYPE_CHECKING:
    from ai_edge_quantizer.quantizer import Quantizer

    from reiqa_tf.explanation.diagnosis import Probe

SMALLEST_HALVED = 4096
"""Smallest kernel, in numbers, that is stored in float16."""

SIGNATURE = "serving_default"
"""Name of the file's signature, from `images` to the outputs."""


class TFLiteError(ReiqaError):
    """A scorer that cannot be converted as asked for. The message says why, and the way out."""


def convert_tflite(
    scorer: ReIQAScorer,
    size: Size | None,
    precision: str,
    contract: Contract,
    calibration: Sequence[np.ndarray] | None = None,
    converted: bytes | None = None,
) -> bytes:
    """Converts a scorer to a TFLite file.

    Args:
        scorer: a built `ReIQAScorer`.
        size: `(height, width)` of the pictures in pixels, at least 32; the accelerators of phones
            want it fixed. None makes a file for any size, whose input the runtime resizes.
        precision: one of `PRECISIONS`:

            - `"float32"`;
            - `"float16"`: weights in float16, half the file;
            - `"dynamic_range"`: weights in 8 bits, and activations too while they are multiplied;
            - `"full_integer"`: the encoders' convolutions in 8-bit integers throughout, for a
              fixed size. Input uint8 and outputs float32 are the same as ever; so are the
              half-size picture, the pooling and the head, which computed in 8 bits would lose
              what the score is made of.
        contract: what the file says about itself; it is packed with it. Its `input` is the form in
            which the file takes a picture: `InputForm()` if it states none.
        calibration: list of photos, uint8 `(height, width, 3)`, from which `"full_integer"` learns
            the ranges of the activations; some 30 of the kind that will be scored. Real photos:
            noise has other ranges.
        converted: what `float_model` returned for this scorer, size and form, where several
            precisions are made of it; None converts anew.

    Returns:
        bytes of the file.

    Raises:
        TFLiteError: if the arguments do not go together, or the converter used an operator that
            is not built in.

    Example:
    ```text
    contract = Contract.of(scorer, "my_preset", sha256)
    model = convert_tflite(scorer, (512, 512), "float16", contract)
    pathlib.Path("model.tflite").write_bytes(model)
    ```
    """
    if precision not in PRECISIONS:
        raise TFLiteError(
            f"precision: expected one of {', '.join(PRECISIONS)}. Received: {precision!r}"
        )
    if size is not None and not (len(size) == 2 and all(_is_side(side) for side in size)):
        raise TFLiteError(
            "size: expected (height, width) in pixels, at least 32, or None for any size. "
            f"Received: {size}"
        )
    from ai_edge_quantizer.quantizer import Quantizer

    form = contract.input or InputForm()
    contract = dataclasses.replace(contract, input=form)
    model = float_model(scorer, size, form=form) if converted is None else converted
    with quiet(), warnings.catch_warnings():
        # That a runtime keeps all tensors is for debugging, it says; the quantiser lives by it.
        warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
        # A channel whose kernel is all zeros has no scale to round its bias on. What that costs is
        # part of the measured difference.
        warnings.filterwarnings("ignore", message="invalid value encountered in cast")
        quantizer = Quantizer(bytearray(model))
        ranges = PRECISIONS[precision](quantizer, model, scorer, size, form, calibration)
        if quantizer.get_quantization_recipe():
            model = bytes(quantizer.quantize(ranges).quantized_model)
    _require_builtin_operators(model)
    return with_metadata(with_dequantized_pixels(model), contract, output_names_of(model))


def _is_side(pixels: object) -> bool:
    return isinstance(pixels, int) and pixels >= MINIMUM_SIDE


def operators(model: bytes) -> list[str]:
    """Names of the operators in a TFLite file.

    Args:
        model: bytes of the file.

    Returns:
        sorted list of names, such as `CONV_2D`; those that are not built in begin with `custom`.
    """
    from ai_edge_litert import schema_py_generated as schema

    codes = vars(schema.BuiltinOperator).items()
    names = {code: name for name, code in codes if isinstance(code, int)}
    content = schema.Model.GetRootAs(model, 0)
    found = set()
    for index in range(content.OperatorCodesLength()):
        operator = content.OperatorCodes(index)
        # Codes up to 127 once had a byte of their own, and converters fill in both.
        name = names[max(operator.BuiltinCode(), operator.DeprecatedBuiltinCode())]
        custom = (operator.CustomCode() or b"").decode()
        found.add(f"custom {custom}" if name == "CUSTOM" else name)
    return sorted(found)


_Ranges: TypeAlias = dict[str, Any]
"""Ranges of the activations by the names of their tensors, in the form of the quantiser."""


class _Quantize(Protocol):
    """Tells the quantiser what to do with which operators.

    Returns the ranges of the activations if it needs them. Operators outside of the backbones are
    left in float32.
    """

    def __call__(
        self,
        quantizer: Quantizer,
        model: bytes,
        scorer: ReIQAScorer,
        size: Size | None,
        form: InputForm,
        calibration: Sequence[np.ndarray] | None,
        /,
    ) -> _Ranges | None: ...


def _as_it_is(
    _quantizer: Quantizer,
    _model: bytes,
    _scorer: ReIQAScorer,
    _size: Size | None,
    _form: InputForm,
    _calibration: Sequence[np.ndarray] | None,
) -> None:
    """The converter's own file, in float32."""


def _with_half_weights(
    quantizer: Quantizer,
    model: bytes,
    scorer: ReIQAScorer,
    _size: Size | None,
    _form: InputForm,
    _calibration: Sequence[np.ndarray] | None,
) -> None:
    # The small kernels of the first stages and of the depthwise convolutions are a hundredth of
    # all weights, and rounding them costs more than rounding all others.
    large = "|".join(map(re.escape, _large_convolutions(model)))
    for names in _names_of_backbones(scorer):
        quantizer.add_weight_only_config(
            f"(?={names})({large})", "CONV_2D", num_bits=16, algorithm_key="float_casting"
        )


def _large_convolutions(model: bytes) -> Iterator[str]:
    """Names of the outputs of the convolutions whose kernels are worth halving."""
    from ai_edge_litert import schema_py_generated as schema

    content = schema.Model.GetRootAs(model, 0)
    graph = content.Subgraphs(0)
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = content.OperatorCodes(operator.OpcodeIndex())
        kinds = (code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if max(kinds) == schema.BuiltinOperator.CONV_2D:
            kernel = graph.Tensors(operator.Inputs(1)).ShapeAsNumpy()
            if kernel.prod() >= SMALLEST_HALVED:
                yield graph.Tensors(operator.Outputs(0)).Name().decode()


def _with_dynamic_range(
    quantizer: Quantizer,
    _model: bytes,
    scorer: ReIQAScorer,
    _size: Size | None,
    _form: InputForm,
    _calibration: Sequence[np.ndarray] | None,
) -> None:
    for names in _names_of_backbones(scorer):
        quantizer.add_dynamic_config(names, "CONV_2D", num_bits=8)


def _with_integers(
    quantizer: Quantizer,
    model: bytes,
    scorer: ReIQAScorer,
    size: Size | None,
    form: InputForm,
    calibration: Sequence[np.ndarray] | None,
) -> _Ranges:
    from ai_edge_quantizer.calibrator import CalibrationMode, Calibrator
    from ai_edge_quantizer.recipe_manager import RecipeManager
    from ai_edge_quantizer.utils.qsv_utils import min_max_update

    if size is None:
        raise TFLiteError("full_integer: expected a fixed size, such as (512, 512). Received: None")
    photos = [] if calibration is None else [np.asarray(photo) for photo in calibration]
    wrong = [photo for photo in photos if photo.shape != (*size, 3) or photo.dtype != np.uint8]
    if not photos or wrong:
        received = f"{wrong[0].dtype} {wrong[0].shape}" if wrong else "no photos"
        raise TFLiteError(
            f"calibration: expected real photos, uint8 {(*size, 3)}, some 30 of the kind that will "
            f"be scored. Received: {received}"
        )
    for names in _names_of_backbones(scorer):
        for operator in ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "PAD", "MAX_POOL_2D"):
            quantizer.add_static_config(names, operator, activation_num_bits=8, weight_num_bits=8)
    # The extremes of all photos give far better scores than their moving averages, which are the
    # library's own choice. Its profiler finds the same ranges in a quarter of the processor time
    # that a runtime takes which keeps all tensors for Python.
    calibrator = Calibrator(
        model,
        num_threads=os.cpu_count() or 1,
        mode=CalibrationMode.CALIBRATION_PROFILER_BASED,
        qsv_update_func=min_max_update,
    )
    seen = [{IMAGES: form.packed(photo[None])} for photo in photos]
    calibrator.calibrate({SIGNATURE: seen}, RecipeManager())
    return {
        name: {limit: np.float32(value) for limit, value in limits.items()}
        for name, limits in calibrator.get_model_qsvs().items()
    }


PRECISIONS: dict[str, _Quantize] = {
    "float32": _as_it_is,
    "float16": _with_half_weights,
    "dynamic_range": _with_dynamic_range,
    "full_integer": _with_integers,
}
"""What `convert_tflite` can make of the weights and activations, by name."""


def _names_of_backbones(scorer: ReIQAScorer) -> list[str]:
    """One pattern for each encoder, of the names of its backbone's tensors."""
    return [
        f".*/{re.escape(encoder.backbone.name)}(_[0-9]+)?/.*"
        for encoder in scorer.experts().values()
    ]


def float_model(
    scorer: ReIQAScorer,
    size: Size | None,
    probe: Probe | None = None,
    form: InputForm | None = None,
) -> bytes:
    """The scorer as TensorFlow converts it: in float32, without metadata.

    Args:
        scorer: a built `ReIQAScorer`.
        size: as in `convert_tflite`.
        probe: the diagnosis of the preset, for a file that explains scores as well, or None.
        form: in which form it takes pictures; None for upright uint8 RGB.

    Returns:
        bytes of a TFLite file, of which `convert_tflite` makes all precisions.
    """
    # A module, because the converter saves it first and takes the signature's names from there.
    module = tf.Module()
    compute = contract_outputs if probe is None else _explained(probe)
    module.function = folded_function(
        scorer, size, batch_size=BATCH_SIZE, compute=compute, form=form
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.function.get_concrete_function()], module
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    with quiet():
        model: bytes = converter.convert()
    return model


def _explained(probe: Probe) -> Callable[[ReIQAScorer, Tensor], Outputs]:
    """The outputs of the contract, the map and the diagnosis: LiteRT computes all that there is."""

    def compute(scorer: ReIQAScorer, images: Tensor) -> Outputs:
        known = explaining(probe)(scorer, images)
        return {name: known[name] for name in dict.fromkeys((*output_names(scorer), *EXPLAINED))}

    return compute


def _require_builtin_operators(model: bytes) -> None:
    foreign = [name for name in operators(model) if name.startswith("custom")]
    if foreign:
        raise TFLiteError(
            f"expected built-in operators alone. Received: {', '.join(foreign)}. Runtimes on "
            "phones lack them; compute the encoder with other operations."
        )


def output_names_of(model: bytes) -> list[str]:
    """Names of a file's outputs in the order of its tensors, in which metadata are written.

    Args:
        model: bytes of the file.

    Returns:
        list of names, such as `score`.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = schema.Model.GetRootAs(model, 0)
    signature = content.SignatureDefs(0)
    names = {}
    for index in range(signature.OutputsLength()):
        output = signature.Outputs(index)
        names[output.TensorIndex()] = output.Name().decode()
    return [names[index] for index in content.Subgraphs(0).OutputsAsNumpy()]
