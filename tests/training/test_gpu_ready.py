"""The graphs of real training steps have a GPU kernel for each operator, though no GPU is here."""

import dataclasses
import sys

import pytest
import tensorflow as tf

from reiqa_tf.models import designs
from reiqa_tf.pretraining import config
from reiqa_tf.pretraining.contrastive import ContrastiveObjective
from tests.gpu_kernels import assert_ready, made_step, new_graphs, unsupported
from tests.oracles.stand_in import SIDE, StandIn, tiny_config

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="wheels of other systems register no CUDA kernels"
)


def _graphs(config):
    step = made_step(ContrastiveObjective(config, StandIn(photos=4)))
    pictures = tf.TensorSpec((8, SIDE, SIDE, 3), tf.uint8)
    with new_graphs() as graphs:
        whole = tf.function(step._whole, autograph=False)
        whole.get_concrete_function({"query": pictures, "key": pictures})
    return graphs


SMALL = designs.EfficientNetLite(width=0.1, last_stage="stage2")


@pytest.mark.parametrize(
    "changes",
    [
        *(
            pytest.param(change, marks=pytest.mark.slow)  # each traces another step
            for change in (
                {"optimizer": config.Sgd(rate=0.1, per_photos=4), "parts": 2},
                {"optimizer": config.Lars(rate=8.0, per_photos=4)},
                {"optimizer": config.AdamW(rate=1e-3, per_photos=4), "precision": "bfloat16"},
                {"contrast": config.Contrast(units=16, queue_size=50, synchronized=True)},
                {"encoder": config.Encoder(backbone=SMALL), "precision": "bfloat16"},
            )
        ),
    ],
    ids=["SGD in parts", "LARS", "AdamW in bfloat16", "synchronised", "Lite in bfloat16"],
)
def test_pretraining_finds_a_kernel_for_each_operator(changes):
    assert_ready(_graphs(dataclasses.replace(tiny_config(), **changes)))


def test_an_operator_without_a_kernel_is_found_unless_it_is_placed_on_the_host():
    @tf.function(autograph=False)
    def decoded(contents):
        return tf.io.decode_jpeg(contents)

    @tf.function(autograph=False)
    def decoded_on_host(contents):
        with tf.device("CPU"):
            return tf.io.decode_jpeg(contents)

    picture = tf.io.encode_jpeg(tf.zeros((8, 8, 3), tf.uint8))
    with new_graphs() as graphs:
        decoded(picture)
    assert list(unsupported(graphs)) == ["DecodeJpeg()"]
    with new_graphs() as graphs:
        decoded_on_host(picture)
    assert unsupported(graphs) == {}
