"""How much memory a traced graph needs: counted on the graph, which is never run.

Each operation writes its results into memory of their own, and gives memory back once nothing
reads it any more. So whoever goes through a graph in the order of its operations and knows the
shapes sees how much is in use at every moment. What is not in a graph is not counted: the
workspaces of cuDNN and oneDNN, and what CUDA itself takes.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

ROWS = 10_007
"""Rows of a batch in graphs that are traced to be counted.

How the memory grows with the batch must be known for any batch, and tracing takes seconds. So a
graph is traced once, with a number of rows that is a prime and divides nothing else in a network:
a tensor whose size it divides has the batch in its shape, and the others do not. Nothing of that
size is ever allocated.
"""

_ALIASES = {
    # These return what they were given, in another shape or under another name.
    "EnsureShape",
    "ExpandDims",
    "Identity",
    "IdentityN",
    "PreventGradient",
    "Reshape",
    "Squeeze",
    "StopGradient",
}

_IN_PLACE = {
    # These write over an input of the same size that nothing else needs (TensorFlow's "buffer
    # forwarding").
    "Add",
    "AddN",
    "AddV2",
    "BiasAdd",
    "Div",
    "Exp",
    "Log",
    "Maximum",
    "Minimum",
    "Mul",
    "Neg",
    "RealDiv",
    "Relu",
    "Relu6",
    "Relu6Grad",
    "ReluGrad",
    "Rsqrt",
    "RsqrtGrad",
    "Sigmoid",
    "SigmoidGrad",
    "Sqrt",
    "SqrtGrad",
    "Square",
    "Sub",
    "Tanh",
    "TanhGrad",
}

_HELD_BY_OTHERS = {"Placeholder", "ReadVariableOp"}
"""Arguments, which the caller holds, and variables: they are there anyway."""


class GraphMemory:
    """The memory that a graph allocates while it runs, beside its arguments and variables.

    Args:
        graph: a graph that was traced with `ROWS` rows in a batch.

    Raises:
        ValueError: if the size of a tensor is not known, or grows with the square of the batch.

    Example:
    ```python
    import tensorflow as tf

    from reiqa_tf.training.graph_memory import ROWS, GraphMemory

    kernel = tf.Variable(tf.zeros((100, 50)))

    @tf.function
    def layer(rows):
        return tf.tanh(rows @ kernel)

    traced = layer.get_concrete_function(tf.TensorSpec((ROWS, 100)))
    memory = GraphMemory(traced.graph)
    assert memory.peak(rows=8) == 8 * 50 * 4  # tanh writes over the product
    ```
    """

    def __init__(self, graph: tf.Graph) -> None:
        operations = _needed(graph)
        last = len(operations)
        self._first: list[int] = []
        self._last: list[int] = []
        self._fixed: list[int] = []
        self._of_a_row: list[int] = []
        place = {operation.name: i for i, operation in enumerate(operations)}
        # Aliases prolong the life of what they are of, so ends are known before anything is placed.
        source = _sources(operations)
        ends: dict[str, int] = {}
        for name, original in source.items():
            tensor = graph.get_tensor_by_name(name)
            uses = [place[one.name] for one in tensor.consumers() if one.name in place]
            ends[original] = max([ends.get(original, 0), place[tensor.op.name], *uses])
        for output in getattr(graph, "outputs", ()):
            ends[source[output.name]] = last
        taken: dict[str, int] = {}
        for now, operation in enumerate(operations):
            for tensor in operation.outputs:
                name = tensor.name
                if source[name] != name or operation.type in _HELD_BY_OTHERS:
                    continue
                fixed, of_a_row = _bytes(tensor)
                reused = None
                if operation.type in _IN_PLACE:
                    reused = next(
                        (
                            taken[source[read.name]]
                            for read in operation.inputs
                            if ends[source[read.name]] == now
                            and source[read.name] in taken
                            and _bytes(read) == (fixed, of_a_row)
                        ),
                        None,
                    )
                if reused is None:
                    taken[name] = len(self._first)
                    # What a graph has as numbers of its own is there from the start.
                    self._first.append(0 if operation.type == "Const" else now)
                    self._last.append(ends[name])
                    self._fixed.append(fixed)
                    self._of_a_row.append(of_a_row)
                else:
                    taken[name] = reused
                    self._last[reused] = ends[name]
        self._moments = last + 1
        backward = (i for i, one in enumerate(operations) if one.name.startswith("gradient_tape/"))
        self._turn = next(backward, None)

    def peak(self, rows: float) -> int:
        """Bytes in use at the moment when they are most.

        Args:
            rows: rows of the batch.
        """
        return round(self._in_use(rows).max())

    def kept_for_gradient(self, rows: float) -> int:
        """Bytes in use when the forward pass is over and its gradient begins; 0 without one.

        Args:
            rows: rows of the batch.
        """
        return 0 if self._turn is None else round(self._in_use(rows)[self._turn - 1])

    def _in_use(self, rows: float) -> np.ndarray:
        """Bytes in use during each operation."""
        sizes = np.array(self._fixed) + rows * np.array(self._of_a_row)
        changes = np.zeros(self._moments + 1)
        np.add.at(changes, self._first, sizes)
        np.add.at(changes, np.array(self._last, int) + 1, -sizes)
        return np.cumsum(changes)


def variable_bytes(variables: list[tf.Variable]) -> int:
    """Bytes of Keras variables.

    Args:
        variables: list of Keras variables.
    """
    return sum(
        math.prod(variable.shape) * tf.as_dtype(variable.dtype).size for variable in variables
    )


def _needed(graph: tf.Graph) -> list[tf.Operation]:
    """The operations that are run: what nothing is made of is left out, as TensorFlow does."""
    ends = [tensor.op for tensor in getattr(graph, "outputs", ())]
    ends += [operation for operation in graph.get_operations() if operation.op_def.is_stateful]
    needed: set[str] = set()
    while ends:
        operation = ends.pop()
        if operation.name not in needed:
            needed.add(operation.name)
            ends += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
    return [operation for operation in graph.get_operations() if operation.name in needed]


def _sources(operations: list[tf.Operation]) -> dict[str, str]:
    """Of each tensor, the one in whose memory it lies: itself, unless its operation copies none."""
    source: dict[str, str] = {}
    for operation in operations:
        for i, tensor in enumerate(operation.outputs):
            is_alias = operation.type in _ALIASES
            source[tensor.name] = source[operation.inputs[i].name] if is_alias else tensor.name
    return source


def _bytes(tensor: tf.Tensor) -> tuple[int, int]:
    """Bytes of a tensor: those that it always has, and those for each row of the batch."""
    # The last output of fused batch normalisation is cuDNN's own, of a size that only it knows:
    # nothing, unless it fuses an activation as well.
    is_of_cudnn = tensor.op.type == "FusedBatchNormV3" and tensor.value_index == 5
    if is_of_cudnn or tensor.dtype in (tf.resource, tf.variant, tf.string):
        return 0, 0
    count = tensor.shape.num_elements()
    if count is None:
        raise ValueError(f"{tensor.name}: expected a known shape. Received: {tensor.shape}")
    if count % ROWS or not count:
        return count * tensor.dtype.size, 0
    if count % ROWS**2 == 0:
        raise ValueError(f"{tensor.name}: grows with the square of the batch: {tensor.shape}")
    return 0, count // ROWS * tensor.dtype.size
