"""Features of more photos than one process wants: shared out, each safe as soon as it is known."""

import multiprocessing
import os
from typing import TypeVar

from reiqa_tf.errors import ReiqaError
from reiqa_tf.typing import PathLike

_Photo = TypeVar("_Photo")


class ShardError(ReiqaError):
    """A shard that does not exist."""


def shard_of(photos: list[_Photo], number: int, count: int) -> list[_Photo]:
    """The photos of one shard: every `count`-th, so that folders of large photos are shared too.

    Args:
        photos: list.
        number: number of the shard, from 1 to `count`.
        count: number of shards.

    Returns:
        list.

    Raises:
        ShardError: if there is no such shard.
    """
    if not 1 <= number <= count:
        raise ShardError(f"expected a shard from 1 to {count}. Received: {number}")
    return photos[number - 1 :: count]


def fill_cache(preset: PathLike, photos: list[str], cache_file: PathLike, workers: int) -> int:
    """Computes features in several processes that write to one cache.

    Every photo is safe on disk before its process begins the next, whatever becomes of the others:
    a process that dies loses no more than what it had in hand, and what it leaves undone is done by
    whoever asks the cache next.

    Args:
        preset: a folder or the name of a shipped preset.
        photos: list of paths.
        cache_file: SQLite file of a `FeatureCache`, on a disk of this machine: SQLite's locks do
            not hold over networks. Machines keep a cache each, and `FeatureCache.take` joins them.
        workers: number of processes.

    Returns:
        number of processes that ended before their work did.
    """
    # Fresh processes: a copy of one in which TensorFlow has threads would hang.
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // workers)
    processes = [
        context.Process(
            target=_work,
            args=(threads, preset, shard_of(photos, number, workers), cache_file),
            daemon=True,
        )
        for number in range(1, workers + 1)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return sum(process.exitcode != 0 for process in processes)


def compute_shard(preset: PathLike, photos: list[str], cache_file: PathLike) -> None:
    """Computes features into a cache, without keeping them in memory.

    Args:
        preset: a folder or the name of a shipped preset.
        photos: list of paths.
        cache_file: SQLite file of a `FeatureCache`.
    """
    from reiqa_tf.models.scorer import load_preset
    from reiqa_tf.presets.storage import encoders_fingerprint
    from reiqa_tf.scoring.cache import FeatureCache
    from reiqa_tf.scoring.features import compute_features

    scorer = load_preset(preset)
    with FeatureCache(cache_file, encoders_fingerprint(scorer)) as cache:
        for _ in compute_features(scorer, photos, cache=cache):
            pass


def _work(threads: int, preset: PathLike, photos: list[str], cache_file: PathLike) -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    compute_shard(preset, photos, cache_file)
