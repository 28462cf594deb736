"""Exported files keep their scores where every number has 16 bits, as on phones' GPUs."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from reiqa_tf.export.sixteen_bits import SixteenBits
from reiqa_tf.export.tflite import float_model
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.presets import DEFAULT
from tests.small_models import small_scorer

pytest.importorskip("tf2onnx")


def pictures(photos_folder, size):
    """Pictures that are all 0, all 255 and noise, and photos."""
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    flat = {f"all {level}": np.full((*size, 3), level, np.uint8) for level in (0, 255)}
    photos = {
        path.name: np.asarray(ImageOps.fit(Image.open(path).convert("RGB"), size[::-1]))
        for path in sorted(photos_folder.glob("*.*g"))
    }
    return {**flat, "noise": noise, **photos}


@pytest.mark.slow  # a minute
def test_the_default_keeps_its_scores_within_a_hundredth_and_nothing_overflows(photos_folder):
    scorer = load_preset(DEFAULT)
    both = SixteenBits(float_model(scorer, (512, 512)))
    low, high = scorer.score_range
    gaps = {}
    for name, picture in pictures(photos_folder, (512, 512)).items():
        exact, rounded = both.run(picture)
        gaps[name] = abs(exact["score"] - rounded["score"]) / (high - low)
    assert 0 < max(gaps.values()) <= 0.01, gaps


@pytest.mark.slow  # half a minute
def test_the_graph_is_that_of_the_file_and_what_does_not_fit_is_found(photo):
    scorer = small_scorer(quality=None)
    picture = photo[:64, :96]
    exact, rounded = SixteenBits(float_model(scorer, (64, 96))).run(picture)
    assert exact["score"] == pytest.approx(float(scorer(picture[None])[0]), abs=1e-4)
    assert exact["score"] != rounded["score"]
    head = scorer.head
    head.kernel.assign(1e7 * head.kernel)
    with pytest.raises(OverflowError, match="beyond what 16 bits can hold"):
        SixteenBits(float_model(scorer, (64, 96))).run(picture)
