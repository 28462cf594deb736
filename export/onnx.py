"""ONNX files: any number of pictures of any size in, named outputs out, at a pinned opset."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np

from reiqa_tf.errors import ReiqaError
from reiqa_tf.explanation.diagnosis import Probe
from reiqa_tf.export.quiet import quiet
from reiqa_tf.export.serving import explaining, folded_function
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.runtimes.contract import FEATURES, IMAGES, Contract
from reiqa_tf.runtimes.explained import EXPLAINING
from reiqa_tf.runtimes.native_head import HEAD, NATIVE_SIZE, NativeHead

if TYPE_CHECKING:
    import onnx

OPSET = 18
"""Version of ONNX's operators, of 2022; every runtime since then has them."""

SMALLEST_HALVED = 4096
"""Smallest kernel, in numbers, that is rounded to float16."""

_STANDARD_DOMAINS = {"", "ai.onnx"}


class ONNXError(ReiqaError):
    """A scorer that cannot be converted as asked for. The message says why, and the way out."""


def convert_onnx(
    scorer: ReIQAScorer, precision: str, contract: Contract, probe: Probe | None = None
) -> bytes:
    """Converts a scorer to an ONNX file.

    Args:
        scorer: a built `ReIQAScorer`.
        precision: one of `PRECISIONS`: `"float32"`, or `"float16"`, which rounds the convolutions'
            weights to float16 and computes in float32 all the same: half the file, and the
            half-size picture, the pooling and the head keep the digits that they need. Kernels
            that are float16 numbers in the scorer, as those of a preset saved in half precision,
            are stored as such either way, and nothing is lost; see `half_kernels`.
        contract: what the file says about itself. It becomes the file's `metadata_props`, its
            values as JSON, beside the `Image.` entries that ONNX defines for pictures.
        probe: the diagnosis of the preset, for a file that explains scores as well, or None. The
            contract then says what its outputs are.

    Returns:
        bytes of the file: input `images`, uint8 `[N, H, W, 3]`, outputs as the contract says, and
        `features` `[N, F]` behind them. A runtime computes the outputs that it is asked for, and
        the features are computed on the way to a score: they cost nothing. What explains scores
        stands behind them, and last the kernels of the head, with which photos are scored at their
        own size.

    Raises:
        ONNXError: if there is no such precision, the weights do not fit into it, or the converter
            used an operator that is not ONNX's own.

    Example:
    ```text
    model = convert_onnx(scorer, "float32", Contract.of(scorer, "my_preset", sha256))
    session = onnxruntime.InferenceSession(model)
    (score,) = session.run(["score"], {"images": images})
    (features,) = session.run(["features"], {"images": images})
    ```
    """
    import onnx

    from reiqa_tf.export.half_kernels import store_kernels_as_halves

    if precision not in PRECISIONS:
        raise ONNXError(
            f"precision: expected one of {', '.join(PRECISIONS)}. Received: {precision!r}"
        )
    model = _convert(scorer, probe)
    outputs = dict.fromkeys((*contract.outputs, FEATURES, *(EXPLAINING if probe else ())))
    _name_dimensions(model.graph, tuple(outputs))
    native = add_head(model.graph, scorer)
    store_kernels_as_halves(model, scorer)
    PRECISIONS[precision](model.graph)
    foreign = {node.domain for node in model.graph.node} - _STANDARD_DOMAINS
    if foreign:
        raise ONNXError(
            f"expected ONNX's own operators alone. Received some of: {', '.join(sorted(foreign))}. "
            "Runtimes lack them; compute the encoder with other operations."
        )
    # The Image entries are those of ONNX's own documentation, MetadataProps.md.
    onnx.helper.set_model_props(
        model,
        {
            "Image.BitmapPixelFormat": "Rgb8",
            "Image.ColorSpaceGamma": "SRGB",
            "Image.NominalPixelRange": "NominalRange_0_255",
            **{key: json.dumps(value) for key, value in contract.entries().items()},
            NATIVE_SIZE: json.dumps(native.entry()),
        },
    )
    model.producer_name, _, model.producer_version = contract.producer.partition(" ")
    model.doc_string = contract.description or ""
    onnx.checker.check_model(model, full_check=True)
    contents: bytes = model.SerializeToString()
    return contents


