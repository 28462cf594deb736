"""Lay tensors of a PyTorch state dict into the variables of a Keras model, and account for each."""

import dataclasses

import keras
import numpy as np

from reiqa_tf.errors import ReiqaError

_NAMES_IN_A_MESSAGE = 3


class ConversionError(ReiqaError):
    """A checkpoint whose tensors are not those of the network.

    Attributes:
        report: the `TransferReport`, with all names; the message quotes the first few.
    """

    def __init__(self, message, report):
        super().__init__(message)
        self.report = report


@dataclasses.dataclass(frozen=True)
class Transfer:
    """One tensor that was laid into one variable.

    Attributes:
        source: name of the tensor.
        variable: path of the variable.
        shape: the tensor's shape, in PyTorch's order.
        dtype: the tensor's type.
    """

    source: str
    variable: str
    shape: tuple[int, ...]
    dtype: str


@dataclasses.dataclass
class TransferReport:
    """What became of every tensor of a checkpoint.

    Attributes:
        source: the checkpoint.
        transfers: the tensors that were used, each once, in the order of the network.
        unused: `{name: reason}` of what is left out on purpose.
        missing: names that the network needs and the checkpoint has not.
        surplus: names of tensors that the network has no place for.
        mismatched: lines that say what was expected of a tensor and what was received.
    """

    source: str
    transfers: list[Transfer] = dataclasses.field(default_factory=list)
    unused: dict[str, str] = dataclasses.field(default_factory=dict)
    missing: list[str] = dataclasses.field(default_factory=list)
    surplus: list[str] = dataclasses.field(default_factory=list)
    mismatched: list[str] = dataclasses.field(default_factory=list)

    def as_dictionary(self):
        """The report as JSON can hold it."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Target:
    """A variable that waits for a tensor.

    Args:
        source: name of the tensor in the state dict.
        variable: the Keras variable.
        axes: which axis of the tensor becomes each axis of the variable.
    """

    source: str
    variable: keras.Variable
    axes: tuple[int, ...]


def unit_targets(unit, convolution, normalization):
    """The targets of one convolution with its batch normalisation.

    Args:
        unit: built `ConvolutionUnit`.
        convolution: the convolution's name in the state dict.
        normalization: the batch normalisation's name.

    Returns:
        list of `Target`.
    """
    depthwise = isinstance(unit.convolution, keras.layers.DepthwiseConv2D)
    # PyTorch keeps kernels as (out, in, height, width), and depthwise ones as (channels, 1, ...).
    kernel_axes = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
    norm = unit.normalization
    return [
        Target(f"{convolution}.weight", unit.convolution.kernel, kernel_axes),
        Target(f"{normalization}.weight", norm.gamma, (0,)),
        Target(f"{normalization}.bias", norm.beta, (0,)),
        Target(f"{normalization}.running_mean", norm.moving_mean, (0,)),
        Target(f"{normalization}.running_var", norm.moving_variance, (0,)),
    ]


def transfer(source, tensors, targets, unused):
    """Lays each tensor into its variable; either all of them or none.

    Args:
        source: what errors and the report call the checkpoint.
        tensors: `{name: array}`, the state dict.
        targets: list of `Target`.
        unused: `{name: reason}` of entries that are left out on purpose.

    Returns:
        `TransferReport`.

    Raises:
        ConversionError: if a tensor is missing, surplus, or not of its variable's shape, or holds
            other than finite floating-point numbers.
    """
    report = TransferReport(source, unused=dict(unused))
    known = {target.source for target in targets}
    report.missing = [target.source for target in targets if target.source not in tensors]
    report.surplus = [name for name in tensors if name not in known and name not in unused]
    values = []
    for target in targets:
        if target.source not in tensors:
            continue
        tensor = tensors[target.source]
        problem = _problem(tensor, target)
        if problem:
            report.mismatched.append(f"{target.source}: {problem}")
            continue
        values.append((target.variable, np.transpose(tensor, target.axes).astype(np.float32)))
        report.transfers.append(
            Transfer(target.source, target.variable.path, tensor.shape, str(tensor.dtype))
        )
    _raise_if_incomplete(report)
    for variable, value in values:
        variable.assign(value)
    return report


def _problem(tensor, target):
    """What is wrong with a tensor, or None."""
    expected = [0] * len(target.axes)
    for axis, size in zip(target.axes, target.variable.shape, strict=True):
        expected[axis] = size
    expected = tuple(expected)
    if not isinstance(tensor, np.ndarray):
        return f"expected a tensor of shape {expected}, received {type(tensor).__name__}"
    if tensor.shape != expected:
        return f"expected shape {expected}, received {tensor.shape}"
    # ml_dtypes' bfloat16 has a kind of its own, and is none of NumPy's floating types.
    if tensor.dtype.kind != "f" and tensor.dtype.name != "bfloat16":
        return f"expected floating-point numbers, received {tensor.dtype.name}"
    with np.errstate(over="ignore"):
        if not np.isfinite(tensor.astype(np.float32)).all():
            return "expected finite numbers, received some that are not"
    return None


def _raise_if_incomplete(report):
    problems = [
        f"{len(lines)} {kind} ({_first(lines)})"
        for kind, lines in (
            ("missing", report.missing),
            ("surplus", report.surplus),
            ("unfit", report.mismatched),
        )
        if lines
    ]
    if problems:
        raise ConversionError(
            f"{report.source}: its tensors are not those of the network: {'; '.join(problems)}.",
            report,
        )


def _first(lines):
    quoted = [line.encode("unicode_escape").decode("ascii") for line in lines[:_NAMES_IN_A_MESSAGE]]
    rest = len(lines) - len(quoted)
    return ", ".join(quoted) + (f" and {rest} more" if rest else "")
