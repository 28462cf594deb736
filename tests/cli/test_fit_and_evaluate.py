"""`reiqa fit` and `reiqa evaluate`: from photos with scores to a preset, and its judgement."""

import argparse
import json
import shutil

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from reiqa_tf.cli.main import main, parse
from reiqa_tf.data.scored_photos import read_scored_photos
from reiqa_tf.fitting import defaults
from reiqa_tf.fitting.regression import Regression
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.presets.folders import read_metadata
from reiqa_tf.scoring.features import feature_table


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return ("--cache", tmp_path_factory.mktemp("cache") / "features.sqlite")


@pytest.fixture(scope="module")
def fitted(preset, scored_photos, cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("fit") / "fitted"
    arguments = (
        "fit", scored_photos, "--preset", preset, "--range", 0, 5, "--out", out, "--data", "crops",
        "--scale-floor", 0, "--shrink-to", "zero", "--no-export", *cache,
    )  # fmt: skip
    assert main(parse(["reiqa", *map(str, arguments)])) == 0
    return out


@pytest.fixture(scope="module")
def fitted_scorer(fitted):
    return load_preset(fitted)


@pytest.fixture(scope="module")
def scored(scored_photos):
    return read_scored_photos(scored_photos)


@pytest.fixture(scope="module")
def features(fitted_scorer, scored):
    """Of all forty photos, computed without the cache."""
    return feature_table(fitted_scorer, scored.paths)[0]


@pytest.fixture
def fit(reiqa, preset, scored_photos):
    """The command without its export, which takes longest and has a test of its own."""

    def run(*arguments, scores=scored_photos):
        named = () if {"--quality", "--preset"}.intersection(arguments) else ("--preset", preset)
        return reiqa("fit", scores, *named, "--no-export", *arguments)

    return run


def test_the_head_is_scikit_learns_ridge_on_the_train_rows(fitted, fitted_scorer, scored, features):
    train = scored.splits == "train"
    scaler = StandardScaler().fit(features[train].astype(float))
    strength = read_metadata(fitted)["fit"]["strength"]
    ridge = Ridge(strength).fit(scaler.transform(features[train]), scored.scores[train])
    expected = ridge.predict(scaler.transform(features))
    scores = [float(score) for score in fitted_scorer.judge_features(features)]
    slope, offset = fitted_scorer.head.calibration.expected  # of people's score, before the stretch
    np.testing.assert_allclose(slope * np.array(scores) + offset, expected, rtol=1e-3)


def test_the_preset_says_what_it_was_fitted_on(fitted):
    metadata = read_metadata(fitted)
    assert metadata["score_range"] == [0, 5]
    assert metadata["data"] == "crops"
    assert metadata["fit"]["photos"] == 30
    assert metadata["working_size"] == 96


def test_the_figures_in_the_preset_are_those_of_photos_that_the_head_had_not_seen(
    fitted, scored, features
):
    train = scored.splits == "train"
    scored, features = scored.rows(train), features[train]
    predicted = np.empty(len(scored))
    strength = read_metadata(fitted)["fit"]["strength"]
    for train, held_out in GroupKFold(5).split(features, groups=scored.groups):
        ridge = make_pipeline(StandardScaler(), Ridge(strength))
        ridge.fit(features[train].astype(float), scored.scores[train])
        predicted[held_out] = ridge.predict(features[held_out].astype(float))
    held_out = read_metadata(fitted)["metrics"]["held_out"]
    assert held_out["plcc"] == pytest.approx(stats.pearsonr(predicted, scored.scores)[0], abs=1e-3)
    assert held_out["count"] == 30


def test_the_interval_covers_what_it_says_on_held_out_photos(fitted_scorer, scored, features):
    test = scored.splits == "test"
    scores = fitted_scorer.judge_features(features[test])
    inside = [s.low <= mos <= s.high for s, mos in zip(scores, scored.scores[test], strict=True)]
    assert np.mean(inside) >= 0.8
    widths = [score.high - score.low for score in scores]
    assert np.mean(widths) < 4  # of a range of 5: an interval that says something


def test_photos_like_the_fitted_ones_are_familiar_and_a_white_picture_is_not(
    fitted_scorer, scored, features
):
    train = features[scored.splits == "train"]
    assert all(score.familiar for score in fitted_scorer.judge_features(train))
    white = fitted_scorer.features(np.full((1, 64, 64, 3), 255, np.uint8))
    assert not fitted_scorer.judge_features(white)[0].familiar


def test_the_content_experts_features_alone_say_how_far_a_picture_is_from_photos(fitted_scorer):
    first, end = fitted_scorer.feature_order["content"]
    kernel = fitted_scorer.head.distance_kernel.numpy()
    assert np.count_nonzero(kernel[first:end]) > 0
    assert np.count_nonzero(kernel) == np.count_nonzero(kernel[first:end])


def test_evaluate_gives_the_figures_of_the_field_with_intervals(
    reiqa, fitted, fitted_scorer, scored_photos, scored, features, cache, tmp_path
):
    result = reiqa(
        "evaluate", scored_photos, "--preset", fitted, "--split", "test",
        "--json", tmp_path / "r.json", "--plot", tmp_path / "p.png", *cache,
    )  # fmt: skip
    assert result.code == 0, result.err
    document = json.loads((tmp_path / "r.json").read_text())
    test = scored.splits == "test"
    scored = scored.rows(test)
    predicted = [float(score) for score in fitted_scorer.judge_features(features[test])]
    assert document["count"] == 10
    assert document["srcc"] == pytest.approx(stats.spearmanr(predicted, scored.scores)[0])
    assert document["krcc"] == pytest.approx(stats.kendalltau(predicted, scored.scores)[0])
    assert document["plcc"] == pytest.approx(stats.pearsonr(predicted, scored.scores)[0], rel=1e-4)
    for name in ("srcc", "krcc", "plcc", "plcc_logistic", "rmse"):
        low, high = document["intervals"][name]
        assert low <= document[name] <= high
        assert name in result.out
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_a_second_fit_computes_no_features(
    fit, fitted, fitted_scorer, cache, monkeypatch, tmp_path
):
    from reiqa_tf.models.scorer import ReIQAScorer

    def never(_):
        raise AssertionError("computed again")

    monkeypatch.setattr(ReIQAScorer, "compile_features", lambda _: never)
    out = tmp_path / "again"
    flags = ("--scale-floor", 0, "--shrink-to", "zero")
    assert fit("--range", 0, 5, "--out", out, *flags, *cache).code == 0
    np.testing.assert_array_equal(load_preset(out).head.kernel, fitted_scorer.head.kernel)


def test_scores_that_fall_with_quality_are_mirrored(fit, fitted_scorer, cache, tmp_path):
    out = tmp_path / "down"
    flags = ("--scale-floor", 0, "--shrink-to", "zero", "--lower-is-better")
    assert fit("--range", 0, 5, *cache, "--out", out, *flags).code == 0
    down, up = load_preset(out).head.kernel.numpy(), fitted_scorer.head.kernel.numpy()
    np.testing.assert_allclose(down, -up, rtol=1e-4, atol=1e-7)


def test_one_expert_can_be_taken_from_a_preset(fit, preset, tmp_path):
    out = tmp_path / "quality"
    assert fit("--quality", preset, "--out", out, "--no-cache").code == 0
    scorer = load_preset(out)
    assert scorer.content is None
    assert scorer.working_size == 96


def test_elastic_net_makes_a_sparse_head(fit, cache, tmp_path):
    out = tmp_path / "net"
    assert fit("--regressor", "elastic-net", "--out", out, *cache).code == 0
    assert (load_preset(out).head.kernel.numpy() == 0).mean() > 0.2


def test_photos_that_cannot_be_read_are_left_out_and_named(fit, scored_photos, cache, tmp_path):
    header, *rows = scored_photos.read_text().replace("\n7.png", "\ngone.png").splitlines()
    lines = [header, *(f"{scored_photos.parent}/{row}" for row in rows)]
    (tmp_path / "scores.csv").write_text("\n".join(lines))
    out = tmp_path / "preset"
    result = fit("--out", out, *cache, scores=tmp_path / "scores.csv")
    assert result.code == 1
    assert "gone.png: no such file" in result.err
    assert read_metadata(out)["fit"]["photos"] == 29


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,mos\na.png,1\n", "expected at least 20 scored photos"),
        ("image,quality\na.png,1\n", "no column 'mos'"),
    ],
)
def test_a_list_that_cannot_be_fitted_is_refused_in_one_line(
    reiqa, preset, tmp_path, text, message
):
    (tmp_path / "scores.csv").write_text(text)
    result = reiqa("fit", tmp_path / "scores.csv", "--preset", preset, "--out", tmp_path / "p")
    assert result.code == 1
    assert message in result.err
    assert not (tmp_path / "p").exists()