def _convert(scorer: ReIQAScorer, probe: Probe | None) -> onnx.ModelProto:
    """The scorer as an `onnx.ModelProto` in float32."""
    import tf2onnx

    function = folded_function(scorer, compute=explaining(probe))
    with quiet():
        model, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=OPSET)
    return model


def _name_dimensions(graph: onnx.GraphProto, outputs: Sequence[str]) -> None:
    """Gives the open dimensions their letters, and the outputs their order."""
    (images,) = (value for value in graph.input if value.name == IMAGES)
    for dimension, letter in zip(images.type.tensor_type.shape.dim, "NHW", strict=False):
        dimension.dim_param = letter
    by_name = {value.name: value for value in graph.output}
    del graph.output[:]
    for name in outputs:
        by_name[name].type.tensor_type.shape.dim[0].dim_param = "N"
        graph.output.append(by_name[name])


def add_head(graph: onnx.GraphProto, scorer: ReIQAScorer) -> NativeHead:
    """Has a graph return the kernels of the head, which it holds, as an output of their own.

    Args:
        graph: made of `scorer`; changed in place.
        scorer: the built `ReIQAScorer`.

    Returns:
        what the file says beside: `NativeHead`.
    """
    from onnx import TensorProto, helper, numpy_helper

    head = scorer.head
    if head is not None:
        sources = []
        for kernel in (head.kernel, head.spread_kernel, head.distance_kernel):
            array = keras.ops.convert_to_numpy(kernel)
            sources.append(_initializer_of(graph, array) or f"{HEAD}/{kernel.name}")
            if sources[-1].startswith(f"{HEAD}/"):  # of zeros, say, which the converter left out
                graph.initializer.append(numpy_helper.from_array(array, sources[-1]))
        graph.node.append(helper.make_node("Concat", sources, [HEAD], axis=0))
        shape = [3 * scorer.feature_count]
        graph.output.append(helper.make_tensor_value_info(HEAD, TensorProto.FLOAT, shape))
    return NativeHead.of(scorer)


def _initializer_of(graph: onnx.GraphProto, array: np.ndarray) -> str | None:
    from onnx import numpy_helper

    for initializer in graph.initializer:
        if list(initializer.dims) == list(array.shape) and np.array_equal(
            numpy_helper.to_array(initializer), array
        ):
            return str(initializer.name)
    return None


def _as_it_is(_graph: onnx.GraphProto) -> None:
    """The converter's own weights, in float32."""


def _with_half_weights(graph: onnx.GraphProto) -> None:
    from onnx import TensorProto, helper, numpy_helper

    # The small kernels of the first stages and of the depthwise convolutions are a hundredth of
    # all weights, and rounding them costs more than rounding all others.
    whole = {node.input[1] for node in graph.node if node.op_type == "Conv" and _groups(node) == 1}
    casts = []
    for initializer in graph.initializer:
        name = initializer.name
        if name not in whole or np.prod(initializer.dims) < SMALLEST_HALVED:
            continue
        with np.errstate(over="ignore"):
            half = numpy_helper.to_array(initializer).astype(np.float16)
        if not np.isfinite(half).all():
            raise ONNXError(f"float16: the weights of {name} do not fit. Use float32.")
        initializer.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
        # Runtimes compute what is constant once, when they load the file.
        casts.append(helper.make_node("Cast", [initializer.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


PRECISIONS: dict[str, Callable[[onnx.GraphProto], None]] = {
    "float32": _as_it_is,
    "float16": _with_half_weights,
}
"""What `convert_onnx` can make of the weights, by name."""


def _groups(convolution: onnx.NodeProto) -> int:
    return next((entry.i for entry in convolution.attribute if entry.name == "group"), 1)
