"""The arithmetic over replicas. Nothing else of ours knows that there are several.

All functions are called in a replica, that is inside `strategy.run`, and by all of them alike.
"""

import tensorflow as tf


def replica_count():
    """Number of replicas, on all workers together."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def gather(rows):
    """The rows of all replicas, in the order of the replicas.

    Args:
        rows: tensor `(N, ...)`, of the same shape everywhere.

    Returns:
        tensor `(R N, ...)`, the same everywhere.
    """
    if replica_count() == 1:
        return rows
    return tf.distribute.get_replica_context().all_gather(rows, axis=0)


def own_part(rows):
    """This replica's part of rows that all replicas hold; undoes `gather`.

    Args:
        rows: tensor `(R N, ...)`.

    Returns:
        tensor `(N, ...)`.
    """
    count = tf.shape(rows)[0] // replica_count()
    first = tf.distribute.get_replica_context().replica_id_in_sync_group * count
    return rows[first : first + count]


def mean(tensors):
    """The mean over the replicas.

    Args:
        tensors: list of tensors, of the same shapes everywhere.

    Returns:
        list of tensors, the same everywhere.
    """
    if replica_count() == 1 or not tensors:
        return tensors
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, tensors)
