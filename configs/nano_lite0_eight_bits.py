"""A small scorer that learns to bear 8 bits: its own teacher, rounded as full-integer files are.

    reiqa distill scores.csv --teacher small --student nano_lite0_eight_bits --out run

`small` is a preset of `nano_lite0`'s encoder with a head of its own, such as `reiqa_nano_biq2021`.
Its scores and its head stay; the encoder's weights move until the rounded network says the same.
"""

import dataclasses

from reiqa_tf.distillation import config


def get_config() -> config.DistillConfig:
    """`nano_lite0`, beginning as its teacher, and an epoch of learning to be rounded."""
    base = config.load_config("nano_lite0")
    return dataclasses.replace(
        base,
        student=dataclasses.replace(base.student, keeps_head=True),
        optimizer=config.AdamW(rate=5e-5, per_photos=16, decay=0.0),
        # At one rate, for there is but one epoch; the average of the weights calms it.
        schedule=config.Schedule(epochs=1, warmup_epochs=0, warmup_from=1e-6, final_share=1.0),
        distorted=1,
        people=0.0,  # the head stays, and says what the teacher says
        losses=config.LossWeights(huber=1.0, plcc=0.0, parts=0.5),
        rate_by_depth=1.0,  # the first operators lose most to rounding
    )
