"""Contestants on databases: complete, the same after an interruption, and written for people."""

import csv
import html.parser
import json
import re

import numpy as np
import pytest

from reiqa_tf import metrics
from reiqa_tf.data.splits import read_splits
from reiqa_tf.evaluation import protocol
from reiqa_tf.evaluation.benchmark_report import benchmark_page, write_benchmark
from reiqa_tf.evaluation.contest import BenchmarkError
from reiqa_tf.evaluation.contest import run_benchmark as run_with_options
from reiqa_tf.evaluation.contestants import WHOLE
from reiqa_tf.evaluation.entries import Entry
from reiqa_tf.fitting.regression import Regression
from tests.evaluation.conftest import Simulated

REGRESSION = Regression("ridge", (0.1, 10.0))


def run_benchmark(*arguments, **options):
    return run_with_options(*arguments, **options, resamples=40)


def _setting(simulated, patch):
    """Two databases, two contestants that need a regressor and one that does not."""
    entries, better, worse, answers = [], {}, {}, {}
    generator = np.random.default_rng(5)
    for seed, name in enumerate(("kadid10k", "mine/scores")):
        scored, splits, features = simulated(name, seed)
        entries.append(Entry(name, name.title(), scored, splits, "drawn with seed 0"))
        for path, row in features.items():
            better[path] = row
            worse[path] = row + generator.normal(scale=1.5, size=6).astype(np.float32)
            answers[path] = -row[:1]
    contestants = [
        Simulated("better", better),
        Simulated("worse", worse),
        Simulated("upside down", answers, is_fitted=False),
    ]
    # The photos do not exist, so their hashes are made up: two of a group look alike, two do not.
    bits = generator.integers(0, 2, (200, 64)).astype(np.float32)
    bits[8] = bits[9]
    bits[10] = bits[150]
    patch.setattr("reiqa_tf.evaluation.contest._hashes", lambda *_: (bits, {}))
    return entries, contestants


@pytest.fixture
def setting(simulated, monkeypatch):
    return _setting(simulated, monkeypatch)


@pytest.fixture(scope="module")
def benchmark(simulated, tmp_path_factory):
    """The whole of it, with the ablation; tests must not change it."""
    with pytest.MonkeyPatch.context() as patch:
        setting = _setting(simulated, patch)
        out = tmp_path_factory.mktemp("benchmark")
        return run_benchmark(*setting, out, REGRESSION, ablation=True)


@pytest.fixture(scope="module")
def page(benchmark):
    return benchmark_page(benchmark)


def test_the_document_holds_every_figure_of_every_split(benchmark):
    results = benchmark.document["results"]
    assert list(results) == ["kadid10k", "mine/scores"]
    for database in results.values():
        assert list(database) == ["better", "worse", "upside down"]
        for account in database.values():
            assert list(account["variants"]) == [WHOLE, "first half"]
            for variant in account["variants"].values():
                assert len(variant["splits"]) == 4
                values = [split["figures"]["srcc"] for split in variant["splits"]]
                assert variant["summary"]["srcc"]["median"] == np.median(values)
            assert set(account["distortions"]) == {"blur", "noise"}
            assert set(account["levels"]) == {"0", "1", "2", "3", "4"}
    better, worse, turned = (
        results["kadid10k"][name]["variants"][WHOLE]["summary"]["srcc"]["median"]
        for name in ("better", "worse", "upside down")
    )
    assert better > 0.95 > worse > 0.3
    assert turned < -0.3
    json.dumps(benchmark.document, allow_nan=False)


def test_the_cross_matrix_holds_what_each_database_predicts_of_the_other(benchmark):
    cross = benchmark.document["cross"]
    assert {(a, b) for a in cross for b in cross[a]} == {
        ("kadid10k", "mine/scores"),
        ("mine/scores", "kadid10k"),
    }
    # Both were simulated with the same weights, so a regressor of one serves the other.
    assert cross["kadid10k"]["mine/scores"]["better"]["summary"]["srcc"]["median"] > 0.95
    assert "upside down" not in cross["kadid10k"]["mine/scores"]


def test_an_ablation_says_how_far_all_features_are_ahead_of_a_part_of_them(benchmark):
    trial = benchmark.trials[0]
    variants = benchmark.document["results"][trial.name]["better"]["variants"]
    assert "whole_ahead" not in variants[WHOLE]
    found = variants["first half"]["whole_ahead"]
    figures = [
        [split["figures"]["srcc"] for split in variants[name]["splits"]]
        for name in (WHOLE, "first half")
    ]
    assert found["difference"] == pytest.approx(np.median(np.subtract(*figures)))
    assert found["low"] <= found["difference"] <= found["high"]


