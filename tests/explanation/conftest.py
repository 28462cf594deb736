"""A small preset with a diagnosis, and an explanation by it."""

import hashlib
import json

import numpy as np
import pytest

from reiqa_tf.explanation.diagnosis import DIAGNOSIS_FILE, Probe
from reiqa_tf.explanation.faults import FAMILIES


def make_probe(feature_count, seed=0):
    """A diagnosis with random weights."""
    generator = np.random.default_rng(seed)
    families = len(FAMILIES)
    return Probe(
        kernel=generator.normal(scale=0.1, size=(feature_count, 2 * families)).astype(np.float32),
        bias=generator.normal(size=2 * families).astype(np.float32),
        thresholds=np.full(families, 0.5),
        average=generator.uniform(0, 0.5, size=feature_count).astype(np.float32),
        limits=np.array([[0.5] * families, [20.0] * families]),
    )


def add_probe(preset, probe):
    """Puts a diagnosis into a preset."""
    probe.save(preset / DIAGNOSIS_FILE)
    metadata = json.loads((preset / "metadata.json").read_text())
    contents = (preset / DIAGNOSIS_FILE).read_bytes()
    metadata["sha256"][DIAGNOSIS_FILE] = hashlib.sha256(contents).hexdigest()
    (preset / "metadata.json").write_text(json.dumps(metadata))


@pytest.fixture(scope="package")
def small_preset(tmp_path_factory):
    """A preset of small experts, with three kinds of pooling between them and a diagnosis."""
    from reiqa_tf.models.efficientnet_lite import EfficientNetLiteBackbone
    from reiqa_tf.models.encoder import EFFICIENTNET_LITE, ReIQAEncoder
    from reiqa_tf.models.scorer import save_preset
    from tests.small_models import small_scorer

    quality = ReIQAEncoder(
        EfficientNetLiteBackbone(width=0.1, last_stage="stage3"),
        normalization=EFFICIENTNET_LITE,
        stages=("stage2", "stage3"),
        pooling="mean_deviation_and_center",
        name="quality",
    )
    scorer = small_scorer(quality=quality)
    folder = tmp_path_factory.mktemp("presets") / "small"
    save_preset(scorer, folder)
    add_probe(folder, make_probe(scorer.feature_count))
    return folder


@pytest.fixture(scope="package")
def why(small_preset, photos_folder):
    """An explanation of a real photo by the small preset."""
    import reiqa_tf

    return reiqa_tf.explain(photos_folder / "kodim23.png", small_preset)
