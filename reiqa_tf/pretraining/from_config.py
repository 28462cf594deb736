"""What a configuration describes, made."""

import dataclasses

import keras

from reiqa_tf.models.efficientnet_lite import EfficientNetLiteBackbone
from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.models.scorer import ReIQAScorer, load_preset
from reiqa_tf.pretraining import config as configuration
from reiqa_tf.pretraining.content_views import ContentViews
from reiqa_tf.pretraining.moco import MoCo
from reiqa_tf.pretraining.optimizers import LARS, MomentumSGD
from reiqa_tf.pretraining.pipelines import ViewPipeline
from reiqa_tf.pretraining.quality_views import QualityViews
from reiqa_tf.pretraining.schedules import WarmupCosine

_BACKBONES = {
    configuration.ResNet: ResNetBackbone,
    configuration.EfficientNetLite: EfficientNetLiteBackbone,
}
_NUMBERS = {field.name for each in _BACKBONES for field in dataclasses.fields(each)}
_VIEWS = {
    configuration.QualityPairs: QualityViews,
    configuration.ContentPairs: ContentViews,
}
_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def make_pipeline(config, photos, worker=0, workers=1, cache=None):
    """Makes the batches of a run.

    Args:
        config: the `PretrainConfig`.
        photos: list of paths; the order matters to which photo is used when.
        worker: number of this worker, from 0.
        workers: number of workers.
        cache: folder that keeps decoded photos, or None.

    Returns:
        `ViewPipeline` with this worker's part.
    """
    return ViewPipeline(
        photos,
        _VIEWS[type(config.pairs)](**_entries(config.pairs)),
        config.batch_size,
        seed=config.seed,
        worker=worker,
        workers=workers,
        cache=cache,
    )


def make_moco(config, from_start=True):
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
    encoder = _make_encoder(config, policy)
    if config.encoder.start is not None:
        encoder.build((None, None, None, 3))  # in any case: it decides how variables are called
        if from_start:
            _start_from(config.encoder.start, config.expert, encoder)
    moco = MoCo(encoder, dtype=policy, **_entries(config.contrast))
    moco.build((None, None, None, 3))
    return moco


def make_optimizer(config, steps_per_epoch, variables):
    """Makes the optimizer of a run with its schedule, built.

    Args:
        config: the `PretrainConfig`.
        steps_per_epoch: number of steps in an epoch.
        variables: the variables that it will move.

    Returns:
        a Keras optimizer.
    """
    schedule = WarmupCosine(config.learning_rate, steps_per_epoch, **_entries(config.schedule))
    entries = _entries(config.optimizer)
    del entries["rate"], entries["per_photos"]  # they are in the schedule
    optimizer = _OPTIMIZERS[type(config.optimizer)](schedule, entries, variables)
    optimizer.build(variables)
    return optimizer


def trained_scorer(config, moco):
    """The encoder that a run has trained so far, as a scorer without a head.

    Args:
        config: the `PretrainConfig`.
        moco: the run's `MoCo`. It is left as it is.

    Returns:
        `ReIQAScorer` in float32 with one expert, the one that the configuration trains.
    """
    trained = {"query": moco.encoder, "momentum": moco.momentum_encoder}[config.result]
    encoder = _make_encoder(config, "float32")
    scorer = ReIQAScorer(**{config.expert: encoder})
    scorer.build((None, None, None, 3))
    encoder.set_weights(trained.get_weights())
    return scorer


def _start_from(preset, expert, encoder):
    """Gives a new encoder's backbone the weights of a preset's."""
    experts = load_preset(preset).experts()
    source = experts.get(expert, next(iter(experts.values())))
    try:
        encoder.backbone.begin_as(source.backbone)
    except ValueError:
        raise configuration.ConfigError(
            f"encoder.start: expected a preset with the backbone {_in_short(encoder.backbone)}. "
            f"Received: {preset} with {_in_short(source.backbone)}"
        ) from None


def _in_short(backbone):
    numbers = {k: v for k, v in backbone.get_config().items() if k in _NUMBERS}
    return f"{type(backbone).__name__}({', '.join(f'{k}={v}' for k, v in numbers.items())})"


def _make_encoder(config, policy):
    backbone = _BACKBONES[type(config.encoder.backbone)]
    normalization = config.encoder.normalization
    return ReIQAEncoder(
        backbone(**_entries(config.encoder.backbone), dtype=policy),
        normalization=None if normalization is None else _entries(normalization),
        stages=config.encoder.stages,
        pooling=config.encoder.pooling,
        name=config.expert,
    )


def _adamw(schedule, entries, variables):
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=entries["decay"])
    optimizer.exclude_from_weight_decay([each for each in variables if len(each.shape) <= 1])
    return optimizer


_OPTIMIZERS = {
    configuration.Lars: lambda schedule, entries, _: LARS(schedule, **entries),
    configuration.Sgd: lambda schedule, entries, _: MomentumSGD(schedule, **entries),
    configuration.AdamW: _adamw,
}


def _entries(part):
    return {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
