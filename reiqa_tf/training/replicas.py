"""The arithmetic over replicas. Nothing else of ours knows that there are several.

Functions without the argument `strategy` are called in a replica, that is inside `strategy.run`,
and by all of them alike; the others outside, by all workers alike.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from reiqa_tf.typing import Tensor

_traced_for: list[int] = []
"""Replicas that `traced_as_one_of` stands in for."""


@contextlib.contextmanager
def traced_as_one_of(count: int) -> Iterator[None]:
    """Within, graphs are traced as one of so many replicas has them, though there is one.

    The memory of a run on eight GPUs can so be counted on a machine that has none: tensors have the
    sizes that they have there. Such a graph must not be run.

    Args:
        count: number of replicas.
    """
    _traced_for.append(count)
    try:
        yield
    finally:
        _traced_for.pop()


def replica_count() -> int:
    """Number of replicas, on all workers together."""
    if _traced_for:
        return _traced_for[-1]
    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def gather(rows: Tensor) -> Tensor:
    """The rows of all replicas, in the order of the replicas.

    Args:
        rows: tensor `(N, ...)`, of the same shape everywhere; floats, or 8-bit levels.

    Returns:
        tensor `(R N, ...)` of the same type, the same everywhere.
    """
    if replica_count() == 1:
        return rows
    # TensorFlow gathers no bytes. A float16 holds each of 256 levels exactly.
    carried = tf.cast(rows, tf.float16) if rows.dtype == tf.uint8 else rows
    if _traced_for:
        # TensorFlow cuts what it has gathered into the replicas' parts and joins those.
        count = replica_count()
        gathered = tf.concat(tf.split(tf.concat([carried] * count, 0), count), 0)
    else:
        gathered = tf.distribute.get_replica_context().all_gather(carried, axis=0)
    return tf.cast(gathered, rows.dtype)


def own_part(rows: Tensor) -> Tensor:
    """This replica's part of rows that all replicas hold; undoes `gather`.

    Args:
        rows: tensor `(R N, ...)`.

    Returns:
        tensor `(N, ...)`.
    """
    count = tf.shape(rows)[0] // replica_count()
    first = tf.distribute.get_replica_context().replica_id_in_sync_group * count
    return rows[first : first + count]


def mean(tensors: list[Tensor]) -> list[Tensor]:
    """The mean over the replicas.

    Args:
        tensors: list of tensors, of the same shapes everywhere.

    Returns:
        list of tensors, the same everywhere.
    """
    if replica_count() == 1 or not tensors or _traced_for:
        return tensors
    context = tf.distribute.get_replica_context()
    return list(context.all_reduce(tf.distribute.ReduceOp.MEAN, tensors))


def sum_over_workers(strategy: tf.distribute.Strategy, number: int) -> int:
    """The sum of a number of each worker; called by all of them, outside of `strategy.run`.

    Args:
        strategy: the `tf.distribute` strategy.
        number: this worker's whole number.

    Returns:
        the sum, the same everywhere.
    """
    workers = worker_count(strategy)
    if workers == 1:
        return number
    here = strategy.num_replicas_in_sync // workers
    values = strategy.experimental_distribute_values_from_function(
        lambda _: tf.constant(number, tf.int64)
    )
    return int(strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None)) // here


def worker_count(strategy: tf.distribute.Strategy) -> int:
    """Number of worker processes of a strategy."""
    resolver = strategy.cluster_resolver
    return max(1, len(resolver.cluster_spec().as_dict().get("worker", ()))) if resolver else 1


def worker_index(strategy: tf.distribute.Strategy) -> int:
    """Number of this worker process, from 0."""
    resolver = strategy.cluster_resolver
    return resolver.task_id or 0 if resolver else 0