def test_differences_are_those_of_the_paired_bootstrap(benchmark):
    rows = benchmark.document["differences"]
    assert [(row["database"], row["first"], row["second"]) for row in rows] == [
        ("kadid10k", "better", "worse"),
        ("mine/scores", "better", "worse"),
    ]
    trial = benchmark.trials[0]
    predicted = benchmark.predicted["kadid10k"]
    found = metrics.paired_bootstrap_over_splits(
        predicted["better"],
        predicted["worse"],
        trial.scored.scores,
        groups=trial.scored.groups,
        resamples=40,
    )
    assert (rows[0]["low"], rows[0]["high"]) == (found.low, found.high)
    assert rows[0]["low"] > 0


def test_only_near_duplicates_in_different_groups_can_leak(benchmark):
    leaks = benchmark.document["databases"]["kadid10k"]["leaks"]["pairs"]
    splits = benchmark.trials[0].splits
    torn = [
        number + 1
        for number, split in enumerate(splits)
        if np.isin([10, 150], split.test).sum() == 1
    ]
    assert leaks == ([{"photos": ["010.png", "150.png"], "distance": 0, "splits": torn}]
                     if torn else [])  # fmt: skip
    assert torn


def test_published_figures_stand_beside_ours_and_are_marked(benchmark, page):
    assert list(benchmark.document["published"]) == ["kadid10k"]
    row = re.search(r'<tr class="published"><td>Re-IQA \(Saha.*?</tr>', page, re.DOTALL)[0]
    assert "0.872" in row
    assert "0.885" in row
    assert "published</span>" in row


class _Page(html.parser.HTMLParser):
    """Checks that tags are closed as they were opened, and collects what the page points to."""

    EMPTY = ("meta", "br", "img", "path", "use", "rect", "image", "link")

    def __init__(self):
        super().__init__()
        self.open, self.targets, self.texts = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in self.EMPTY:
            self.open.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "xlink:href"):
                self.targets.append(value)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.EMPTY:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.EMPTY:
            assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_is_whole_and_needs_no_other_file(benchmark, page):
    reader = _Page()
    reader.feed(page)
    assert not reader.open
    assert all(target.startswith(("#", "data:")) for target in reader.targets)
    text = " ".join(reader.texts)
    for part in ("Kadid10K", "Ablation of better", "By distortion", "Cross-database", "Leaks",
                 "the first is better", "Is the difference one?", "How it was made"):  # fmt: skip
        assert part in text, part
    assert page.count("<svg") == 2 * (1 + 3 + 3)  # splits, scatter plots, residuals
    median = benchmark.document["results"]["kadid10k"]["better"]["variants"][WHOLE]
    assert f"{median['summary']['srcc']['median']:.3f}" in text


