"""Experts made from the checkpoints of others, and the preset that they are saved as."""

from __future__ import annotations

import dataclasses
import hashlib
import os

from reiqa_tf.convert.weight_transfer import TransferReport
from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.scorer import ReIQAScorer, save_preset
from reiqa_tf.typing import PathLike


@dataclasses.dataclass(frozen=True)
class ConvertedExpert:
    """An encoder made from a checkpoint of others, and where it came from.

    Attributes:
        encoder: the encoder, built, with the weights of the checkpoint.
        report: what became of every tensor of the checkpoint.
        sha256: hexadecimal SHA-256 of the checkpoint's file.
        license: under what terms the weights are.
    """

    encoder: ReIQAEncoder
    report: TransferReport
    sha256: str
    license: str


def save_experts(
    folder: PathLike,
    content: ConvertedExpert | None = None,
    quality: ConvertedExpert | None = None,
    half_precision: bool = False,
) -> ReIQAScorer:
    """Saves converted experts as a preset without a head, which says where they came from.

    Args:
        folder: the folder to make; see `save_preset`.
        content: the content expert, or None.
        quality: the quality expert, or None; one of the two must be given.
        half_precision: whether the weights are stored as float16.

    Returns:
        the `ReIQAScorer` that was saved.

    Raises:
        PresetError: if `folder` is in the way, or cannot be written.
        ValueError: if neither expert is given.

    Example:
    ```text
    from reiqa_tf.convert.efficientnet_lite import convert_efficientnet_lite
    from reiqa_tf.convert.experts import save_experts
    from reiqa_tf.convert.reiqa import convert_reiqa

    quality = convert_reiqa("quality_aware_r50.pth", "quality")
    content = convert_reiqa("content_aware_r50.pth", "content")
    scorer = save_experts("reiqa", content, quality)
    ```
    """
    experts = {"content": content, "quality": quality}
    given = {name: expert for name, expert in experts.items() if expert is not None}
    scorer = ReIQAScorer(**{name: expert.encoder for name, expert in given.items()})
    scorer.build((None, None, None, 3))
    save_preset(
        scorer,
        folder,
        half_precision,
        description="Encoders without a head, converted from PyTorch weights",
        license="; ".join(dict.fromkeys(expert.license for expert in given.values())),
        sources={
            name: {"file": os.path.basename(expert.report.source), "sha256": expert.sha256}
            for name, expert in given.items()
        },
    )
    return scorer


def file_digest(path: PathLike) -> str:
    """Hexadecimal SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
