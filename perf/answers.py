"""How far one can trust what a score says of itself: scale, interval, pairs and familiarity.

Everything is measured on the rows of a split that the head was not fitted on:

    python perf/answers.py scores.csv --preset my_preset
    python perf/answers.py scores.csv --preset my_preset --unseen    # kinds it did not learn from

The second fits the discriminant anew on the rows of `train` without the kinds of `UNSEEN`, so that
their share says what to expect of pictures that nobody thought of. A column `subset` of the list
adds a line for each subset.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from reiqa_tf import presets
from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.cli.terminal import print_table, show_progress
from reiqa_tf.metrics import srcc

if TYPE_CHECKING:
    from reiqa_tf.models.scorer import ReIQAScorer
    from reiqa_tf.scoring.cache import FeatureCache
    from reiqa_tf.scoring.score import Score

UNSEEN = ("text page", "line drawing", "interface", "code squares", "gradient", "spheres",
          "cells", "half white", "half noise", "blocks black", "posterized")  # fmt: skip
"""Kinds that the discriminant of `--unseen` does not learn from."""

_BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


def print_scale(scores: Sequence[Score], people: np.ndarray) -> None:
    """Prints mean opinions and mean scores of tenths of the photos, by opinion and by score.

    A photo among the best tenth by opinion owes that in part to luck, which no score can know: so
    the scores of those tenths lie nearer the middle. Tenths by score ask whether photos that get a
    score are worth it.
    """
    values = np.array([float(score) for score in scores])
    for title, sorted_by in (("people's scores", people), ("score", values)):
        tenths = np.array_split(np.argsort(sorted_by, kind="stable"), 10)
        rows = [(people[tenth].mean(), values[tenth].mean()) for tenth in tenths]
        print_table(
            f"scale: means of the tenths of the photos by {title}",
            [("people", "right"), ("scores", "right"), ("difference", "right")],
            [(f"{a:.3f}", f"{b:.3f}", f"{b - a:+.3f}") for a, b in rows],
            f"largest difference {max(abs(b - a) for a, b in rows):.3f}",
        )
    print(f"RMSE {np.sqrt(np.mean((values - people) ** 2)):.4f}")


def print_intervals(
    scores: Sequence[Score], people: np.ndarray, subsets: dict[str, np.ndarray]
) -> None:
    """Prints SRCC, how many opinions lie in their interval, and how wide those are, by part."""
    low, high, values = np.array([(score.low, score.high, float(score)) for score in scores]).T
    inside, width = (low <= people) & (people <= high), high - low
    fifths = np.array_split(np.argsort(values, kind="stable"), 5)
    parts = {
        "all": np.arange(len(values)),
        **{f"fifth {i} by score": rows for i, rows in enumerate(fifths, 1)},
        **subsets,
    }
    print_table(
        "agreement and intervals",
        [("photos", "left"), *((name, "right") for name in ("number", "SRCC", "covered", "width"))],
        [
            (
                name,
                str(len(rows)),
                f"{srcc(values[rows], people[rows]):.3f}",
                f"{inside[rows].mean():.1%}",
                f"{width[rows].mean():.3f}",
            )
            for name, rows in parts.items()
        ],
        f"scores outside of their own interval: {((values < low) | (values > high)).sum()}",
    )


def print_pairs(scores: Sequence[Score], people: np.ndarray) -> None:
    """Prints how often the photo that is said to be better is, by how sure that is said to be."""
    said, right = [], []
    for i, one in enumerate(scores):
        for j in range(i):
            if people[i] != people[j]:
                probability = one.beats(scores[j])
                said.append(max(probability, 1 - probability))
                right.append((probability > 0.5) == (people[i] > people[j]))
    stated, found = np.array(said), np.array(right)
    rows = []
    for least, most in itertools.pairwise(_BINS):
        here = (stated >= least) & ((stated < most) | (most == 1))
        if here.any():
            a, b = stated[here].mean(), found[here].mean()
            share = f"{here.mean():.0%}"
            rows.append((f"{least:g} to {most:g}", share, f"{a:.1%}", f"{b:.1%}", f"{b - a:+.1%}"))
    print_table(
        "pairs",
        [(name, "right") for name in ("sure", "of all", "said", "right", "difference")],
        rows,
        f"{len(stated)} pairs of {len(scores)} photos",
    )


def print_familiarity(
    scorer: ReIQAScorer,
    distances: np.ndarray,
    limit: float,
    photos: Sequence[str],
    count: int,
    cache: FeatureCache | None,
    unseen: Sequence[str],
) -> None:
    """Prints how many photos, and how many pictures of each strange kind, count as unfamiliar.

    The pictures are others than those that heads learn from.
    """
    from reiqa_tf.fitting.strange_pictures import KINDS, PER_KIND

    rows, shares = [("held-out photos", f"{(distances > limit).mean():.1%}")], {}
    for kind in KINDS:
        features = strange_features_beyond(scorer, kind, photos, PER_KIND, count, cache)
        shares[kind] = float((_distance(scorer, features) > limit).mean())
        rows.append(
            (f"{kind}{', not learnt from' if kind in unseen else ''}", f"{shares[kind]:.0%}")
        )
    left_out = [shares[kind] for kind in unseen]
    caption = f"mean of the kinds {np.mean(list(shares.values())):.1%}"
    if left_out:
        caption += f"; of those not learnt from {np.mean(left_out):.1%}"
    print_table("unfamiliar", [("pictures", "left"), ("share", "right")], rows, caption)


def strange_features_beyond(
    scorer: ReIQAScorer,
    kind: str,
    photos: Sequence[str],
    first: int,
    count: int,
    cache: FeatureCache | None,
) -> np.ndarray:
    """Features `(count, F)` of the pictures of a kind that follow the first ones."""
    import itertools

    from reiqa_tf.fitting.strange_pictures import strange_pictures
    from reiqa_tf.image.reading import read_image
    from reiqa_tf.scoring.features import features_of

    compute = scorer.compile_features()
    pictures = itertools.islice(strange_pictures(kind, first + count, photos), first, None)
    return np.concatenate(
        [
            features_of(compute, read_image(picture, fit=scorer.working_size)[None], cache)
            for picture in pictures
        ]
    )


def _distance(scorer: ReIQAScorer, features: np.ndarray) -> np.ndarray:
    from keras import ops

    return np.asarray(ops.convert_to_numpy(scorer.fitted_head().distance(features)))


def learn_without_unseen(
    scorer: ReIQAScorer, features: np.ndarray, photos: Sequence[str], cache: FeatureCache | None
) -> float:
    """Fits the distance of the scorer's head without the kinds of `UNSEEN`; returns its limit."""
    from reiqa_tf.fitting.calibration import KNOWN_SHARE, fit_distance
    from reiqa_tf.fitting.strange_pictures import KINDS, strange_features

    kinds = [kind for kind in KINDS if kind not in UNSEEN]
    strange = strange_features(scorer, photos, kinds, cache=cache, progress=show_progress)
    seen = scorer.feature_order.get("content")
    found = fit_distance(features, strange, None if seen is None else (seen[0], seen[1]))
    head = scorer.fitted_head()
    head.distance_kernel.assign(found.kernel)
    head.distance_bias.assign(found.bias)
    return float(np.quantile(found(features), KNOWN_SHARE, method="higher"))


