"""One whole training step against PyTorch: same weights, same pictures, same queue."""

import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.models.encoder import IMAGENET, ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.pretraining.moco import MoCo
from reiqa_tf.pretraining.step import TrainingStep
from reiqa_tf.training.optimizers import LARS
from tests.small_models import randomise

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

RATE, TEMPERATURE, MOMENTUM = 2.0, 0.2, 0.999
LARGEST = 1e-4


@pytest.fixture(scope="module", params=[None, IMAGENET], ids=["quality", "content"])
def both(request):
    """Loss, weights before and after, and keys, of both implementations."""
    from tests.oracles import torch_contrast

    normalization = request.param
    encoder = ReIQAEncoder(ResNetBackbone((1, 2), width=16), normalization=normalization)
    moco = MoCo(encoder, units=32, queue_size=100)
    moco.build((None, None, None, 3))
    for seed, part in enumerate(moco.query_network() + moco.momentum_network()):
        randomise(part, seed)
    optimizer = LARS(RATE)
    optimizer.build(moco.trainable_variables)
    generator = np.random.default_rng(0)
    images = {
        name: generator.uniform(size=(12, 48, 48, 3)).astype(np.float32)
        for name in ("query", "key")
    }
    networks = {
        name: torch_contrast.network_like(network, (1, 2), width=16, units=32)
        for name, network in (
            ("query", moco.query_network()),
            ("momentum", moco.momentum_network()),
        )
    }
    before = {name: torch_contrast.weights(each) for name, each in networks.items()}
    loss, keys = torch_contrast.training_step(
        networks["query"],
        networks["momentum"],
        {
            name: torch.from_numpy(_normalised(each, normalization).transpose(0, 3, 1, 2).copy())
            for name, each in images.items()
        },
        torch.from_numpy(np.array(moco.queue.keys)),
        TEMPERATURE,
        MOMENTUM,
        RATE,
    )
    step = TrainingStep(moco, optimizer, tf.distribute.get_strategy())
    logs = step(images)
    ours = {
        "query": torch_contrast.as_state(moco.query_network()),
        "momentum": torch_contrast.as_state(moco.momentum_network()),
    }
    after = {name: torch_contrast.weights(each) for name, each in networks.items()}
    return {
        "losses": (logs["loss"], loss),
        "keys": (np.array(moco.queue.keys)[:12], keys.numpy()),
        "before": before,
        "after": after,
        "ours": ours,
    }


def _normalised(images, normalization):
    if normalization is None:
        return images
    return (images - np.float32(normalization["mean"])) / np.float32(normalization["std"])


def _relative(received, expected):
    return np.linalg.norm(received - expected) / np.linalg.norm(expected)


def test_the_loss_is_that_of_pytorch(both):
    ours, theirs = both["losses"]
    assert ours == pytest.approx(theirs, rel=LARGEST)
    assert theirs > 1


def test_the_keys_are_those_of_pytorch(both):
    assert _relative(*both["keys"]) < LARGEST


def test_every_weight_moves_as_in_pytorch(both):
    """Changes are compared, and not only weights, most of which hardly change in a step."""
    moved = dict.fromkeys(("ours", "theirs", "difference"), 0.0)
    for name, start in both["before"]["query"].items():
        if name.endswith(("running_mean", "running_var")):
            continue
        ours = both["ours"]["query"][name].astype(float) - start
        theirs = both["after"]["query"][name].astype(float) - start
        assert _relative(both["ours"]["query"][name], both["after"]["query"][name]) < LARGEST, name
        assert np.linalg.norm(theirs) > 0, name
        moved["theirs"] += np.sum(theirs**2)
        moved["difference"] += np.sum((ours - theirs) ** 2)
    assert np.sqrt(moved["difference"] / moved["theirs"]) < LARGEST


def test_the_momentum_network_follows_as_in_pytorch(both):
    for name, expected in both["after"]["momentum"].items():
        if not name.endswith("running_var"):
            assert _relative(both["ours"]["momentum"][name], expected) < LARGEST, name


def test_moving_means_are_those_of_pytorch_and_variances_but_for_bessel(both):
    """PyTorch keeps the unbiased variance of the batch, Keras the biased one."""
    for network in ("query", "momentum"):
        for name, expected in both["after"][network].items():
            received = both["ours"][network][name]
            if name.endswith("running_mean"):
                assert _relative(received, expected) < LARGEST, name
            if name.endswith("running_var"):
                assert _relative(received, expected) < 1e-3, name
