"""One photo, one distortion, level by level: pictures whose order is known without asking."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.bank import distort
from reiqa_tf.distortions.distortion import LEVELS
from reiqa_tf.distortions.engine.windows import SMALLEST_SIDE
from reiqa_tf.image.reading import ImageError, read_image
from reiqa_tf.image.scaling import to_levels
from reiqa_tf.typing import PathLike


def read_distortable(source: PathLike | bytes, fit: int | None, name: str) -> np.ndarray:
    """Reads a photo that can be distorted at the size at which it is scored.

    Args:
        source: path of the file, or its `bytes`.
        fit: as in `read_image`.
        name: what error messages call the photo.

    Returns:
        uint8 array `(H, W, 3)`, at least 32 px either way.

    Raises:
        ImageError: as `read_image`, or if the photo is too narrow.
    """
    image = read_image(source, fit=fit, name=name)
    if min(image.shape[:2]) < SMALLEST_SIDE:
        raise ImageError(
            f"{name}: too narrow to distort. Expected at least {SMALLEST_SIDE} px either way "
            f"at the working size, received {image.shape[1]} x {image.shape[0]} px."
        )
    return image


def shrunk(image: np.ndarray, share: float, smallest_side: int = SMALLEST_SIDE) -> np.ndarray:
    """A smaller copy of a photo, as `read_image` shrinks.

    Args:
        image: uint8 array `(H, W, 3)`.
        share: what is left of its sides, above 0 and at most 1.
        smallest_side: pixels of the shorter side, that it is not shrunk below.

    Returns:
        uint8 array, likewise.
    """
    height, width = image.shape[:2]
    share = min(1.0, max(share, smallest_side / min(height, width)))
    return read_image(image, fit=round(share * max(height, width)))


def ladder(image: np.ndarray, name: str, seed: Sequence[int]) -> np.ndarray:
    """Distorts a photo at every level of a distortion, to the pixels that files would hold.

    The distortion draws once, so the levels differ in their strength alone: the same grain, the
    same direction of motion, more of it.

    Args:
        image: uint8 array `(H, W, 3)`, at least 32 px either way.
        name: of the distortion, as in `DISTORTIONS`.
        seed: two integers, as `distort` takes them.

    Returns:
        uint8 array `(5, H, W, 3)`, the mildest level first.

    Example:
    ```python
    from reiqa_tf import read_image
    from reiqa_tf.distortions.ladder import ladder

    pictures = ladder(read_image("photo.jpg"), "jpeg", seed=(0, 0))
    ```
    """
    with tf.device("CPU"):  # where training distorts too: an accelerator would change the pixels
        return np.stack([to_levels(distort(image, name, level, seed)) for level in range(LEVELS)])
