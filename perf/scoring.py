"""What scoring files costs beyond the network: `reiqa score`'s pipeline against Keras `predict`.

Both get the same photos at the working size. `predict` gets them as pixels in memory; the pipeline
gets the files, reads them ahead in threads, batches them by size and scores their features. The
ratio says what files, formats and bookkeeping cost; below 1, folding the weights into the graph
saves more than they do. Memory is the peak of the whole process so far.

    python perf/scoring.py PHOTOS_FOLDER
    python perf/scoring.py PHOTOS_FOLDER --photos 3000 --no-predict    # memory alone
"""

from __future__ import annotations

import argparse
import collections
import resource
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from reiqa_tf import presets
from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.cli.terminal import print_table

if TYPE_CHECKING:
    from reiqa_tf.models.scorer import ReIQAScorer


def peak_memory() -> float:
    """Peak memory of the process in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def by_predict(
    scorer: ReIQAScorer, paths: Sequence[str], batch_size: int
) -> tuple[float, np.ndarray]:
    """Seconds of `predict` for the photos' pixels, and its scores."""
    from reiqa_tf.image.reading import read_image

    by_size = collections.defaultdict(list)
    for index, path in enumerate(paths):
        image = read_image(path, fit=scorer.working_size)
        by_size[image.shape].append((index, image))
    scores, seconds = np.empty(len(paths)), 0.0
    for group in by_size.values():
        indices, images = zip(*group, strict=True)
        images = np.stack(images)
        scorer.predict(images[:batch_size], batch_size=batch_size, verbose=0)  # trace this size
        start = time.perf_counter()
        scores[list(indices)] = scorer.predict(images, batch_size=batch_size, verbose=0)
        seconds += time.perf_counter() - start
    return seconds, scores


def by_pipeline(scorer: ReIQAScorer, paths: Sequence[str]) -> tuple[float, np.ndarray, float]:
    """Seconds of the pipeline from files, its scores, and memory at a fifth of the way."""
    from reiqa_tf.scoring.features import compute_features

    scores, early = np.empty(len(paths)), 0.0
    start = time.perf_counter()
    for count, outcome in enumerate(compute_features(scorer, paths), 1):
        scores[outcome.index] = float(scorer.judge_features(outcome.features[None])[0])
        if count == len(paths) // 5:
            early = peak_memory()
    return time.perf_counter() - start, scores, early


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", help="folder with photos")
    parser.add_argument("--photos", type=int, default=200, help="how many (default: %(default)s)")
    parser.add_argument("--preset", default=presets.DEFAULT)
    parser.add_argument("--batch-size", type=int, default=8, help="of predict")
    parser.add_argument("--no-predict", action="store_true", help="measure the pipeline alone")
    arguments = parser.parse_args()

    start_tensorflow()
    from reiqa_tf.data.photos import find_photos
    from reiqa_tf.models.scorer import load_preset

    scorer = load_preset(arguments.preset)
    paths = find_photos(arguments.folder)[: arguments.photos]
    by_pipeline(scorer, paths[:8])  # start threads, fill caches
    before = peak_memory()
    seconds, scores, early = by_pipeline(scorer, paths)
    rows = [
        ("photos", f"{len(paths)}"),
        ("pipeline, ms a photo", f"{1e3 * seconds / len(paths):.1f}"),
        ("peak memory before, MiB", f"{before:.0f}"),
        ("peak memory after a fifth, MiB", f"{early:.0f}"),
        ("peak memory after all, MiB", f"{peak_memory():.0f}"),
    ]
    if not arguments.no_predict:
        predict_seconds, predicted = by_predict(scorer, paths, arguments.batch_size)
        rows += [
            ("predict, ms a photo", f"{1e3 * predict_seconds / len(paths):.1f}"),
            ("pipeline / predict", f"{seconds / predict_seconds:.3f}"),
            ("largest difference of scores", f"{np.abs(scores - predicted).max():.1e}"),
        ]
    print_table(None, [("figure", "left"), ("value", "right")], rows)


if __name__ == "__main__":
    main()
