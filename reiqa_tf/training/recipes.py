"""What every training run is told in numbers, as data; the home of the defaults of the engine.

A class here describes one there: `Lars` describes `reiqa_tf.training.optimizers.LARS`, which takes
its defaults from it. Nothing here needs TensorFlow, so that a command can read a configuration and
complain of it at once.
"""

import dataclasses
from typing import TypeAlias


@dataclasses.dataclass(frozen=True)
class Lars:
    """`reiqa_tf.training.optimizers.LARS`. The rate is for `per_photos` photos in a batch."""

    rate: float
    per_photos: int
    momentum: float = 0.9
    decay: float = 1e-4
    trust: float = 1e-3


@dataclasses.dataclass(frozen=True)
class Sgd:
    """`reiqa_tf.training.optimizers.MomentumSGD`. The rate is for `per_photos` photos."""

    rate: float
    per_photos: int
    momentum: float = 0.9
    decay: float = 1e-4


@dataclasses.dataclass(frozen=True)
class AdamW:
    """`keras.optimizers.AdamW`; one-dimensional tensors do not decay. Rate as in `Lars`."""

    rate: float
    per_photos: int
    decay: float = 0.05


OptimizerRecipe: TypeAlias = Lars | Sgd | AdamW
"""What describes an optimizer."""


def rate_of(optimizer: OptimizerRecipe, batch_size: int) -> float:
    """The base rate of an optimizer, scaled to the batch.

    Args:
        optimizer: what describes it.
        batch_size: photos of a step, on all replicas together.
    """
    return optimizer.rate * batch_size / optimizer.per_photos


@dataclasses.dataclass(frozen=True)
class Schedule:
    """`reiqa_tf.training.schedules.WarmupCosine`."""

    epochs: int
    warmup_epochs: int = 5
    warmup_from: float = 0.01
    final_share: float = 1e-3


@dataclasses.dataclass(frozen=True)
class Checkpoints:
    """A checkpoint every `every` steps, of which the newest `keep` stay."""

    every: int = 500
    keep: int = 3