def test_a_folder_in_the_way_is_refused_before_the_work(reiqa, preset, scored_photos, tmp_path):
    (tmp_path / "mine.txt").write_text("")
    result = reiqa("fit", scored_photos, "--preset", preset, "--out", tmp_path)
    assert result.code == 1
    assert "other things in it" in result.err


def test_a_preset_is_not_replaced_unless_that_is_asked_for(fit, fitted, cache, tmp_path):
    out = tmp_path / "mine"
    shutil.copytree(fitted, out)
    before = (out / "metadata.json").read_bytes()
    result = fit("--out", out, *cache)
    assert result.code == 1
    assert "a preset is there already" in result.err
    assert "--overwrite" in result.err
    assert (out / "metadata.json").read_bytes() == before
    assert fit("--out", out, "--overwrite", "--description", "second", *cache).code == 0
    assert read_metadata(out)["description"] == "second"


def test_the_new_preset_gets_its_onnx_file_at_once(
    reiqa, preset, scored_photos, cache, tmp_path, monkeypatch
):
    exported = []
    monkeypatch.setattr(
        "reiqa_tf.export.exporting.export",
        lambda folder, formats, **_: exported.append((folder, formats)),
    )
    out = str(tmp_path / "new")
    arguments = ("fit", scored_photos, "--preset", preset, "--out", out, *cache)
    assert reiqa(*arguments).code == 0
    assert exported == [(out, ["onnx"])]
    assert reiqa(*arguments, "--overwrite", "--no-export").code == 0
    assert len(exported) == 1


