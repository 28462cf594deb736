"""What the features of scored photos cost `reiqa fit` and `reiqa evaluate`, by runtime.

Keras and the fastest runtime compute the same photos from their files, with no cache, one after the
other in one process. Processor time is that of the whole process, in user and system mode; loading
TensorFlow and the preset, which both need, is not in it, compiling is.

    python perf/fit_features.py scores.csv --photos 500
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from reiqa_tf.data.scored_photos import read_photo_list
from reiqa_tf.fitting.fast_features import fastest_features
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.presets import DEFAULT
from reiqa_tf.scoring.features import FeatureScorer, feature_table


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scores")
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--preset", default=DEFAULT)
    arguments = parser.parse_args()
    photos = read_photo_list(arguments.scores)[: arguments.photos]
    scorer = load_preset(arguments.preset)
    tables, costs = [], []
    for name, runtime in (
        ("Keras", scorer),
        ("fastest", fastest_features(arguments.preset, scorer)),
    ):
        table, wall, processor = _cost(runtime, photos)
        each = f"{1e3 * processor / len(photos):.0f} ms of it a photo"
        kind = type(runtime).__name__
        print(f"{name:8} {kind:12} wall {wall:.1f} s, processor {processor:.1f} s, {each}")
        tables.append(table)
        costs.append((wall, processor))
    wall, processor = (new / old for old, new in zip(*costs, strict=True))
    away = np.abs(tables[1] - tables[0]).max() / np.abs(tables[0]).max()
    rows = np.linalg.norm(tables[1] - tables[0], axis=1) / np.linalg.norm(tables[0], axis=1)
    print(f"fastest / Keras: wall {wall:.2f}, processor {processor:.2f}; largest difference "
          f"{away:.1e} of the largest feature, {rows.max():.1e} of a photo's")  # fmt: skip


def _cost(scorer: FeatureScorer, photos: list[str]) -> tuple[np.ndarray, float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    table, problems = feature_table(scorer, photos)
    if problems:
        raise SystemExit(f"cannot be read: {next(iter(problems.values()))}")
    return table, time.perf_counter() - wall, time.process_time() - processor


if __name__ == "__main__":
    main()
