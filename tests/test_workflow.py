"""What the commands do, as Python calls: fit, evaluate, benchmark."""

import json

import numpy as np
import pytest
from PIL import Image

import reiqa_tf
from reiqa_tf.cli.main import main, parse
from reiqa_tf.data.scored_photos import read_scored_photos
from reiqa_tf.evaluation.contest import BenchmarkError
from reiqa_tf.evaluation.entries import EntryError
from reiqa_tf.evaluation.splitting import Splitting
from reiqa_tf.fitting.fit_head import FitError
from reiqa_tf.fitting.regression import Regression, RegressionError
from reiqa_tf.presets.folders import read_metadata
from tests.oracles.miniature_databases import MINIATURES
from tests.small_models import small_scorer


@pytest.fixture(scope="module")
def scores(photo, tmp_path_factory):
    """Fifty crops in steps of pixelation; the score falls with them. The last ten are for test."""
    folder = tmp_path_factory.mktemp("scored")
    lines = ["image,mos,split"]
    for i in range(50):
        y, x = 8 * i, 13 * i
        crop = Image.fromarray(photo[y : y + 64, x : x + 64])
        coarse = crop.resize((64 >> (i % 4),) * 2).resize((64, 64), Image.Resampling.NEAREST)
        coarse.save(folder / f"{i}.png")
        lines.append(f"{i}.png,{4 - i % 4 + 0.01 * (i % 7):.2f},{'test' if i >= 40 else 'train'}")
    (folder / "scores.csv").write_text("\n".join(lines) + "\n")
    return folder / "scores.csv"


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preset") / "small"
    small_scorer().save_to_preset(folder)
    return folder


@pytest.fixture(scope="module")
def fitted(scores, preset, tmp_path_factory):
    out = tmp_path_factory.mktemp("fitted") / "preset"
    return out, reiqa_tf.fit(scores, out, preset, about={"data": "crops"})


@pytest.mark.slow  # fits twice; tests/cli/test_fit_and_evaluate.py is of the command
def test_a_call_makes_the_preset_that_the_command_makes(fitted, scores, preset, tmp_path):
    words = (
        "fit",
        scores,
        "--preset",
        preset,
        "--out",
        tmp_path / "out",
        "--no-cache",
        "--no-export",
    )
    assert main(parse(["reiqa", *map(str, words)])) == 0
    ours, theirs = (reiqa_tf.load_preset(folder) for folder in (fitted[0], tmp_path / "out"))
    np.testing.assert_array_equal(ours.head.kernel, theirs.head.kernel)
    ours, theirs = (read_metadata(folder) for folder in (fitted[0], tmp_path / "out"))
    for entry in ("fit", "metrics", "score_range", "sources"):
        assert ours[entry] == theirs[entry]
    assert ours["data"] == "crops"


def test_a_fit_says_what_came_of_it(fitted):
    out, result = fitted
    metadata = read_metadata(out)
    assert metadata["fit"]["strength"] == result.record.strength
    assert metadata["metrics"]["held_out"]["srcc"] == result.agreement.srcc
    assert result.agreement.count == len(result.scored) == 40
    assert np.isfinite(result.held_out).all()
    assert result.problems == result.ladder_problems == []
    assert result.scorer.has_head


@pytest.mark.slow  # computes pictures that are no photos
def test_a_scorer_in_memory_is_fitted_and_saved_later(fitted, scores, tmp_path):
    scored = read_scored_photos(scores)
    result = reiqa_tf.fit(scored, preset=small_scorer())
    np.testing.assert_array_equal(result.scorer.head.kernel, fitted[1].scorer.head.kernel)
    result.save(tmp_path / "later", {"license": "CC0-1.0"})
    assert read_metadata(tmp_path / "later")["license"] == "CC0-1.0"
    with pytest.raises(FitError, match="expected a number from 0"):
        reiqa_tf.fit(scored, preset=small_scorer(), ladders=-1)
    with pytest.raises(RegressionError, match="kind: expected one of ridge, elastic-net"):
        Regression("lasso")
    with pytest.raises(RegressionError, match="strengths"):
        Regression(strengths=(0.0,))


def test_an_evaluation_is_the_one_that_the_command_writes(fitted, scores, tmp_path):
    out, result = fitted
    found = reiqa_tf.evaluate(scores, result.scorer, split="test")
    words = "evaluate", scores, "--preset", out, "--split", "test", "--no-cache"
    assert main(parse(["reiqa", *map(str, words), "--json", str(tmp_path / "r.json")])) == 0
    document = json.loads((tmp_path / "r.json").read_text())
    found.write_json(tmp_path / "again.json", scores_file="scores.csv")
    again = json.loads((tmp_path / "again.json").read_text())
    assert again == {name: document[name] for name in again}
    assert len(found.predicted) == found.agreement.count == 10
    assert found.unfamiliar == sum(not score.familiar for score in found.predicted)
    found.plot(tmp_path / "plot.svg", "crops")
    assert "crops" in (tmp_path / "plot.svg").read_text() or found


@pytest.mark.slow  # fits a head for every split
def test_a_benchmark_takes_lists_scorers_and_functions(scores, preset, tmp_path):
    scorer = small_scorer(name="in_memory")
    result = reiqa_tf.benchmark(
        {"list": scores, "photos": read_scored_photos(scores)},
        tmp_path,
        presets=[preset, scorer, preset],
        baselines=["sharpness"],
        splitting=Splitting(count=2),
    )
    for name in ("list", "photos"):
        results = result.document["results"][name]
        assert list(results) == ["small", "in_memory", "sharpness"]
        assert results["small"]["variants"] == results["in_memory"]["variants"]
    assert result.photos == 100
    document = json.loads((tmp_path / "benchmark.json").read_text())
    assert document["results"] == json.loads(json.dumps(result.document["results"]))
    assert (tmp_path / "report.html").is_file()


def test_what_a_benchmark_cannot_do_is_said_first(scores, preset, tmp_path):
    database = {"list": scores}
    with pytest.raises(EntryError, match="splits: expected at least 1"):
        reiqa_tf.benchmark(database, tmp_path / "out", splitting=Splitting(count=0))
    with pytest.raises(BenchmarkError, match="need a cache"):
        reiqa_tf.benchmark(database, tmp_path / "out", [preset], workers=2)
    with pytest.raises(reiqa_tf.ReiqaError, match=r"Did you mean tid2013\?"):
        reiqa_tf.benchmark({"tid2031": tmp_path}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_splits_that_papers_do_not_take_are_warned_of(preset, tmp_path, monkeypatch):
    miniature = MINIATURES["flive"](tmp_path / "flive")
    for table in miniature.folder.glob("labels*640*.csv"):
        table.unlink()
    monkeypatch.setattr("reiqa_tf.evaluation.entries.database_named", lambda _: miniature.database)
    said = []
    with pytest.raises(reiqa_tf.ReiqaError):  # four photos are too few to split
        reiqa_tf.benchmark({"flive": miniature.folder}, tmp_path, [preset], warn=said.append)
    assert "the tables of the official split are not there" in said[0]
