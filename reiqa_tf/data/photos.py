"""Find the photos that a person means by files, folders and patterns, and give them short names."""

from __future__ import annotations

import collections
import dataclasses
import glob
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from reiqa_tf.image.formats import EXTENSIONS, HEAD, format_of
from reiqa_tf.image.reading import ImageError
from reiqa_tf.packs.pack import find_in_pack, is_pack, open_pack
from reiqa_tf.remote import find_files, is_remote
from reiqa_tf.typing import PathLike

RAW_EXTENSIONS = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef"),
    *(".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2"),
    *(".srf", ".srw", ".x3f"),
)
"""What a camera's sensor saw. Most such files begin as TIFF pictures do, and what a reader of TIFF
finds in them is a small preview: they are left out of a search."""

_KINDS_IN_A_LINE = 5

_SEPARATORS = re.escape(os.sep + (os.altsep or ""))
_ANY_FOLDERS = re.compile(rf"(?<![^{_SEPARATORS}])\*\*(?![^{_SEPARATORS}])")


@dataclasses.dataclass(frozen=True)
class FoundPhotos:
    """What a search found, and what it left out.

    Attributes:
        photos: paths, in alphabetical order.
        left_out: dictionary from the ending of a name, in small letters, to the number of files
            with it that are no photos. The ending is empty where a name has none.
        closed: list of folders that could not be opened.
    """

    photos: Sequence[str]
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    closed: tuple[str, ...] = ()


