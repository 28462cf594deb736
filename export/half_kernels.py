"""ONNX files at half the size and with the same scores: kernels stored as the float16 they are."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import onnx

from reiqa_tf.models.scorer import ReIQAScorer

_SMALLEST = 512  # numbers; below it two more nodes cost more than the bytes that they save

_LAST_BITS = 4 * np.finfo(np.float32).eps


def store_kernels_as_halves(model: onnx.ModelProto, scorer: ReIQAScorer) -> float:
    """Stores kernels as float16 numbers and factors where that loses nothing.

    A converter folds batch normalisation into the kernels, and what was a float16 number in the
    preset is none afterwards. But it is still one times a factor, the same for a whole output
    channel: both are stored, a runtime multiplies them when it loads the file, and computes in
    float32 with the kernels that were there. Rounding the folded kernels instead would move scores
    by up to 6e-4 of their range.

    Args:
        model: `onnx.ModelProto` made of `scorer`; changed in place.
        scorer: the built `ReIQAScorer`. Kernels of its own that are no float16 numbers are left as
            they are in the file, as are those that are not found again.

    Returns:
        share of the file's numbers that are stored in half of the bytes.

    Example:
    ```text
    share = store_kernels_as_halves(model, scorer)  # 0.98 of a preset saved with half_precision
    ```
    """
    halves = _halves_of(scorer)
    nodes: list[onnx.NodeProto] = []
    initializers: list[onnx.TensorProto] = []
    stored, total = 0, 0
    for initializer in model.graph.initializer:
        array = onnx.numpy_helper.to_array(initializer)
        total += array.size
        found = None
        if array.dtype == np.float32 and array.ndim == 4 and array.size >= _SMALLEST:
            found = _factored(array, halves.get(array.shape, ()))
        if found is None:
            initializers.append(initializer)
            continue
        name = initializer.name
        half, factor = found
        stored += half.size
        initializers += [
            onnx.numpy_helper.from_array(half, f"{name}/half"),
            onnx.numpy_helper.from_array(factor, f"{name}/factor"),
        ]
        nodes += [
            onnx.helper.make_node(
                "Cast", [f"{name}/half"], [f"{name}/whole"], to=onnx.TensorProto.FLOAT
            ),
            onnx.helper.make_node("Mul", [f"{name}/whole", f"{name}/factor"], [name]),
        ]
    nodes += model.graph.node
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(initializers)
    model.graph.node.extend(nodes)
    return stored / total


def _halves_of(scorer: ReIQAScorer) -> dict[tuple[int, ...], list[np.ndarray]]:
    """The scorer's kernels that are float16 numbers, in ONNX's order, by their shape there."""
    found: dict[tuple[int, ...], list[np.ndarray]] = {}
    for variable in scorer.variables:
        if len(variable.shape) != 4:
            continue
        array = keras.ops.convert_to_numpy(variable)
        half = array.astype(np.float16)
        if not np.array_equal(half, array):
            continue
        order = (2, 3, 0, 1) if "depthwise" in variable.path else (3, 2, 0, 1)
        half = np.ascontiguousarray(half.transpose(order))
        found.setdefault(half.shape, []).append(half)
    return found


def _factored(
    kernel: np.ndarray, candidates: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray] | None:
    """The candidate that `kernel` is a multiple of, channel by channel, and the factors."""
    for half in candidates:
        whole = half.astype(np.float64)
        squares = (whole**2).sum(axis=(1, 2, 3), keepdims=True)
        products = (whole * kernel).sum(axis=(1, 2, 3), keepdims=True)
        factor = (products / np.where(squares > 0, squares, 1)).astype(np.float32)
        again = half.astype(np.float32) * factor
        if (np.abs(again - kernel) <= _LAST_BITS * np.abs(kernel)).all():
            return half, factor
    return None