def test_without_the_extra_a_line_says_how_the_onnx_file_is_made(fitted, capsys, monkeypatch):
    from reiqa_tf.cli.export_flag import export_at_once
    from reiqa_tf.export import packages

    monkeypatch.setitem(packages.PACKAGES, "onnx", ("no-such-distribution",))
    export_at_once(argparse.Namespace(no_export=False), fitted)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "pip install 'reiqa_tf[export]'" in lines[0]
    assert f"reiqa export --preset {fitted} --format onnx" in lines[0]


def test_the_presets_own_head_and_the_new_one_are_compared_on_the_test_rows(
    fitted, fitted_scorer, preset, scored, features
):
    found = read_metadata(fitted)["metrics"]["against_preset"]
    test = scored.splits == "test"
    own = np.asarray(load_preset(preset).head(features[test]))
    new = np.asarray(fitted_scorer.head(features[test]))
    people = scored.scores[test]
    assert (found["rows"], found["photos"]) == ("test", 10)
    assert found["preset_srcc"] == pytest.approx(stats.spearmanr(own, people)[0])
    assert found["srcc"] == pytest.approx(stats.spearmanr(new, people)[0])
    assert found["difference"] == pytest.approx(found["srcc"] - found["preset_srcc"])
    assert found["low"] <= found["difference"] <= found["high"]


def test_without_test_rows_heads_are_compared_on_held_out_ones_and_in_plain_words(
    fit, fitted, scored, cache, tmp_path
):
    """A preset's own head against a head on the same photos again: no gain can be proven."""
    rows = [
        f"{path},{score}"
        for path, score, split in zip(scored.paths, scored.scores, scored.splits, strict=True)
        if split == "train"
    ]
    (tmp_path / "scores.csv").write_text("\n".join(["image,mos", *rows]))
    out = tmp_path / "again"
    source = tmp_path / "scores.csv"
    result = fit("--preset", fitted, "--out", out, *cache, scores=source)
    assert result.code == 0, result.err
    found = read_metadata(out)["metrics"]["against_preset"]
    assert (found["rows"], found["photos"]) == ("held_out", 30)
    assert "own head against yours, on 30 held-out photos: SRCC" in result.out
    verdicts = ("no proof of a gain", "is worse", "seems to have seen")
    assert any(words in result.out for words in verdicts)
    assert read_metadata(out)["fit"]["shrunk_to"] in ("preset", "zero")


