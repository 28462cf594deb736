"""Refuse what has not the shape of pictures, in the same words everywhere."""

from __future__ import annotations

from typing import Any

BATCH = "expected (batch, H, W, 3)"
PICTURES = "expected (batch, H, W, 3) or one picture (H, W, 3)"


def require_batch(images: Any) -> None:
    """Refuses what is no batch of RGB pictures, as far as its shape is known.

    Args:
        images: an array or a tensor. What has no shape is not looked at, such as a dataset, but
            for lists and tuples, which are refused.

    Raises:
        ValueError: if it has not the shape `(batch, H, W, 3)`.
    """
    if isinstance(images, (list, tuple)):
        raise ValueError(
            f"images: {BATCH}, one array. Received: a {type(images).__name__} of {len(images)}. "
            "Pictures of one size: numpy.stack(images); of several: one by one, or score_many."
        )
    shape = _known_shape(images)
    if shape is None or (len(shape) == 4 and shape[-1] in (3, None)):
        return
    hint = " One picture: image[None]." if len(shape) == 3 and shape[-1] == 3 else ""
    raise ValueError(f"images: {BATCH}. Received: {_written(shape)}.{hint}")


def require_pictures(images: Any) -> None:
    """Refuses what is neither one RGB picture nor a batch of them, as far as its shape is known.

    Args:
        images: an array or a tensor.

    Raises:
        ValueError: if it has neither the shape `(H, W, 3)` nor more axes before these.
    """
    shape = _known_shape(images)
    if shape is not None and (len(shape) < 3 or shape[-1] not in (3, None)):
        raise ValueError(f"images: {PICTURES}. Received: {_written(shape)}.")


def _known_shape(images: Any) -> tuple[int | None, ...] | None:
    shape = getattr(images, "shape", None)
    if shape is None or getattr(shape, "rank", 0) is None:  # a tensor of unknown rank
        return None
    return tuple(shape)


def _written(shape: tuple[int | None, ...]) -> str:
    sides = ["?" if side is None else str(side) for side in shape]
    return f"({', '.join(sides)}{',' if len(sides) == 1 else ''})"
