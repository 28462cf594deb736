"""Whether the GPU of a phone can run a TFLite file whole: read off the file, nothing is run.

LiteRT hands to its GPU delegate what that has, and computes the rest on the processor; to change
between the two costs time. A file without obstacles runs there from its input to its scores.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

MOST_DIMENSIONS = 4
"""Dimensions that a tensor may have on a GPU: batch, height, width and channels."""

_LISTED = """
ABS ADD ADD_N ATAN2 AVERAGE_POOL_2D BATCH_MATMUL CAST CEIL CONCATENATION CONV_2D COS CUMSUM
DENSIFY DEPTH_TO_SPACE DEPTHWISE_CONV_2D DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP
EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GELU GREATER GREATER_EQUAL HARD_SWISH
LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGISTIC LSTM MAXIMUM MAX_POOL_2D MEAN MINIMUM
MIRROR_PAD MUL NEG NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU QUANTIZE REDUCE_MAX REDUCE_MIN
REDUCE_PROD RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SELECT
SELECT_V2 SIGN SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE
STABLEHLO_CLAMP STRIDED_SLICE SUB SUM TANH TILE TRANSPOSE TRANSPOSE_CONV
"""

GPU_OPERATORS = frozenset(_LISTED.split())
"""Operators that the delegate has, under conditions some of which `_CONDITIONS` knows.

