"""A run that shows in about a minute that everything works, and teaches nothing.

    reiqa pretrain tests/photos --config smoke --out runs/smoke

Every number is as small as the parts allow; they are no starting point for a real run. Nearly all
of the minute goes into the first step, in which TensorFlow makes graphs of all 26 distortions.
"""

from reiqa_tf.pretraining import config


def get_config() -> config.PretrainConfig:
    """Two epochs of a tiny network."""
    return config.PretrainConfig(
        encoder=config.Encoder(backbone=config.ResNet(blocks=(1, 1), width=8)),
        pairs=config.QualityPairs(patch=32, distorted=3),  # 8 pairs a photo
        contrast=config.Contrast(units=16, queue_size=100),  # no multiple of a batch
        optimizer=config.Lars(rate=0.6, per_photos=32),
        schedule=config.Schedule(epochs=2, warmup_epochs=1),
        batch_size=2,
        parts=2,
        checkpoints=config.Checkpoints(every=1, keep=2),
    )
