"""The photos that an encoder learns from, listed without TensorFlow."""

from __future__ import annotations

from reiqa_tf.data.photos import search_photos
from reiqa_tf.data.scored_photos import is_table, read_photo_list
from reiqa_tf.path_list import PathList
from reiqa_tf.typing import PathLike


def training_photos(source: PathLike) -> PathList:
    """Lists the photos to train an encoder on.

    Args:
        source: a folder, a pack, a pattern or a photo, as in `search_photos`; or a CSV file with a
            column `image`, of which the rows with split `train` are taken where there is a column
            `split`.

    Returns:
        `PathList`: a million paths in little memory.

    Raises:
        ReiqaError: if there is none.
    """
    if is_table(source):
        return PathList.of(read_photo_list(source, "train"))
    return PathList.of(search_photos(source).photos)
