"""A pipeline of drawn pairs with the attributes that the training loop uses, and a tiny run."""

import dataclasses
import types

import numpy as np
import tensorflow as tf

from reiqa_tf.pretraining import config

SIDE = 32


class StandIn:
    """Pairs that a step's number and a row's place decide alone, as those of `ViewPipeline` are."""

    def __init__(self, photos=10, batch_size=4, pairs=2, worker=0, workers=1):
        self.photos = [f"{i}.png" for i in range(photos)]
        self.views = types.SimpleNamespace(pairs=pairs)
        self.batch_size = batch_size
        self.worker = worker
        self.workers = workers
        self.steps_per_epoch = photos // batch_size
        self.seen = []

    def dataset(self, first_step=0):
        share = self.batch_size // self.workers

        def batches():
            step = first_step
            while True:
                generator = np.random.default_rng(step)
                rows = generator.uniform(size=(self.batch_size, self.views.pairs, 2, SIDE, SIDE, 3))
                # Smooth in time: a key looks like its query.
                rows[:, :, 1] = 0.8 * rows[:, :, 0] + 0.2 * rows[:, :, 1]
                own = rows[self.worker * share : (self.worker + 1) * share]
                own = np.rint(255 * own).astype(np.uint8).reshape(-1, 2, SIDE, SIDE, 3)
                place = np.arange(share) + step * self.batch_size + self.worker * share
                place %= len(self.photos)
                yield {"query": own[:, 0], "key": own[:, 1], "photo": place, "wanted": place}
                step += 1

        images = tf.TensorSpec((share * self.views.pairs, SIDE, SIDE, 3), tf.uint8)
        places = tf.TensorSpec((share,), tf.int64)
        return tf.data.Dataset.from_generator(
            batches,
            output_signature={"query": images, "key": images, "photo": places, "wanted": places},
        )

    def note_skipped(self, batch):
        self.seen += batch["photo"].numpy().tolist()


def tiny_config(**changes):
    """Three epochs of two steps of a network of 9 convolutions."""
    made = config.PretrainConfig(
        encoder=config.Encoder(backbone=config.ResNet(blocks=(1, 1), width=8)),
        pairs=config.QualityPairs(patch=SIDE, distorted=1),
        contrast=config.Contrast(units=16, queue_size=50),  # no multiple of a batch
        optimizer=config.Lars(rate=8.0, per_photos=4),
        schedule=config.Schedule(epochs=3, warmup_epochs=1),
        batch_size=4,
        checkpoints=config.Checkpoints(every=2, keep=2),
    )
    return dataclasses.replace(made, **changes)
