r"""The quality-aware expert that the package ships, for two cores and half an hour.

    reiqa pretrain scores.csv --config quality_lite0_biq2021 --out run
    reiqa fit scores.csv --content content_lite0_biq2021 --quality run/preset --range 0 1 \
        --shrink-to zero --strengths 1e3 1e6 --half-precision --ladders 600 --weigh-parts \
        --out reiqa_lite0_biq2021

800 steps of 96 pairs, 24 minutes. It goes on from ImageNet's weights, with the 2,410 training
photos of BIQ2021; `make preset` runs both commands, and docs/trials.md has what was tried before.
The differences from `quality_lite0`, each with its reason, are below.
"""

import dataclasses

from reiqa_tf.configs import quality_lite0
from reiqa_tf.pretraining import config


def get_config() -> config.PretrainConfig:
    """The run behind the quality expert of `reiqa_lite0_biq2021`."""
    whole = quality_lite0.get_config()
    return dataclasses.replace(
        whole,
        encoder=dataclasses.replace(
            whole.encoder,
            backbone=config.EfficientNetLite(last_stage="stage6"),  # nothing after it is pooled
            start="content_lite0_biq2021",  # an hour of two cores learns less than ImageNet knows
            # Found by adding greedily the map that helped most on held-out training photos.
            stages=(
                "stage3_block2_depthwise",
                "stage4_block3_depthwise",
                "stage5_block2_depthwise",
                "stage6_block1_depthwise",
                "stage6_block2_depthwise",
                "stage6_block4_depthwise",
                "stage6",
            ),
            pooling="mean_deviation_and_center",
        ),
        pairs=config.QualityPairs(
            patch=160,  # borders weigh less than at 96 px: a map of stage 6 is 5 x 5, not 3 x 3
            distorted=3,  # more photos in a step: with 11, features of real photos got worse
        ),
        contrast=dataclasses.replace(
            whole.contrast,
            queue_size=4096,  # 42 steps of 96 pairs
            # With statistics of these photos in place of ImageNet's, features of real photos got
            # worse from the first steps on; with ImageNet's put back they were as before.
            frozen_normalization=True,
        ),
        optimizer=config.AdamW(
            rate=1e-4,
            per_photos=12,
            decay=0.05,
        ),
        schedule=config.Schedule(
            epochs=4,
            warmup_epochs=1,
            warmup_from=1e-5,
            final_share=0.02,
        ),
        batch_size=12,  # 96 pairs
        parts=1,
        result="momentum",  # an average over some 100 steps
        checkpoints=config.Checkpoints(every=100, keep=3),
    )
