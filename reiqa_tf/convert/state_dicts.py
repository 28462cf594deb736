"""The state dict of a model in a checkpoint, wherever it is kept and whatever wraps its names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reiqa_tf.convert.torch_checkpoint import MODEL_ENTRIES, TorchCheckpointError

_COMPILED = "_orig_mod."  # what torch.compile puts into names, at any depth

# What wrappers put before the names of a backbone: DataParallel, trainers, the contrastive model.
_WRAPPERS = ("module", "model", "net", "encoder", "encoder_q", "backbone")


def state_dict_of(checkpoint: Any, source: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Takes the state dict out of a checkpoint.

    Args:
        checkpoint: what `read_checkpoint` returned.
        source: what errors call it.

    Returns:
        the state dict, its names as they are without torch.compile, and `{name: reason}` of what
        else the checkpoint holds.

    Raises:
        TorchCheckpointError: if it is no dictionary.
    """
    if not isinstance(checkpoint, dict):
        raise TorchCheckpointError(
            f"{source}: expected a dictionary with an entry {' or '.join(MODEL_ENTRIES)}, or a "
            f"state dict. Received: {type(checkpoint).__name__}."
        )
    left_out: dict[str, str] = {}
    found = [entry for entry in MODEL_ENTRIES if isinstance(checkpoint.get(entry), dict)]
    if found:
        left_out = {str(name): "not the model" for name in checkpoint if name != found[0]}
        checkpoint = checkpoint[found[0]]
    return {
        str(name).replace(_COMPILED, ""): tensor for name, tensor in checkpoint.items()
    }, left_out


def prefix_of(tensors: Mapping[str, Any], first: str) -> str | None:
    """What wrappers put before the names of a network.

    Args:
        tensors: the state dict.
        first: name of the network's first tensor without them.

    Returns:
        such as `module.encoder.`; the longest where there are several, None where there is none.
    """
    pattern = re.compile(rf"((?:(?:{'|'.join(_WRAPPERS)})\.)*){re.escape(first)}")
    matches = [match for match in map(pattern.fullmatch, tensors) if match is not None]
    return max((match[1] for match in matches), key=len, default=None)
