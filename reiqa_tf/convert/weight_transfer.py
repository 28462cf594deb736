"""Lay tensors of a PyTorch state dict into the variables of a Keras model, and account for all."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from reiqa_tf.errors import ReiqaError
from reiqa_tf.files import written_whole
from reiqa_tf.models.backbone import ConvolutionUnit
from reiqa_tf.typing import PathLike

_NAMES_IN_A_MESSAGE = 3


class ConversionError(ReiqaError):
    """A checkpoint whose tensors are not those of the network.

    Attributes:
        report: the `TransferReport`, with all names; the message quotes the first few.
    """

    def __init__(self, message: str, report: TransferReport) -> None:
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


@dataclasses.dataclass(frozen=True)
class NamedUnit:
    """A unit of ours, and what its two parts are called in a state dict.

    Attributes:
        convolution: name of the convolution, without `.weight`.
        normalization: name of the batch normalisation.
        unit: the built `ConvolutionUnit`.
    """

    convolution: str
    normalization: str
    unit: ConvolutionUnit


def transfer(
    source: str,
    tensors: Mapping[str, Any],
    units: Sequence[NamedUnit],
    left_out: Mapping[str, str],
) -> TransferReport:
    """Lays each tensor into its variable; either all of them or none.

    Args:
        source: what errors and the report call the checkpoint.
        tensors: `{name: array}`, the state dict.
        units: all units of the network.
        left_out: `{name: reason}` of tensors that are left out on purpose, where they are there.
            (The counts of batches that batch normalisation has seen always are.)

    Returns:
        `TransferReport`.

    Raises:
        ConversionError: if a tensor is missing, surplus, or not of its variable's shape, or holds
            other than finite floating-point numbers.
    """
    counts = {
        f"{unit.normalization}.num_batches_tracked": "a count that only training uses"
        for unit in units
    }
    unused = {name: why for name, why in {**counts, **left_out}.items() if name in tensors}
    targets = [target for unit in units for target in _targets(unit)]
    known = {target.source for target in targets}
    report = TransferReport(
        source,
        unused=unused,
        missing=[target.source for target in targets if target.source not in tensors],
        surplus=[name for name in tensors if name not in known and name not in unused],
    )
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


def write_reports(path: PathLike, reports: Mapping[str, TransferReport]) -> None:
    """Writes what became of every tensor to a JSON file.

    Args:
        path: the file.
        reports: `{name of an expert: its report}`.

    Raises:
        OutputError: if it cannot be written.
    """
    content = {name: dataclasses.asdict(report) for name, report in reports.items()}
    with written_whole(path) as scratch:
        scratch.write_text(json.dumps(content, indent=2) + "\n")


@dataclasses.dataclass(frozen=True)
class _Target:
    """A variable that waits for a tensor: its name there, and its axes in our order."""

    source: str
    variable: keras.Variable
    axes: tuple[int, ...]


def _targets(named: NamedUnit) -> Iterator[_Target]:
    """The five variables of a unit."""
    convolution, normalization = named.unit.convolution, named.unit.normalization
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    # PyTorch keeps kernels as (out, in, height, width), and depthwise ones as (channels, 1, ...).
    kernel_axes = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
    yield _Target(f"{named.convolution}.weight", convolution.kernel, kernel_axes)
    for part, variable in (
        ("weight", normalization.gamma),
        ("bias", normalization.beta),
        ("running_mean", normalization.moving_mean),
        ("running_var", normalization.moving_variance),
    ):
        yield _Target(f"{named.normalization}.{part}", variable, (0,))


def _problem(tensor: Any, target: _Target) -> str | None:
    """What is wrong with a tensor, or None."""
    sizes = dict(zip(target.axes, target.variable.shape, strict=True))
    expected = tuple(sizes[axis] for axis in range(len(sizes)))
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


def _raise_if_incomplete(report: TransferReport) -> None:
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


def _first(lines: Sequence[str]) -> str:
    quoted = [line.encode("unicode_escape").decode("ascii") for line in lines[:_NAMES_IN_A_MESSAGE]]
    rest = len(lines) - len(quoted)
    return ", ".join(quoted) + (f" and {rest} more" if rest else "")
