"""One photo, one distortion, level by level: what is ranked without asking anybody."""

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.bank import LEVELS, distort
from reiqa_tf.image.scaling import to_levels


def ladder(image, name, seed):
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
    pictures = ladder(read_image("photo.jpg"), "jpeg", seed=(0, 0))
    ```
    """
    with tf.device("CPU"):  # where training distorts too: an accelerator would change the pixels
        return np.stack([to_levels(distort(image, name, level, seed)) for level in range(LEVELS)])
