"""The contrastive loss, as pure functions."""

from keras import ops

from reiqa_tf.typing import Tensor


def similarities(
    queries: Tensor, keys: Tensor, queue: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Similarities of queries with their own key and with those in the queue.

    Args:
        queries: embeddings `(N, D)` of length 1.
        keys: embeddings `(N, D)` of length 1; row n belongs to query n.
        queue: embeddings `(K, D)` of length 1, which belong to no query.
        temperature: what the similarities, cosines, are divided by; above 0.

    Returns:
        positives `(N,)` and negatives `(N, K)`.
    """
    queries = queries / temperature  # here, where it is cheap: K is far larger than D
    return ops.sum(queries * keys, axis=-1), ops.matmul(queries, ops.transpose(queue))


def info_nce(positives: Tensor, negatives: Tensor) -> Tensor:
    """The loss: cross-entropy of finding the own key among it and the whole queue.

    The columns are never put side by side, which would copy the largest tensor of a step.

    Args:
        positives: `(N,)`, as `similarities` returns them.
        negatives: `(N, K)`, likewise.

    Returns:
        `(N,)`, one loss a query, at least 0.

    Example:
    ```python
    import keras

    from reiqa_tf.pretraining.info_nce import info_nce, similarities

    queries, keys, queue = (keras.random.normal((count, 16)) for count in (4, 4, 100))
    losses = info_nce(*similarities(queries, keys, queue, temperature=0.2))
    assert losses.shape == (4,)
    ```

    Reference:
        van den Oord, Li and Vinyals, Representation Learning with Contrastive Predictive Coding
        (arXiv 1807.03748); He et al., Momentum Contrast for Unsupervised Visual Representation
        Learning, CVPR 2020 (arXiv 1911.05722), equation 1.
    """
    return ops.logaddexp(positives, ops.logsumexp(negatives, axis=-1)) - positives


def is_nearest(positives: Tensor, negatives: Tensor) -> Tensor:
    """Whether a query is nearer to its own key than to any in the queue.

    Args:
        positives: `(N,)`, as `similarities` returns them.
        negatives: `(N, K)`, likewise.

    Returns:
        bool `(N,)`; their mean is the top-1 contrastive accuracy.
    """
    return positives > ops.max(negatives, axis=-1)
