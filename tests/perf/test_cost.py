"""The benchmark of what a preset costs runs, and prints what one counts by hand."""

import pathlib
import subprocess
import sys

import pytest

from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.models.scorer import save_preset
from tests.small_models import small_scorer

pytest.importorskip("ai_edge_litert")

SCRIPT = pathlib.Path(__file__).parents[2] / "perf" / "cost.py"


@pytest.mark.slow  # converts two ResNet-50
def test_cost_benchmark_prints_a_preset_beside_the_networks_of_the_paper(tmp_path):
    quality = ReIQAEncoder(ResNetBackbone((1,), width=4), name="quality")
    save_preset(small_scorer(content=None, quality=quality), tmp_path / "tiny")
    options = ["--preset", tmp_path / "tiny", "--size", "64", "--rounds", "1"]
    printed = subprocess.run(
        [sys.executable, SCRIPT, *options], capture_output=True, text=True, check=True
    ).stdout
    rows = {}
    for line in printed.splitlines():
        words = line.rsplit(maxsplit=6)
        if len(words) == 7 and not line.endswith("TFLite, ms"):
            rows[words[0].strip()] = words[1:]
    # 32 x 32 values of the stem, 16 x 16 after pooling; a quarter of it at half size.
    at_full_size = 32 * 32 * 4 * (7 * 7 * 3) + 16 * 16 * (4 * 4 + 4 * 36 + 16 * 4 + 16 * 4)
    (tiny,) = (row for name, row in rows.items() if name.endswith("tiny"))
    assert float(tiny[0]) == pytest.approx(1.25 * at_full_size / 1e9, rel=1e-3)
    pair = rows["two ResNet-50"]
    assert float(pair[1]) == pytest.approx((2 * 23_508_032 + 8192 + 1) / 1e6, rel=1e-3)
    # Weights and statistics of batch normalisation, in 2 bytes each; folded, in 4.
    assert float(pair[2]) == pytest.approx(94.1, rel=0.02)
    assert float(pair[3]) == pytest.approx(188.1, rel=0.02)
    assert all(float(figure) > 0 for row in (tiny, pair) for figure in row)