def test_names_are_escaped_on_the_page(setting, tmp_path):
    entries, contestants = setting
    contestants[0].name = "<script>alert(1)</script>"
    page = benchmark_page(run_benchmark(entries[:1], contestants[:1], tmp_path, REGRESSION))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_files_of_splits_and_predictions_lead_back_to_the_figures(benchmark, tmp_path):
    write_benchmark(benchmark, tmp_path)
    document = json.loads((tmp_path / "benchmark.json").read_text())
    trial = benchmark.trials[1]
    again = read_splits(tmp_path / "splits" / "mine_scores.csv", trial.scored)
    assert [split.digest() for split in again] == [split.digest() for split in trial.splits]
    with open(tmp_path / "predictions" / "mine_scores.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["contestant"] == "worse"]
    for number in range(4):
        here = [row for row in rows if row["split"] == str(number + 1)]
        predicted = [float(row["predicted"]) for row in here]
        srcc = metrics.srcc(predicted, [float(row["mos"]) for row in here])
        expected = document["results"]["mine/scores"]["worse"]["variants"][WHOLE]["splits"]
        assert srcc == pytest.approx(expected[number]["figures"]["srcc"], abs=1e-3)


def test_killed_midway_and_started_again_it_computes_nothing_twice_and_ends_the_same(
    setting, benchmark, tmp_path, monkeypatch
):
    fits = []
    fit = protocol.fit_on_split

    def counted(regression, features, scores, split):
        if len(fits) in (3, 11, 26):  # as if killed, three times, before this fit
            fits.append(None)
            raise KeyboardInterrupt
        fits.append((features.tobytes(), scores.tobytes(), split.digest()))
        return fit(regression, features, scores, split)

    monkeypatch.setattr(protocol, "fit_on_split", counted)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run_benchmark(*setting, tmp_path, REGRESSION, ablation=True)
    for _ in range(2):  # the second time there is nothing left to do
        received = run_benchmark(*setting, tmp_path, REGRESSION, ablation=True)
        assert received.document == benchmark.document
    finished = [each for each in fits if each is not None]
    assert len(finished) == len(set(finished)) == 2 * 2 * 2 * 4


def test_other_strengths_other_scores_and_other_splits_are_computed_anew(setting, tmp_path):
    entries, contestants = setting
    first = run_benchmark(entries[:1], contestants, tmp_path, REGRESSION).document["results"]
    other = Regression("ridge", (1e3,))
    second = run_benchmark(entries[:1], contestants, tmp_path, other).document["results"]
    strength = second["kadid10k"]["better"]["variants"][WHOLE]["splits"][0]["strength"]
    assert strength == 1e3  # one alone is taken as it is
    assert first != second


def test_a_damaged_part_is_computed_again(setting, tmp_path):
    entries, contestants = setting
    expected = run_benchmark(entries[:1], contestants, tmp_path, REGRESSION).document
    for path in (tmp_path / "parts").iterdir():
        path.write_text(path.read_text()[:100])
    assert run_benchmark(entries[:1], contestants, tmp_path, REGRESSION).document == expected


def test_one_split_has_an_interval_over_its_photos(setting, tmp_path):
    entries, contestants = setting
    entry = entries[0]
    single = Entry(entry.name, entry.title, entry.scored, entry.splits[:1], "the official one")
    found = run_benchmark([single], contestants[:1], tmp_path, REGRESSION)
    summary = found.document["results"]["kadid10k"]["better"]["variants"][WHOLE]["summary"]
    test = entry.splits[0].test
    expected = metrics.bootstrap_intervals(
        found.predicted["kadid10k"]["better"][0, test],
        entry.scored.scores[test],
        groups=entry.scored.groups[test],
        resamples=40,
    )
    for name, (low, high) in expected.items():
        assert (summary[name]["low"], summary[name]["high"]) == (low, high)
        assert low < summary[name]["median"] < high


def test_photos_that_cannot_be_read_are_left_out_of_every_split_and_named(setting, tmp_path):
    entries, contestants = setting

    class Failing(Simulated):
        def table(self, photos, *arguments):
            table, _ = super().table(photos, *arguments)
            table[[3, 77]] = np.nan
            return table, {3: ValueError("003.png: broken"), 77: ValueError("077.png: broken")}

    failing = Failing("failing", contestants[0].features)
    found = run_benchmark(entries[:1], [failing, contestants[1]], tmp_path, REGRESSION)
    about = found.document["databases"]["kadid10k"]
    assert about["photos"] == 198
    assert about["problems"] == ["003.png: broken", "077.png: broken"]
    trial, old = found.trials[0], entries[0]
    for split, whole in zip(trial.splits, old.splits, strict=True):
        kept = {trial.scored.paths[row] for row in split.test}
        gone = {"/kadid10k/003.png", "/kadid10k/077.png"}
        assert kept == {old.scored.paths[row] for row in whole.test} - gone
    assert np.isfinite(trial.tables["worse"]).all()


def test_the_same_name_twice_is_refused(setting, tmp_path):
    entries, contestants = setting
    with pytest.raises(BenchmarkError, match="at least one contestant, with different names"):
        run_benchmark(entries, [contestants[0]] * 2, tmp_path)
    with pytest.raises(BenchmarkError, match="at least one database"):
        run_benchmark([], contestants, tmp_path)


def test_parts_of_an_older_way_to_compute_are_not_taken(setting, tmp_path, monkeypatch):
    entries, contestants = setting
    run_benchmark(entries[:1], contestants[:1], tmp_path, REGRESSION)
    before = len(list((tmp_path / "parts").iterdir()))
    monkeypatch.setattr(protocol, "PROTOCOL", protocol.PROTOCOL + 1)
    run_benchmark(entries[:1], contestants[:1], tmp_path, REGRESSION)
    assert len(list((tmp_path / "parts").iterdir())) == 2 * before
