"""Photos into shards: `reiqa pack`.

Which photo belongs into which shard follows from the sorted list of names alone. So each shard is
made on its own, the same photos make the same bytes, and a pack that was killed goes on with the
first shard that is not whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import pathlib
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from reiqa_tf.data.photos import search_photos
from reiqa_tf.data.scored_photos import is_table, read_photo_list
from reiqa_tf.errors import ReiqaError
from reiqa_tf.files import refuse_occupied, written_whole
from reiqa_tf.image.reading import ImageError, read_bytes, read_image
from reiqa_tf.packs.pack import INDEX_FILE, LAYOUT, PACK_FILE, Pack, PackError, Shard, open_pack
from reiqa_tf.packs.records import PackedPhoto, Readable, framed, read_photos
from reiqa_tf.path_list import PathList
from reiqa_tf.progress import Progress, silent
from reiqa_tf.remote import is_remote, joined, opened, read_file, remove, size_of
from reiqa_tf.scoring.reading_ahead import ahead
from reiqa_tf.typing import PathLike

SHARD_PHOTOS = 1000
"""Photos of a shard: with pictures as the web has them 100 to 200 MB, large enough for a disk that
reads on and small enough to be shared out."""

_PLAN_FILE = "packing.json"
"""What an unfinished pack is of; gone when it is done."""

_AHEAD = 8
"""Photos that are read before they are written."""


def pack(
    photos: PathLike | Sequence[PathLike],
    out: PathLike,
    *,
    shard_photos: int = SHARD_PHOTOS,
    progress: Progress = silent,
) -> Pack:
    """Packs photos into shards of TFRecord, as a source for scoring and training.

    A million small files become a thousand large ones, which are listed at once, copied without a
    trip for each photo, and checked as one thing. Files are kept byte for byte; each is decoded
    once, and what cannot be read is left out. The pack then stands for the folder:
    `reiqa_tf.score_many(out)`, `reiqa_tf.pretrain(out, ...)`, and `out/2020/1.jpg` where a photo's
    path is asked for.

    The same photos make the same files, bit for bit. A call that was interrupted goes on where it
    was when it is made again: whole shards are kept, and nothing else is there.

    Args:
        photos: a folder, a pattern, a CSV file with a column `image`, or a list of paths; on this
            machine or, with `reiqa_tf[remote]`, on an object store.
        out: folder of the pack, on this machine or on a store.
        shard_photos: photos of each shard, from 1 up.
        progress: shows how far the work is.

    Returns:
        `Pack`; `left_out` names what could not be read.

    Raises:
        PackError: if the folder holds another pack, or no photo can be read.
        ReiqaError: if there are no photos, or something cannot be written.

    Example:
    ```python
    import reiqa_tf

    pack = reiqa_tf.pack("holiday", "packed", shard_photos=2)
    for name, reason in pack.left_out.items():
        print(name, reason)
    ```
    """
    if shard_photos < 1:
        raise PackError(f"shard_photos: expected 1 or more. Received: {shard_photos}")
    sources = _sources(photos)
    plan = {
        "layout": LAYOUT,
        "shard_photos": shard_photos,
        "asked": len(sources),
        "names_sha256": _digest_of_names(sources),
    }
    folder = os.fspath(out)
    if _is_done(folder, plan):
        _tidy(folder, len(sources), shard_photos)
        return open_pack(folder)
    with written_whole(joined(folder, _PLAN_FILE)) as scratch:
        scratch.write_text(json.dumps(plan, indent=2) + "\n")
    _remove_unfinished(folder)
    files = shard_files(len(sources), shard_photos)
    parts = {file: _finished_part(folder, file) for file in files}
    jobs = [
        (file, range(start, min(start + shard_photos, len(sources))))
        for file, start in zip(files, range(0, len(sources), shard_photos), strict=True)
        if parts[file] is None
    ]

    def work() -> Iterator[None]:
        for file, places in jobs:
            yield from _write_shard(folder, file, sources, places)

    for _ in progress(work(), "packing", sum(len(places) for _, places in jobs)):
        pass
    _finish(folder, plan, [_finished_part(folder, file) for file in files])
    _tidy(folder, len(sources), shard_photos)
    return open_pack(folder)


def verify_pack(folder: PathLike, progress: Progress = silent) -> list[str]:
    """Reads a pack to its end, and compares it with what it says of itself.

    Args:
        folder: path or address of the pack.
        progress: shows how far the work is.

    Returns:
        what is wrong, a line each; empty if nothing is: every shard has its size and its digest,
        and every record its checksums and the photo that the index names.

    Raises:
        PackError: if the folder is no pack, or its index is damaged.

    Example:
    ```python
    import reiqa_tf
    from reiqa_tf.bulk.packing import verify_pack

    reiqa_tf.pack("holiday", "packed")
    assert verify_pack("packed") == []
    ```
    """
    packed = open_pack(folder)
    problems = []
    first = 0
    for shard in progress(packed.shards, "verifying", len(packed.shards)):
        path = joined(packed.folder, shard.file)
        try:
            problem = _wrong_with(packed, shard, first)
        except ReiqaError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{path}: cannot be read ({error.strerror or error}).")
        else:
            problems += [f"{path}: {problem}"] if problem else []
        first += shard.photos
    return problems


def shard_files(photos: int, shard_photos: int) -> list[str]:
    """Names of the shards of a pack.

    Args:
        photos: number of photos that are packed.
        shard_photos: photos of each shard.

    Returns:
        list such as `["photos-00000-of-00002.tfrecord", "photos-00001-of-00002.tfrecord"]`.
    """
    count = -(-photos // shard_photos)
    return [f"photos-{number:05d}-of-{count:05d}.tfrecord" for number in range(count)]


@dataclasses.dataclass(frozen=True)
class _Part:
    """A shard that is whole, and what the index says of it.

    Attributes:
        shard: the `Shard`.
        names: names of its photos, one after the other.
        ends: where each name ends.
        starts: where each record begins.
        left_out: from names of photos that could not be read to the reason.
    """

    shard: Shard
    names: np.ndarray
    ends: np.ndarray
    starts: np.ndarray
    left_out: dict[str, str]


def _sources(photos: PathLike | Sequence[PathLike]) -> PathList:
    """The paths to pack, in the order of their names; `folder` is what the names leave out."""
    root = None
    paths: Sequence[PathLike]
    if not isinstance(photos, (str, os.PathLike)):
        paths = photos
    elif is_table(photos):
        paths = read_photo_list(photos)
    else:
        paths = search_photos(photos).photos
        text = os.fspath(photos)
        if os.path.isdir(text) or (is_remote(text) and os.fspath(paths[0]) != text):
            root = joined(text if is_remote(text) else os.fspath(pathlib.Path(text)), "")
    if not paths:
        raise PackError("Expected at least one photo to pack. Received none.")
    texts = {os.fspath(path) for path in paths}
    # Of a pattern or a list: the folder that the first and the last share, all share.
    if root is None or not all(text.startswith(root) for text in texts):
        first, last = min(texts), max(texts)
        pairs = zip(first, last, strict=False)
        alike = next((i for i, (one, other) in enumerate(pairs) if one != other), len(first))
        root = first[: max(first.rfind("/", 0, alike), first.rfind(os.sep, 0, alike)) + 1]
    names = sorted((text[len(root) :].replace(os.sep, "/") for text in texts), key=os.fsencode)
    listed = PathList.of(names)
    return PathList(listed.block, listed.ends, root)


def _digest_of_names(sources: PathList) -> str:
    digest = hashlib.sha256(sources.block)
    digest.update(np.ascontiguousarray(sources.ends, "<i8").data)
    return digest.hexdigest()


def _is_done(folder: str, plan: dict[str, Any]) -> bool:
    """Whether the folder holds this pack already; refuses one that holds something else."""
    for file in (PACK_FILE, _PLAN_FILE):
        try:
            former = json.loads(read_file(joined(folder, file)))
        except OSError:
            continue
        except ReiqaError:
            raise
        except ValueError:
            raise PackError(f"{joined(folder, file)}: damaged. Name another folder.") from None
        if {name: former.get(name) for name in plan} != plan:
            raise PackError(
                f"{folder}: holds {'a' if file == PACK_FILE else 'an unfinished'} pack of other "
                f"photos or of shards of another size ({former.get('asked')} photos, "
                f"{former.get('shard_photos')} a shard; asked for: {plan['asked']} and "
                f"{plan['shard_photos']}). Name another folder."
            )
        return file == PACK_FILE
    if not is_remote(folder):
        refuse_occupied(folder, _PLAN_FILE)
    return False


def _write_shard(folder: str, file: str, sources: PathList, places: range) -> Iterator[None]:
    """Writes a shard, and then what the index says of it; yields once a photo."""
    names, starts = [], []
    left_out: dict[str, str] = {}
    digest, size = hashlib.sha256(), 0

    def read(number: int) -> bytes | ImageError:
        index = places[number]
        try:
            contents = read_bytes(sources[index])
            read_image(contents, name=sources.name(index))
        except ImageError as problem:
            return problem
        return contents

    with written_whole(joined(folder, file)) as scratch, open(scratch, "wb") as shard:
        for index, contents in zip(places, ahead(read, len(places), _AHEAD), strict=True):
            name = sources.name(index)
            if isinstance(contents, ImageError):
                # Without the path, so that a pack does not depend on where its photos lay.
                reason = str(contents)
                for path in (sources[index], name):
                    reason = reason.removeprefix(f"{path}: ")
                left_out[name] = reason
            else:
                record = framed(PackedPhoto(os.fsencode(name), contents))
                shard.write(record)
                digest.update(record)
                names.append(name)
                starts.append(size)
                size += len(record)
            yield
        shard.flush()
        os.fsync(shard.fileno())
    listed = PathList.of(names)
    about = {
        "shard": dataclasses.asdict(Shard(file, len(names), size, digest.hexdigest())),
        "left_out": left_out,
    }
    _save_arrays(
        joined(folder, _part_file(file)),
        names=np.frombuffer(listed.block, np.uint8),
        ends=np.asarray(listed.ends, np.int64),
        starts=np.array(starts, np.int64),
        about=np.frombuffer(json.dumps(about).encode(), np.uint8),
    )


def _part_file(file: str) -> str:
    return file.replace(".tfrecord", ".part.npz")


def _save_arrays(path: str, **arrays: np.ndarray) -> str:
    """Writes arrays, and returns the digest of the file. The same arrays make the same bytes."""
    contents = io.BytesIO()
    np.savez(contents, allow_pickle=False, **arrays)
    with written_whole(path) as scratch:
        scratch.write_bytes(contents.getbuffer())
    return hashlib.sha256(contents.getbuffer()).hexdigest()


def _finished_part(folder: str, file: str) -> _Part | None:
    """What the index says of a shard; None if the shard is not whole."""
    try:
        contents = read_file(joined(folder, _part_file(file)))
        with np.load(io.BytesIO(contents), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (FileNotFoundError, zipfile.BadZipFile):  # damaged: the power failed
        return None
    about = json.loads(arrays.pop("about").tobytes())
    shard = Shard(**about["shard"])
    if size_of(joined(folder, file)) != shard.size:
        return None
    return _Part(shard, left_out=about["left_out"], **arrays)


def _finish(folder: str, plan: dict[str, Any], parts: Sequence[_Part | None]) -> None:
    """Writes the index, and then what makes the folder a pack."""
    whole = [part for part in parts if part is not None]
    photos = sum(part.shard.photos for part in whole)
    left_out = {name: reason for part in whole for name, reason in part.left_out.items()}
    if not photos:
        name, reason = next(iter(left_out.items()))
        raise PackError(f"{folder}: none of {len(left_out)} photos can be read. {name}: {reason}")
    lengths = np.cumsum([0, *(len(part.names) for part in whole)])
    index = _save_arrays(
        joined(folder, INDEX_FILE),
        names=np.concatenate([part.names for part in whole]),
        ends=np.concatenate(
            [part.ends + before for part, before in zip(whole, lengths, strict=False)]
        ),
        starts=np.concatenate([part.starts for part in whole]),
    )
    about = {
        **plan,
        "photos": photos,
        "size": sum(part.shard.size for part in whole),
        "index": {"file": INDEX_FILE, "sha256": index},
        "shards": [dataclasses.asdict(part.shard) for part in whole],
        "left_out": left_out,
    }
    with written_whole(joined(folder, PACK_FILE)) as scratch:
        scratch.write_text(json.dumps(about, indent=1) + "\n")


def _tidy(folder: str, photos: int, shard_photos: int) -> None:
    """Removes what only an unfinished pack needs."""
    remove(joined(folder, _PLAN_FILE))
    for file in shard_files(photos, shard_photos):
        remove(joined(folder, _part_file(file)))


def _remove_unfinished(folder: str) -> None:
    """Removes what a process that was killed left of the shard that it was at."""
    if not is_remote(folder):
        for unfinished in pathlib.Path(folder).glob(".photos-*"):
            shutil.rmtree(unfinished, ignore_errors=True)


class _Digested:
    """A file that is read, and digested on the way.

    Args:
        file: open for reading.
    """

    def __init__(self, file: Readable) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        """Reads so many bytes, or what is left."""
        contents = self._file.read(size)
        self.digest.update(contents)
        return contents


def _wrong_with(packed: Pack, shard: Shard, first: int) -> str:
    """What is wrong with a shard; empty if nothing."""
    path = joined(packed.folder, shard.file)
    size = size_of(path)
    if size is None:
        return "is not there."
    if size != shard.size:
        return f"expected {shard.size:,} bytes, received {size:,}."
    count = 0
    with opened(path) as file:
        digested = _Digested(file)
        for photo in read_photos(digested, path):
            expected = packed.names.name(first + count) if count < shard.photos else None
            if expected is None or photo.name != os.fsencode(expected):
                return f"expected {expected} as record {count}, received {os.fsdecode(photo.name)}."
            count += 1
    if count != shard.photos:
        return f"expected {shard.photos} photos, received {count}."
    if digested.digest.hexdigest() != shard.sha256:
        return f"expected the SHA-256 {shard.sha256}, received {digested.digest.hexdigest()}."
    return ""
