"""How one contestant is judged: against scikit-learn and SciPy, split by split."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import ElasticNet, Ridge
from sklearn.preprocessing import StandardScaler

from reiqa_tf.data.splits import Split
from reiqa_tf.evaluation.contestants import WHOLE, PresetContestant
from reiqa_tf.evaluation.parts import Parts
from reiqa_tf.evaluation.protocol import (
    Trial,
    by_label,
    fit_on_split,
    lay_out_predictions,
    median_figures,
    run_protocol,
)
from reiqa_tf.fitting.regression import Regression
from reiqa_tf.models.scorer import load_preset, save_preset
from tests.evaluation.conftest import Simulated
from tests.small_models import small_scorer

STRENGTHS = (1e-2, 1.0, 100.0)
WIDEST = np.geomspace(1e-6, 1e8, 8)  # at the same ratio, within the limits of widening


@pytest.fixture
def trials(simulated):
    """Two databases and a contestant that knows both."""
    trials, features = [], {}
    for seed, name in enumerate(("one", "two")):
        scored, splits, rows = simulated(name, seed)
        features |= rows
        table = np.stack([rows[path] for path in scored.paths])
        trials.append(Trial(name, scored, splits, {"ours": table}))
    return trials, Simulated("ours", features)


def _oracle(features, scores, split, model):
    """Strength chosen on the validation rows, features standardised on what is fitted on."""

    def predict(fitted, asked, strength):
        scaler = StandardScaler().fit(features[fitted])
        regressor = model(strength).fit(scaler.transform(features[fitted]), scores[fitted])
        return regressor.predict(scaler.transform(features[asked]))

    errors = [np.mean((predict(split.train, split.val, s) - scores[split.val]) ** 2)
              for s in WIDEST]  # fmt: skip
    best = WIDEST[int(np.argmin(errors))]
    both = np.concatenate([split.train, split.val])
    return best, lambda rows: predict(both, rows, best), both


@pytest.mark.parametrize(
    ("kind", "model"),
    [("ridge", lambda s: Ridge(s)), ("elastic-net", lambda s: ElasticNet(s, l1_ratio=0.5))],
)
def test_every_split_is_judged_as_scikit_learn_would(trials, tmp_path, kind, model):
    (trial, _), contestant = trials
    variants = contestant.variants()
    regression = Regression(kind, STRENGTHS)
    judged = run_protocol(contestant, trial, [], regression, variants, Parts(tmp_path))
    for name, columns in variants.items():
        features = trial.tables["ours"][:, columns].astype(float)
        for split, result in zip(trial.splits, judged[name], strict=True):
            best, predict, _ = _oracle(features, trial.scored.scores, split, model)
            assert result["strength"] == pytest.approx(best)
            assert result["at_edge"] == (best in (WIDEST[0], WIDEST[-1]))
            expected = predict(split.test)
            np.testing.assert_allclose(result["predicted"], expected, rtol=1e-3, atol=2e-3)
            actual = trial.scored.scores[split.test]
            assert result["figures"]["srcc"] == pytest.approx(
                stats.spearmanr(result["predicted"], actual).statistic
            )
            assert result["figures"]["plcc"] == pytest.approx(
                stats.pearsonr(result["predicted"], actual).statistic
            )


def test_a_feature_below_the_scale_floor_weighs_no_more_than_its_deviation_says():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(60, 4)) * [1.0, 1.0, 1.0, 0.01]
    scores = features @ [0.1, 0.2, 0.0, 5.0]
    split = Split(np.arange(40), np.arange(40, 50), np.arange(50, 60))
    regression = Regression("ridge", (5.0,), scale_floor=0.5)
    fitted = fit_on_split(regression, features, scores, split)
    known, unseen = features[:50], features[50:]
    deviations = known.std(axis=0)
    scale = np.maximum(deviations, 0.5 * np.median(deviations))
    centred = (known - known.mean(axis=0)) / scale
    weights = np.linalg.solve(
        centred.T @ centred + 5.0 * np.eye(4), centred.T @ (scores[:50] - scores[:50].mean())
    )
    expected = (unseen - known.mean(axis=0)) / scale @ weights + scores[:50].mean()
    np.testing.assert_allclose(fitted.predict(unseen), expected, atol=1e-5)


def test_another_database_is_judged_by_the_same_regressors_without_fitting(trials, tmp_path):
    (one, two), contestant = trials
    variants = {WHOLE: contestant.variants()[WHOLE]}
    regression = Regression("ridge", STRENGTHS)
    judged = run_protocol(contestant, one, [two], regression, variants, Parts(tmp_path))
    features = one.tables["ours"].astype(float)
    for split, result in zip(one.splits, judged[WHOLE], strict=True):
        best, _, both = _oracle(features, one.scored.scores, split, lambda s: Ridge(s))
        scaler = StandardScaler().fit(features[both])
        ridge = Ridge(best).fit(scaler.transform(features[both]), one.scored.scores[both])
        predicted = ridge.predict(scaler.transform(two.tables["ours"].astype(float)))
        expected = stats.spearmanr(predicted, two.scored.scores).statistic
        assert result["cross"]["two"]["srcc"] == pytest.approx(expected, abs=1e-4)


def test_a_contestant_that_answers_scores_is_judged_as_it_is(trials, tmp_path):
    (trial, _), _ = trials
    values = trial.tables["ours"][:, :1]
    answering = Simulated("ours", dict(zip(trial.scored.paths, values, strict=True)), False)
    judged = run_protocol(
        answering, trial, [], Regression(), {WHOLE: np.arange(1)}, Parts(tmp_path)
    )[WHOLE]
    for split, result in zip(trial.splits, judged, strict=True):
        assert result["predicted"] == values[split.test, 0].tolist()
        assert "strength" not in result


def test_predictions_stand_in_the_rows_that_were_tested(trials, tmp_path):
    (trial, _), contestant = trials
    variants = {WHOLE: contestant.variants()[WHOLE]}
    judged = run_protocol(
        contestant, trial, [], Regression("ridge", STRENGTHS), variants, Parts(tmp_path)
    )[WHOLE]
    table = lay_out_predictions(trial.splits, judged, 200)
    for row, split, result in zip(table, trial.splits, judged, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(~np.isnan(row)), split.test)
        np.testing.assert_array_equal(row[split.test], result["predicted"])


def test_the_summary_is_the_median_over_the_splits():
    summary = median_figures([{"srcc": 0.7}, {"srcc": 0.9}, {"srcc": 0.8}])
    assert summary["srcc"]["median"] == 0.8
    assert summary["srcc"]["low"] == 0.7
    assert summary["srcc"]["high"] == 0.9


def test_figures_by_label_are_medians_of_the_rows_of_that_label():
    generator = np.random.default_rng(0)
    scores = generator.normal(size=60)
    labels = np.array(["blur", "noise", "rare"])[np.minimum(np.arange(60) % 2 + (np.arange(60) > 56) * 2, 2)]  # fmt: skip  # noqa: E501
    predicted = np.full((3, 60), np.nan)
    for row in predicted:
        tested = generator.permutation(60)[:40]
        row[tested] = scores[tested] + generator.normal(size=40)
    table = by_label(labels, predicted, scores)
    for label in ("blur", "noise"):
        figures = []
        for row in predicted:
            here = (labels == label) & ~np.isnan(row)
            figures.append(stats.spearmanr(row[here], scores[here]).statistic)
        assert table[label]["srcc"] == pytest.approx(np.median(figures))
        assert table[label]["count"] == (labels == label).sum()
    assert table["rare"]["count"] == 3
    assert np.isnan(table["rare"]["srcc"])


def test_levels_are_named_as_people_write_them():
    table = by_label(np.array([1.0, 2.5] * 5), np.arange(10.0)[None], np.arange(10.0))
    assert list(table) == ["1", "2.5"]


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preset") / "small"
    save_preset(small_scorer(), folder)
    return folder


def test_the_parts_of_an_ablation_are_the_features_of_each_expert_at_each_size(preset, photo):
    contestant = PresetContestant("small", preset)
    scorer = load_preset(preset)
    images = np.ascontiguousarray(photo[None, :64, :96])
    whole = scorer.features(images).numpy()
    variants = contestant.variants()
    np.testing.assert_array_equal(variants.pop(WHOLE), np.arange(whole.shape[1]))
    assert sorted(variants) == sorted(
        f"{expert}, {size}"
        for expert in ("content expert", "quality expert", "both experts")
        for size in ("full size", "half size", "both sizes")
        if (expert, size) != ("both experts", "both sizes")
    )
    unit = images.astype(np.float32) / 255
    for name, encoder in scorer.experts().items():
        full = encoder.features_at_one_scale(unit).numpy()
        received = whole[:, variants[f"{name} expert, full size"]]
        np.testing.assert_allclose(received, full, rtol=1e-5, atol=1e-6)
        both = whole[:, variants[f"{name} expert, both sizes"]]
        np.testing.assert_allclose(both, encoder(images).numpy(), rtol=1e-5, atol=1e-6)
        half = whole[:, variants[f"{name} expert, half size"]]
        np.testing.assert_array_equal(np.concatenate([received, half], axis=1), both)
