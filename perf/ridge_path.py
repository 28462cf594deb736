"""How long the ridge path takes against scikit-learn's Ridge, and whether both agree.

100 strengths on each of 10 splits (70 % training, 10 % validation rows): `RidgeRegressor.fit` as a
whole, its last fit on all rows included, against `sklearn.linear_model.Ridge` fitted once for each
strength and split on rows that are standardised already. Of the latter a part is measured (the
first split, strengths from the weakest to the strongest) and extrapolated to all.

    python perf/ridge_path.py                              # 10,000 x 8,192, some minutes
    python perf/ridge_path.py --rows 2000 --columns 2048   # seconds
"""

import argparse
import time
import tracemalloc

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import Ridge
from sklearn.model_selection import ShuffleSplit
from sklearn.preprocessing import StandardScaler

from reiqa_tf.fitting.regression import RidgeRegressor, ridge_path

LATENT = 64
"""Features of a network depend on each other: these have so many common causes, and noise."""


def simulate(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Features like those of a pooled network (float32, not negative) and scores from 0 to 100."""
    generator = np.random.default_rng(0)
    causes = generator.normal(size=(rows, LATENT)).astype(np.float32)
    features = causes @ generator.normal(size=(LATENT, columns)).astype(np.float32)
    features += generator.normal(scale=4, size=columns).astype(np.float32)
    features += generator.standard_normal(size=features.shape, dtype=np.float32)
    np.maximum(features, 0, out=features)
    scores = causes @ generator.normal(size=LATENT) + 2 * generator.normal(size=rows)
    return features, 100 / (1 + np.exp(-scores / 8))


def main() -> None:
    """Measures, compares, prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--columns", type=int, default=8_192)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument(
        "--fits", type=int, default=5, help="fits of scikit-learn that are measured"
    )
    arguments = parser.parse_args()

    features, scores = simulate(arguments.rows, arguments.columns)
    splitter = ShuffleSplit(arguments.splits, train_size=0.7, test_size=0.1, random_state=0)
    regressor = RidgeRegressor(cv=splitter)
    strengths = np.asarray(regressor.strengths)

    tracemalloc.start()
    begin = time.perf_counter()
    regressor.fit(features, scores)
    ours = time.perf_counter() - begin
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    training, validation = next(splitter.split(features))
    path = ridge_path(features, scores, strengths, rows=training)
    predicted = path.predict(features[validation])
    scaler = StandardScaler().fit(features[training].astype(np.float64))
    standardised = scaler.transform(features[training].astype(np.float64))
    unseen = scaler.transform(features[validation].astype(np.float64))
    seconds, differences = [], []
    for number in np.linspace(0, len(strengths) - 1, arguments.fits).round().astype(int):
        ridge = Ridge(alpha=strengths[number])
        begin = time.perf_counter()
        ridge.fit(standardised, scores[training])
        seconds.append(time.perf_counter() - begin)
        differences.append(np.abs(ridge.predict(unseen) - predicted[:, number]).max())

    fits = len(strengths) * arguments.splits
    theirs = np.mean(seconds) * fits
    table = Table(
        title=f"{fits:,} ridge fits on {arguments.rows:,} x {arguments.columns:,} features"
    )
    table.add_column("what")
    table.add_column("figure", justify="right")
    table.add_row("RidgeRegressor.fit, measured as a whole", f"{ours:,.1f} s")
    table.add_row(
        f"scikit-learn's Ridge, one fit, mean of {len(seconds)}", f"{np.mean(seconds):,.3f} s"
    )
    table.add_row(f"the same {fits:,} times, extrapolated", f"{theirs:,.0f} s")
    table.add_row("ratio", f"1 / {theirs / ours:,.1f}")
    table.add_row(
        "largest difference of predictions, of the scores' deviation",
        f"{max(differences) / scores.std():.1e}",
    )
    table.add_row("float32 features in memory before", f"{features.nbytes / 2**20:,.0f} MiB")
    table.add_row("peak of what RidgeRegressor.fit takes on top", f"{peak / 2**20:,.0f} MiB")
    Console().print(table)


if __name__ == "__main__":
    main()
