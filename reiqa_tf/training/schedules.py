"""The learning rate over a run."""

import math
from typing import Any

import keras
from keras import ops

from reiqa_tf.training.recipes import Schedule
from reiqa_tf.typing import Tensor


@keras.saving.register_keras_serializable(package="reiqa_tf")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """A straight line up, then a cosine that goes down in one stair an epoch.

    The cosine of epoch e, counted from 1, of E is r (f + (1 - f) (1 + cos(pi e / E)) / 2) with the
    base rate r and the final share f. Within the first W epochs the rate rises with every step
    from `warmup_from` to the cosine of epoch W.

    Args:
        base_rate: r.
        steps_per_epoch: number of steps in an epoch.
        epochs: E. After them the rate stays as it is.
        warmup_epochs: W, from 0 to E.
        warmup_from: rate of the first step.
        final_share: f.

    Raises:
        ValueError: if a number is out of its range.

    Example:
    ```python
    from reiqa_tf.training.schedules import WarmupCosine

    schedule = WarmupCosine(12.0, steps_per_epoch=500, epochs=40, warmup_epochs=5)
    assert abs(float(schedule(0)) - 0.01) < 1e-8
    ```

    Reference:
        The code of Re-IQA (arXiv 2304.00451), which counts epochs from 1: recipe and numbers.
    """

    def __init__(
        self,
        base_rate: float,
        steps_per_epoch: int,
        epochs: int,
        warmup_epochs: int = Schedule.warmup_epochs,
        warmup_from: float = Schedule.warmup_from,
        final_share: float = Schedule.final_share,
    ) -> None:
        super().__init__()
        if not (base_rate > 0 and steps_per_epoch >= 1 and 0 <= warmup_epochs <= epochs):
            raise ValueError(
                "expected base_rate > 0, steps_per_epoch >= 1 and 0 <= warmup_epochs <= epochs. "
                f"Received: base_rate={base_rate}, steps_per_epoch={steps_per_epoch}, "
                f"warmup_epochs={warmup_epochs}, epochs={epochs}"
            )
        self.base_rate = base_rate
        self.steps_per_epoch = steps_per_epoch
        self.epochs = epochs
        self.warmup_epochs = warmup_epochs
        self.warmup_from = warmup_from
        self.final_share = final_share

    def __call__(self, step: Tensor) -> Tensor:
        """Returns the rate, float32, of a step, counted from 0."""
        epoch = ops.cast(ops.floor_divide(step, self.steps_per_epoch) + 1, "float32")
        rate = self._cosine(ops.minimum(epoch, float(self.epochs)))
        if self.warmup_epochs == 0:
            return rate
        share = ops.cast(step, "float32") / (self.warmup_epochs * self.steps_per_epoch)
        top = self._cosine(ops.convert_to_tensor(float(self.warmup_epochs)))
        rising = self.warmup_from + share * (top - self.warmup_from)
        return ops.where(share < 1, rising, rate)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this schedule again."""
        return {
            "base_rate": self.base_rate,
            "steps_per_epoch": self.steps_per_epoch,
            "epochs": self.epochs,
            "warmup_epochs": self.warmup_epochs,
            "warmup_from": self.warmup_from,
            "final_share": self.final_share,
        }

    def _cosine(self, epoch: Tensor) -> Tensor:
        height = (1 + ops.cos(math.pi * epoch / self.epochs)) / 2
        return self.base_rate * (self.final_share + (1 - self.final_share) * height)
