"""One training step, for every `tf.distribute` strategy and in any number of parts."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from reiqa_tf.pretraining.moco import MoCo
from reiqa_tf.training import replicas
from reiqa_tf.training.objective import Batch, Logs
from reiqa_tf.typing import Tensor


class TrainingStep:
    """Pulls queries and their keys together, moves both networks, and fills the queue.

    A step is worked off in parts if need be: the gradient is the mean of those of the parts, all of
    them look at the queue as it was before the step, and the optimizer, the momentum network and
    the queue move once. Each part has batch statistics of its own ("ghost batch norm"), as a
    replica has: those of the whole batch would need its maps in memory at once, and several groups
    are what keys are shuffled among. The moving statistics take one step towards the mean of all
    parts and replicas.

    A network could tell a key by the pictures that it was normalised with, if those are its query's
    too. Unless batch normalisation is synchronised, the keys' images are therefore shuffled among
    all parts and replicas before they are embedded ("shuffled batch norm"). With one part on one
    replica there is nothing to shuffle with.

    Args:
        moco: a `MoCo`, built within `strategy.scope()`.
        optimizer: a Keras optimizer, built likewise for the model's trainable variables.
        strategy: a `tf.distribute` strategy.
        parts: number of parts; divides the pairs that a replica gets.
        seed: of the shuffling.

    Example:
    ```python
    import tensorflow as tf

    from reiqa_tf.models.encoder import ReIQAEncoder
    from reiqa_tf.models.resnet import ResNetBackbone
    from reiqa_tf.pretraining.moco import MoCo
    from reiqa_tf.pretraining.step import TrainingStep
    from reiqa_tf.training.optimizers import LARS

    moco = MoCo(ReIQAEncoder(ResNetBackbone((1, 1), width=8)), queue_size=100)
    moco.build((None, None, None, 3))
    optimizer = LARS(0.3)
    optimizer.build(moco.trainable_variables)
    step = TrainingStep(moco, optimizer, tf.distribute.get_strategy())
    queries, keys = tf.random.uniform((2, 4, 32, 32, 3))
    print(step({"query": queries, "key": keys}))  # {"loss": ..., "accuracy": ...}
    ```
    """

    def __init__(
        self,
        moco: MoCo,
        optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
        parts: int = 1,
        seed: int = 0,
    ) -> None:
        self.moco = moco
        self.optimizer = optimizer
        self.strategy = strategy
        self.parts = parts
        self.seed = seed
        # Pictures are normalised with those of their part on their replica.
        self._groups = parts * strategy.num_replicas_in_sync
        self._shuffles = self._groups > 1 and not moco.synchronized
        self._compiled: dict[Callable[..., Any], Callable[..., Any]] = {}

    def __call__(self, batch: Batch) -> Logs:
        """Makes one step.

        Args:
            batch: dictionary with `query` and `key`, images `(N, H, W, 3)`, row n of both a pair,
                or what the strategy distributes of such dictionaries.

        Returns:
            dictionary of means over all pairs: `loss`, and `accuracy`, the share of queries whose
            own key was nearer than any in the queue.
        """
        batch = {name: batch[name] for name in ("query", "key")}
        if self.parts == 1:
            outcome = self._run(self._whole, batch)
        else:
            # One graph for each stage, called from here: a loop in a graph could hold no
            # collective operation, and a graph of all parts would be as large as they are many.
            outcome = self._sequence(self._run, batch)
        totals = self.strategy.reduce(tf.distribute.ReduceOp.SUM, outcome, axis=None).numpy()
        return {"loss": float(totals[0]), "accuracy": float(totals[1])}

    def _run(self, stage: Callable[..., Any], *arguments: Any) -> Any:
        """Runs a stage on all replicas, as a graph."""
        if stage not in self._compiled:
            # A partial and no lambda: TensorFlow counts retracing by code, and would take the
            # stages for one function that is traced again and again. Not compiled with XLA, which
            # on a CPU makes the ResNet-50 step cost 1.6 times as much. There is no control flow to
            # convert, and reading all of Keras for some takes seconds.
            self._compiled[stage] = tf.function(
                functools.partial(self._on_all_replicas, stage), autograph=False
            )
        return self._compiled[stage](*arguments)

    def _on_all_replicas(self, stage: Callable[..., Any], *arguments: Any) -> Any:
        return self.strategy.run(stage, arguments)

    def _whole(self, batch: Batch) -> Tensor:
        return self._sequence(lambda stage, *arguments: stage(*arguments), batch)

    def _sequence(self, call: Callable[..., Any], batch: Batch) -> Tensor:
        """The stages of a step. `call` runs one of them, on this replica or on all."""
        images, key_before, query_before = call(self._begin, batch["key"])
        key_sums, query_sums, gradients, totals = call(self._zeros)
        embedded = []
        for part in range(self.parts):
            keys, key_sums = call(self._embed, images, tf.constant(part), key_before, key_sums)
            embedded.append(keys)
        own_keys, all_keys = call(self._reorder, embedded)
        for part in range(self.parts):
            gradients, totals, query_sums = call(
                self._learn,
                batch["query"],
                own_keys,
                tf.constant(part),
                query_before,
                (gradients, totals, query_sums),
            )
        call(self._end, gradients, all_keys, key_sums, query_sums)
        return totals

    def _begin(self, images: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        if self._shuffles:
            # GPUs have no kernel that gathers bytes; 16-bit floats hold levels as they are.
            levels = tf.cast(images, tf.float16) if images.dtype == tf.uint8 else images
            levels = replicas.own_part(tf.gather(replicas.gather(levels), self._order(images)))
            images = tf.cast(levels, images.dtype)
        return images, _values(self._key_statistics()), _values(self._query_statistics())

    def _zeros(self) -> tuple[list[Tensor], list[Tensor], list[Tensor], Tensor]:
        """What the parts add up to: moving statistics of keys and queries, gradients, totals."""
        return (
            _zeros_like(self._key_statistics()),
            _zeros_like(self._query_statistics()),
            _zeros_like(self.moco.trainable_variables),
            tf.zeros(2),
        )

    def _embed(
        self, images: Tensor, part: Tensor, before: list[Tensor], sums: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        _assign(self._key_statistics(), before)
        keys = self.moco.embed_keys(self._rows(images, part))
        return keys, _sums(sums, _values(self._key_statistics()))

    def _reorder(self, embedded: list[Tensor]) -> tuple[Tensor, Tensor]:
        keys = replicas.gather(tf.concat(embedded, 0))
        if self._shuffles:
            keys = tf.gather(keys, tf.math.invert_permutation(self._order(embedded[0], self.parts)))
        return replicas.own_part(keys), keys

    def _learn(
        self,
        images: Tensor,
        keys: Tensor,
        part: Tensor,
        before: list[Tensor],
        so_far: tuple[list[Tensor], Tensor, list[Tensor]],
    ) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        gradients, totals, sums = so_far
        _assign(self._query_statistics(), before)
        with tf.GradientTape() as tape:
            queries = self.moco(self._rows(images, part), training=True)
            losses, nearest = self.moco.contrast(queries, self._rows(keys, part))
            # The optimizer adds up the gradients of all replicas.
            loss = ops.mean(losses) / self._groups
        variables = [variable.value for variable in self.moco.trainable_variables]
        new = tape.gradient(loss, variables)
        accuracy = ops.mean(ops.cast(nearest, "float32")) / self._groups
        return (
            _sums(gradients, new),
            totals + tf.stack([loss, accuracy]),
            _sums(sums, _values(self._query_statistics())),
        )

    def _end(
        self,
        gradients: list[Tensor],
        all_keys: Tensor,
        key_sums: list[Tensor],
        query_sums: list[Tensor],
    ) -> None:
        self.optimizer.apply(gradients)
        self.moco.follow()
        self.moco.enqueue(all_keys)
        if self._groups > 1:
            variables = self._key_statistics() + self._query_statistics()
            means = replicas.mean([total / self.parts for total in key_sums + query_sums])
            _assign(variables, means)

    def _order(self, rows: Tensor, times: int = 1) -> Tensor:
        """The order of the keys in this step, the same on all replicas."""
        count = tf.shape(rows)[0] * times * replicas.replica_count()
        seed = tf.stack([self.seed, tf.cast(self.optimizer.iterations.value, tf.int32)])
        with tf.device("CPU"):  # no GPU shuffles
            return tf.random.experimental.stateless_shuffle(tf.range(count), seed)

    def _rows(self, rows: Tensor, part: Tensor) -> Tensor:
        count = tf.shape(rows)[0] // self.parts
        return rows[part * count : (part + 1) * count]

    def _key_statistics(self) -> list[keras.Variable]:
        return self.moco.statistics(self.moco.momentum_network())

    def _query_statistics(self) -> list[keras.Variable]:
        return self.moco.statistics(self.moco.query_network())


def _zeros_like(variables: Sequence[keras.Variable]) -> list[Tensor]:
    return [tf.zeros(variable.shape) for variable in variables]


def _assign(variables: Sequence[keras.Variable], values: Sequence[Tensor]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _values(variables: Sequence[keras.Variable]) -> list[Tensor]:
    return [tf.identity(variable.value) for variable in variables]


def _sums(tensors: Sequence[Tensor], others: Sequence[Tensor]) -> list[Tensor]:
    return [tensor + other for tensor, other in zip(tensors, others, strict=True)]
