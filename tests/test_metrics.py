"""The five figures and their intervals, against plain NumPy, SciPy and sums done by hand."""

import itertools

import numpy as np
import pytest
from scipy import optimize, stats

from reiqa_tf.metrics import (
    agreement,
    bootstrap_intervals,
    fit_logistic,
    krcc,
    median_interval,
    paired_bootstrap,
    paired_bootstrap_over_splits,
    plcc,
    plcc_logistic,
    rmse,
    srcc,
)

FIGURES = ["srcc", "krcc", "plcc", "plcc_logistic", "rmse"]


@pytest.fixture
def scored():
    """Predictions and scores of 120 photos, with ties in both."""
    generator = np.random.default_rng(3)
    scores = generator.uniform(0, 100, 120).round(-1)
    predicted = (scores / 20 + generator.normal(scale=1.2, size=120)).round(1)
    return predicted, scores


def _average_ranks(values):
    """The rank of each value, counted by hand; equal values share the mean of their places."""
    return np.array([(values < v).sum() + ((values == v).sum() + 1) / 2 for v in values])


def _pearson(a, b, axis=-1):
    a, b = a - a.mean(axis, keepdims=True), b - b.mean(axis, keepdims=True)
    return (a * b).sum(axis) / np.sqrt((a * a).sum(axis) * (b * b).sum(axis))


def _tau_b(a, b):
    """Kendall's tau-b, pair by pair."""
    agreeing = untied_a = untied_b = 0
    for i, j in itertools.combinations(range(len(a)), 2):
        step_a, step_b = np.sign(a[i] - a[j]), np.sign(b[i] - b[j])
        agreeing += step_a * step_b
        untied_a += step_a != 0
        untied_b += step_b != 0
    return agreeing / np.sqrt(untied_a * untied_b)


def test_rank_correlations_of_five_rows_equal_those_worked_by_hand():
    predicted, scores = [1, 2, 3, 4, 5], [10, 20, 30, 50, 40]
    # One neighbouring pair is exchanged: 1 - 6 * 2 / (5 * 24), and 9 pairs agree against 1.
    assert srcc(predicted, scores) == pytest.approx(0.9, abs=1e-12)
    assert krcc(predicted, scores) == pytest.approx(0.8, abs=1e-12)


def test_pearson_of_five_rows_equals_the_one_worked_by_hand():
    # Deviations (-2 -1 0 1 2) and (-2 0 -1 1 2): 9 / sqrt(10 * 10).
    assert plcc([1, 2, 3, 4, 5], [1, 3, 2, 4, 5]) == pytest.approx(0.9, abs=1e-12)


def test_spearman_with_ties_is_pearson_of_average_ranks(scored):
    predicted, scores = scored
    expected = _pearson(_average_ranks(predicted), _average_ranks(scores))
    assert srcc(predicted, scores) == pytest.approx(expected, abs=1e-12)


def test_kendall_with_ties_counts_pairs_as_tau_b_does(scored):
    assert krcc(*scored) == pytest.approx(_tau_b(*scored), abs=1e-12)


def test_kendall_with_many_ties_equals_the_one_worked_by_hand():
    # 2 pairs agree and 3 disagree; 8 of 10 are untied in the first, 6 in the second.
    assert krcc([1, 1, 2, 2, 3], [1, 2, 2, 2, 1]) == pytest.approx(-1 / np.sqrt(8 * 6))


def test_pearson_equals_its_formula(scored):
    assert plcc(*scored) == pytest.approx(_pearson(*scored), abs=1e-12)


@pytest.mark.parametrize("right", [95.0, -40.0], ids=["rising", "falling"])
def test_logistic_fit_finds_the_curve_that_made_the_scores(right):
    predicted = np.linspace(-2, 9, 80)
    scores = 5 + (right - 5) / (1 + np.exp(-(predicted - 3.2) / 0.7))
    mapping = fit_logistic(predicted, scores)
    found = [mapping.left, mapping.right, mapping.midpoint, mapping.width]
    np.testing.assert_allclose(found, [5, right, 3.2, 0.7], rtol=1e-4)
    np.testing.assert_allclose(mapping(predicted), scores, atol=1e-4)


