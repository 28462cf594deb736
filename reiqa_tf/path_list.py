"""Lists of a million paths and more in little memory."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np

from reiqa_tf.typing import PathLike


class PathList(Sequence[str]):
    """Paths as one block of bytes and the places where each of them ends.

    A list of 1.3 million strings takes 190 MB, because each is an object of its own; this takes
    their characters and 8 bytes a path.

    Args:
        block: the paths one after the other, as `os.fsencode` encodes them.
        ends: int64 array `(N,)`: where each path ends in the block.
        folder: what stands in front of every path, such as `photos/`; empty for nothing.

    Example:
    ```python
    from reiqa_tf.path_list import PathList

    paths = PathList.of(["holiday/0.jpg", "holiday/1.jpg"])
    assert (len(paths), paths[1]) == (2, "holiday/1.jpg")
    ```
    """

    def __init__(self, block: bytes, ends: np.ndarray, folder: str = "") -> None:
        self.block = block
        self.ends = ends
        self.folder = folder

    @classmethod
    def of(cls, paths: Iterable[PathLike]) -> PathList:
        """Takes paths over.

        Args:
            paths: of any length; what is a `PathList` already is returned as it is.

        Returns:
            `PathList`, in the same order.
        """
        if isinstance(paths, PathList):
            return paths
        block, ends = bytearray(), array("q")
        for path in paths:
            block += os.fsencode(path)
            ends.append(len(block))
        return cls(bytes(block), np.frombuffer(ends, np.int64))

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> PathList: ...
    def __getitem__(self, index: int | slice) -> str | PathList:
        if isinstance(index, slice):
            chosen = PathList.of(self.name(place) for place in range(*index.indices(len(self))))
            return PathList(chosen.block, chosen.ends, self.folder)
        place = range(len(self))[index]  # negative ones too; IndexError beyond the end
        return self.folder + self.name(place)

    def __iter__(self) -> Iterator[str]:
        start = 0
        for end in self.ends.tolist():
            yield self.folder + os.fsdecode(self.block[start:end])
            start = end

    def name(self, index: int) -> str:
        """A path without the folder in front of it.

        Args:
            index: from 0 to `len(paths) - 1`.

        Returns:
            the path, relative to `folder`.
        """
        start = int(self.ends[index - 1]) if index else 0
        return os.fsdecode(self.block[start : int(self.ends[index])])

    def find(self, name: str) -> int | None:
        """The place of a path among paths that are in order.

        Args:
            name: the path, relative to `folder`. The list must be in the order of its bytes.

        Returns:
            index, or None if it is not there.
        """
        low, high = 0, len(self)
        wanted = os.fsencode(name)
        while low < high:
            middle = (low + high) // 2
            start = int(self.ends[middle - 1]) if middle else 0
            found = self.block[start : int(self.ends[middle])]
            if found == wanted:
                return middle
            low, high = (middle + 1, high) if found < wanted else (low, middle)
        return None
