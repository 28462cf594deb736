"""A step that trains the encoders of a scorer: what all losses on scores have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import keras
import tensorflow as tf

from reiqa_tf.models.normalization import batch_normalizations
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.training import replicas
from reiqa_tf.training.averaging import AveragedWeights
from reiqa_tf.training.objective import Batch, Logs
from reiqa_tf.typing import Tensor

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


class TunedModel(keras.Model):
    """A scorer that is trained, and the average of its encoders' weights.

    Args:
        scorer: a built `ReIQAScorer` with a head, which stays as it is.
        averaging: how much of the average stays at a step; see `AveragedWeights`.
        name: name of the model.
    """

    def __init__(self, scorer: ReIQAScorer, averaging: float, name: str = "tuned") -> None:
        super().__init__(name=name)
        scorer.fitted_head().trainable = False
        self.scorer = scorer
        self.averages = AveragedWeights(encoder_variables(scorer), averaging)
        self.built = True

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Computes the scores `(N,)` of images; see `ReIQAScorer`."""
        return self.scorer(images, training=training)


class ScorerRunConfig(Protocol):
    """What is read of a configuration of whatever trains a scorer's encoders."""

    @property
    def precision(self) -> str:
        """`float32` or `bfloat16`."""

    @property
    def averaging(self) -> float:
        """How much of the average of the weights stays at a step."""


def make_tuned_model(start: ReIQAScorer, config: ScorerRunConfig, from_start: bool) -> TunedModel:
    """Makes a model with the weights of the start.

    Args:
        start: a built `ReIQAScorer` with a head, which is copied.
        config: the configuration of the run.
        from_start: whether the average begins, too; a run that goes on has it in its checkpoint.

    Returns:
        built `TunedModel`.
    """
    model = TunedModel(copy_of(start, _POLICIES[config.precision]), config.averaging)
    if from_start:
        model.averages.start()
    return model


class ScorerStep(ABC):
    """One step: the losses, the gradient, the average.

    Args:
        model: `TunedModel`, built within the strategy's scope.
        optimizer: a Keras optimizer, built likewise for its trainable variables.
        strategy: a `tf.distribute` strategy.
        columns: names of what `losses` returns; the first is what is made smaller.
        freezes_normalization: whether batch normalisation keeps its statistics.
    """

    def __init__(
        self,
        model: TunedModel,
        optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
        columns: Sequence[str],
        freezes_normalization: bool,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.strategy = strategy
        self.columns = tuple(columns)
        self.freezes_normalization = freezes_normalization
        self._statistics = [
            variable
            for layer in batch_normalizations(model.scorer.experts().values())
            for variable in layer.non_trainable_variables
        ]
        # Shapes change from step to step; one graph is for all of them.
        self._compiled = tf.function(self._on_all_replicas, reduce_retracing=True)

    @abstractmethod
    def losses(self, batch: Batch) -> Tensor:
        """The weighted sum of the losses, then each of them, float32 `(len(columns),)`."""

    def __call__(self, batch: Batch) -> Logs:
        """Makes one step; `batch` as the objective's dataset has it, distributed."""
        columns = {name: rows for name, rows in batch.items() if name != "row"}
        outcome = self._compiled(columns)
        totals = self.strategy.reduce(tf.distribute.ReduceOp.SUM, outcome, axis=None).numpy()
        return dict(zip(self.columns, map(float, totals), strict=True))

    def _on_all_replicas(self, batch: Batch) -> Tensor:
        return self.strategy.run(self._learn, (batch,))

    def _learn(self, batch: Batch) -> Tensor:
        batch = {name: _of_any_size(rows) for name, rows in batch.items()}
        before = self.optimizer.iterations.value
        with tf.GradientTape() as tape:
            totals = self.losses(batch) / replicas.replica_count()
        # Stages after the last one that is pooled have no gradient.
        gradients = tape.gradient(
            totals,
            [variable.value for variable in self.model.trainable_variables],
            output_gradients=tf.one_hot(0, len(self.columns)),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        step = tf.identity(before)
        self.optimizer.apply(gradients)
        if not self.freezes_normalization:
            means = replicas.mean([tf.identity(each.value) for each in self._statistics])
            for variable, mean in zip(self._statistics, means, strict=True):
                variable.assign(mean)
        self.model.averages.follow(step)
        return totals


def _of_any_size(rows: Tensor) -> Tensor:
    """Pictures whose height and width the graph does not know; other columns as they are.

    The graph is first made for the size of the first batch, and computes that size in another
    order than a graph for any size: a run that goes on has another first batch, and would end with
    other last digits.
    """
    if len(rows.shape) < 4:
        return rows
    shape = [*rows.shape[:-3], None, None, rows.shape[-1]]
    return tf.compat.v1.placeholder_with_default(rows, shape)


def encoder_variables(scorer: ReIQAScorer) -> list[keras.Variable]:
    """All weights of a scorer's encoders, in the order of the experts."""
    return [variable for encoder in scorer.experts().values() for variable in encoder.variables]


def copy_of(scorer: ReIQAScorer, policy: str = "float32") -> ReIQAScorer:
    """A scorer of its own with the same weights, computing by another dtype policy.

    Args:
        scorer: a built `ReIQAScorer`.
        policy: dtype policy of the backbones.

    Returns:
        built `ReIQAScorer`.
    """
    config = scorer.get_config()
    for expert in scorer.experts():
        config[expert]["config"]["backbone"]["config"]["dtype"] = policy
    copied = ReIQAScorer.from_config(config)
    copied.build((None, None, None, 3))
    copied.set_weights(scorer.get_weights())
    return copied


def rate_factors(
    scorer: ReIQAScorer, variables: Sequence[keras.Variable], by_depth: float
) -> list[float]:
    """Factors on the learning rate: 1 for the last stage of a backbone, less for those before.

    Args:
        scorer: a built `ReIQAScorer`.
        variables: variables of its encoders.
        by_depth: factor from each stage to the one before it.

    Returns:
        list of floats, one a variable.
    """
    factors: dict[int, float] = {}
    for encoder in scorer.experts().values():
        backbone = encoder.backbone
        stages = [[backbone.stem], *backbone.stages]
        if getattr(backbone, "head", None) is not None:
            stages.append([backbone.head])
        for away, stage in enumerate(reversed(stages)):
            for layer in stage:
                factors.update({id(each): by_depth**away for each in layer.variables})
    return [factors[id(variable)] for variable in variables]
