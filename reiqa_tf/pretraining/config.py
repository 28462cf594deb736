"""What a pretraining run is made of, as data.

A configuration is Python: a module with a function `get_config` that returns a `PretrainConfig`.
Which class stands in a place says what is done, the numbers in it how much. All that such a module
needs can be imported from here.
"""

import dataclasses

from reiqa_tf.models import designs
from reiqa_tf.models.designs import EfficientNetLite, Normalization, ResNet
from reiqa_tf.pretraining.shipped_configs import shipped_configs
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
    "ContentPairs",
    "Contrast",
    "EfficientNetLite",
    "Encoder",
    "Lars",
    "Normalization",
    "PretrainConfig",
    "QualityPairs",
    "ResNet",
    "Schedule",
    "Sgd",
    "load_config",
    "override",
    "shipped_configs",
]


@dataclasses.dataclass(frozen=True)
class Encoder(designs.EncoderDesign):
    """`reiqa_tf.models.encoder.ReIQAEncoder`, and the weights that its training begins with.

    `start` is a preset, by name or folder, whose backbone's weights the training begins with; of
    two experts the one that is trained, or else the other one. None begins with random weights.
    """

    start: str | None = None


@dataclasses.dataclass(frozen=True)
class QualityPairs:
    """`reiqa_tf.pretraining.quality_views.QualityViews`: trains the quality-aware expert.

    Attributes:
        patch: side of a crop in pixels, even, from 32 up. The authors train with 160.
        distorted: distorted versions beside the clean one, drawn without replacement from the bank.
            Odd, so that half of all versions can be swapped. The authors use 11.
        levels_each: how many of the distorted versions share a distortion, each at another level.
            1 is the authors' way; with more, the levels of one distortion of one photo are each
            other's negatives, which only a network that measures distortions can tell apart.
    """

    patch: int = 160
    distorted: int = 11
    levels_each: int = 1

    @property
    def pairs_per_photo(self) -> int:
        """Every version gives a pair at full and one at half size."""
        return 2 * (1 + self.distorted)


@dataclasses.dataclass(frozen=True)
class ContentPairs:
    """`reiqa_tf.pretraining.content_views.ContentViews`: trains the content-aware expert.

    Attributes:
        patch: side of a view in pixels, from 32 up.
    """

    patch: int = 224

    @property
    def pairs_per_photo(self) -> int:
        """Two views of a photo are one pair."""
        return 1


@dataclasses.dataclass(frozen=True)
class Contrast:
    """`reiqa_tf.pretraining.moco.MoCo`."""

    units: int = 128
    hidden_units: int | None = None
    queue_size: int = 65_536
    temperature: float = 0.2
    momentum: float = 0.999
    synchronized: bool = False
    frozen_normalization: bool = False


@dataclasses.dataclass(frozen=True)
class PretrainConfig:
    """A pretraining run.

    Attributes:
        encoder: the network.
        pairs: what is made of a photo; it also says which expert is trained.
        contrast: the loss and its queue.
        optimizer: what moves the weights.
        schedule: the learning rate over the run.
        batch_size: photos in a step, on all replicas together.
        parts: parts that each replica's share of a step is worked off in, one after the other, so
            that what a network remembers for its gradient fits into a small memory. Batch
            normalisation has the statistics of a part ("ghost batch norm"), as it has those of a
            replica; all else is as without parts. The pictures themselves lie in memory whole, 6
            bytes for each pixel of a crop and pair: see `reiqa_tf.plan_pretraining`.
        precision: `float32`, or `bfloat16` for computing with 16 bits and weights of 32.
        result: which network becomes the preset, `query` or `momentum`.
        seed: of the weights and of all that is random in the data.
        checkpoints: how often the run is saved.
        clean_photos: whole, undistorted photos on which batch normalisation is measured again at
            the end, for the preset alone: the checkpoints keep the moving averages of the crops. 0
            leaves those to the preset, too.

    Raises:
        ConfigError: if a number or a word is not one of those above.
    """

    encoder: Encoder
    pairs: QualityPairs | ContentPairs
    contrast: Contrast
    optimizer: OptimizerRecipe
    schedule: Schedule
    batch_size: int
    parts: int = 1
    precision: str = "float32"
    result: str = "query"
    seed: int = 0
    checkpoints: Checkpoints = Checkpoints()  # noqa: RUF009 -- it is frozen
    clean_photos: int = 0

    def __post_init__(self) -> None:
        require_words(self, {"precision": PRECISIONS, "result": ("query", "momentum")})
        require_least(self, {"batch_size": 1, "parts": 1, "clean_photos": 0})

    @property
    def expert(self) -> str:
        """The expert that is trained: `quality` or `content`."""
        return "quality" if isinstance(self.pairs, QualityPairs) else "content"

    @property
    def learning_rate(self) -> float:
        """The base rate, scaled to the batch."""
        return rate_of(self.optimizer, self.batch_size)


def load_config(name: PathLike) -> PretrainConfig:
    """Loads a configuration.

    Args:
        name: of a shipped configuration, or the path of a Python file of your own, which is
            executed.

    Returns:
        `PretrainConfig`.

    Raises:
        ConfigError: if there is none of that name, or the file has no `get_config`.

    Example:
    ```python
    from reiqa_tf.pretraining.config import load_config, override

    config = load_config("quality_resnet50")
    config = override(config, "batch_size=64")
    ```
    """
    return load_config_of(PretrainConfig, name, shipped_configs())
