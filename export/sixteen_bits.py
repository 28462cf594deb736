"""A TFLite file where every number has 16 bits, as on GPUs of phones: simulated on a desktop."""

from __future__ import annotations

import pathlib
import tempfile
import warnings
from typing import TYPE_CHECKING

import numpy as np

from reiqa_tf.export.quiet import quiet
from reiqa_tf.export.tflite import output_names_of

if TYPE_CHECKING:
    import onnx
    import onnxruntime


class SixteenBits:
    """A file of a fixed size, once in 32 bits and once rounded to 16 after every operator.

    Constants are rounded, too. Within an operator sums are as good as exact: LiteRT's GPU delegate
    adds up in 32 bits (`reducer` of its reduce.cc is a `float4` in every precision) and stores what
    operators return in 16. A processor that adds up in 16 bits as well would overflow in the first
    poolings, of 65,536 numbers.

    Args:
        model: bytes of a TFLite file in float32, of a fixed size.

    Example:
    ```text
    both = SixteenBits(pathlib.Path("model_512x512.tflite").read_bytes())
    print(both.run(picture))
    ```
    """

    def __init__(self, model: bytes) -> None:
        graph = _as_onnx(model)
        self._outputs = output_names_of(model)
        self._exact = _session(graph)
        self._rounded = _session(_with_all_results(_rounded(graph)))
        (self._images,) = (value.name for value in graph.graph.input)

    def run(self, picture: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
        """Scores a picture in both ways.

        Args:
            picture: uint8 array `(H, W, 3)` of the file's size.

        Returns:
            the outputs in 32 and in 16 bits, numbers by name.

        Raises:
            OverflowError: if an operator returns what 16 bits cannot hold.
        """
        feed = {self._images: picture[np.newaxis]}
        exact = self._exact.run(None, feed)
        rounded = self._rounded.run(None, feed)
        for value, numbers in zip(self._rounded.get_outputs(), rounded, strict=True):
            if not np.isfinite(numbers).all():
                raise OverflowError(f"{value.name}: beyond what 16 bits can hold")
        # What the file returns comes first.
        return self._named(exact), self._named(rounded[: len(exact)])

    def _named(self, values: list[np.ndarray]) -> dict[str, float]:
        return {name: float(value[0]) for name, value in zip(self._outputs, values, strict=True)}


def _as_onnx(model: bytes) -> onnx.ModelProto:
    import onnx
    import tf2onnx

    with tempfile.TemporaryDirectory() as folder, quiet(), warnings.catch_warnings():
        warnings.filterwarnings("ignore")  # of an interpreter that goes away one day
        path = pathlib.Path(folder) / "model.tflite"
        path.write_bytes(model)
        graph, _ = tf2onnx.convert.from_tflite(str(path), opset=18)
    return onnx.shape_inference.infer_shapes(graph)


def _rounded(model: onnx.ModelProto) -> onnx.ModelProto:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    kinds = {
        value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)
    }
    for initializer in graph.initializer:
        if initializer.data_type == TensorProto.FLOAT:
            with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is found
                halves = numpy_helper.to_array(initializer).astype(np.float16)
            array = numpy_helper.from_array(halves.astype(np.float32), initializer.name)
            initializer.CopyFrom(array)
    nodes = []
    for node in graph.node:
        nodes.append(node)
        for place, name in enumerate(node.output):
            if kinds.get(name) == TensorProto.FLOAT:
                exact, half = f"{name} exact", f"{name} half"
                node.output[place] = exact
                nodes += [
                    helper.make_node("Cast", [exact], [half], to=TensorProto.FLOAT16),
                    helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT),
                ]
    del graph.node[:]
    graph.node.extend(nodes)
    return copy


def _with_all_results(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph; what its operators return are outputs, too, behind those that it has."""
    from onnx import TensorProto

    known = {value.name for value in model.graph.output}
    for value in model.graph.value_info:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT and value.name not in known:
            model.graph.output.append(value)
    return model


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # An optimiser would take casts away that follow each other.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options)
