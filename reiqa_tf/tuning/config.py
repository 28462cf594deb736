"""What a tuning run is made of, as data; configurations are modules with a `get_config`.

All that such a module needs can be imported from here. Nothing here needs TensorFlow.
"""

import dataclasses

from reiqa_tf.fitting.degradations import LEVELS
from reiqa_tf.training.config_files import load_config_of
from reiqa_tf.training.recipes import (
    AdamW,
    Checkpoints,
    Lars,
    OptimizerRecipe,
    Schedule,
    Sgd,
    rate_of,
)
from reiqa_tf.training.settings import (
    PRECISIONS,
    ConfigError,
    override,
    require_least,
    require_words,
)
from reiqa_tf.tuning.shipped_configs import shipped_configs
from reiqa_tf.typing import PathLike

__all__ = [
    "AdamW",
    "Checkpoints",
    "ConfigError",
    "Lars",
    "LossWeights",
    "Schedule",
    "Sgd",
    "TuneConfig",
    "load_config",
    "override",
    "shipped_configs",
]


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """How much each loss of `reiqa_tf.tuning.losses` counts; 0 leaves it out.

    Attributes:
        huber: distance to people's scores.
        plcc: one less the linear correlation within a batch.
        rank: order of pairs: those that people compared, and neighbouring levels of ladders.
    """

    huber: float = 1.0
    plcc: float = 1.0
    rank: float = 0.2


@dataclasses.dataclass(frozen=True)
class TuneConfig:
    """A tuning run.

    Attributes:
        optimizer: what moves the weights.
        schedule: the learning rate over the run. An epoch shows every scored photo once.
        batch_size: scored photos in a step, on all replicas together.
        crop: largest side in pixels of the random crop that is taken of a photo, from 32 up. A
            crop is never resized.
        fits: whether photos are first brought into the scorer's working size, as they are when
            they are scored; False crops them at native resolution.
        losses: `LossWeights`.
        ladders: photos of each step that are also shown distorted, by one of the bank's ordered
            distortions or as in `reiqa_tf.fitting.degradations`; a divisor of `batch_size`, or 0.
        ladder_levels: how many of the five levels of the distortion are shown, each a further
            picture.
        rotates: whether crops are also turned by 90, 180 and 270 degrees. It makes scores depend
            less on how a photo is held; False is for photos whose quality does.
        pairs: pairs of photos in each step, where there is a list of pairs.
        rate_by_depth: factor on the learning rate for each stage further from the head.
        freezes_normalization: whether batch normalisation keeps its statistics.
        averaging: how much of the average of the weights stays at a step, from 0 (no average) to
            below 1; less at first. The average is what is validated and kept.
        held_out: share of the photos that is held out for validation and calibration where the
            list has no rows of the split `val`.
        patience: epochs without a better validation SRCC after which the run ends.
        precision: `float32`, or `bfloat16` for computing with 16 bits and weights of 32.
        seed: of all that is random.
        checkpoints: how often the run is saved.

    Raises:
        ConfigError: if a number or a word is not one of those above.
    """

    optimizer: OptimizerRecipe
    schedule: Schedule
    batch_size: int = 16
    crop: int = 320
    fits: bool = True
    losses: LossWeights = LossWeights()
    ladders: int = 0
    ladder_levels: int = 2
    rotates: bool = True
    pairs: int = 4
    rate_by_depth: float = 1.0
    freezes_normalization: bool = True
    averaging: float = 0.99
    held_out: float = 0.2
    patience: int = 5
    precision: str = "float32"
    seed: int = 0
    checkpoints: Checkpoints = Checkpoints()  # noqa: RUF009 -- it is frozen

    def __post_init__(self) -> None:
        require_words(self, {"precision": PRECISIONS})
        least = {"batch_size": 2, "crop": 32, "ladders": 0, "pairs": 0, "patience": 1}
        require_least(self, least)
        if self.ladders and self.batch_size % self.ladders:
            raise ConfigError(
                f"ladders: expected 0 or a divisor of batch_size, {self.batch_size}. "
                f"Received: {self.ladders}"
            )
        if not 1 <= self.ladder_levels <= LEVELS:
            raise ConfigError(
                f"ladder_levels: expected 1 to {LEVELS}. Received: {self.ladder_levels}"
            )
        if not (0 < self.rate_by_depth <= 1 and 0 <= self.averaging < 1 and 0 < self.held_out < 1):
            raise ConfigError(
                "expected 0 < rate_by_depth <= 1, 0 <= averaging < 1 and 0 < held_out < 1. "
                f"Received: {self.rate_by_depth}, {self.averaging}, {self.held_out}"
            )
        weights = dataclasses.astuple(self.losses)
        if min(weights) < 0 or max(self.losses.huber, self.losses.plcc) == 0:
            raise ConfigError(
                "losses: expected weights from 0 up, huber or plcc above 0. "
                f"Received: {self.losses}"
            )

    @property
    def learning_rate(self) -> float:
        """The base rate, scaled to the batch."""
        return rate_of(self.optimizer, self.batch_size)


def load_config(name: PathLike) -> TuneConfig:
    """Loads a configuration.

    Args:
        name: of a shipped configuration, or the path of a Python file of your own, which is
            executed.

    Returns:
        `TuneConfig`.

    Raises:
        ConfigError: if there is none of that name, or the file has no `get_config`.

    Example:
    ```python
    from reiqa_tf.tuning.config import load_config, override

    config = override(load_config("tune_lite0"), "schedule.epochs=4")
    ```
    """
    return load_config_of(TuneConfig, name, shipped_configs())
