"""The content-aware expert as published: plain MoCo-v2 with ResNet-50, 256 photos a step.

    reiqa pretrain PHOTOS/ --config content_resnet50 --out runs/content_resnet50

Numbers are MoCo-v2's (Chen, Fan, Girshick and He, arXiv 2003.04297), whose defaults Re-IQA (arXiv
2304.00451) takes, where they do not name another reason.
"""

from reiqa_tf.pretraining import config


def get_config() -> config.PretrainConfig:
    """The published run."""
    return config.PretrainConfig(
        encoder=config.Encoder(
            backbone=config.ResNet(blocks=(3, 4, 6, 3), width=64),  # ResNet-50, 2048 features
            normalization=config.Normalization(  # ImageNet's, as with every MoCo network
                mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
            ),
        ),
        pairs=config.ContentPairs(patch=224),
        contrast=config.Contrast(
            units=128,
            hidden_units=2048,  # as wide as the features
            queue_size=65_536,
            temperature=0.2,  # of v2; v1 had 0.07
            momentum=0.999,
        ),
        optimizer=config.Sgd(
            rate=0.03,  # for 256 photos, scaled linearly
            per_photos=256,
            momentum=0.9,
            decay=1e-4,
        ),
        schedule=config.Schedule(
            epochs=200,  # of the released MoCo-v2 weights; 800 gain 3 % more on ImageNet
            warmup_epochs=0,  # MoCo has none
            final_share=1e-3,  # PyContrast's 0.1, cubed
        ),
        batch_size=256,
        parts=1,
        precision="float32",
        result="query",
        checkpoints=config.Checkpoints(every=2500, keep=3),  # ours: two an epoch of ImageNet
    )