Reference: TensorFlow 2.21, `tensorflow/lite/tools/versioning/gpu_compatibility.cc`. Its analyser
(`tf.lite.experimental.Analyzer`) has the same list, but that of TensorFlow 2.21's wheel found
nothing to say of files with RANGE and SHAPE, which are not on it.
"""


@dataclasses.dataclass(frozen=True)
class _Value:
    """A tensor: its type such as `FLOAT32`, its shape, and whether the file holds its numbers."""

    kind: str
    shape: tuple[int, ...]
    is_constant: bool


@dataclasses.dataclass(frozen=True)
class _Operator:
    """An operator of the graph, its inputs and outputs, and its options as they are stored."""

    name: str
    inputs: tuple[_Value, ...]
    outputs: tuple[_Value, ...]
    options: schema.Operator


def gpu_obstacles(model: bytes) -> list[str]:
    """What keeps the GPU delegate of LiteRT from running a whole file.

    Args:
        model: bytes of a TFLite file.

    Returns:
        list of texts, each once and with the number of times; empty of a file that it can run.

    Example:
    ```text
    print(gpu_obstacles(pathlib.Path("model_512x512.tflite").read_bytes()))
    ```
    """
    from ai_edge_litert import schema_py_generated as schema

    content = schema.Model.GetRootAs(model, 0)
    found: dict[str, int] = {}
    for number in range(content.SubgraphsLength()):
        graph = content.Subgraphs(number)
        values = [_value(content, graph.Tensors(i)) for i in range(graph.TensorsLength())]
        for text in _obstacles_of_tensors(graph, values):
            found[text] = found.get(text, 0) + 1
        for index in range(graph.OperatorsLength()):
            obstacle = _obstacle(_operator(content, graph.Operators(index), values))
            if obstacle is not None:
                found[obstacle] = found.get(obstacle, 0) + 1
    return [text if count == 1 else f"{text} ({count} times)" for text, count in found.items()]


def _obstacles_of_tensors(graph: schema.SubGraph, values: list[_Value]) -> list[str]:
    found = []
    for index, value in enumerate(values):
        if len(value.shape) > MOST_DIMENSIONS:
            found.append(f"a tensor of {len(value.shape)} dimensions, more than {MOST_DIMENSIONS}")
        # Only tensors whose shape is not known until the file runs have a signature.
        if graph.Tensors(index).ShapeSignatureLength() and any(
            side == -1 for side in graph.Tensors(index).ShapeSignatureAsNumpy()
        ):
            found.append("shapes that are not known before the file runs: export a fixed size")
    return found


def _obstacle(operator: _Operator) -> str | None:
    if operator.name not in GPU_OPERATORS:
        return f"{operator.name}, which the delegate has not"
    condition = _CONDITIONS.get(operator.name)
    return None if condition is None else condition(operator)


def _cast(operator: _Operator) -> str | None:
    pair = (operator.inputs[0].kind, operator.outputs[0].kind)
    floats = {"FLOAT16", "FLOAT32"}
    numbers = {"FLOAT32", "INT32"}
    with_booleans = {"BOOL"} < set(pair) <= {"BOOL", *floats}
    if with_booleans or set(pair) <= numbers:
        return None
    return f"CAST from {pair[0]} to {pair[1]}"


def _slice(operator: _Operator) -> str | None:
    dimensions = len(operator.inputs[0].shape)
    return None if dimensions in (3, 4) else f"{operator.name} of {dimensions} dimensions"


def _strided_slice(operator: _Operator) -> str | None:
    from ai_edge_litert import schema_py_generated as schema

    options = schema.StridedSliceOptions()
    table = operator.options.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    if options.EllipsisMask() or options.NewAxisMask() or options.ShrinkAxisMask():
        return "STRIDED_SLICE that adds or removes dimensions"
    return _slice(operator)


def _depthwise(operator: _Operator) -> str | None:
    images, kernel = operator.inputs[0].shape, operator.inputs[1].shape
    if len(images) != 4 or len(kernel) != 4:
        return f"DEPTHWISE_CONV_2D of {len(images)} dimensions"
    if images[3] not in (1, kernel[3]):
        return "DEPTHWISE_CONV_2D that multiplies its channels"
    return None


def _reduction(operator: _Operator) -> str | None:
    axes = operator.inputs[1]
    if axes.is_constant and axes.kind == "INT32":
        return None
    return f"{operator.name} along axes that are not constant"


def _pad(operator: _Operator) -> str | None:
    widths = operator.inputs[1].shape
    return None if widths in ((3, 2), (4, 2)) else f"{operator.name} of {widths[0]} dimensions"


def _gather(operator: _Operator) -> str | None:
    rows, places = operator.inputs
    if rows.kind == "INT32" or places.kind != "INT32" or len(places.shape) != 1:
        return f"GATHER from {rows.kind} by {places.kind} of {len(places.shape)} dimensions"
    return None


def _addition(operator: _Operator) -> str | None:
    shapes = [value.shape for value in operator.inputs]
    if len(shapes) != 2:
        return f"{operator.name} of {len(shapes)} tensors"
    # Of the last dimensions; a number or a vector of channels always fits.
    pairs = zip(*(shape[::-1] for shape in shapes), strict=False)
    if min(map(len, shapes)) < 2 or all(a == b or 1 in (a, b) for a, b in pairs):
        return None
    return f"{operator.name} of {shapes[0]} and {shapes[1]}"


def _product(operator: _Operator) -> str | None:
    shapes = [value.shape for value in operator.inputs]
    if len(shapes) == 2 and len(shapes[0]) == len(shapes[1]):
        pairs = list(zip(*shapes, strict=True))
        if any(a < b for a, b in pairs) and any(a > b for a, b in pairs):
            return f"MUL of {shapes[0]} and {shapes[1]}, neither of which covers the other"
    return _addition(operator)


_CONDITIONS: dict[str, Callable[[_Operator], str | None]] = {
    "ADD": _addition,
    "CAST": _cast,
    "DEPTHWISE_CONV_2D": _depthwise,
    "GATHER": _gather,
    "MEAN": _reduction,
    "MIRROR_PAD": _pad,
    "MUL": _product,
    "PAD": _pad,
    "PADV2": _pad,
    "REDUCE_MAX": _reduction,
    "REDUCE_MIN": _reduction,
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    "SUM": _reduction,
}
"""What the delegate wants of operators that exported graphs have: a text if they are not so."""


def _value(content: schema.Model, tensor: schema.Tensor) -> _Value:
    from ai_edge_litert import schema_py_generated as schema

    kinds = {code: name for name, code in vars(schema.TensorType).items() if isinstance(code, int)}
    shape = tensor.ShapeAsNumpy() if tensor.ShapeLength() else ()
    return _Value(
        kinds[tensor.Type()],
        tuple(int(side) for side in shape),
        content.Buffers(tensor.Buffer()).DataLength() > 0,
    )


def _operator(content: schema.Model, operator: schema.Operator, values: list[_Value]) -> _Operator:
    from ai_edge_litert import schema_py_generated as schema

    codes = vars(schema.BuiltinOperator).items()
    names = {code: name for name, code in codes if isinstance(code, int)}
    code = content.OperatorCodes(operator.OpcodeIndex())
    # Codes up to 127 once had a byte of their own, and converters fill in both.
    name = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
    inputs, outputs = operator.InputsAsNumpy(), operator.OutputsAsNumpy()
    return _Operator(
        name,
        tuple(values[index] for index in inputs if index >= 0),
        tuple(values[index] for index in outputs),
        operator,
    )
