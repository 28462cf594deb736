"""The content-aware expert for one machine: EfficientNet-Lite0, 128 photos a step.

    reiqa pretrain PHOTOS/ --config content_lite0 --out runs/content_lite0

The recipe is that of `content_resnet50`; the differences, each with its reason, are below.
"""

import dataclasses

from reiqa_tf.configs import content_resnet50
from reiqa_tf.pretraining import config


def get_config() -> config.PretrainConfig:
    """The published run, changed for a machine without a cluster."""
    published = content_resnet50.get_config()
    return dataclasses.replace(
        published,
        encoder=config.Encoder(
            backbone=config.EfficientNetLite(width=1.0, depth=1.0, last_stage="head"),
            normalization=config.Normalization(  # what Lite0 was designed for
                mean=(127 / 255,) * 3, std=(128 / 255,) * 3
            ),
        ),
        pairs=config.ContentPairs(patch=128),  # a third of the pixels of 224 px
        contrast=dataclasses.replace(
            published.contrast,
            hidden_units=1280,  # as wide as the features
            queue_size=16_384,  # 128 steps; more than small collections have photos
            momentum=0.99,  # follows within 100 steps; a run has thousands, not millions
        ),
        optimizer=config.AdamW(rate=1e-3, per_photos=128, decay=0.05),  # as in `quality_lite0`
        schedule=config.Schedule(epochs=100, warmup_epochs=1, warmup_from=1e-5, final_share=1e-3),
        batch_size=128,
        parts=4,  # shuffles the keys among four groups, and takes a fourth of the memory
        checkpoints=config.Checkpoints(every=100, keep=3),
    )
