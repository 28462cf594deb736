"""How well a scorer agrees with people, in numbers and as a picture."""

import numpy as np

from reiqa_tf import metrics


def evaluate(scores, predicted, groups=None, seed=0):
    """Compares predicted scores with those that people gave.

    Args:
        scores: array `(N,)`, what people gave, higher is better.
        predicted: array `(N,)`, what the scorer answered.
        groups: array `(N,)` of names, whose rows are resampled together, or None.
        seed: seed of the bootstrap.

    Returns:
        dictionary with `srcc`, `krcc`, `plcc` (raw), `plcc_logistic` and `rmse` (both after the
        4-parameter logistic mapping), `intervals` (for each of them the ends of its 95 %
        bootstrap interval) and `count`.

    Raises:
        MetricError: if there are too few rows, or values that are not finite.
    """
    intervals = metrics.bootstrap_intervals(predicted, scores, groups=groups, seed=seed)
    return {
        **metrics.agreement(predicted, scores),
        "intervals": {name: list(ends) for name, ends in intervals.items()},
        "count": len(scores),
    }


def plot_agreement(scores, predicted, result, path, score_range, title):
    """Draws predicted against given scores, with the logistic mapping through them.

    Args:
        scores: array `(N,)`, what people gave.
        predicted: array `(N,)`, what the scorer answered.
        result: what `evaluate` answered.
        path: the picture to write; its ending says the format (png, svg, pdf).
        score_range: `(low, high)` of the scale.
        title: line above the picture.
    """
    from matplotlib.figure import Figure  # without pyplot: no window system is asked for

    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.add_subplot()
    axes.scatter(predicted, scores, s=12, alpha=0.5, linewidths=0, color="#2a6f97")
    line = np.linspace(np.min(predicted), np.max(predicted), 200)
    mapping = metrics.fit_logistic(predicted, scores)
    axes.plot(line, mapping(line), color="#d1495b", linewidth=2, label="logistic mapping")
    axes.plot(score_range, score_range, color="0.6", linewidth=1, linestyle=":", label="identity")
    low, high = result["intervals"]["srcc"]
    axes.set(
        xlabel="predicted score",
        ylabel="mean opinion score",
        title=f"{title}\nSRCC {result['srcc']:.3f} [{low:.3f}, {high:.3f}]   "
        f"PLCC {result['plcc']:.3f}   {result['count']} photos",
    )
    axes.legend(loc="upper left", frameon=False)
    axes.grid(alpha=0.2)
    figure.savefig(path, dpi=150)
