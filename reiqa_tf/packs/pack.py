"""A pack: shards of photos, where each photo is in them, and what is known of the whole.

A pack stands for the folder that it was made of: `packed/2020/1.jpg` is the photo that was
`photos/2020/1.jpg`, for all that reads photos.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import pathlib
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np

from reiqa_tf.errors import ReiqaError
from reiqa_tf.packs.records import unframed
from reiqa_tf.path_list import PathList
from reiqa_tf.remote import is_remote, joined, read_file, size_of
from reiqa_tf.typing import PathLike

PACK_FILE = "pack.json"
"""What makes a folder a pack: written last."""

INDEX_FILE = "index.npz"
"""Names of all photos, and where their records begin."""

LAYOUT = 1
"""Which files there are, and what stands in them."""


class PackError(ReiqaError):
    """A pack that cannot be used or made. The message says which, why, and the way out."""


@dataclasses.dataclass(frozen=True)
class Shard:
    """A file of records.

    Attributes:
        file: its name.
        photos: number of its records.
        size: its bytes.
        sha256: its digest, hexadecimal.
    """

    file: str
    photos: int
    size: int
    sha256: str


class Pack:
    """Photos in shards, any of which is read by its number or its name.

    Args:
        folder: path or address of the pack.
        shards: its files, in order.
        names: paths of the photos relative to the folder that was packed, in the order of the
            records, which is alphabetical.
        starts: int64 array `(N,)`: where each record begins in its shard.
        left_out: from names of photos that could not be read to the reason.

    Example:
    ```python
    import reiqa_tf

    pack = reiqa_tf.pack("holiday", "packed", shard_photos=2)
    print(len(pack), len(pack.shards), pack.paths[0])  # 3 2 packed/0.jpg
    print(reiqa_tf.score(pack.paths[0], "content_lite0_biq2021"))
    ```
    """

    def __init__(
        self,
        folder: PathLike,
        shards: Sequence[Shard],
        names: PathList,
        starts: np.ndarray,
        left_out: Mapping[str, str],
    ) -> None:
        self.folder = os.fspath(folder)
        self.shards = tuple(shards)
        self.names = names
        self.left_out = dict(left_out)
        self._starts = starts
        self._firsts = np.cumsum([0, *(shard.photos for shard in shards)])

    def __len__(self) -> int:
        return len(self.names)

    @property
    def size(self) -> int:
        """Bytes of all shards together."""
        return sum(shard.size for shard in self.shards)

    @property
    def paths(self) -> PathList:
        """Paths of the photos, as all that reads photos takes them."""
        return PathList(self.names.block, self.names.ends, joined(self.folder, ""))

    def read(self, index: int) -> bytes:
        """Reads one photo. Safe in threads.

        Args:
            index: from 0 to `len(pack) - 1`.

        Returns:
            the bytes of its file, as it was packed.

        Raises:
            PackError: if its shard is gone or holds another photo.
            RecordError: if its record is damaged.
        """
        number = int(np.searchsorted(self._firsts, index, "right")) - 1
        shard = self.shards[number]
        is_last = index + 1 == self._firsts[number + 1]
        end = shard.size if is_last else int(self._starts[index + 1])
        name = self.names.name(index)
        try:
            record = read_file(joined(self.folder, shard.file), int(self._starts[index]), end)
        except OSError as error:
            raise PackError(
                f"{self.folder}: its shard {shard.file} cannot be read ({error.strerror or error})."
            ) from None
        photo = unframed(record, joined(self.folder, name))
        if photo.name != os.fsencode(name):
            raise PackError(
                f"{joined(self.folder, name)}: {shard.file} holds another photo there. See what is "
                f"wrong: reiqa pack --verify {self.folder}"
            )
        return photo.contents


_opened: dict[str, Pack] = {}
"""Packs that this process knows, by their folders."""


def is_pack(folder: PathLike) -> bool:
    """Whether a folder is a pack.

    Args:
        folder: path or address.
    """
    return size_of(joined(folder, PACK_FILE)) is not None


def open_pack(folder: PathLike) -> Pack:
    """Opens a pack. Its photos are not looked at.

    Args:
        folder: path or address.

    Returns:
        `Pack`.

    Raises:
        PackError: if it is none, or its index is damaged.
    """
    folder = _as_shown(folder)
    try:
        about = json.loads(read_file(joined(folder, PACK_FILE)))
        if about["layout"] != LAYOUT:
            raise PackError(
                f"{folder}: a pack of layout {about['layout']}, which another version of this "
                f"package made. Expected layout {LAYOUT}."
            )
        index = read_file(joined(folder, INDEX_FILE))
        if hashlib.sha256(index).hexdigest() != about["index"]["sha256"]:
            raise PackError(f"{folder}: its {INDEX_FILE} is damaged. Get a whole copy of the pack.")
        with np.load(io.BytesIO(index), allow_pickle=False) as archive:
            names = PathList(archive["names"].tobytes(), archive["ends"])
            starts = archive["starts"]
        shards = [Shard(**shard) for shard in about["shards"]]
        pack = Pack(folder, shards, names, starts, about["left_out"])
        if not len(pack) == len(starts) == sum(shard.photos for shard in shards):
            raise ValueError
    except FileNotFoundError:
        raise PackError(
            f"{folder}: not a pack; expected a folder that `reiqa pack` has made to its end, with "
            f"{PACK_FILE} and {INDEX_FILE}."
        ) from None
    except ReiqaError:
        raise
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise PackError(
            f"{folder}: its {PACK_FILE} or {INDEX_FILE} cannot be used ({error or 'damaged'}). Get "
            "a whole copy of the pack."
        ) from None
    _opened[folder] = pack
    return pack


def read_packed(path: PathLike, look_for_packs: bool = True) -> bytes | None:
    """Reads a photo by its path in a pack.

    Args:
        path: such as `packed/2020/1.jpg`.
        look_for_packs: whether packs that this process has not opened count as well. To find them
            costs a look at each folder above the path.

    Returns:
        the bytes of its file; None if the path is in no pack.

    Raises:
        PackError: as `Pack.read`, or if a pack is damaged.
        RecordError: as `Pack.read`.
    """
    found = find_in_pack(path, look_for_packs)
    return None if found is None else found[0].read(found[1])


def find_in_pack(path: PathLike, look_for_packs: bool = True) -> tuple[Pack, int] | None:
    """Finds the pack that a path is in.

    Args:
        path: as in `read_packed`.
        look_for_packs: likewise.

    Returns:
        the pack and the number of the photo in it; None if the path is in no pack.
    """
    if not (_opened or look_for_packs):
        return None
    shown = _as_shown(path)
    separator = "/" if is_remote(shown) else os.sep
    place = len(shown)
    while (place := shown.rfind(separator, 0, place)) > 0 and shown[place - 1] != separator:
        folder = shown[:place]
        pack = _opened.get(folder)
        if pack is None and look_for_packs and is_pack(folder):
            pack = open_pack(folder)
        if pack is not None:
            index = pack.names.find(shown[place + 1 :].replace(separator, "/"))
            return None if index is None else (pack, index)
    return None


def _as_shown(path: PathLike) -> str:
    """A path as this package shows it: without what means nothing."""
    path = os.fspath(path)
    return path.rstrip("/") if is_remote(path) else os.fspath(pathlib.Path(path))
