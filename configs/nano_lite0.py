"""A scorer for phones: one EfficientNet-Lite0 at one size, taught by the default preset.

    reiqa distill scores.csv --out run

The numbers are chosen by reason, not by a search; each says which.
"""

from reiqa_tf.distillation import config


def get_config() -> config.DistillConfig:
    """The default of `reiqa distill`."""
    return config.DistillConfig(
        student=config.Student(
            encoder=config.EncoderDesign(
                backbone=config.EfficientNetLite(width=1.0, depth=1.0, last_stage="stage6"),
                normalization=config.Normalization(mean=(127 / 255,) * 3, std=(128 / 255,) * 3),
                # Every block: beside what the teacher's quality expert pools, the early maps, which
                # know colour, light and noise. It raises SRCC of a frozen encoder by 0.005.
                stages=(
                    "stage1",
                    "stage2_block1_depthwise",
                    "stage2_block2_depthwise",
                    "stage3_block1_depthwise",
                    "stage3_block2_depthwise",
                    "stage4_block1_depthwise",
                    "stage4_block2_depthwise",
                    "stage4_block3_depthwise",
                    "stage5_block1_depthwise",
                    "stage5_block2_depthwise",
                    "stage5_block3_depthwise",
                    "stage6_block1_depthwise",
                    "stage6_block2_depthwise",
                    "stage6_block3_depthwise",
                    "stage6_block4_depthwise",
                    "stage6",
                ),
                pooling="mean_deviation_and_center",
                scales=1,
            ),
            working_size=288,  # 0.553e9 multiply-adds, an eighth of the default's
            start="quality",  # frozen, SRCC 0.829 at 256 px where the content expert has 0.802
        ),
        optimizer=config.AdamW(rate=2e-4, per_photos=16, decay=0.0),
        schedule=config.Schedule(epochs=6, warmup_epochs=1, warmup_from=1e-6, final_share=0.01),
        batch_size=16,
        distorted=2,  # two pictures of three are distorted: people scored none of them
        people=0.5,
        losses=config.LossWeights(huber=1.0, plcc=1.0, parts=0.5),
        # A student that learned without lost 0.006 of SRCC in a full-integer file, with seven maps.
        rounds=True,
        rate_by_depth=0.9,  # early stages change little: the student begins with the teacher's
        averaging=0.99,
        patience=6,
        checkpoints=config.Checkpoints(every=100, keep=2),
    )
