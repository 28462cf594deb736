"""Pictures to compare an artifact with Keras on, cut out of real photos."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

from reiqa_tf.data.photos import find_photos
from reiqa_tf.image.reading import ImageError, open_image, read_image
from reiqa_tf.typing import PathLike, Size

PICTURE_COUNT = 50

SIZES: tuple[Size, ...] = (
    (512, 512),
    (384, 512),
    (512, 384),
    (341, 512),
    (480, 320),
    (225, 301),
    (224, 224),
    (256, 448),
    (160, 240),
    (97, 131),
)
"""Heights and widths in pixels of the pictures for artifacts that take any size: upright and lying,
even and odd, large and small."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture as a file, for artifacts that decode, and decoded, for those that do not.

    Attributes:
        contents: bytes of a PNG.
        image: uint8 array `(H, W, 3)`, at most the scorer's working size.
    """

    contents: bytes
    image: np.ndarray


def shipped_photos() -> list[str]:
    """Paths of the real photos that the package ships for this purpose."""
    return sorted(map(str, (pathlib.Path(__file__).parent / "photos").glob("*.jpg")))


def cut_pictures(
    photos: Sequence[PathLike],
    working_size: int | None = None,
    size: Size | None = None,
    count: int = PICTURE_COUNT,
) -> list[Picture]:
    """Cuts pictures of different sizes out of real photos.

    A picture is the middle of a photo, or of a part of it where there are too few photos, shrunk or
    enlarged to cover the size. Photos and sizes take turns, so that each size is seen with several
    photos.

    Args:
        photos: list of paths; those that cannot be read are passed over.
        working_size: the scorer's; larger pictures are shrunk to it.
        size: `(height, width)` for artifacts of a fixed size, or None for the ten `SIZES`.
        count: number of pictures.

    Returns:
        list of `Picture`.

    Raises:
        ImageError: if no photo can be read.

    Example:
    ```python
    from reiqa_tf.export.parity import cut_pictures, shipped_photos

    for picture in cut_pictures(shipped_photos(), working_size=512, count=10):
        print(picture.image.shape)
    ```
    """
    kept = min(count, len(photos))
    chosen = [photos[i * len(photos) // kept] for i in range(kept)]
    sizes = SIZES if size is None else (size,)
    pictures: list[Picture] = []
    while len(pictures) < count:
        turn, place = divmod(len(pictures), len(chosen))
        try:
            photo = open_image(chosen[place])
        except ImageError:
            del chosen[place]
            if not chosen:
                raise
            continue
        # One step farther in each turn, so that photos and sizes pair up in many ways.
        height, width = sizes[(len(pictures) + turn) % len(sizes)]
        image = fit_to(_part(photo, turn), (height, width))
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG", compress_level=1)
        fit = working_size if size is None else None
        pictures.append(Picture(file.getvalue(), read_image(file.getvalue(), fit=fit)))
    return pictures


def _part(picture: Image.Image, turn: int) -> Image.Image:
    """The whole photo at first; when it is used again, smaller parts here and there."""
    share = (1, 0.8, 0.6, 0.7, 0.9)[turn % 5]
    width, height = (round(share * side) for side in picture.size)
    left = (picture.width - width) * (turn // 2 % 2)
    top = (picture.height - height) * (turn % 2)
    return picture.crop((left, top, left + width, top + height))


def fit_to(picture: Image.Image, size: Size) -> np.ndarray:
    """Brings a photo to a fixed size: shrunk or enlarged to cover it, the middle kept.

    Args:
        picture: `PIL.Image`.
        size: `(height, width)` in pixels.

    Returns:
        uint8 array `(height, width, 3)`.
    """
    return np.asarray(ImageOps.fit(picture, size[::-1], Image.Resampling.BICUBIC))


def pictures_digest(pictures: Sequence[Picture]) -> str:
    """Names the pixels of pictures: the same text, the same pixels."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(str(picture.image.shape).encode())
        digest.update(np.ascontiguousarray(picture.image).data)
    return digest.hexdigest()


def listed_photos(photos: PathLike | Sequence[PathLike]) -> list[str]:
    """The paths of photos that were named in either way.

    Args:
        photos: a folder or a pattern, as in `find_photos`, or a list of paths.

    Returns:
        list of paths.

    Raises:
        ImageError: if there are none.
    """
    if isinstance(photos, (str, os.PathLike)):
        return find_photos(photos)
    paths = [os.fspath(path) for path in photos]
    if not paths:
        raise ImageError("photos: expected one or more paths. Received: an empty list")
    return paths
