"""The photos that an encoder learns from, listed without TensorFlow."""

from __future__ import annotations

from reiqa_tf.data.photos import find_photos
from reiqa_tf.data.scored_photos import is_table, read_photo_list
from reiqa_tf.typing import PathLike


def training_photos(source: PathLike) -> list[str]:
    """Lists the photos to train an encoder on.

    Args:
        source: a folder, a pattern or a photo, as in `find_photos`; or a CSV file with a column
            `image`, of which the rows with split `train` are taken where there is a column `split`.

    Returns:
        list of paths.

    Raises:
        ReiqaError: if there is none.
    """
    if is_table(source):
        return read_photo_list(source, "train")
    return find_photos(source)
