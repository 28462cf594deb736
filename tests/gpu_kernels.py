"""Whether a graph could run on a GPU, without one: TensorFlow's own registry of kernels says so.

The wheel for Linux registers its CUDA kernels on machines that have no GPU, too.
"""

import contextlib

import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import kernels, op_def_registry

from reiqa_tf.training.optimizers import make_optimizer

ON_HOST = {
    # Nothing is computed: the runtime follows edges, or the step ends with an error.
    "Assert",
    "NoOp",
    # Numbers that say how much there is to compute lie on the host in any case.
    "Placeholder",
}


@contextlib.contextmanager
def new_graphs():
    """Gives a list that holds, at the end, the `FunctionDef` of all graphs traced meanwhile."""
    known, found = set(context.context().list_function_names()), []
    yield found
    new = sorted(set(context.context().list_function_names()) - known)
    found.extend(context.context().get_function_def(name) for name in new)


def made_step(objective):
    """The step of an objective as the loop makes it, on this device."""
    model = objective.make_model(from_start=True)
    config, variables = objective.config, model.trainable_variables
    optimizer = make_optimizer(
        config.optimizer, 0.1, config.schedule, 1, variables, objective.rate_factors(model)
    )
    return objective.make_step(model, optimizer, tf.distribute.get_strategy())


def assert_ready(graphs):
    """The graphs of a step run on a GPU whole, and nothing that they compute goes to the host."""
    assert unsupported(graphs) == {}
    assert copies_to_the_host(graphs) == {}
    operators = {node.op for graph in graphs for node in graph.node_def}
    assert {"Conv2D", "Conv2DBackpropFilter", "AssignVariableOp"} <= operators


def not_on_the_host(graphs):
    """Nodes of the functions of a dataset that no `tf.device` places on the host, by operator.

    The branches of a condition run where the condition is, which is one of these nodes. What
    TensorFlow adds at the end of a function, to hand results on, is left out.
    """
    functions = [graph for graph in graphs if "_inference_Dataset_" in graph.signature.name]
    assert functions
    return {
        node.op: f"{graph.signature.name}: {node.name}"
        for graph in functions
        for node in graph.node_def
        if "CPU" not in node.device and node.op not in ("Identity", "NoOp")
    }


def unsupported(graphs):
    """Operators, with their types, that have no kernel on a GPU and are not placed on the host.

    Args:
        graphs: list of `FunctionDef`.

    Returns:
        dictionary from the operator and its types to the name of a node.
    """
    found = {}
    for place, node, fitting in _on_device(graphs):
        if not fitting and node.op not in ON_HOST and not _is_call(node, graphs):
            types = sorted(
                f"{name}={tf.dtypes.as_dtype(value.type).name}"
                for name, value in node.attr.items()
                if value.WhichOneof("value") == "type"
            )
            found[f"{node.op}({', '.join(types)})"] = place
    return found


def copies_to_the_host(graphs):
    """Floats computed on the device that a kernel wants in the host's memory: each is a wait.

    Args:
        graphs: list of `FunctionDef`.

    Returns:
        dictionary from the operator and its argument to the name of a node.
    """
    found = {}
    for place, node, fitting in _on_device(graphs):
        for argument, kind in _arguments(node) if fitting else ():
            if argument in fitting[0].host_memory_arg and kind.is_floating:
                found[f"{node.op}.{argument}"] = place
    return found


def _on_device(graphs):
    """Nodes that are not placed on the host: where each is, and the GPU kernels for its types."""
    for graph in graphs:
        for node in graph.node_def:
            if "CPU" not in node.device:
                fitting = [kernel for kernel in _gpu_kernels(node.op) if _takes(kernel, node)]
                yield f"{graph.signature.name}: {node.name}", node, fitting


def _arguments(node):
    """Names and types of the inputs of a node; of lists the type that all have."""
    for argument in op_def_registry.get(node.op).input_arg:
        kind = argument.type or (node.attr[argument.type_attr].type if argument.type_attr else 0)
        if kind:
            yield argument.name, tf.dtypes.as_dtype(kind)


def _is_call(node, graphs):
    return node.op in {graph.signature.name for graph in graphs}


def _gpu_kernels(name):
    """Kernels for a GPU; those of the type DEFAULT are for any device, with numbers on the host."""
    registered = kernels.get_registered_kernels_for_op(name).kernel
    return [kernel for kernel in registered if kernel.device_type in ("GPU", "DEFAULT")]


def _takes(kernel, node):
    """Whether a kernel is for the types of a node."""
    for constraint in kernel.constraint:
        value = node.attr[constraint.name]
        types = [value.type] if value.WhichOneof("value") == "type" else list(value.list.type)
        if not set(types) <= set(constraint.allowed_values.list.type):
            return False
    return True