def test_logistic_figures_equal_those_of_an_unbounded_curve_fit(scored):
    predicted, scores = scored

    def curve(x, upper, lower, midpoint, width):
        return (upper - lower) / (1 + np.exp(-(x - midpoint) / abs(width))) + lower

    start = [scores.max(), scores.min(), predicted.mean(), predicted.std() / 4]
    parameters, _ = optimize.curve_fit(curve, predicted, scores, start, maxfev=10_000)
    mapped = curve(predicted, *parameters)
    assert plcc_logistic(predicted, scores) == pytest.approx(_pearson(mapped, scores), abs=1e-5)
    expected = np.sqrt(np.mean((mapped - scores) ** 2))
    assert rmse(predicted, scores) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "bend",
    [
        lambda z: z,
        lambda z: np.exp(2 * z),
        lambda z: -(z**3),
        lambda z: np.sign(z) + 0.01 * z,
        lambda z: 1e9 + 1e6 * z,
        lambda z: np.where(z > 2, 1e6, z),
    ],
    ids=["straight", "exponential", "falling cubic", "step", "far from zero", "stray"],
)
def test_logistic_fit_is_no_worse_than_a_search_over_a_grid_of_curves(bend):
    scores = np.random.default_rng(0).normal(size=150)
    predicted = bend(scores)
    error = np.mean((fit_logistic(predicted, scores)(predicted) - scores) ** 2)
    x = (predicted - np.median(predicted)) / np.subtract(*np.percentile(predicted, [75, 25]))
    least = np.inf
    for midpoint, width in itertools.product(np.linspace(-8, 8, 33), np.geomspace(0.02, 8, 25)):
        rise = 1 / (1 + np.exp(-np.clip((x - midpoint) / width, -700, 700)))
        basis = np.stack([1 - rise, rise], axis=1)
        asymptotes = np.linalg.lstsq(basis, scores, rcond=None)[0]
        if np.abs(asymptotes).max() < 9 * scores.std():
            least = min(least, np.mean((basis @ asymptotes - scores) ** 2))
    assert error <= 1.001 * least + 1e-6


def test_logistic_mapping_of_a_straight_relation_stays_within_its_bounds_and_loses_nothing():
    predicted = np.linspace(0, 1, 200)
    scores = 100 * predicted
    mapping = fit_logistic(predicted, scores)
    assert max(abs(mapping.left), abs(mapping.right)) < 500
    assert plcc_logistic(predicted, scores) > 0.9999


def test_figures_do_not_depend_on_the_units_of_predictions_and_scores(scored):
    predicted, scores = scored
    ours = agreement(predicted, scores)
    theirs = agreement(1e-6 * predicted - 40, 1e3 * scores + 7)
    for name in FIGURES:
        scale = 1e3 if name == "rmse" else 1
        assert theirs[name] == pytest.approx(scale * ours[name], rel=1e-6), name


def test_agreement_holds_the_five_figures_of_the_single_functions(scored):
    figures = agreement(*scored)
    assert list(figures) == FIGURES
    for function in (srcc, krcc, plcc, plcc_logistic, rmse):
        assert figures[function.__name__] == pytest.approx(function(*scored), abs=1e-12)
    assert all(type(figure) is float for figure in figures.values())


def test_constant_predictions_leave_correlations_undefined_and_are_mapped_to_the_mean():
    scores = np.array([1.0, 2, 3, 4, 10])
    figures = agreement(np.full(5, 0.1) + 1e-15 * np.arange(5), scores)
    assert all(np.isnan(figures[name]) for name in FIGURES[:4])
    assert figures["rmse"] == pytest.approx(scores.std())


def test_constant_scores_leave_correlations_undefined():
    figures = agreement(np.arange(6), np.full(6, 0.3))
    assert all(np.isnan(figures[name]) for name in FIGURES[:4])
    assert figures["rmse"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("predicted", "scores", "message"),
    [
        ([1, 2, 3, 4, np.nan], [1, 2, 3, 4, 5], "finite numbers in `predicted`.*nan in row 4"),
        ([1, 2, 3, 4, 5], [1, np.inf, 3, 4, 5], "finite numbers in `scores`.*inf in row 1"),
        ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5], "6 predictions and 5 scores"),
        ([1, 2, 3, 4], [1, 2, 3, 4], "at least 5 rows.*4"),
        (np.ones((5, 1)), [1, 2, 3, 4, 5], r"one dimension.*\(5, 1\)"),
    ],
)
@pytest.mark.parametrize("function", [srcc, krcc, plcc, plcc_logistic, rmse, agreement])
def test_bad_input_is_refused_with_what_to_change(function, predicted, scores, message):
    with pytest.raises(ValueError, match=message):
        function(predicted, scores)


