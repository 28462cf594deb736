"""Simulated databases: scores that features tell, without a network."""

import dataclasses

import numpy as np
import pytest

from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.data.splits import seeded_splits
from reiqa_tf.evaluation.contestants import WHOLE
from reiqa_tf.progress import silent


@dataclasses.dataclass
class Simulated:
    """A contestant whose features are given; `asked` counts the photos it was asked about."""

    name: str
    features: dict
    is_fitted: bool = True
    asked: int = 0

    fingerprint = "simulated"

    def table(self, photos, cache_file=None, progress=silent, workers=None):
        self.asked += len(photos)
        shown = progress(photos, "features", len(photos))
        return np.stack([self.features[photo] for photo in shown]), {}

    def variants(self):
        width = len(next(iter(self.features.values())))
        return {WHOLE: np.arange(width), "first half": np.arange(width // 2)}

    def describe(self):
        kind = "preset" if self.is_fitted else "function"
        return {"kind": kind, "fingerprint": self.fingerprint, "features": 6}


@pytest.fixture(scope="session")
def simulated():
    """Builds a database of 200 photos in groups of 4, its splits, and the photos' features."""

    def build(name, seed=0, noise=0.5):
        generator = np.random.default_rng(seed)
        features = generator.normal(size=(200, 6)).astype(np.float32)
        weights = np.array([3, -1, 0.5, 2, 0, 1])
        scores = features @ weights + generator.normal(scale=noise, size=200)
        scored = ScoredPhotos(
            paths=[f"/{name}/{i:03}.png" for i in range(200)],
            scores=scores,
            score_range=(scores.min(), scores.max()),
            groups=np.array([f"g{i // 4}" for i in range(200)]),
            distortions=np.array([("blur", "noise")[i % 2] for i in range(200)]),
            levels=np.array([float(i % 5) for i in range(200)]),
        )
        return (
            scored,
            seeded_splits(scored, 4),
            dict(zip(scored.paths, features, strict=True)),
        )

    return build
