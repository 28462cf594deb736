"""A scorer whose weights are folded as for inference, and still variables that are stored once."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, rewriter_config_pb2

# No public name gives a graph with constants folded; the converters of TFLite and ONNX use these.
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.grappler import tf_optimizer

from reiqa_tf.explanation.diagnosis import Probe
from reiqa_tf.export.serving import GraphFunction, Outputs, explaining
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.runtimes.contract import IMAGES
from reiqa_tf.typing import Tensor

_SMALLEST_VARIABLE = 16
"""Elements from which on a constant is lifted: below, it costs more as a variable."""


class FoldedScorer(tf.Module):
    """What a scorer computes, with batch normalisation folded into the convolutions.

    TensorFlow folds it by itself where weights are constants, and leaves it alone where they are
    variables, as in a SavedModel. Here it is folded first, and then the constants become variables,
    equal ones the same, so that a SavedModel is fast and holds each weight once.

    Args:
        scorer: a built `ReIQAScorer`. Later changes of its weights do not reach this copy.
        probe: the diagnosis of its preset, to explain scores as well, or None.

    Attributes:
        compute: graph function from pictures `(N, H, W, 3)`, floats in [0, 1], to a dictionary as
            of `all_outputs`.

    Example:
    ```python
    import reiqa_tf
    from reiqa_tf.export.folding import FoldedScorer

    folded = FoldedScorer(reiqa_tf.load_preset("content_lite0_biq2021"))
    image = reiqa_tf.read_image("photo.jpg", fit=64) / 255
    print(folded.compute(image[None].astype("float32"))["score"])
    ```
    """

    def __init__(self, scorer: ReIQAScorer, probe: Probe | None = None) -> None:
        super().__init__(name="scorer")
        concrete = _constant_function(scorer, probe).get_concrete_function()
        frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
        graph = _fold(frozen)
        self.weights, lifted = _lift(graph)
        names = sorted(concrete.structured_outputs)
        entry, ends = frozen.inputs[0].name, [tensor.name for tensor in frozen.outputs]

        def compute(images: Tensor) -> Outputs:
            inputs = {name: self.weights[i].read_value() for name, i in lifted.items()}
            tensors = tf.graph_util.import_graph_def(
                graph, input_map={**inputs, entry: images}, return_elements=ends, name="folded"
            )
            return dict(zip(names, tensors, strict=True))

        self.compute: GraphFunction = tf.function(
            compute, input_signature=[_PICTURES], autograph=False
        )


_PICTURES = tf.TensorSpec((None, None, None, 3), tf.float32, name=IMAGES)


def _constant_function(scorer: ReIQAScorer, probe: Probe | None) -> GraphFunction:
    weights = [(variable, keras.ops.convert_to_numpy(variable)) for variable in scorer.variables]

    @tf.function(input_signature=[_PICTURES], autograph=False)
    def compute(images: Tensor) -> Outputs:
        constants = [(variable, tf.constant(array)) for variable, array in weights]
        with keras.StatelessScope(state_mapping=constants):
            return explaining(probe)(scorer, images)

    return compute


def _fold(frozen: Any) -> Any:
    """The graph of a function without variables, with everything constant computed."""
    config = config_pb2.ConfigProto()
    rewrites = config.graph_options.rewrite_options
    rewrites.optimizers.extend(
        ["pruning", "function", "constfold", "arithmetic", "dependency", "constfold", "pruning"]
    )
    # What depends on the processor is left to the machine that serves.
    rewrites.remapping = rewriter_config_pb2.RewriterConfig.OFF
    rewrites.layout_optimizer = rewriter_config_pb2.RewriterConfig.OFF
    rewrites.min_graph_nodes = -1
    meta_graph = tf.compat.v1.train.export_meta_graph(
        graph_def=frozen.graph.as_graph_def(), graph=frozen.graph
    )
    kept = meta_graph_pb2.CollectionDef()
    kept.node_list.value.extend(tensor.name for tensor in [*frozen.inputs, *frozen.outputs])
    meta_graph.collection_def["train_op"].CopyFrom(kept)
    return tf_optimizer.OptimizeGraph(config, meta_graph)


def _lift(graph: Any) -> tuple[list[tf.Variable], dict[str, int]]:
    """Takes the large constants out of a graph.

    Args:
        graph: `GraphDef`, from which the nodes are removed.

    Returns:
        list of variables, and a dictionary from names of removed tensors to places in the list.
    """
    variables: list[tf.Variable] = []
    places: dict[tuple[tuple[int, ...], bytes], int] = {}
    lifted: dict[str, int] = {}
    for node in [node for node in graph.node if node.op == "Const"]:
        array = tf.make_ndarray(node.attr["value"].tensor)
        if array.dtype != np.float32 or array.size < _SMALLEST_VARIABLE:
            continue
        key = (array.shape, array.tobytes())
        if key not in places:
            places[key] = len(variables)
            variables.append(tf.Variable(array, trainable=False, name=f"weight{len(variables)}"))
        lifted[f"{node.name}:0"] = places[key]
        graph.node.remove(node)
    return variables, lifted