def find_photos(source: PathLike) -> list[str]:
    """Lists the photos that a path or pattern stands for; `search_photos` without the rest.

    Args:
        source: as in `search_photos`.

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
    return list(search_photos(source).photos)


def search_photos(source: PathLike) -> FoundPhotos:
    """Finds the photos that a path or pattern stands for, and counts what is left out.

    A folder is searched with its subfolders, each real folder once, whatever symbolic links lead
    to it, and a photo is listed once. Photos are known by their names (they end as
    `reiqa_tf.image.formats.EXTENSIONS` says) or by their first bytes. Folders whose names begin
    with a dot are passed over, and so are the `._` files and `__MACOSX` folders that macOS writes
    beside others.

    Args:
        source: the path of a photo, a folder, a pack, or a pattern with `*`, `?`, `[...]` or `**`.
            A file is taken as it is, whatever its name. Or the like on an object store, such as
            `s3://bucket/photos`; there photos are known by their names alone.

    Returns:
        `FoundPhotos`.

    Raises:
        ImageError: if nothing is there.
        RemoteError: if a store cannot be read.
        MissingExtraError: if it is on a store and fsspec is not installed.

    Example:
    ```python
    from reiqa_tf.data.photos import left_out_line, search_photos

    found = search_photos("holiday")
    print(len(found.photos), left_out_line([found]) or "nothing left out")
    ```
    """
    path = os.fspath(source)
    if (is_remote(path) or os.path.isdir(path)) and is_pack(path):
        return FoundPhotos(open_pack(path).paths)
    if is_remote(path):
        return _search_store(path)
    if os.path.isdir(path):
        found = _search_folder(os.fspath(pathlib.Path(path)))
        if not found.photos:
            raise ImageError(
                f"{path}: no photos in this folder. Expected pictures, or files that end with "
                f"{', '.join(EXTENSIONS)}. {_sentence(left_out_line([found]))}".rstrip()
            )
        return found
    if os.path.exists(path):
        return FoundPhotos([path])
    if glob.has_magic(path):
        files = (_File(name, os.path.realpath(name)) for name in _matching(path))
        photos = _each_once(file for file in files if os.path.isfile(file.path))
        if photos:
            return FoundPhotos(photos)
        raise ImageError(f"{path}: no file matches this pattern.")
    if find_in_pack(path):
        return FoundPhotos([path])
    raise ImageError(f"{path}: no such file or folder.")


def left_out_line(searches: Sequence[FoundPhotos]) -> str:
    """Says in one line what searches left out.

    Args:
        searches: list of `FoundPhotos`.

    Returns:
        such as `12 other files left out: 9 .txt, 3 .mp4`; empty if nothing was left out.
    """
    parts = []
    kinds: collections.Counter[str] = collections.Counter()
    for search in searches:
        kinds.update(search.left_out)
    if kinds:
        common = sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))
        named = [
            f"{count} {ending or 'without an ending'}"
            for ending, count in common[:_KINDS_IN_A_LINE]
        ]
        rest = sum(count for _, count in common[_KINDS_IN_A_LINE:])
        named += [f"{rest} of other kinds"] if rest else []
        total = sum(kinds.values())
        parts.append(f"{total} other file{'s'[: total > 1]} left out: {', '.join(named)}")
    closed = [folder for search in searches for folder in search.closed]
    if closed:
        more = f" and {len(closed) - 1} more" if closed[1:] else ""
        parts.append(f"folders that cannot be opened: {closed[0]}{more}")
    return "; ".join(parts)


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


def is_passed_over(name: str) -> bool:
    """Whether a file or folder is one of those that macOS writes beside others.

    Args:
        name: last part of a path.
    """
    return name.startswith("._") or name == "__MACOSX"


def real_folders(top: PathLike) -> Iterator[tuple[str, list[os.DirEntry[str]] | None]]:
    """Walks a folder and those below it, each real one once; links after what they may lead to.

    Args:
        top: the folder.

    Yields:
        pairs of a folder's path and its entries that are no folders; None instead of them if it
        cannot be opened.
    """
    seen: set[str] = set()
    linked = collections.deque([os.fspath(top)])
    while linked:
        pending = collections.deque([linked.popleft()])
        while pending:
            folder = pending.popleft()
            real = os.path.realpath(folder)
            if real in seen:
                continue
            seen.add(real)
            try:
                with os.scandir(folder or os.curdir) as entries:
                    inside = sorted(entries, key=lambda entry: entry.name)
            except OSError:
                yield folder, None
                continue
            files = []
            for entry in inside:
                # Joined here: an entry of the folder "" would be called "./name".
                path = os.path.join(folder, entry.name)
                if not _is_folder(entry):
                    files.append(entry)
                elif not (entry.name.startswith(".") or is_passed_over(entry.name)):
                    (linked if entry.is_symlink() else pending).append(path)
            yield folder, files


@dataclasses.dataclass(frozen=True)
class _File:
    """A file by the path that is shown, and by the one that it really has."""

    path: str
    real: str


def _search_folder(top: str) -> FoundPhotos:
    photos: list[str] = []
    linked: list[_File] = []
    real_folder_of: dict[str, str] = {}
    left_out: collections.Counter[str] = collections.Counter()
    linked_left_out: dict[str, str] = {}
    closed: list[str] = []
    for folder, entries in real_folders(top):
        if entries is None:
            closed.append(folder)
            continue
        real_folder_of[folder] = os.path.realpath(folder)
        for entry in entries:
            if is_passed_over(entry.name):
                continue
            path = os.path.join(folder, entry.name)
            is_photo = _is_photo(entry, path)
            if not is_photo and entry.name.startswith("."):
                continue
            if not entry.is_symlink():
                if is_photo:
                    photos.append(path)
                else:
                    left_out[_ending(path)] += 1
            elif is_photo:
                linked.append(_File(path, os.path.realpath(path)))
            else:
                linked_left_out[os.path.realpath(path)] = _ending(path)
    # Files of their own are in folders of their own: only what links lead to may be there twice.
    met = set(real_folder_of.values())
    left_out.update(
        ending for real, ending in linked_left_out.items() if os.path.dirname(real) not in met
    )
    return FoundPhotos(_with_linked(photos, linked, real_folder_of), left_out, tuple(closed))


def _with_linked(
    photos: list[str], linked: Sequence[_File], real_folder_of: Mapping[str, str]
) -> list[str]:
    """Adds what links lead to, and puts all in order.

    Most folders have no links: then the real paths of a million photos are not even put together.
    """
    if linked:
        targets = {file.real for file in linked}

        def real(path: str) -> str:
            folder, name = os.path.split(path)
            return os.path.join(real_folder_of[folder], name)

        met = [_File(path, real(path)) for path in photos]
        photos = [file.path for file in met if file.real not in targets]
        photos += _each_once([*(file for file in met if file.real in targets), *linked])
    photos.sort()
    return photos


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _search_store(address: str) -> FoundPhotos:
    """The photos on an object store. Known by their names: to look into each file costs a trip."""
    found = find_files(address)
    if found == [address]:
        return FoundPhotos(found)
    if not found:
        raise ImageError(f"{address}: nothing is there; expected a photo, a folder or a pattern.")
    photos: list[str] = []
    left_out: collections.Counter[str] = collections.Counter()
    for path in found:
        names = path[len(address) :].split("/") if path.startswith(address) else path.split("/")
        if any(is_passed_over(name) or name.startswith(".") for name in names):
            continue
        if glob.has_magic(address) or path.lower().endswith(EXTENSIONS):
            photos.append(path)
        else:
            left_out[_ending(path)] += 1
    if not photos:
        raise ImageError(
            f"{address}: no photos there. Expected files that end with {', '.join(EXTENSIONS)}."
        )
    return FoundPhotos(photos, left_out)


def _is_photo(entry: os.DirEntry[str], path: str) -> bool:
    name = entry.name.lower()
    # What the folder says of an entry needs no look at the file: seconds, of a million.
    is_file = _is_file(entry)
    if name.endswith(EXTENSIONS):
        # A link that leads nowhere is listed, and named when it is read; a pipe is never opened.
        return is_file or not os.path.exists(path)
    if name.endswith(RAW_EXTENSIONS) or not is_file:
        return False
    try:
        with open(path, "rb") as file:
            return format_of(file.read(HEAD)) is not None
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # as below
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links that lead to themselves
        return False


def _each_once(files: Iterable[_File]) -> list[str]:
    """Paths of files in alphabetical order, each real file once, by its own path if it is there."""
    by_file: dict[str, str] = {}
    for file in sorted(
        files, key=lambda file: (os.path.abspath(file.path) != file.real, file.path)
    ):
        by_file.setdefault(file.real, file.path)
    return sorted(by_file.values())


def _matching(pattern: str) -> Iterator[str]:
    """Paths that match a pattern. Python's own `**` follows links round in circles."""
    found = _ANY_FOLDERS.search(pattern)
    if found is None:
        yield from glob.glob(pattern)
        return
    before, after = pattern[: found.start()], pattern[found.end() + 1 :] or "*"
    for top in glob.glob(before) if before else [""]:
        for folder, entries in real_folders(top):
            if entries is not None:
                yield from _matching(os.path.join(glob.escape(folder), after))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""
