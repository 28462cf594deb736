"""Re-IQA's official checkpoints: a ResNet-50 encoder, trained by the paper's authors in PyTorch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from reiqa_tf.convert.experts import ConvertedExpert, file_digest
from reiqa_tf.convert.state_dicts import prefix_of, state_dict_of
from reiqa_tf.convert.torch_checkpoint import read_checkpoint
from reiqa_tf.convert.weight_transfer import NamedUnit, TransferReport, transfer
from reiqa_tf.models.encoder import IMAGENET, ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.typing import PathLike

NORMALIZATIONS = {"content": IMAGENET, "quality": None}
"""What each expert's pictures are normalised with: ImageNet's mean and deviation, or nothing.
Source: section 3 of the paper and `avinabsaha/ReIQA`, the scripts that extract features."""

_LICENSE = "that of the Re-IQA checkpoints (avinabsaha/ReIQA is under MIT)"

_NAMES_OF_THE_AUTHORS = "module.encoder."  # what their names of the backbone begin with

_HEADS = {
    "head.": "the projection head, which only training uses",
    "fc.": "a classifier, which no feature comes from",
}


def convert_reiqa(path: PathLike, expert: str) -> ConvertedExpert:
    """Makes an encoder from a checkpoint of the Re-IQA authors.

    Args:
        path: the file, `quality_aware_r50.pth` or `content_aware_r50.pth`: a dictionary whose
            entry `model` is the state dict. (Its moving average `model_ema` is left out, as the
            authors leave it out.) Entries `state_dict` and `model_state_dict`, a file with the
            state dict alone, and safetensors are taken, too.
        expert: `"content"` or `"quality"`, which decides on the normalisation of pictures.

    Returns:
        `ConvertedExpert`, whose encoder has 4,096 features.

    Raises:
        TorchCheckpointError: if the file is no checkpoint.
        ConversionError: if it holds another network.
        ValueError: if `expert` is another word.

    Example:
    ```text
    from reiqa_tf.convert.reiqa import convert_reiqa

    quality = convert_reiqa("quality_aware_r50.pth", "quality")
    features = quality.encoder(images)  # (N, 4096): full size, then half size
    ```
    """
    if expert not in NORMALIZATIONS:
        raise ValueError(f"expert: expected content or quality. Received: {expert!r}")
    tensors, left_out = state_dict_of(read_checkpoint(path), os.fspath(path))
    encoder = ReIQAEncoder(ResNetBackbone(), normalization=NORMALIZATIONS[expert], name=expert)
    encoder.build((None, None, None, 3))
    report = transfer_resnet(os.fspath(path), tensors, encoder.backbone)
    report.unused |= left_out
    return ConvertedExpert(encoder, report, file_digest(path), _LICENSE)


def transfer_resnet(
    source: str, tensors: Mapping[str, Any], backbone: ResNetBackbone
) -> TransferReport:
    """Lays a state dict with torchvision's names into a `ResNetBackbone`.

    Args:
        source: what errors and the report call the checkpoint.
        tensors: `{name: array}`; the names may begin with `module.`, `encoder.` and the like.
        backbone: the built backbone.

    Returns:
        `TransferReport`.

    Raises:
        ConversionError: as in `transfer`.
    """
    found = prefix_of(tensors, "conv1.weight")
    prefix = _NAMES_OF_THE_AUTHORS if found is None else found
    outer = prefix.removesuffix("encoder.")
    heads = {
        name: reason
        for name in tensors
        for head, reason in _HEADS.items()
        if name.startswith((outer + head, prefix + head))
    }
    return transfer(source, tensors, list(_units(backbone, prefix)), heads)


def _units(backbone: ResNetBackbone, prefix: str) -> Iterator[NamedUnit]:
    """The units under their names in torchvision's ResNet."""
    yield NamedUnit(f"{prefix}conv1", f"{prefix}bn1", backbone.stem)
    for stage, blocks in enumerate(backbone.stages, start=1):
        for index, block in enumerate(blocks):
            name = f"{prefix}layer{stage}.{index}"
            yield NamedUnit(f"{name}.conv1", f"{name}.bn1", block.reduce)
            yield NamedUnit(f"{name}.conv2", f"{name}.bn2", block.spatial)
            yield NamedUnit(f"{name}.conv3", f"{name}.bn3", block.expand)
            if block.shortcut is not None:
                yield NamedUnit(f"{name}.downsample.0", f"{name}.downsample.1", block.shortcut)
