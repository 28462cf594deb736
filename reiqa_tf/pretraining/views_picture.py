"""What an encoder learns from, as a picture: queries above their keys."""

import pathlib

import numpy as np
from PIL import Image

from reiqa_tf.files import written_whole
from reiqa_tf.training.callbacks import BatchCallback
from reiqa_tf.training.objective import Batch
from reiqa_tf.typing import PathLike

_PAIRS = 12
_COLUMNS = 6
_GAP = 8


def mosaic(pairs: Batch) -> np.ndarray:
    """Arranges the first twelve pairs, six in a row, every query above its key.

    Args:
        pairs: `query` and `key`, uint8 tensors `(N, H, W, 3)`.

    Returns:
        uint8 array `(height, width, 4)`; transparent between the pairs.
    """
    query, key = (np.asarray(pairs[name][:_PAIRS]) for name in ("query", "key"))
    count, height, width, _ = query.shape
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    shape = (rows * (2 * height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 4)
    picture = np.zeros(shape, np.uint8)
    for i in range(count):
        row, column = divmod(i, columns)
        y, x = row * (2 * height + _GAP), column * (width + _GAP)
        both = np.concatenate([query[i], key[i]])
        picture[y : y + 2 * height, x : x + width, :3] = both
        picture[y : y + 2 * height, x : x + width, 3] = 255
    return picture


class ViewsPicture(BatchCallback):
    """Keeps a picture of the first pairs of a run.

    Args:
        folder: folder of the run; gets `views.png`.
    """

    def __init__(self, folder: PathLike) -> None:
        super().__init__()
        self.path = pathlib.Path(folder) / "views.png"

    def on_batch(self, step: int, batch: Batch) -> None:  # noqa: ARG002
        """Draws the pairs of the first step, or of the first one after a run without a picture."""
        if not self.path.exists():
            with written_whole(self.path) as scratch:
                Image.fromarray(mosaic(batch)).save(scratch)
