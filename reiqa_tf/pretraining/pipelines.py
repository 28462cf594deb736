"""From photos on disk to batches of training pairs. The only place that shuffles and batches.

Places in the stream of a run are numbered: place n belongs to epoch n // N and stands for the photo
that the epoch's shuffled order names. What is there is a function of (seed, epoch, photo) alone, so
that any worker can make any batch without those before.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import tensorflow as tf

from reiqa_tf.errors import ReiqaError
from reiqa_tf.files import written_whole
from reiqa_tf.image.decoding import decode_photo
from reiqa_tf.image.reading import ImageError, read_bytes, read_image
from reiqa_tf.packs.pack import find_in_pack
from reiqa_tf.path_list import PathList
from reiqa_tf.progress import Progress, silent
from reiqa_tf.remote import is_remote
from reiqa_tf.training.objective import Batch
from reiqa_tf.training.strategy import on_host
from reiqa_tf.typing import PathLike, Tensor

SUBSTITUTES = 16
"""Photos that are tried, one after the other, for a place whose photo cannot be read."""

_END = 2**62


class PipelineError(ReiqaError):
    """Photos that no batches can be made of."""


class Views(Protocol):
    """What makes pairs of crops of one photo: `QualityViews`, `ContentViews`."""

    @property
    def pairs(self) -> int:
        """Pairs that one photo gives."""

    def __call__(self, photo: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
        """Makes all pairs of one photo.

        Args:
            photo: uint8 tensor `(H, W, 3)`.
            seed: int32 tensor `(2,)`, of the photo in this epoch.

        Returns:
            queries and keys, uint8 `(pairs, patch, patch, 3)` each.
        """


@dataclasses.dataclass
class ViewPipeline:
    """Batches of training pairs, the same for the same seed however often a run is interrupted.

    Attributes:
        photos: paths, of which a `PathList` is made; also addresses on object stores and paths of
            photos in a pack.
        views: makes the pairs of one photo: `QualityViews` or `ContentViews`.
        batch_size: photos in a batch, of all workers together.
        seed: of the order and of all views.
        worker: number of this worker, from 0.
        workers: number of workers. Each makes its part of every batch.
        cache: folder that keeps decoded photos, or None. It takes 3 bytes a pixel. Photos in packs
            and on stores are not kept.
        parallel_calls: photos that are worked on at the same time; `tf.data.AUTOTUNE` lets
            TensorFlow choose.
        skipped: dictionary from the path of each photo that could not be read, as far as met, to
            the reason.

    Raises:
        PipelineError: if there are no photos or the workers cannot share a batch.

    Example:
    ```python
    from reiqa_tf.pretraining.content_views import ContentViews
    from reiqa_tf.pretraining.pipelines import ViewPipeline
    from reiqa_tf.pretraining.training_photos import training_photos

    pipeline = ViewPipeline(training_photos("holiday"), ContentViews(patch=64), batch_size=2)
    batch = next(iter(pipeline.batches(first_step=0)))
    assert batch["query"].shape == batch["key"].shape == (2, 64, 64, 3)  # levels 0 to 255
    print(batch["photo"])  # (2,), places in `photos`
    ```
    """

    photos: Sequence[PathLike]
    views: Views
    batch_size: int
    seed: int = 0
    worker: int = 0
    workers: int = 1
    cache: PathLike | None = None
    parallel_calls: int = tf.data.AUTOTUNE
    skipped: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.photos = PathList.of(self.photos)
        if not self.photos:
            raise PipelineError("Expected at least one photo to train on. Received none.")
        if self.batch_size < 1 or self.batch_size % self.workers:
            raise PipelineError(
                f"Expected a batch size that {self.workers} workers can share equally. "
                f"Received: {self.batch_size}"
            )
        if not 0 <= self.worker < self.workers:
            raise PipelineError(
                f"Expected a worker from 0 to {self.workers - 1}. Received: {self.worker}"
            )

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches that an epoch has."""
        return len(self.photos) // self.batch_size

    def dataset(self, first_step: int = 0) -> tf.data.Dataset:
        """The endless stream of this worker's batches.

        Args:
            first_step: number of the first batch, to go on with a run that was interrupted.

        Returns:
            `tf.data.Dataset` of dictionaries: `query` and `key`, uint8
            `(batch_size / workers x views.pairs, patch, patch, 3)`; `photo` and `wanted`, int64
            `(batch_size / workers,)`: the photos that were used and those whose turn it was. They
            differ where photos could not be read and the next ones of the order stood in.
        """
        share = self.batch_size // self.workers
        files, kept = self._files()
        places = tf.data.Dataset.range(first_step * share, _END)
        decoded = places.interleave(
            on_host(lambda turn: self._readable(turn, files, kept)),
            # Decoded photos that wait in memory, at least one for each call.
            cycle_length=max(2, self.parallel_calls),
            block_length=1,
            num_parallel_calls=self.parallel_calls,
            deterministic=True,
        )
        views = decoded.map(
            on_host(self._views), num_parallel_calls=self.parallel_calls, deterministic=True
        )
        return views.batch(share, drop_remainder=True).map(on_host(_one_axis)).prefetch(2)

    def batches(self, first_step: int = 0) -> Iterator[Batch]:
        """Like `dataset`, and notes in `skipped`, once each, the photos that could not be read.

        Args:
            first_step: number of the first batch.

        Yields:
            dictionaries as in `dataset`.
        """
        for batch in self.dataset(first_step):
            self.note_skipped(batch)
            yield batch

    def note_skipped(self, batch: Batch) -> None:
        """Notes in `skipped` the photos for which others stood in.

        Args:
            batch: of `dataset`.
        """
        wanted, used = batch["wanted"].numpy(), batch["photo"].numpy()
        for index in wanted[wanted != used]:
            path = str(self.photos[index])
            if path in self.skipped:
                continue
            try:
                read_image(path)
                reason = f"{path}: could not be read while training."
            except ImageError as error:
                reason = str(error)
            self.skipped[path] = reason

    def fill_cache(self, progress: Progress = silent) -> None:
        """Decodes photos that the cache does not hold yet. `dataset` does it if nobody else did.

        Args:
            progress: shows how far the work is.

        Raises:
            PipelineError: if this pipeline has no cache.
        """
        if self.cache is None:
            raise PipelineError(
                "cache: expected a folder to keep decoded photos in. Received: None. Make the "
                "pipeline with cache=FOLDER; without one there is nothing to fill."
            )
        missing = [
            (path, kept)
            for path, kept in zip(self.photos, _all_kept(self.photos, self.cache), strict=True)
            if kept is not None and not kept.exists()
        ]
        paths = tf.data.Dataset.from_tensor_slices(
            tf.constant([str(path) for path, _ in missing], tf.string)
        )
        decoded = paths.enumerate().map(
            on_host(
                lambda i, path: (i, tf.io.serialize_tensor(decode_photo(tf.io.read_file(path))))
            ),
            num_parallel_calls=self.parallel_calls,
        )
        decoded = decoded.ignore_errors().prefetch(1)
        for i, contents in progress(decoded, "decoding photos", len(missing)):
            with written_whole(missing[i][1]) as scratch:
                scratch.write_bytes(contents.numpy())

    def _files(self) -> tuple[_Files, _Files | None]:
        """The photos, and what the cache keeps of them (an empty path: nothing)."""
        photos = _Files(PathList.of(self.photos))
        if self.cache is None:
            return photos, None
        self.fill_cache()
        kept = [
            str(path) if path is not None and path.exists() else ""
            for path in _all_kept(self.photos, self.cache)
        ]
        return photos, _Files(PathList.of(kept))

    def _readable(self, turn: Tensor, files: _Files, kept: _Files | None) -> tf.data.Dataset:
        """The photo whose turn it is, or the next one of the order that can be read."""
        count = len(self.photos)
        share = self.batch_size // self.workers
        place = (turn // share) * self.batch_size + self.worker * share + turn % share
        epoch, position = place // count, place % count
        wanted = self._shuffled(epoch, position)

        def read(attempt: Tensor) -> dict[str, Tensor]:
            photo = self._shuffled(epoch, (position + attempt) % count)
            seed = tf.stack([epoch * SUBSTITUTES + attempt, photo]) % 2**31
            return {
                "image": _decode(photo, files, kept),
                "seed": tf.cast(seed, tf.int32),
                "photo": photo,
                "wanted": wanted,
            }

        def give_up(element: dict[str, Tensor]) -> dict[str, Tensor]:
            check = tf.debugging.Assert(
                False, [f"None of {tries} photos in a row could be read. Mend the list of photos."]
            )
            with tf.control_dependencies([check]):
                return tf.nest.map_structure(tf.identity, element)

        tries = min(SUBSTITUTES, count)
        readable = tf.data.Dataset.range(tries).map(on_host(read)).ignore_errors()
        nothing = {
            "image": tf.zeros((1, 1, 3), tf.uint8),
            "seed": tf.zeros((2,), tf.int32),
            "photo": wanted,
            "wanted": wanted,
        }
        failure = tf.data.Dataset.from_tensors(nothing).map(on_host(give_up))
        return readable.concatenate(failure).take(1)

    def _shuffled(self, epoch: Tensor, position: Tensor) -> Tensor:
        """The photo at a position of an epoch's order, without any list of the order."""
        last = len(self.photos) - 1
        if last == 0:
            return tf.zeros((), tf.int64)
        seed = tf.stack([tf.constant(self.seed, tf.int64), epoch])
        return tf.random.experimental.index_shuffle(position, seed, max_index=last)

    def _views(self, place: dict[str, Tensor]) -> dict[str, Tensor]:
        seed = tf.random.fold_in(
            tf.random.fold_in(tf.constant([self.seed, 0]), place["seed"][0]),
            place["seed"][1],
        )
        query, key = self.views(place["image"], seed)
        return {
            "query": query,
            "key": key,
            "photo": place["photo"],
            "wanted": place["wanted"],
        }


def _one_axis(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Photos and the pairs of each, one after the other along one axis."""
    for name in ("query", "key"):
        batch[name] = tf.reshape(batch[name], (-1, *batch[name].shape[2:]))
    return batch


class _Files:
    """Files that a graph reads by their number.

    A tensor of a million strings takes as much memory as a list of them, so their paths are one
    string, of which each is a part.

    Args:
        paths: the `PathList`.
    """

    def __init__(self, paths: PathList) -> None:
        with tf.device("CPU"):  # where it is read; numbers would lie on a GPU
            self._block = tf.constant(paths.block)
            self._ends = tf.constant(paths.ends)
        self._folder = os.fsencode(paths.folder)
        # TensorFlow reads files of this machine without Python; packs and stores it does not know.
        self._are_plain = not (
            b"://" in paths.block or is_remote(paths.folder) or find_in_pack(paths[0])
        )

    def path(self, number: Tensor) -> Tensor:
        """The path of a file."""
        start = tf.where(number > 0, self._ends[tf.maximum(number - 1, 0)], 0)
        return self._folder + tf.strings.substr(self._block, start, self._ends[number] - start)

    def contents(self, number: Tensor) -> Tensor:
        """The bytes of a file."""
        path = self.path(number)
        if self._are_plain:
            return tf.io.read_file(path)
        return tf.ensure_shape(tf.numpy_function(_read, [path], tf.string, stateful=False), ())


def _read(path: bytes) -> bytes:
    try:
        return read_bytes(os.fsdecode(path))
    except ImageError as error:
        raise ValueError(str(error)) from None  # TensorFlow's InvalidArgumentError


def _decode(photo: Tensor, files: _Files, kept: _Files | None) -> Tensor:
    def read() -> Tensor:
        return decode_photo(files.contents(photo))

    if kept is None:
        return read()
    path = kept.path(photo)
    image = tf.cond(path == "", read, lambda: tf.io.parse_tensor(tf.io.read_file(path), tf.uint8))
    return tf.ensure_shape(image, (None, None, 3))


def _all_kept(photos: Sequence[PathLike], cache: PathLike) -> list[pathlib.Path | None]:
    """Where the cache keeps each photo; None for those whose file is not there."""
    return [_kept_as(path, pathlib.Path(cache)) for path in photos]


def _kept_as(path: PathLike, folder: pathlib.Path) -> pathlib.Path | None:
    """Name of a decoded photo: another one as soon as the file is another."""
    try:
        state = pathlib.Path(path).stat()
    except OSError:
        return None
    described = f"{pathlib.Path(path).resolve()}|{state.st_size}|{state.st_mtime_ns}"
    return folder / f"{hashlib.sha256(described.encode()).hexdigest()[:32]}.photo"
