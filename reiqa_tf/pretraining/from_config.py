"""What a configuration describes, made."""

from __future__ import annotations

from collections.abc import Sequence

from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.from_design import entries, in_short, make_encoder
from reiqa_tf.models.scorer import ReIQAScorer, load_preset
from reiqa_tf.pretraining.config import ConfigError, PretrainConfig, QualityPairs
from reiqa_tf.pretraining.content_views import ContentViews
from reiqa_tf.pretraining.moco import MoCo
from reiqa_tf.pretraining.pipelines import ViewPipeline
from reiqa_tf.pretraining.quality_views import QualityViews
from reiqa_tf.typing import PathLike

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def make_views(config: PretrainConfig) -> QualityViews | ContentViews:
    """Makes what makes the pairs of a run.

    Args:
        config: the `PretrainConfig`.

    Returns:
        `QualityViews` or `ContentViews`.
    """
    numbers = entries(config.pairs)
    if isinstance(config.pairs, QualityPairs):
        return QualityViews(**numbers)
    return ContentViews(**numbers)


def make_pipeline(
    config: PretrainConfig,
    photos: Sequence[PathLike],
    worker: int = 0,
    workers: int = 1,
    cache: PathLike | None = None,
) -> ViewPipeline:
    """Makes the batches of a run.

    Args:
        config: the `PretrainConfig`.
        photos: list of paths; the order matters to which photo is used when.
        worker: number of this worker, from 0.
        workers: number of workers.
        cache: folder that keeps decoded photos, or None.

    Returns:
        `ViewPipeline` with this worker's part.

    Raises:
        PipelineError: if there are no photos, or the workers cannot share a batch.
    """
    return ViewPipeline(
        photos,
        make_views(config),
        config.batch_size,
        seed=config.seed,
        worker=worker,
        workers=workers,
        cache=cache,
    )


def make_moco(config: PretrainConfig, from_start: bool = True) -> MoCo:
    """Makes the model of a run, built, with the weights that it starts from.

    Args:
        config: the `PretrainConfig`.
        from_start: whether the encoder gets the weights of the preset `encoder.start`. A run that
            goes on needs none: its checkpoint has them all.

    Returns:
        `MoCo`.

    Raises:
        ConfigError: if the configuration starts from a preset with another backbone.
        PresetError: if there is no such preset.
    """
    policy = _POLICIES[config.precision]
    encoder = make_encoder(config.encoder, config.expert, policy)
    if config.encoder.start is not None:
        encoder.build((None, None, None, 3))  # in any case: it decides how variables are called
        if from_start:
            _start_from(config.encoder.start, config.expert, encoder)
    moco = MoCo(encoder, dtype=policy, **entries(config.contrast))
    moco.build((None, None, None, 3))
    return moco


def trained_scorer(config: PretrainConfig, moco: MoCo) -> ReIQAScorer:
    """The encoder that a run has trained so far, as a scorer without a head.

    Args:
        config: the `PretrainConfig`.
        moco: the run's `MoCo`. It is left as it is.

    Returns:
        `ReIQAScorer` in float32 with one expert, the one that the configuration trains.
    """
    trained = moco.encoder if config.result == "query" else moco.momentum_encoder
    encoder = make_encoder(config.encoder, config.expert)
    scorer = (
        ReIQAScorer(quality=encoder) if config.expert == "quality" else ReIQAScorer(content=encoder)
    )
    scorer.build((None, None, None, 3))
    encoder.set_weights(trained.get_weights())
    return scorer


def _start_from(preset: str, expert: str, encoder: ReIQAEncoder) -> None:
    """Gives a new encoder's backbone the weights of a preset's."""
    experts = load_preset(preset).experts()
    source = experts.get(expert, next(iter(experts.values())))
    try:
        encoder.backbone.begin_as(source.backbone)
    except ValueError:
        raise ConfigError(
            f"encoder.start: expected a preset with the backbone {in_short(encoder.backbone)}. "
            f"Received: {preset} with {in_short(source.backbone)}"
        ) from None