def _subsets(path: str, photos: Sequence[str]) -> dict[str, np.ndarray]:
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or "subset" not in rows[0]:
        return {}
    folder = os.path.dirname(os.path.abspath(path))
    known = {os.path.realpath(os.path.join(folder, row["image"])): row["subset"] for row in rows}
    names = np.array([known[os.path.realpath(photo)] for photo in photos])
    return {str(name): np.flatnonzero(names == name) for name in np.unique(names)}


def main() -> None:
    """Reads the arguments and prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scores", metavar="CSV", help="as for `reiqa fit`")
    parser.add_argument("--preset", default=presets.DEFAULT, help="default: %(default)s")
    parser.add_argument("--split", default="test", help="rows to measure on (default: %(default)s)")
    parser.add_argument("--unseen", action="store_true", help="leave kinds out of what is learnt")
    parser.add_argument("--count", type=int, default=24, help="pictures a kind (default: 24)")
    parser.add_argument("--cache", metavar="FILE", help="SQLite file that keeps features")
    arguments = parser.parse_args()
    start_tensorflow()
    from reiqa_tf.data.scored_photos import read_scored_photos
    from reiqa_tf.fitting.scored_features import scored_features
    from reiqa_tf.models.scorer import load_preset
    from reiqa_tf.presets.storage import encoders_fingerprint
    from reiqa_tf.scoring.cache import open_cache

    scorer = load_preset(arguments.preset)
    scored = read_scored_photos(arguments.scores)
    with open_cache(arguments.cache, encoders_fingerprint(scorer)) as cache:
        held_out = scored_features(scorer, scored.split(arguments.split), 20, cache, show_progress)
        people = held_out.scored.scores
        judged = scorer.judge_features(held_out.features)
        print_scale(judged, people)
        print_intervals(judged, people, _subsets(arguments.scores, held_out.scored.paths))
        print_pairs(judged, people)
        limit = scorer.fitted_head().calibration.distance_limit
        if arguments.unseen:
            train = scored_features(scorer, scored.split("train"), 20, cache, show_progress)
            limit = learn_without_unseen(scorer, train.features, train.scored.paths, cache)
        print_familiarity(
            scorer,
            _distance(scorer, held_out.features),
            limit,
            held_out.scored.paths,
            arguments.count,
            cache,
            UNSEEN if arguments.unseen else (),
        )


if __name__ == "__main__":
    main()
