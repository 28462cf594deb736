"""Scored photos that a small scorer learns from in seconds."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def scored_crops(photo, tmp_path_factory):
    """CSV file of 60 crops of two sizes, the darker the lower their score."""
    folder = tmp_path_factory.mktemp("scored")
    generator = np.random.default_rng(0)
    lines = ["image,mos"]
    for i in range(60):
        y, x, light = generator.integers(400), generator.integers(600), generator.uniform(0.1, 1)
        height, width = ((40, 48), (48, 40))[i % 2]
        crop = photo[y : y + height, x : x + width] * light
        Image.fromarray(crop.astype(np.uint8)).save(folder / f"{i}.png")
        lines.append(f"{i}.png,{light:.4f}")
    (folder / "scores.csv").write_text("\n".join(lines) + "\n")
    return folder / "scores.csv"