def test_presets_are_listed_and_described(reiqa, preset, fitted):
    listed = reiqa("presets")
    assert "content_lite0_biq2021" in listed.out
    assert json.loads(reiqa("presets", fitted, "--json").out) == read_metadata(fitted)


@pytest.mark.slow  # compiles the bank
def test_ladders_change_the_head_and_are_in_its_metadata(
    fit, fitted, fitted_scorer, cache, tmp_path
):
    flags = ("--range", 0, 5, "--scale-floor", 0, "--shrink-to", "zero", *cache)
    ladders = ("--ladders", 6, "--ladder-weight", 2)
    result = fit(*flags, "--out", tmp_path / "with", *ladders)
    assert result.code == 0, result.err
    assert not np.allclose(load_preset(tmp_path / "with").head.kernel, fitted_scorer.head.kernel)
    fit = read_metadata(tmp_path / "with")["fit"]
    assert (fit["ladders"], fit["ladder_weight"], fit["seed"]) == (6, 2.0, 0)
    without = read_metadata(fitted)["fit"]
    assert without["ladder_weight"] == defaults.LADDER_WEIGHT


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--ladders", -1), "expected a number from 0"),
        (("--ladders", 5, "--regressor", "elastic-net"), "--regressor ridge"),
        (("--ladders", 5, "--ladder-weight", 0), "a finite number above 0"),
        (("--scale-floor", -1), "--scale-floor: expected 0 or a positive number"),
    ],
)
def test_numbers_that_mean_nothing_are_refused_before_any_work(
    reiqa, preset, scored_photos, tmp_path, flags, words
):
    result = reiqa("fit", scored_photos, "--preset", preset, "--out", tmp_path / "new", *flags)
    assert result.code != 0
    assert words in result.err


@pytest.mark.slow  # fits a head twice
def test_with_half_precision_the_head_is_fitted_on_what_the_preset_will_answer(
    fit, scored_photos, features, scored, tmp_path
):
    out = tmp_path / "half"
    arguments = ("--range", 0, 5, "--no-cache", "--half-precision", "--out", out)
    assert fit(*arguments).code == 0
    scorer = load_preset(out)
    train = read_scored_photos(scored_photos).split("train")
    rounded, _ = feature_table(scorer, train.paths)
    slope = scorer.head.calibration.expected[0]

    def difference(seen):
        expected = Regression().regressor().fit(seen, train.scores, groups=train.groups).coef_
        return np.abs(slope * scorer.head.kernel.numpy() - expected).max() / np.ptp(expected)

    assert difference(rounded) < 1e-5 < difference(features[scored.splits == "train"])


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("fit", ("--out", "OUT")),
        ("evaluate", ()),
        ("benchmark", ("--out", "OUT")),
    ],
)
@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_photos_that_are_not_there_are_named_and_not_only_counted(
    reiqa, preset, tmp_path, command, flags, damage
):
    if damage == "empty":
        for number in range(30):
            (tmp_path / f"{number}.jpg").touch()
    rows = "".join(f"{number}.jpg,{number}\n" for number in range(30))
    (tmp_path / "scores.csv").write_text(f"image,mos\n{rows}")
    source = tmp_path / "scores.csv"
    asked = ("--database", f"csv={source}") if command == "benchmark" else (source,)
    flags = [str(tmp_path / "out") if flag == "OUT" else flag for flag in flags]
    result = reiqa(command, *asked, "--preset", preset, "--no-cache", *flags)
    assert result.code == 1
    assert "0.jpg" in result.err
    assert "30 of 30 photos" in result.err
    assert "Traceback" not in result.err