def test_bootstrap_intervals_hold_the_figures_and_repeat_with_the_seed(scored):
    figures = agreement(*scored)
    intervals = bootstrap_intervals(*scored, resamples=50, seed=4)
    assert list(intervals) == FIGURES
    for name, (low, high) in intervals.items():
        assert low < figures[name] < high
    assert bootstrap_intervals(*scored, resamples=50, seed=4) == intervals
    assert bootstrap_intervals(*scored, resamples=50, seed=5) != intervals


def test_bootstrap_interval_agrees_with_scipy(scored):
    low, high = bootstrap_intervals(*scored, resamples=1000)["plcc"]
    theirs = stats.bootstrap(
        scored,
        _pearson,
        n_resamples=5000,
        paired=True,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    # The ends of 1,000 resamples vary by two per cent of the interval.
    assert low == pytest.approx(theirs.low, abs=0.05 * (theirs.high - theirs.low))
    assert high == pytest.approx(theirs.high, abs=0.05 * (theirs.high - theirs.low))


def _draws(predicted, scores, **arguments):
    """What each resample holds, seen through the metric of a paired bootstrap."""
    seen = []

    def note(predicted, scores):
        seen.append((predicted, scores))
        return 0.0

    paired_bootstrap(predicted, predicted, scores, metric=note, **arguments)
    return seen[:-2:2]  # each resample is seen for either side; the last two calls see all rows


@pytest.mark.parametrize("seed", range(5))
def test_fits_that_start_from_the_whole_equal_fits_from_scratch(scored, seed):
    ((predicted, scores),) = _draws(*scored, resamples=1, seed=seed)
    figures = agreement(predicted, scores)
    for name, (low, high) in bootstrap_intervals(*scored, resamples=1, seed=seed).items():
        assert low == high == pytest.approx(figures[name], abs=1e-6 * 100), name


@pytest.mark.parametrize("noise", [0.05, 0.2])
@pytest.mark.parametrize("bend", [lambda z: z, np.sign, np.exp], ids=["line", "step", "curve"])
def test_fits_of_resamples_leave_errors_as_small_as_those_one_by_one(bend, noise):
    generator = np.random.default_rng(1)
    predicted = generator.normal(size=80)
    scores = bend(predicted) + noise * generator.normal(size=80)
    draws = _draws(predicted, scores, resamples=40)
    ends = np.percentile([rmse(*drawn) for drawn in draws], [2.5, 97.5])
    found = bootstrap_intervals(predicted, scores, resamples=40)["rmse"]
    np.testing.assert_allclose(found, ends, rtol=0.03)


def test_groups_are_drawn_whole():
    groups = np.array(["b", "a", "c", "a", "e", "d", "c", "b", "c"])
    rows = np.arange(9.0)
    draws = _draws(rows, rows, groups=groups, resamples=50)
    sizes = {tuple(np.unique(drawn).astype(int)) for drawn, _ in draws}
    assert len(sizes) > 10
    for drawn, _ in draws:
        counts = np.bincount(drawn.astype(int), minlength=9)
        for label in "abcde":
            assert len(set(counts[groups == label])) == 1
        assert sum(counts[np.unique(groups, return_index=True)[1]]) == 5


def test_copies_in_a_group_add_no_certainty(scored):
    predicted, scores = scored
    once = bootstrap_intervals(predicted, scores, resamples=100)
    copies = np.repeat(predicted, 3), np.repeat(scores, 3)
    grouped = bootstrap_intervals(*copies, groups=np.repeat(np.arange(120), 3), resamples=100)
    for name in FIGURES:
        assert grouped[name] == pytest.approx(once[name], abs=1e-4), name
    careless = bootstrap_intervals(*copies, resamples=100)
    assert np.ptp(careless["srcc"]) < 0.75 * np.ptp(once["srcc"])


def test_intervals_of_constant_predictions_are_nan_without_a_warning():
    intervals = bootstrap_intervals(np.ones(8), np.arange(8), resamples=20)
    assert np.isnan([intervals[name] for name in FIGURES[:4]]).all()
    assert intervals["rmse"][0] < intervals["rmse"][1]


def test_paired_bootstrap_of_a_thing_with_itself_is_exactly_zero(scored):
    predicted, scores = scored
    found = paired_bootstrap(predicted, predicted, scores, resamples=50)
    assert (found.difference, found.low, found.high) == (0, 0, 0)


def test_paired_bootstrap_is_the_difference_and_changes_sign_with_the_order(scored):
    predicted, scores = scored
    worse = predicted + np.random.default_rng(0).normal(scale=0.5, size=len(predicted))
    found = paired_bootstrap(predicted, worse, scores, resamples=300)
    assert found.difference == pytest.approx(srcc(predicted, scores) - srcc(worse, scores))
    assert found.low < found.difference < found.high
    turned = paired_bootstrap(worse, predicted, scores, resamples=300)
    expected = [-found.difference, -found.high, -found.low]
    np.testing.assert_allclose([turned.difference, turned.low, turned.high], expected)


def test_paired_bootstrap_sees_a_difference_that_separate_intervals_hide(scored):
    predicted, scores = scored
    worse = predicted + np.random.default_rng(0).normal(scale=0.7, size=len(predicted))
    better_low = bootstrap_intervals(predicted, scores, resamples=100)["plcc"][0]
    worse_high = bootstrap_intervals(worse, scores, resamples=100)["plcc"][1]
    assert better_low < worse_high
    assert paired_bootstrap(predicted, worse, scores, metric=plcc, resamples=100).low > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resamples": 0}, "`resamples` to be at least 1.*0"),
        ({"groups": [1, 2]}, r"one label for every row, shape \(120,\).*\(2,\)"),
        ({"groups": np.arange(120) % 4}, "at least 5 groups.*4"),
    ],
)
def test_bootstraps_refuse_what_gives_no_interval(scored, arguments, message):
    predicted, scores = scored
    with pytest.raises(ValueError, match=message):
        bootstrap_intervals(predicted, scores, **arguments)
    with pytest.raises(ValueError, match=message):
        paired_bootstrap(predicted, predicted, scores, **arguments)


