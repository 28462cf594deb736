"""What a distillation is made of, as data; configurations are modules with a `get_config`.

All that such a module needs can be imported from here. Nothing here needs TensorFlow.
"""

import dataclasses

from reiqa_tf.distillation.shipped_configs import shipped_configs
from reiqa_tf.models.designs import EfficientNetLite, EncoderDesign, Normalization, ResNet
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
from reiqa_tf.typing import PathLike

__all__ = [
    "AdamW",
    "Checkpoints",
    "ConfigError",
    "DistillConfig",
    "EfficientNetLite",
    "EncoderDesign",
    "Lars",
    "LossWeights",
    "Normalization",
    "ResNet",
    "Schedule",
    "Sgd",
    "Student",
    "load_config",
    "override",
    "shipped_configs",
]

EXPERTS = ("content", "quality")
"""What an expert of a scorer may be called."""


@dataclasses.dataclass(frozen=True)
class Student:
    """What learns: a scorer of one expert.

    Attributes:
        encoder: `EncoderDesign`.
        working_size: side in pixels of the square that larger photos are brought into.
        start: the teacher's expert, `content` or `quality`, whose backbone's weights the student
            begins with; it may go on where the student's backbone ends. None begins with random
            weights.
    """

    encoder: EncoderDesign
    working_size: int = 288
    start: str | None = "content"


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """How much each loss counts; 0 leaves it out.

    Attributes:
        huber: distance to the score that is to be learned.
        plcc: one less the linear correlation within a batch.
        parts: distance to the parts that the teacher's score is the sum of: of each expert, size,
            stage and kind of pooling. They tell what the teacher sees where its score alone does
            not.
    """

    huber: float = 1.0
    plcc: float = 1.0
    parts: float = 0.5


@dataclasses.dataclass(frozen=True)
class DistillConfig:
    """A distillation.

    Attributes:
        student: what learns.
        optimizer: what moves the weights.
        schedule: the learning rate over the run. An epoch shows every lesson once.
        batch_size: pictures in a step, on all replicas together.
        distorted: distorted versions of each photo that the teacher judges, too.
        people: how much people's score counts beside the teacher's for a photo that has one, from
            0 to 1.
        losses: `LossWeights`.
        rounds: whether maps and kernels are rounded to 8 bits while the student learns, as they
            are in full-integer files, which then score as it does.
        rotates: whether pictures are also turned, so that scores depend less on how a photo is
            held; they are mirrored in any case.
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

    student: Student
    optimizer: OptimizerRecipe
    schedule: Schedule
    batch_size: int = 16
    distorted: int = 2
    people: float = 0.5
    losses: LossWeights = LossWeights()
    rounds: bool = False
    rotates: bool = True
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
        if self.student.start is not None and self.student.start not in EXPERTS:
            raise ConfigError(
                f"student.start: expected content, quality or None. Received: {self.student.start}"
            )
        least = {"batch_size": 2, "distorted": 0, "patience": 1, "student.working_size": 32}
        require_least(self, least)
        if not (
            0 <= self.people <= 1
            and 0 < self.rate_by_depth <= 1
            and 0 <= self.averaging < 1
            and 0 < self.held_out < 1
        ):
            raise ConfigError(
                "expected 0 <= people <= 1, 0 < rate_by_depth <= 1, 0 <= averaging < 1 and "
                f"0 < held_out < 1. Received: {self.people}, {self.rate_by_depth}, "
                f"{self.averaging}, {self.held_out}"
            )
        weights = dataclasses.astuple(self.losses)
        if min(weights) < 0 or max(weights) == 0:
            raise ConfigError(
                f"losses: expected weights from 0 up, one above 0. Received: {self.losses}"
            )

    @property
    def learning_rate(self) -> float:
        """The base rate, scaled to the batch."""
        return rate_of(self.optimizer, self.batch_size)


def load_config(name: PathLike) -> DistillConfig:
    """Loads a configuration.

    Args:
        name: of a shipped configuration, or the path of a Python file of your own, which is
            executed.

    Returns:
        `DistillConfig`.

    Raises:
        ConfigError: if there is none of that name, or the file has no `get_config`.

    Example:
    ```python
    from reiqa_tf.distillation.config import load_config, override

    config = override(load_config("nano_lite0"), "schedule.epochs=4")
    ```
    """
    return load_config_of(DistillConfig, name, shipped_configs())
