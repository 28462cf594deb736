"""The regressors against scikit-learn's pipelines, plain NumPy and sums done by hand."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from reiqa_tf.fitting import regression
from reiqa_tf.fitting.defaults import STRENGTH_LIMITS
from reiqa_tf.fitting.regression import ElasticNetRegressor, RidgeRegressor, Steps, ridge_path

STRENGTHS = np.geomspace(1e-3, 1e3, 7)
SHAPES = [(40, 90), (90, 40), (60, 60), (41, 40), (50, 1), (2, 3)]


def _data(rows, columns, kind=np.float64):
    """Features of very different sizes that depend on each other, and scores from 0 to 100."""
    generator = np.random.default_rng([rows, columns])
    causes = generator.normal(size=(rows, 5))
    features = causes @ generator.normal(size=(5, columns))
    features += generator.normal(size=(rows, columns))
    features = features * np.geomspace(1e-2, 1e2, columns) + generator.normal(size=columns)
    scores = 50 + 10 * causes[:, 0] + 5 * generator.normal(size=rows)
    return features.astype(kind), scores


def _ridge(strength):
    return make_pipeline(StandardScaler(), Ridge(alpha=strength, solver="svd"))


@parametrize_with_checks(
    [RidgeRegressor(strengths=(0.01, 1.0)), ElasticNetRegressor(strengths=(0.01, 1.0))],
    expected_failed_checks=lambda _: {
        "check_fit_score_takes_y": "our second argument is called `scores`",
    },
)
def test_regressor_keeps_scikit_learns_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_ridge_path_agrees_with_scikit_learn_at_every_strength(rows, columns, kind):
    features, scores = _data(rows, columns, kind)
    path = ridge_path(features, scores, STRENGTHS)
    unseen = _data(30, columns)[0]
    for number, strength in enumerate(STRENGTHS):
        expected = _ridge(strength).fit(features.astype(np.float64), scores)
        np.testing.assert_allclose(
            path.predict(unseen)[:, number], expected.predict(unseen), rtol=1e-6, atol=1e-6
        )
        np.testing.assert_allclose(
            path.coefficients[number] * path.feature_scale, expected[-1].coef_, atol=1e-6
        )


def test_ridge_of_one_feature_equals_the_one_worked_by_hand():
    # Deviation of (0, 2, 4) is sqrt(8/3); standardised, z.z = 3 and z.y = 6 / sqrt(8/3).
    path = ridge_path(np.array([[0.0], [2], [4]]), [1, 2, 4], strengths=[1.0])
    weight = (6 / np.sqrt(8 / 3)) / (3 + 1) / np.sqrt(8 / 3)
    np.testing.assert_allclose(path.coefficients, [[weight]], rtol=1e-12)
    np.testing.assert_allclose(path.intercepts, [7 / 3 - 2 * weight], rtol=1e-12)


def test_rows_by_rows_and_columns_by_columns_give_the_same_regressor():
    features, scores = _data(40, 30)
    primal = ridge_path(features, scores, STRENGTHS)
    # Constant columns change nothing but which of the two Gram matrices is the smaller one.
    dual = ridge_path(np.hstack([features, np.full((40, 20), 0.1)]), scores, STRENGTHS)
    np.testing.assert_allclose(dual.coefficients[:, :30], primal.coefficients, rtol=1e-8)
    np.testing.assert_allclose(dual.intercepts, primal.intercepts, rtol=1e-8)
    np.testing.assert_allclose(dual.coefficients[:, 30:], 0, atol=1e-15)


@pytest.mark.parametrize(("rows", "columns"), [(70, 90), (90, 70)])
def test_blocks_of_any_size_and_any_memory_layout_give_the_same_path(rows, columns, monkeypatch):
    features, scores = _data(rows, columns)
    whole = ridge_path(features, scores, STRENGTHS)
    monkeypatch.setattr(regression, "_BLOCK_BYTES", 8 * 1000)
    spread = np.zeros((2 * rows, 3 * columns))
    spread[::2, ::3] = features
    for layout in (features, np.asfortranarray(features), spread[::2, ::3]):
        blocks = ridge_path(layout, scores, STRENGTHS)
        np.testing.assert_allclose(blocks.coefficients, whole.coefficients, rtol=1e-7)
        np.testing.assert_allclose(blocks.predict(layout), whole.predict(features), rtol=1e-9)


def test_ridge_path_of_some_rows_is_that_of_these_rows_alone():
    features, scores = _data(60, 80)
    rows = np.random.default_rng(0).permutation(60)[:35]
    ours = ridge_path(features, scores, STRENGTHS, rows=rows)
    alone = ridge_path(features[rows], scores[rows], STRENGTHS)
    np.testing.assert_allclose(ours.coefficients, alone.coefficients, rtol=1e-9)
    np.testing.assert_allclose(ours.feature_mean, features[rows].mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(ours.feature_scale, features[rows].std(axis=0), rtol=1e-9)


@pytest.mark.parametrize(("rows", "columns"), [(60, 90), (90, 20)])
def test_ridge_chooses_the_strength_that_a_grid_search_over_a_pipeline_chooses(rows, columns):
    features, scores = _data(rows, columns)
    folds = KFold(5, shuffle=True, random_state=7)
    ours = RidgeRegressor(STRENGTHS, cv=folds).fit(features, scores)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), Ridge(solver="svd")),
        {"ridge__alpha": STRENGTHS},
        scoring="neg_mean_squared_error",
        cv=folds,
    ).fit(features, scores)
    np.testing.assert_array_equal(ours.strengths_, STRENGTHS)
    np.testing.assert_allclose(
        ours.validation_errors_, -search.cv_results_["mean_test_score"], rtol=1e-6
    )
    assert ours.strength_ == search.best_params_["ridge__alpha"]
    np.testing.assert_allclose(ours.predict(features), search.predict(features), rtol=1e-6)
    np.testing.assert_allclose(
        features @ ours.coef_ + ours.intercept_, search.predict(features), rtol=1e-6
    )


def test_held_out_predictions_come_from_the_fold_that_did_not_see_the_row():
    features, scores = _data(60, 90)
    folds = KFold(4, shuffle=True, random_state=1)
    ours = RidgeRegressor(STRENGTHS, cv=folds).fit(features, scores)
    expected = cross_val_predict(_ridge(ours.strength_), features, scores, cv=folds)
    np.testing.assert_allclose(ours.held_out_, expected, rtol=1e-6)


def test_rows_held_out_twice_are_averaged_and_rows_never_held_out_are_nan():
    features, scores = _data(12, 4)
    everything = np.arange(12)
    folds = [(np.delete(everything, out), np.array(out)) for out in ([0, 1], [1, 2])]
    ours = RidgeRegressor([1.0], cv=folds).fit(features, scores)
    first, second = (
        _ridge(1.0).fit(features[seen], scores[seen]).predict(features) for seen, _ in folds
    )
    expected = [first[0], (first[1] + second[1]) / 2, second[2]]
    np.testing.assert_allclose(ours.held_out_[:3], expected, rtol=1e-9)
    assert np.isnan(ours.held_out_[3:]).all()
    errors = [first[0] - scores[0], first[1] - scores[1], second[1] - scores[1]]
    errors.append(second[2] - scores[2])
    np.testing.assert_allclose(ours.validation_errors_, [np.mean(np.square(errors))], rtol=1e-9)


@pytest.mark.parametrize("regressor", [RidgeRegressor, ElasticNetRegressor])
def test_a_number_of_folds_never_tears_groups_apart(regressor):
    features, scores = _data(60, 10)
    groups = np.random.default_rng(0).permutation(np.arange(60) // 3)
    # A feature that names the group, and scores that follow it: only a torn group gives it away.
    features = np.hstack([features, np.eye(20)[groups]])
    scores = np.random.default_rng(1).normal(size=20)[groups]
    apart = regressor([0.01], cv=5).fit(features, scores)
    together = regressor([0.01], cv=5).fit(features, scores, groups=groups)
    assert apart.validation_errors_[0] < 0.6 * scores.var()
    assert together.validation_errors_[0] > scores.var()
    expected = cross_val_predict(
        regressor([0.01], cv=[(np.arange(4), np.arange(4, 6))]),  # its folds play no part here
        features,
        scores,
        cv=GroupKFold(5),
        groups=groups,
    )
    np.testing.assert_allclose(together.held_out_, expected, rtol=1e-6)


def test_a_number_of_folds_shuffles_rows_always_in_the_same_order():
    features, scores = _data(40, 5)
    order = np.argsort(scores)  # sorted rows in unshuffled folds would be extrapolated
    ours = RidgeRegressor([1.0]).fit(features[order], scores[order])
    again = RidgeRegressor([1.0]).fit(features[order], scores[order])
    np.testing.assert_array_equal(ours.held_out_, again.held_out_)
    plain = RidgeRegressor([1.0], cv=KFold(5)).fit(features[order], scores[order])
    assert ours.validation_errors_[0] < plain.validation_errors_[0]


@pytest.mark.parametrize("regressor", [RidgeRegressor, ElasticNetRegressor])
@pytest.mark.parametrize("side", ["weak", "strong"])
def test_the_range_widens_until_the_best_of_a_brute_force_grid_lies_inside(regressor, side):
    features, scores = _data(60, 30)
    close = 1e-6 if regressor is RidgeRegressor else 1e-3  # coordinate descent stops early
    grid = np.geomspace(1e-5, 1e5, 41)
    errors = np.array([regressor([s]).fit(features, scores).validation_errors_[0] for s in grid])
    best = int(errors.argmin())
    assert 8 < best < 32
    begin = grid[best + 4 : best + 9] if side == "strong" else grid[best - 8 : best - 3]
    widened = regressor(begin).fit(features, scores)
    assert widened.strength_ == pytest.approx(grid[best])
    assert not widened.at_edge_
    assert widened.validation_errors_.min() == pytest.approx(errors[best], rel=close)
    np.testing.assert_array_equal(widened.strengths_[:5], begin)
    assert 5 < len(widened.strengths_) < 25  # and no farther than that
    straight = regressor(grid).fit(features, scores)
    np.testing.assert_allclose(widened.coef_, straight.coef_, rtol=close, atol=close)
    np.testing.assert_allclose(widened.held_out_, straight.held_out_, rtol=close)


def test_a_best_strength_at_the_limit_of_widening_shows():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(60, 90))
    noise = RidgeRegressor([1, 10]).fit(features, generator.normal(size=60))
    assert noise.at_edge_
    assert noise.strength_ == STRENGTH_LIMITS[1]
    exact = RidgeRegressor([1, 10]).fit(features[:, :3], features[:, :3] @ [1, 2, 3])
    assert exact.at_edge_
    assert exact.strength_ == pytest.approx(STRENGTH_LIMITS[0])


def test_one_strength_is_meant_as_it_is():
    ours = RidgeRegressor([1e-4]).fit(*_data(60, 90))
    np.testing.assert_array_equal(ours.strengths_, [1e-4])
    assert ours.at_edge_


@pytest.mark.parametrize("regressor", [RidgeRegressor, ElasticNetRegressor])
def test_the_order_of_strengths_does_not_matter(regressor):
    features, scores = _data(60, 30)
    mixed = np.random.default_rng(0).permutation(STRENGTHS)
    ours = regressor(mixed).fit(features, scores)
    sorted_ = regressor(STRENGTHS).fit(features, scores)
    assert ours.strength_ == sorted_.strength_
    np.testing.assert_allclose(ours.coef_, sorted_.coef_, rtol=1e-9)
    np.testing.assert_allclose(
        ours.validation_errors_[np.argsort(mixed)], sorted_.validation_errors_, rtol=1e-9
    )


def _around(features, scores, prior, strength):
    """Ridge around a prior in closed form: `|s - Z w|^2 + strength |w - a w0|^2`."""
    mean, scale = features.mean(axis=0), features.std(axis=0)
    standardised = (features - mean) / scale
    centred = scores - scores.mean()
    slope = np.polyfit(features @ prior, scores, 1)[0]
    target = slope * prior * scale  # in units of standardised features
    weights = np.linalg.solve(
        standardised.T @ standardised + strength * np.eye(features.shape[1]),
        standardised.T @ centred + strength * target,
    )
    return lambda asked: (asked - mean) / scale @ weights + scores.mean()


@pytest.mark.parametrize(("rows", "columns"), [(40, 60), (60, 20)])
def test_a_ridge_around_a_prior_is_the_closed_form(rows, columns):
    features, scores = _data(rows, columns)
    prior = np.random.default_rng(5).normal(size=columns) + 1
    path = ridge_path(features, scores, STRENGTHS, prior=prior)
    unseen = _data(10, columns)[0]
    for number, strength in enumerate(STRENGTHS):
        expected = _around(features, scores, prior, strength)(unseen)
        np.testing.assert_allclose(path.predict(unseen)[:, number], expected, rtol=1e-6)
    larger = ridge_path(features, scores, STRENGTHS, prior=-7 * prior)  # its scale is fitted
    np.testing.assert_allclose(larger.coefficients, path.coefficients, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("helpful", [True, False])
def test_a_prior_is_shrunk_towards_if_that_is_better_on_held_out_rows(helpful):
    generator = np.random.default_rng(3)
    truth = generator.normal(size=50)
    features = generator.normal(size=(30, 50))
    scores = features @ truth + generator.normal(size=30)
    prior = truth + 0.3 * generator.normal(size=50) if helpful else generator.normal(size=50)
    folds = list(KFold(5).split(features))
    ours = RidgeRegressor(STRENGTHS, cv=folds).fit(features, scores, prior=prior)
    zero = RidgeRegressor(STRENGTHS, cv=folds).fit(features, scores)
    assert ours.around_prior_ == helpful
    assert not zero.around_prior_
    if helpful:
        assert ours.validation_errors_.min() < zero.validation_errors_.min()
        for training, validation in folds:
            predict = _around(features[training], scores[training], prior, ours.strength_)
            np.testing.assert_allclose(
                ours.held_out_[validation], predict(features[validation]), rtol=1e-6
            )
        predict = _around(features, scores, prior, ours.strength_)
        np.testing.assert_allclose(ours.predict(features), predict(features), rtol=1e-6)
    else:
        np.testing.assert_allclose(ours.coef_, zero.coef_)


def test_steps_ask_of_a_prior_what_it_does_not_do_already():
    features, scores = _data(40, 60)
    generator = np.random.default_rng(2)
    prior, differences = generator.normal(size=60), generator.normal(size=(9, 60))
    steps = Steps(differences, np.arange(9), change=-0.5, weight=2.0)
    path = ridge_path(features, scores, [3.0], steps=steps, prior=prior)
    mean, scale = features.mean(axis=0), features.std(axis=0)
    target = np.polyfit(features @ prior, scores, 1)[0] * prior * scale
    scaled = differences / scale
    lengths = np.linalg.norm(scaled, axis=1)
    scaled *= np.minimum(np.median(lengths) / lengths, 10)[:, None]
    both = np.concatenate([(features - mean) / scale, np.sqrt(2.0) * scaled])
    asked = np.concatenate([scores - scores.mean(), np.full(9, -0.5 * np.sqrt(2.0))])
    weights = np.linalg.solve(both.T @ both + 3 * np.eye(60), both.T @ asked + 3 * target)
    np.testing.assert_allclose(path.coefficients[0] * scale, weights, rtol=1e-6)


def test_a_prior_that_does_not_fit_is_refused():
    features, scores = _data(40, 5)
    for prior in (np.ones(4), np.full(5, np.nan)):
        with pytest.raises(ValueError, match="Expected `prior` to be 5 finite numbers"):
            RidgeRegressor().fit(features, scores, prior=prior)
    with pytest.raises(ValueError, match="an elastic net takes none"):
        ElasticNetRegressor().fit(features, scores, prior=np.ones(5))


@pytest.mark.parametrize("regressor", [RidgeRegressor, ElasticNetRegressor])
def test_constant_features_are_harmless(regressor):
    features, scores = _data(50, 20)
    plain = regressor(STRENGTHS).fit(features, scores)
    # 0.1 and 1e6 / 3 have no exact mean in floating point.
    constants = np.tile([0.1, 0.0, 1e6 / 3], (50, 1))
    ours = regressor(STRENGTHS).fit(np.hstack([features, constants]), scores)
    np.testing.assert_allclose(ours.coef_[20:], 0, atol=1e-15)
    np.testing.assert_array_equal(ours.feature_scale_[20:], 1)
    np.testing.assert_allclose(ours.coef_[:20], plain.coef_, rtol=1e-6)
    changed = np.hstack([features, constants + 1])
    np.testing.assert_allclose(ours.predict(changed), plain.predict(features), rtol=1e-9)


def test_nothing_but_constant_features_predicts_the_mean_score():
    scores = np.arange(10.0)
    ours = RidgeRegressor().fit(np.ones((10, 3)), scores)
    np.testing.assert_allclose(ours.predict(np.ones((2, 3))), [4.5, 4.5])


@pytest.mark.parametrize(("rows", "columns"), [(40_000, 100), (100, 40_000)])
def test_ridge_makes_no_copy_of_the_features(rows, columns, monkeypatch):
    monkeypatch.setattr(regression, "_BLOCK_BYTES", 2**20)
    features = np.random.default_rng(0).normal(size=(rows, columns)).astype(np.float32)
    scores = features[:, :3].sum(axis=1)
    tracemalloc.start()
    ridge_path(features, scores, [1.0, 10.0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < features.nbytes / 2


@pytest.mark.parametrize(("rows", "columns"), [(40, 90), (90, 40)])
def test_elastic_net_agrees_with_scikit_learn_and_a_grid_search(rows, columns):
    features, scores = _data(rows, columns)
    strengths = np.geomspace(0.1, 10, 6)
    folds = KFold(5, shuffle=True, random_state=3)
    ours = ElasticNetRegressor(strengths, l1_ratio=0.7, cv=folds).fit(features, scores)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), ElasticNet(l1_ratio=0.7, tol=1e-8, max_iter=100_000)),
        {"elasticnet__alpha": strengths},
        scoring="neg_mean_squared_error",
        cv=folds,
    ).fit(features, scores)
    assert ours.converged_
    assert ours.strength_ == search.best_params_["elasticnet__alpha"]
    # Both stop at a tolerance: ours at scikit-learn's default of 1e-4.
    np.testing.assert_allclose(
        ours.validation_errors_, -search.cv_results_["mean_test_score"], rtol=1e-2
    )
    np.testing.assert_allclose(
        ours.coef_ * ours.feature_scale_, search.best_estimator_[-1].coef_, atol=0.05
    )
    unseen = cross_val_predict(search.best_estimator_, features, scores, cv=folds)
    np.testing.assert_allclose(ours.held_out_, unseen, atol=0.01 * scores.std())


def test_elastic_net_that_does_not_converge_says_so_without_a_warning(monkeypatch):
    monkeypatch.setattr(regression, "_SWEEPS", 2)
    features, scores = _data(40, 90)
    assert not ElasticNetRegressor([1e-3]).fit(features, scores).converged_


@pytest.mark.parametrize("strengths", [[], [0.0, 1], [-1.0], [np.nan], [np.inf], 1.0, [[1.0]]])
def test_strengths_that_are_not_positive_numbers_are_refused(strengths):
    features, scores = _data(10, 3)
    with pytest.raises(ValueError, match=r"finite positive numbers.*Received"):
        RidgeRegressor(strengths).fit(features, scores)


@pytest.mark.parametrize("l1_ratio", [0, 1.5])
def test_a_mixture_outside_its_range_is_refused(l1_ratio):
    with pytest.raises(ValueError, match=f"above 0 and at most 1.*{l1_ratio}"):
        ElasticNetRegressor(l1_ratio=l1_ratio).fit(*_data(10, 3))


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ([([0, 1, 2], [2, 3])], "none in common.*row 2"),
        ([([0, 1, 2], np.array([], int))], "row numbers, integers from 0 to 9"),
        ([([0, 1, 2], [10])], "row numbers, integers from 0 to 9"),
        ([(np.arange(10) < 5, np.arange(10) >= 5)], "row numbers, integers from 0 to 9"),
    ],
    ids=["overlap", "empty", "beyond", "masks"],
)
def test_folds_that_cannot_judge_are_refused(folds, message):
    with pytest.raises(ValueError, match=message):
        RidgeRegressor(cv=folds).fit(*_data(10, 3))


def test_folds_that_tear_a_group_apart_are_refused():
    groups = np.array(list("aabbccddee"))
    features, scores = _data(10, 3)
    folds = list(KFold(10).split(features))
    with pytest.raises(ValueError, match=r"group .*'a'.* on both.*GroupKFold"):
        RidgeRegressor(cv=folds).fit(features, scores, groups=groups)


def test_groups_of_another_length_are_refused():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        RidgeRegressor().fit(*_data(10, 3), groups=[1, 2])


def test_statistics_import_neither_tensorflow_nor_keras_nor_each_other():
    code = (
        "import sys, reiqa_tf.{}; "
        "print(*{{'tensorflow', 'keras', 'reiqa_tf.{}'}} & set(sys.modules))"
    )
    for one, other in (("metrics", "fitting.regression"), ("fitting.regression", "metrics")):
        command = [sys.executable, "-c", code.format(one, other)]
        found = subprocess.run(command, capture_output=True, text=True, check=True)
        assert found.stdout.strip() == ""


def _steps(count, photos, columns, **settings):
    """Steps of many lengths, one of them tiny and one of no length."""
    generator = np.random.default_rng([count, columns])
    differences = generator.normal(size=(count, columns)) * np.geomspace(1e-2, 1e2, columns)
    differences *= generator.lognormal(size=(count, 1))
    differences[1] *= 1e-6
    differences[2] = 0
    rows = generator.integers(0, photos, count)
    weight = generator.uniform(0.2, 2, count)
    return regression.Steps(differences, rows, **{"change": -3.0, "weight": weight, **settings})


def _ridge_with_steps(features, scores, steps, strength):
    """Plain NumPy, from the docstring: predictions of one strength as a function."""
    mean, scale = features.mean(axis=0), features.std(axis=0)
    moved = steps.differences / scale
    lengths = np.linalg.norm(moved, axis=1)
    root = np.sqrt(steps.weight)[lengths > 0]
    moved, lengths = moved[lengths > 0], lengths[lengths > 0]
    moved = moved * np.minimum(np.median(lengths) / lengths, 10)[:, None]
    whole = np.concatenate([(features - mean) / scale, root[:, None] * moved])
    wanted = np.concatenate([scores - scores.mean(), root * steps.change])
    normal = whole.T @ whole + strength * np.eye(whole.shape[1])
    weights = np.linalg.solve(normal, whole.T @ wanted)
    return lambda unseen: (unseen - mean) / scale @ weights + scores.mean()


@pytest.mark.parametrize("block_bytes", [2**25, 2000])
@pytest.mark.parametrize(("rows", "columns"), [(40, 90), (90, 40)])
def test_a_ridge_with_steps_is_the_ridge_of_photos_and_steps_stacked(
    rows, columns, block_bytes, monkeypatch
):
    monkeypatch.setattr(regression, "_BLOCK_BYTES", block_bytes)
    features, scores = _data(rows, columns)
    steps = _steps(25, rows, columns)
    path = ridge_path(features, scores, STRENGTHS[2:], steps=steps)
    unseen = _data(30, columns)[0]
    for number, strength in enumerate(STRENGTHS[2:]):
        expected = _ridge_with_steps(features, scores, steps, strength)(unseen)
        np.testing.assert_allclose(path.predict(unseen)[:, number], expected, rtol=1e-6)
    np.testing.assert_allclose(path.feature_mean, features.mean(axis=0))


def test_steps_pull_the_predictions_the_way_that_they_are_said_to_go():
    features, scores = _data(60, 80)
    steps = _steps(40, 60, 80)
    climbed = []
    for weight in (1e-6, 1.0, 100.0):
        given = regression.Steps(steps.differences, steps.rows, change=-3.0, weight=weight)
        coefficients = ridge_path(features, scores, [10.0], steps=given).coefficients[0]
        climbed.append((steps.differences[3:] @ coefficients < 0).mean())
    assert climbed[0] < 0.7 < climbed[1] <= climbed[2] == 1


def test_a_step_is_not_learnt_from_while_its_photo_is_held_out():
    features, scores = _data(60, 90)
    steps = _steps(40, 60, 90)
    folds = list(KFold(4, shuffle=True, random_state=1).split(features))
    ours = RidgeRegressor([3.0], cv=folds).fit(features, scores, steps=steps)
    for seen, held_out in folds:
        known = np.isin(steps.rows, seen)
        kept = regression.Steps(
            steps.differences[known], steps.rows[known], -3.0, steps.weight[known]
        )
        expected = _ridge_with_steps(features[seen], scores[seen], kept, 3.0)(features[held_out])
        np.testing.assert_allclose(ours.held_out_[held_out], expected, rtol=1e-6)
    whole = _ridge_with_steps(features, scores, steps, 3.0)
    np.testing.assert_allclose(ours.predict(features), whole(features), rtol=1e-6)


def test_steps_of_photos_that_are_not_fitted_on_change_nothing():
    features, scores = _data(60, 90)
    steps = regression.Steps(_steps(9, 60, 90).differences, np.full(9, 5), change=-1.0)
    others = np.arange(10, 60)
    with_steps = ridge_path(features, scores, [1.0], rows=others, steps=steps)
    without = ridge_path(features, scores, [1.0], rows=others)
    np.testing.assert_array_equal(with_steps.coefficients, without.coefficients)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weight": 0.0}, "`weight` to be finite and positive"),
        ({"weight": np.array([1, 1, 1, np.inf])}, "`weight` to be finite and positive"),
        ({"weight": np.ones(3)}, "one number or 4"),
        ({"change": np.nan}, "`change` to be finite"),
        ({"rows": np.zeros(3, int)}, "`rows` to be 4 integers"),
        ({"differences": np.full((4, 5), np.inf)}, "infinity"),
    ],
)
def test_steps_that_say_nothing_are_refused(settings, words):
    entries = {"differences": np.ones((4, 5)), "rows": np.zeros(4, int), "change": -1.0}
    with pytest.raises(ValueError, match=words):
        regression.Steps(**{**entries, **settings})


def test_steps_of_other_features_or_photos_are_refused():
    features, scores = _data(20, 5)
    for differences, row in ((np.ones((4, 6)), 0), (np.ones((4, 5)), 20)):
        steps = regression.Steps(differences, np.full(4, row), change=-1.0)
        with pytest.raises(ValueError, match="steps of 5 features and of photos 0 to 19"):
            ridge_path(features, scores, [1.0], steps=steps)


def test_an_elastic_net_says_that_it_takes_no_steps():
    features, scores = _data(20, 5)
    steps = regression.Steps(np.ones((4, 5)), np.arange(4), change=-1.0)
    with pytest.raises(ValueError, match="RidgeRegressor"):
        ElasticNetRegressor().fit(features, scores, steps=steps)


@pytest.mark.parametrize(("rows", "columns"), [(40, 90), (90, 40)])
def test_a_scale_floor_is_what_features_that_hardly_vary_are_divided_by(rows, columns):
    features, scores = _data(rows, columns)
    features[:, 3] = 7.0
    scale = features.std(axis=0)
    floor = 0.3 * np.median(scale)
    path = ridge_path(features, scores, [5.0], scale_floor=0.3)
    np.testing.assert_allclose(path.feature_scale, np.maximum(scale, floor), rtol=1e-9)
    whole = (features - features.mean(axis=0)) / np.maximum(scale, floor)
    expected = Ridge(5.0, solver="svd").fit(whole, scores).predict(whole)
    np.testing.assert_allclose(path.predict(features)[:, 0], expected, rtol=1e-6)


def test_a_channel_that_fires_for_the_first_time_does_not_carry_a_score_away():
    features, scores = _data(200, 300)
    generator = np.random.default_rng(1)
    features[:, 7] = generator.normal(size=200) * 1e-7
    unseen = _data(30, 300)[0]
    unseen[:, 7] = 1.0
    plain, floored = (
        RidgeRegressor([100.0], scale_floor=share).fit(features, scores).predict(unseen)
        for share in (0.0, 0.3)
    )
    assert np.abs(plain - scores.mean()).max() > 100 * scores.std()
    assert np.abs(floored - scores.mean()).max() < 5 * scores.std()


@pytest.mark.parametrize("regressor", [RidgeRegressor, ElasticNetRegressor])
def test_a_scale_floor_that_is_no_share_is_refused(regressor):
    with pytest.raises(ValueError, match="`scale_floor` to be 0 or a positive number"):
        regressor(scale_floor=-0.1).fit(*_data(10, 3))
