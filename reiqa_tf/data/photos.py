"""Find the photos that a person means by files, folders and patterns, and give them short names."""

import collections
import glob
import os
import pathlib
from collections.abc import Sequence

from reiqa_tf.image.formats import EXTENSIONS
from reiqa_tf.image.reading import ImageError
from reiqa_tf.typing import PathLike


def find_photos(source: PathLike) -> list[str]:
    """Lists the photos that a path or pattern stands for.

    Args:
        source: the path of a photo, a folder (searched with its subfolders for names that end as
            `reiqa_tf.image.formats.EXTENSIONS` says), or a pattern with `*`, `?`, `[...]` or `**`.
            A file is taken as it is, whatever its name.

    Returns:
        list of paths, in alphabetical order.

    Raises:
        ImageError: if nothing is there.

    Example:
    ```python
    from reiqa_tf.data.photos import find_photos

    find_photos("holiday")  # all photos below the folder
    find_photos("holiday/**/*.jpg")  # only these
    ```
    """
    path = pathlib.Path(source)
    if path.is_dir():
        found = [
            os.path.join(folder, name)
            for folder, _, names in os.walk(path, followlinks=True)
            for name in names
            if name.lower().endswith(EXTENSIONS)
        ]
        if not found:
            raise ImageError(
                f"{source}: no photos in this folder. Expected files that end with "
                f"{', '.join(EXTENSIONS)}."
            )
        return sorted(found)
    if path.exists():
        return [os.fspath(source)]
    if glob.has_magic(os.fspath(source)):
        found = sorted(filter(os.path.isfile, glob.glob(os.fspath(source), recursive=True)))
        if found:
            return found
        raise ImageError(f"{source}: no file matches this pattern.")
    raise ImageError(f"{source}: no such file or folder.")


def short_names(paths: Sequence[PathLike]) -> list[str]:
    """Shortens the names of photos to what is the same on every machine.

    Args:
        paths: list of paths.

    Returns:
        list of paths relative to the folder that all share, with forward slashes.
    """
    photos = [pathlib.PurePath(path) for path in paths]
    different = set(photos)
    shared = collections.Counter(parent for photo in different for parent in photo.parents)
    everywhere = [parent for parent, count in shared.items() if count == len(different)]
    root = max(everywhere, key=lambda parent: len(parent.parts), default="")
    return [photo.relative_to(root).as_posix() for photo in photos]
