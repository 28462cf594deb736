"""The files below the folder that a database was unpacked into."""

import collections
import pathlib
import re

from reiqa_tf.data.databases.catalog import DatabaseError
from reiqa_tf.data.photos import is_passed_over, real_folders
from reiqa_tf.typing import PathLike


class Folder:
    """Finds tables and photos below a folder by the ends of their paths, whatever their capitals.

    Archives are unpacked in different ways, and TID2013 alone writes `I` and `i` for the same
    letter. What macOS packs beside the files (`._` files, `__MACOSX`) and folders whose names begin
    with a dot are passed over.

    Args:
        path: the folder.

    Raises:
        DatabaseError: if it is no folder.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = pathlib.Path(path)
        if not self.path.is_dir():
            raise DatabaseError(f"{path}: no such folder.")
        self._by_name: dict[str, list[pathlib.Path]] = collections.defaultdict(list)
        for folder, entries in real_folders(self.path):
            for entry in entries or ():
                if not is_passed_over(entry.name):
                    self._by_name[entry.name.lower()].append(pathlib.Path(folder, entry.name))

    def find(self, name: str) -> pathlib.Path | None:
        """Finds a file.

        Args:
            name: the end of its path, such as `dmos.csv` or `jp2k/img1.bmp`.

        Returns:
            path, the one nearest to the folder if there are several; None if there is none.
        """
        parts = tuple(pathlib.PurePosixPath(name.lower()).parts)
        found = [
            path
            for path in self._by_name.get(parts[-1], ())
            if tuple(part.lower() for part in path.parts[-len(parts) :]) == parts
        ]
        return min(found, key=lambda path: (len(path.parts), str(path)), default=None)

    def table(self, *names: str) -> pathlib.Path:
        """Finds the first of some files.

        Args:
            *names: ends of paths, the best first.

        Returns:
            path.

        Raises:
            DatabaseError: if none is there.
        """
        for name in names:
            path = self.find(name)
            if path is not None:
                return path
        raise DatabaseError(f"{self.path}: no {' or '.join(names)} in this folder or below it.")

    def tables(self, ending: str) -> list[pathlib.Path]:
        """Finds all files whose paths end as a pattern says.

        Args:
            ending: such as `Train_Label/*.txt`.

        Returns:
            list of paths in alphabetical order.

        Raises:
            DatabaseError: if there is none.
        """
        found = sorted(
            path
            for paths in self._by_name.values()
            for path in paths
            if pathlib.PurePath(str(path).lower()).match(ending.lower())
        )
        if not found:
            raise DatabaseError(f"{self.path}: no {ending} in this folder or below it.")
        return found

    def named(self, pattern: re.Pattern[str]) -> dict[str, pathlib.Path]:
        """Finds files whose whole names match a pattern.

        Args:
            pattern: pattern of a name in small letters.

        Returns:
            dictionary from names in small letters to paths, as `find` finds them.
        """
        found = {name: self.find(name) for name in self._by_name if pattern.fullmatch(name)}
        return {name: path for name, path in found.items() if path is not None}
