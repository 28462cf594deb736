"""How many scored photos of one's own a head needs, with and without the head that is there.

    python perf/few_photos.py scores.csv --known ss03

The list is divided by what a photo's path contains: a head is fitted on the photos of one kind
(`--known`), and stands for the head of a preset. It has seen none of the other photos, so these can
stand for those of a new person: N of them are drawn, whole groups, a head is fitted on them that
shrinks towards zero and one that may shrink towards the known head, and both are tested on those
that were not drawn. A shipped head would not do: it has seen many of the photos that people have
lists of, and a head that shrinks towards it would look better than it is on those.

Rows of the split `test` are left out. Features come from the cache of the commands, or that of
`--cache`, where they are known.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from reiqa_tf.data.scored_photos import read_scored_photos
from reiqa_tf.fitting.defaults import SCALE_FLOOR
from reiqa_tf.fitting.regression import Regression, ridge_path
from reiqa_tf.fitting.scored_features import scored_features
from reiqa_tf.metrics import srcc
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.presets import DEFAULT
from reiqa_tf.presets.storage import encoders_fingerprint
from reiqa_tf.scoring.cache import default_cache_file, open_cache

COUNTS = (25, 50, 100, 200, 400, 1000)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scores")
    parser.add_argument("--known", required=True, help="text in the paths of the known photos")
    parser.add_argument("--preset", default=DEFAULT)
    parser.add_argument("--cache", default=default_cache_file())
    parser.add_argument("--repeats", type=int, default=10, help="draws of N photos; fewer of many")
    parser.add_argument("--strength", type=float, default=1.3e4, help="of the known head")
    arguments = parser.parse_args()

    scorer = load_preset(arguments.preset)
    scored = read_scored_photos(arguments.scores)
    if scored.splits is not None:
        scored = scored.split("train", "val")
    with open_cache(arguments.cache, encoders_fingerprint(scorer)) as cache:
        table = scored_features(scorer, scored, len(scored), cache)
    features, scores = table.features, table.scored.scores
    groups = np.arange(len(scores)) if scored.groups is None else table.scored.groups
    is_known = np.array([arguments.known in path for path in table.scored.paths])
    known = np.flatnonzero(is_known)
    shared = np.isin(groups, groups[known]) & ~is_known
    new = np.flatnonzero(~is_known & ~shared)
    path = ridge_path(features, scores, [arguments.strength], known, scale_floor=SCALE_FLOOR)
    prior = path.coefficients[0]
    as_it_is = features @ prior
    print(f"known head: {len(known)} photos; SRCC of it on the {len(new)} new ones: "
          f"{srcc(as_it_is[new], scores[new]):.3f}")  # fmt: skip
    columns = "   known   zero  either |"
    print(f"{'photos':>6} {'draws':>5} | SRCC{columns} RMSE{columns} known head chosen")
    for count in COUNTS:
        repeats = max(2, min(arguments.repeats, 2000 // count))
        rows = [
            _compare(features, scores, groups, new, prior, as_it_is, count, seed)
            for seed in range(repeats)
        ]
        figures = np.mean(rows, axis=0)
        ranks = f"{figures[0]:8.3f}{figures[1]:7.3f}{figures[2]:8.3f}"
        errors = f"{figures[3]:8.4f}{figures[4]:7.4f}{figures[5]:8.4f}"
        chosen = f"{figures[6]:.0%}"
        print(f"{count:6d} {repeats:5d} |     {ranks} |     {errors} | {chosen}", flush=True)


def _compare(
    features: np.ndarray,
    scores: np.ndarray,
    groups: np.ndarray,
    new: np.ndarray,
    prior: np.ndarray,
    as_it_is: np.ndarray,
    count: int,
    seed: int,
) -> Sequence[float]:
    """SRCC, then RMSE, of the known head, of shrinking to zero and of the better of both."""
    names = np.random.default_rng([count, seed]).permutation(np.unique(groups[new]))
    order = new[np.argsort([np.flatnonzero(names == name)[0] for name in groups[new]])]
    drawn = order[:count]
    asked = new[~np.isin(groups[new], groups[drawn])]
    slope, intercept = np.polyfit(as_it_is[drawn], scores[drawn], 1)
    predicted = [slope * as_it_is[asked] + intercept]
    chosen = False
    for start in (None, prior):
        regressor = Regression().regressor()
        regressor.fit(features[drawn], scores[drawn], groups=groups[drawn], prior=start)
        predicted.append(regressor.predict(features[asked]))
        chosen = regressor.around_prior_
    return [
        *(srcc(some, scores[asked]) for some in predicted),
        *(float(np.sqrt(np.mean((some - scores[asked]) ** 2))) for some in predicted),
        float(chosen),
    ]


if __name__ == "__main__":
    main()