@pytest.fixture
def two_over_splits(scored):
    """Two sets of predictions on four splits of the same rows, each testing a random half."""
    predicted, scores = scored
    generator = np.random.default_rng(8)
    first, second = np.full((2, 4, 120), np.nan)
    for a, b in zip(first, second, strict=True):
        tested = generator.permutation(120)[:60]
        a[tested] = predicted[tested] + generator.normal(scale=0.1, size=60)
        b[tested] = a[tested] + generator.normal(scale=0.7, size=60)
    return first, second, scores


def test_over_one_split_the_paired_bootstrap_is_the_plain_one(scored):
    predicted, scores = scored
    worse = predicted + np.random.default_rng(0).normal(scale=0.5, size=120)
    plain = paired_bootstrap(predicted, worse, scores, resamples=60, seed=3)
    split = paired_bootstrap_over_splits(predicted[None], worse[None], scores, resamples=60, seed=3)
    assert split == plain


def test_over_splits_the_difference_is_the_median_of_the_splits(two_over_splits):
    first, second, scores = two_over_splits
    expected = []
    for a, b in zip(first, second, strict=True):
        rows = ~np.isnan(a)
        expected.append(
            stats.spearmanr(a[rows], scores[rows])[0] - stats.spearmanr(b[rows], scores[rows])[0]
        )
    found = paired_bootstrap_over_splits(first, second, scores, resamples=200)
    assert found.difference == pytest.approx(np.median(expected), abs=1e-12)
    assert 0 < found.low < found.difference < found.high


def test_the_same_split_many_times_adds_no_certainty(two_over_splits):
    first, second, scores = (
        values[:1] if values.ndim == 2 else values for values in two_over_splits
    )
    once = paired_bootstrap_over_splits(first, second, scores, resamples=100)
    often = paired_bootstrap_over_splits(
        np.repeat(first, 9, axis=0), np.repeat(second, 9, axis=0), scores, resamples=100
    )
    assert often == once


def test_predictions_of_different_rows_are_refused(two_over_splits):
    first, second, scores = two_over_splits
    with pytest.raises(ValueError, match="the same rows in the same splits"):
        paired_bootstrap_over_splits(first, second[::-1], scores)


def test_the_interval_of_a_median_agrees_with_scipy():
    values = np.random.default_rng(2).normal(0.8, 0.02, size=10)
    found = median_interval(values)
    theirs = stats.bootstrap(
        (values,), np.median, n_resamples=20_000, method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert found["median"] == np.median(values)
    assert found["low"] == pytest.approx(theirs.low, abs=2e-3)
    assert found["high"] == pytest.approx(theirs.high, abs=2e-3)


def test_the_median_leaves_out_splits_in_which_a_figure_is_not_defined():
    assert median_interval([np.nan, 0.5, 0.5]) == {"median": 0.5, "low": 0.5, "high": 0.5}
    assert all(np.isnan(value) for value in median_interval([np.nan]).values())
