"""The quality-aware expert as published: ResNet-50, 630 photos a step.

    reiqa pretrain PHOTOS/ --config quality_resnet50 --out runs/quality_resnet50

Numbers are the paper's (Saha, Mishra and Bovik, Re-IQA, CVPR 2023, arXiv 2304.00451) and its
code's (github.com/avinabsaha/ReIQA at 290632a), where they do not name another reason. A step has
15,120 pairs: several large GPUs, or `--set parts=...` and patience; `--plan` says which fit. Their
pictures take 2.3 GB of the host's memory, and four times that with those of the steps to come.
"""

from reiqa_tf.pretraining import config


def get_config() -> config.PretrainConfig:
    """The published run."""
    return config.PretrainConfig(
        encoder=config.Encoder(
            backbone=config.ResNet(blocks=(3, 4, 6, 3), width=64),  # ResNet-50, 2048 features
            normalization=None,  # the quality expert sees RGB in [0, 1] as it is
        ),
        pairs=config.QualityPairs(
            patch=160,  # --patch_size
            distorted=11,  # --n_aug: 12 versions with the clean one, 24 pairs with half size
        ),
        contrast=config.Contrast(
            units=128,  # MoCo's embedding
            hidden_units=2048,  # MoCo-v2's head: as wide as the features
            queue_size=65_536,  # --nce_k
            temperature=0.2,  # --nce_t
            momentum=0.999,  # --alpha
        ),
        optimizer=config.Lars(
            rate=0.6,  # 0.6 x (photos x 2 scales) / 64 ...
            per_photos=32,  # ... which is 0.6 for 32 photos and 11.8 for 630
            momentum=0.9,
            decay=1e-4,
            trust=1e-3,
        ),
        schedule=config.Schedule(
            epochs=40,  # of the code; the paper says 25
            warmup_epochs=5,
            warmup_from=0.01,
            final_share=1e-3,  # lr_decay_rate 0.1, cubed
        ),
        batch_size=630,
        parts=1,
        precision="float32",
        result="query",  # the authors publish the features of `model`, not of `model_ema`
        checkpoints=config.Checkpoints(every=250, keep=3),  # ours: about one an epoch of 160,000
    )
