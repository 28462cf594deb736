"""Re-IQA's official checkpoints: a ResNet-50 encoder, trained by the paper's authors in PyTorch."""

import os

from reiqa_tf.convert.torch_checkpoint import TorchCheckpointError, read_checkpoint
from reiqa_tf.convert.weight_transfer import transfer, unit_targets
from reiqa_tf.models.encoder import IMAGENET, ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone

NORMALIZATIONS = {"content": IMAGENET, "quality": None}
"""What each expert's pictures are normalised with: ImageNet's mean and deviation, or nothing.
Source: section 3 of the paper and `avinabsaha/ReIQA`, the scripts that extract features."""

# Where the names of the backbone begin: saved under DataParallel or not, with the projection head
# beside the backbone or as a backbone alone.
_PREFIXES = ("module.encoder.", "encoder.", "module.", "")

_HEADS = {
    "head.": "the projection head, which only training uses",
    "fc.": "a classifier, which no feature comes from",
}


def convert_reiqa(path, expert):
    """Makes an encoder from a checkpoint of the Re-IQA authors.

    Args:
        path: the file, `quality_aware_r50.pth` or `content_aware_r50.pth`: a dictionary whose
            entry `model` is the state dict. (Its moving average `model_ema` is left out, as the
            authors leave it out.) A file with the state dict alone is taken, too.
        expert: `"content"` or `"quality"`, which decides on the normalisation of pictures.

    Returns:
        `ReIQAEncoder` with 4,096 features, and the `TransferReport`.

    Raises:
        TorchCheckpointError: if the file is no checkpoint.
        ConversionError: if it holds another network.

    Example:
    ```python
    from reiqa_tf.convert.reiqa import convert_reiqa

    encoder, report = convert_reiqa("quality_aware_r50.pth", "quality")
    features = encoder(images)  # (N, 4096): full size, then half size
    ```
    """
    tensors, left_out = _state_dict(read_checkpoint(path), os.fspath(path))
    encoder = ReIQAEncoder(ResNetBackbone(), normalization=NORMALIZATIONS[expert], name=expert)
    encoder.build((None, None, None, 3))
    report = transfer_resnet(os.fspath(path), tensors, encoder.backbone)
    report.unused |= left_out
    return encoder, report


def transfer_resnet(source, tensors, backbone):
    """Lays a state dict with torchvision's names into a `ResNetBackbone`.

    Args:
        source: what errors and the report call the checkpoint.
        tensors: `{name: array}`; the names may begin with `module.`, `encoder.` or both.
        backbone: the built backbone.

    Returns:
        `TransferReport`.

    Raises:
        ConversionError: as in `transfer`.
    """
    prefix = next((each for each in _PREFIXES if f"{each}conv1.weight" in tensors), _PREFIXES[0])
    targets = [
        target
        for convolution, normalization, unit in _units(backbone)
        for target in unit_targets(unit, prefix + convolution, prefix + normalization)
    ]
    unused = {
        f"{prefix}{normalization}.num_batches_tracked": "a count that only training uses"
        for _, normalization, _ in _units(backbone)
    }
    beside = prefix.removesuffix("encoder.")
    for name in tensors:
        for head, reason in _HEADS.items():
            if name.startswith((beside + head, prefix + head)):
                unused[name] = reason
    unused = {name: reason for name, reason in unused.items() if name in tensors}
    return transfer(source, tensors, targets, unused)


def _units(backbone):
    """Names in torchvision's ResNet of a convolution and its normalisation, and their unit."""
    yield "conv1", "bn1", backbone.stem
    for stage, blocks in enumerate(backbone.stages, start=1):
        for index, block in enumerate(blocks):
            name = f"layer{stage}.{index}"
            yield f"{name}.conv1", f"{name}.bn1", block.reduce
            yield f"{name}.conv2", f"{name}.bn2", block.spatial
            yield f"{name}.conv3", f"{name}.bn3", block.expand
            if block.shortcut is not None:
                yield f"{name}.downsample.0", f"{name}.downsample.1", block.shortcut


def _state_dict(checkpoint, path):
    """The state dict of a checkpoint, and what of the checkpoint is left out."""
    if not isinstance(checkpoint, dict):
        raise TorchCheckpointError(
            f"{path}: expected a dictionary with the entry `model`, or a state dict. Received: "
            f"{type(checkpoint).__name__}."
        )
    left_out = {}
    if isinstance(checkpoint.get("model"), dict):
        left_out = {str(name): "not the model" for name in checkpoint if name != "model"}
        checkpoint = checkpoint["model"]
    return {str(name): tensor for name, tensor in checkpoint.items()}, left_out
