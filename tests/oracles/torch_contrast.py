"""MoCo's training step with LARS in plain PyTorch, on a small ResNet.

Importing this module needs PyTorch.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tests.oracles.torch_networks import _Bottleneck


class Network(nn.Module):
    """A ResNet of some stages with its projection head."""

    def __init__(self, blocks, width, units):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        stages, channels = [], width
        for stage, count in enumerate(blocks):
            inner = width * 2**stage
            for block in range(count):
                stride = 2 if block == 0 and stage > 0 else 1
                stages.append(_Bottleneck(channels, inner, stride, block == 0))
                channels = 4 * inner
        self.blocks = nn.Sequential(*stages)
        self.hidden = nn.Linear(channels, channels)
        self.output = nn.Linear(channels, units)

    def forward(self, images):
        maps = self.pool(torch.relu(self.bn1(self.conv1(images))))
        features = self.blocks(maps).mean((2, 3))
        return functional.normalize(self.output(torch.relu(self.hidden(features))), dim=1)


def network_like(network, blocks, width, units):
    """A network in training mode with the weights of our encoder and head."""
    made = Network(blocks, width, units)
    state = {name: torch.from_numpy(array) for name, array in as_state(network).items()}
    missing, unexpected = made.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return made.train()


def as_state(network):
    """Weights of our encoder and head under PyTorch's names and in its layouts."""
    encoder, head = network
    backbone, state = encoder.backbone, {}

    def unit(ours, convolution, normalization):
        kernel = np.array(ours.convolution.kernel)
        state[f"{convolution}.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        for name, variable in (
            ("weight", ours.normalization.gamma),
            ("bias", ours.normalization.beta),
            ("running_mean", ours.normalization.moving_mean),
            ("running_var", ours.normalization.moving_variance),
        ):
            state[f"{normalization}.{name}"] = np.array(variable)

    unit(backbone.stem, "conv1", "bn1")
    for i, block in enumerate(block for stage in backbone.stages for block in stage):
        for number, ours in enumerate((block.reduce, block.spatial, block.expand), start=1):
            unit(ours, f"blocks.{i}.conv{number}", f"blocks.{i}.bn{number}")
        if block.shortcut is not None:
            unit(block.shortcut, f"blocks.{i}.downsample.0", f"blocks.{i}.downsample.1")
    for name, layer in (("hidden", head.hidden), ("output", head.output_layer)):
        state[f"{name}.weight"] = np.ascontiguousarray(np.array(layer.kernel).T)
        state[f"{name}.bias"] = np.array(layer.bias)
    return state


def weights(network):
    """A copy of a network's weights and statistics as NumPy arrays."""
    return {
        name: tensor.detach().numpy().copy()
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def training_step(query_network, momentum_network, images, queue, temperature, momentum, rate):
    """Moves both networks once, without a velocity; answers the loss and the keys.

    Images are tensors `(N, 3, H, W)`, the queue one `(K, D)`.
    """
    embedded = query_network(images["query"])
    with torch.no_grad():
        keys = momentum_network(images["key"])
    positives = (embedded * keys).sum(1, keepdim=True)
    logits = torch.cat([positives, embedded @ queue.T], 1) / temperature
    own = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    loss = functional.cross_entropy(logits, own)
    loss.backward()
    with torch.no_grad():
        for weight in query_network.parameters():
            change = weight.grad
            if weight.ndim > 1:
                change = change + 1e-4 * weight
                change = change * (1e-3 * weight.norm() / change.norm())
            weight -= rate * change
        for follower, weight in zip(
            momentum_network.parameters(), query_network.parameters(), strict=True
        ):
            follower.mul_(momentum).add_(weight, alpha=1 - momentum)
    return loss.item(), keys
