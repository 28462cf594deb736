"""The quality-aware expert for one machine: EfficientNet-Lite0, 32 photos a step.

    reiqa pretrain PHOTOS/ --config quality_lite0 --out runs/quality_lite0
    reiqa pretrain scores.csv --config quality_lite0 --out runs/quality --probe scores.csv

The recipe is that of `quality_resnet50`; the differences, each with its reason, are below.
"""

import dataclasses

from reiqa_tf.configs import quality_resnet50
from reiqa_tf.pretraining import config


def get_config() -> config.PretrainConfig:
    """The published run, changed for a machine without a cluster."""
    published = quality_resnet50.get_config()
    return dataclasses.replace(
        published,
        encoder=config.Encoder(
            backbone=config.EfficientNetLite(
                width=1.0,
                depth=1.0,
                last_stage="stage7",  # stages before the 1,280-wide head judged best on BIQ2021
            ),
            normalization=config.Normalization(  # what Lite0 was designed for
                mean=(127 / 255,) * 3, std=(128 / 255,) * 3
            ),
            # Distortions show in early stages and content in late ones; both kinds of numbers are
            # what the shipped content preset takes.
            stages=("stage2", "stage3", "stage5", "stage7"),
            pooling="mean_and_deviation",
        ),
        pairs=dataclasses.replace(
            published.pairs,
            patch=96,  # 0.36 of the pixels of 160 px; three times as many photos in the same time
        ),
        contrast=dataclasses.replace(
            published.contrast,
            hidden_units=512,  # half as wide as the features, 2 x (24 + 40 + 112 + 320) = 992
            queue_size=16_384,  # 21 steps of 768 pairs: older keys are of an outgrown network
            momentum=0.99,  # follows within 100 steps; a run has thousands, not tens of thousands
        ),
        optimizer=config.AdamW(
            rate=1e-3,  # ours: LARS is made for batches of thousands of pairs
            per_photos=32,
            decay=0.05,  # as in MoCo-v3
        ),
        schedule=config.Schedule(
            epochs=40,
            warmup_epochs=1,  # AdamW needs no more
            warmup_from=1e-5,
            final_share=1e-3,
        ),
        batch_size=32,  # 768 pairs
        parts=4,  # shuffles the keys among four groups, and takes a fourth of the memory
        checkpoints=config.Checkpoints(every=100, keep=3),  # some minutes on two cores
    )
