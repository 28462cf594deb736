"""Find the photos that a person means by files, folders and patterns, and name them shortly."""

import collections
import glob
import os
import pathlib

from reiqa_tf.image.reading import EXTENSIONS, ImageError


def find_photos(source):
    """Lists the photos that a path or pattern stands for.

    Args:
        source: the path of a photo, a folder (searched with its subfolders for names that end as
            `reiqa_tf.image.reading.EXTENSIONS` says), or a pattern with `*`, `?`, `[...]` or `**`.
            A file is taken as it is, whatever its name.

    Returns:
        list of paths, in alphabetical order.

    Raises:
        ImageError: if nothing is there.

    Example:
    ```python
    find_photos("holiday")              # all photos below the folder
    find_photos("holiday/**/*.jpg")     # only these
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
        found = sorted(each for each in glob.glob(source, recursive=True) if os.path.isfile(each))
        if found:
            return found
        raise ImageError(f"{source}: no file matches this pattern.")
    raise ImageError(f"{source}: no such file or folder.")


def short_names(paths, root=None):
    """Names of photos that are the same on every machine.

    Args:
        paths: list of paths.
        root: folder that the names are relative to; None takes the photos' common one.

    Returns:
        list of texts with forward slashes.
    """
    paths = [pathlib.PurePath(path) for path in paths]
    if root is None:
        shared = collections.Counter(parent for path in set(paths) for parent in path.parents)
        everywhere = [parent for parent, count in shared.items() if count == len(set(paths))]
        root = max(everywhere, key=lambda parent: len(parent.parts), default="")
    return [path.relative_to(root).as_posix() for path in paths]
