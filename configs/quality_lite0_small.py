r"""`quality_lite0` shrunk to what two cores do in about half an hour, from random weights.

    reiqa pretrain scores.csv --config quality_lite0_small --out runs/small --probe scores.csv \
        --probe-every 4 --retrieval OTHER_PHOTOS/

It shows that an encoder learns, on some 2,400 photos, and is no encoder to keep: `probe.csv` and
`retrieval.json` say what its features know before the first step and after the last. The
differences from `quality_lite0`, each with its reason, are below.
"""

import dataclasses

from reiqa_tf.configs import quality_lite0
from reiqa_tf.pretraining import config


def get_config() -> config.PretrainConfig:
    """The run for one machine, shrunk."""
    whole = quality_lite0.get_config()
    return dataclasses.replace(
        whole,
        pairs=dataclasses.replace(whole.pairs, patch=64),  # 0.44 of the pixels of 96 px
        contrast=dataclasses.replace(
            whole.contrast,
            queue_size=4096,  # 11 steps of 384 pairs: a short run outgrows its keys sooner
        ),
        optimizer=dataclasses.replace(
            whole.optimizer,
            per_photos=16,  # the rate of 32 photos all the same: 600 steps are few
        ),
        schedule=config.Schedule(
            epochs=4,
            warmup_epochs=1,
            warmup_from=1e-5,
            final_share=0.1,  # with four stairs, the last one would otherwise teach nothing
        ),
        batch_size=16,  # 384 pairs
        checkpoints=config.Checkpoints(every=50, keep=3),  # some two minutes
    )
