"""The optimizers of the published recipes, whose formulas differ from Keras's own.

Keras's `SGD` multiplies the learning rate into its velocity and decays weights beside it. Here, as
in PyTorch and in both recipes, decay is a part of the gradient, the velocity sums gradients, and
the learning rate of the moment scales the velocity.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from reiqa_tf.training.recipes import AdamW, Lars, OptimizerRecipe, Schedule, Sgd
from reiqa_tf.training.schedules import WarmupCosine
from reiqa_tf.typing import Tensor


@keras.saving.register_keras_serializable(package="reiqa_tf")
class MomentumSGD(keras.optimizers.Optimizer):
    """Stochastic gradient descent with momentum and decay as PyTorch has them.

    A step, for weights w, gradient g, velocity v and learning rate r:
    v = momentum v + (g + decay w); w = w - r v.

    Args:
        learning_rate: a number above 0 or a schedule.
        momentum: from 0 to below 1.
        decay: share of the weights that is added to the gradient.
        name: name of the optimizer.
        **kwargs: further arguments of `keras.optimizers.Optimizer`.

    Example:
    ```python
    from reiqa_tf.training.optimizers import MomentumSGD

    optimizer = MomentumSGD(0.03, momentum=0.9, decay=1e-4)  # MoCo-v2 at 256 pairs
    ```
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
        momentum: float = Sgd.momentum,
        decay: float = Sgd.decay,
        name: str = "sgd",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        if not (0 <= momentum < 1 and decay >= 0):
            raise ValueError(
                "expected a momentum from 0 to below 1 and a decay from 0 up. "
                f"Received: momentum={momentum}, decay={decay}"
            )
        self.momentum = momentum
        self.decay = decay
        self.velocities: list[keras.Variable] = []
        self.rate_factors: Sequence[float] | None = None

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Creates a velocity for each of the variables."""
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")

    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        """Moves one variable, as Keras's optimizers do."""
        velocity = self.velocities[self._get_variable_index(variable)]
        learning_rate = _own_rate(self, variable, learning_rate)
        gradient = tf.cast(gradient, variable.dtype)
        # One pass over the weights instead of six: they are what a step with few pairs waits for.
        tf.raw_ops.ResourceApplyMomentum(
            var=variable.handle,
            accum=velocity.value.handle,
            lr=tf.cast(learning_rate, variable.dtype),
            grad=self.direction(gradient, variable),
            momentum=tf.constant(self.momentum, variable.dtype),
        )

    def direction(self, gradient: Tensor, variable: keras.Variable) -> Tensor:
        """What is added to the velocity of one variable."""
        return gradient + self.decay * variable

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this optimizer again."""
        return {**super().get_config(), "momentum": self.momentum, "decay": self.decay}


@keras.saving.register_keras_serializable(package="reiqa_tf")
class LARS(MomentumSGD):
    """Layer-wise adaptive rate scaling, for large batches.

    A step is that of `MomentumSGD`, except that each tensor's decayed gradient is first scaled to
    `trust` times the length of the weights. Tensors of one dimension, which are biases and batch
    normalisation's, are neither decayed nor scaled. A tensor that is all zero is not scaled.

    Args:
        learning_rate: a number above 0 or a schedule.
        momentum: from 0 to below 1.
        decay: share of the weights that is added to the gradient.
        trust: the trust coefficient.
        name: name of the optimizer.
        **kwargs: further arguments of `keras.optimizers.Optimizer`.

    Example:
    ```python
    from reiqa_tf.training.optimizers import LARS

    optimizer = LARS(12.0)  # Re-IQA's for 630 photos
    ```

    Reference:
        You, Gitman and Ginsburg, Large Batch Training of Convolutional Networks (arXiv
        1708.03888). Exclusions and numbers: the code of Re-IQA (arXiv 2304.00451).
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
        momentum: float = Lars.momentum,
        decay: float = Lars.decay,
        trust: float = Lars.trust,
        name: str = "lars",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, momentum, decay, name=name, **kwargs)
        self.trust = trust

    def direction(self, gradient: Tensor, variable: keras.Variable) -> Tensor:
        """What is added to the velocity of one variable."""
        if len(variable.shape) <= 1:
            return gradient
        gradient = super().direction(gradient, variable)
        lengths = [tf.sqrt(2 * tf.nn.l2_loss(tensor)) for tensor in (variable, gradient)]
        scales = (lengths[0] > 0) & (lengths[1] > 0)
        # The inner `where` keeps the division away from zero.
        ratio = self.trust * lengths[0] / tf.where(scales, lengths[1], 1.0)
        return tf.where(scales, ratio, 1.0) * gradient

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this optimizer again."""
        return {**super().get_config(), "trust": self.trust}


@keras.saving.register_keras_serializable(package="reiqa_tf")
class AdamWByDepth(keras.optimizers.AdamW):
    """Keras's `AdamW` with a factor on the rate of each variable; decay is as in `AdamW`."""

    rate_factors: Sequence[float] | None = None
    """One factor a variable, in the order in which it was built; None is 1 everywhere."""

    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        """Moves one variable, as Keras's optimizers do."""
        super().update_step(gradient, variable, _own_rate(self, variable, learning_rate))


def _own_rate(
    optimizer: keras.optimizers.Optimizer, variable: keras.Variable, learning_rate: Tensor
) -> Tensor:
    """The rate of one variable."""
    if optimizer.rate_factors is None:
        return learning_rate
    return learning_rate * optimizer.rate_factors[optimizer._get_variable_index(variable)]


def make_optimizer(
    recipe: OptimizerRecipe,
    learning_rate: float,
    schedule: Schedule,
    steps_per_epoch: int,
    variables: Sequence[keras.Variable],
    rate_factors: Sequence[float] | None = None,
) -> keras.optimizers.Optimizer:
    """Makes an optimizer with its schedule, built.

    Args:
        recipe: what it is to be; `rate` and `per_photos` are not looked at.
        learning_rate: the base rate, above 0.
        schedule: the rate over the run.
        steps_per_epoch: number of steps in an epoch.
        variables: the variables that it will move.
        rate_factors: factor on the rate of each of the variables; None is 1 everywhere.

    Returns:
        a Keras optimizer.
    """
    rates = WarmupCosine(learning_rate, steps_per_epoch, **dataclasses.asdict(schedule))
    optimizer: keras.optimizers.Optimizer
    if isinstance(recipe, AdamW):
        # Keras would number it in a process and name it after its class; checkpoints go by names.
        optimizer = AdamWByDepth(rates, weight_decay=recipe.decay, name="adam_w")
        optimizer.exclude_from_weight_decay(
            [variable for variable in variables if len(variable.shape) <= 1]
        )
    elif isinstance(recipe, Lars):
        optimizer = LARS(rates, recipe.momentum, recipe.decay, recipe.trust)
    else:
        optimizer = MomentumSGD(rates, recipe.momentum, recipe.decay)
    optimizer.rate_factors = rate_factors
    optimizer.build(variables)
    return optimizer
