"""`reiqa benchmark`: from folders of photos to a report."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from reiqa_tf.data.scored_photos import read_scored_photos
from reiqa_tf.models.scorer import ReIQAScorer
from tests.oracles.miniature_databases import MINIATURES


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return ("--cache", tmp_path_factory.mktemp("cache") / "features.sqlite")


@pytest.fixture(scope="module")
def kadid(photo, tmp_path_factory):
    """KADID-10k's layout with photos that can be judged: three references, blurred in steps."""
    folder = tmp_path_factory.mktemp("kadid")
    (folder / "images").mkdir()
    lines = ["dist_img,ref_img,dmos,var"]
    for reference in range(1, 12):
        y, x = 30 * reference, 50 * reference
        crop = Image.fromarray(photo[y : y + 64, x : x + 64])
        for level in range(1, 6):
            name = f"I{reference:02}_01_{level:02}.png"
            coarse = crop.resize((64 // level,) * 2).resize((64, 64), Image.Resampling.NEAREST)
            coarse.save(folder / "images" / name)
            lines.append(f"{name},I{reference:02}.png,{5 - 0.8 * (level - 1) - reference / 50},0.3")
    (folder / "dmos.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def asked(scored_photos, kadid, preset, cache):
    """Two databases, a preset and a baseline."""
    return (
        "benchmark", "--database", f"csv={scored_photos}", "--database", f"kadid10k={kadid}",
        "--partial", "--preset", preset, "--baseline", "sharpness", "--splits", 3,
        "--strengths", 1, 1e5, *cache,
    )  # fmt: skip


@pytest.fixture(scope="module")
def asked_little(scored_photos, preset, cache):
    """One database and one preset."""
    return (
        "benchmark", "--database", f"csv={scored_photos}", "--preset", preset, "--splits", 3,
        "--strengths", 1, 1e5, *cache,
    )  # fmt: skip


@pytest.fixture(scope="module")
def csv_name(scored_photos):
    return f"{scored_photos.parent.name}/scores"


def test_a_report_is_made_of_two_databases_and_two_contestants(
    reiqa, asked, csv_name, scored_photos, tmp_path
):
    result = reiqa(*asked, "--out", tmp_path, "--worst", 2)
    assert result.code == 0, result.err
    document = json.loads((tmp_path / "benchmark.json").read_text())
    assert list(document["databases"]) == [csv_name, "kadid10k"]
    assert document["databases"]["kadid10k"]["photos"] == 55
    assert document["databases"]["kadid10k"]["groups"] == 11
    assert set(document["results"]["kadid10k"]) == {"small", "sharpness"}
    assert set(document["cross"]["kadid10k"]) == {csv_name}
    assert document["results"]["kadid10k"]["small"]["levels"]["5"]["count"] == 11
    # Sharpness by hand, on the test photos of the first split.
    scored = read_scored_photos(scored_photos)
    lines = (tmp_path / "splits" / f"{csv_name.replace('/', '_')}.csv").read_text().split()[1:]
    words = dict(line.split(",") for line in lines)
    tested = [i for i, path in enumerate(scored.paths) if words[pathlib.Path(path).name][0] == "t"]
    values = []
    for i in tested:
        grey = np.asarray(Image.open(scored.paths[i])) @ np.array([0.299, 0.587, 0.114])
        padded = np.pad(grey, 1, mode="symmetric")
        around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
        values.append((around - 4 * grey).var())
    expected = stats.spearmanr(values, scored.scores[tested]).statistic
    (account,) = document["results"][csv_name]["sharpness"]["variants"].values()
    assert account["splits"][0]["figures"]["srcc"] == pytest.approx(expected)
    assert "small" in result.out
    assert "published: Re-IQA" in result.out
    page = (tmp_path / "report.html").read_text()
    assert page.count("<img") == 2 * 2 * 2
    assert "data:image/jpeg;base64," in page


def test_started_again_it_computes_nothing_and_ends_the_same(reiqa, asked, tmp_path, monkeypatch):
    assert reiqa(*asked, "--out", tmp_path).code == 0
    before = (tmp_path / "benchmark.json").read_text()

    def never(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr(ReIQAScorer, "compile_features", lambda _: never)
    monkeypatch.setattr("reiqa_tf.evaluation.protocol.fit_on_split", never)
    monkeypatch.setattr("reiqa_tf.evaluation.photo_functions._values_of", never)
    assert reiqa(*asked, "--out", tmp_path).code == 0
    assert (tmp_path / "benchmark.json").read_text() == before


def test_splits_of_another_run_are_taken(reiqa, asked_little, tmp_path):
    asked = asked_little
    assert reiqa(*asked, "--seed", 7, "--out", tmp_path / "one").code == 0
    result = reiqa(*asked, "--splits-from", tmp_path / "one" / "splits", "--out", tmp_path / "two")
    assert result.code == 0, result.err
    one, two = (
        json.loads((tmp_path / name / "benchmark.json").read_text()) for name in ("one", "two")
    )
    for name in one["results"]:
        figures = [each["results"][name]["small"]["variants"]["whole"]["splits"]
                   for each in (one, two)]  # fmt: skip
        assert figures[0] == figures[1]


@pytest.mark.slow  # the intervals of a single split are resampled from its photos
def test_the_official_split_is_taken_once(reiqa, asked_little, csv_name, tmp_path):
    assert reiqa(*asked_little, "--official-splits", "--out", tmp_path).code == 0
    databases = json.loads((tmp_path / "benchmark.json").read_text())["databases"]
    (split,) = databases[csv_name]["splits"]
    assert split["rows"][2] == 10


@pytest.mark.slow  # three runs
def test_shards_together_are_the_whole(reiqa, asked_little, tmp_path, monkeypatch):
    asked = asked_little[:-2]
    for number in (1, 2):
        part = ("--cache", tmp_path / f"{number}.sqlite", "--shard", f"{number}/2")
        result = reiqa(*asked, *part, "--out", tmp_path / "out")
        assert result.code == 0, result.err
    assert not (tmp_path / "out" / "report.html").exists()
    whole = ("--cache", tmp_path / "1.sqlite", "--take", tmp_path / "2.sqlite")
    monkeypatch.setattr(ReIQAScorer, "compile_features", lambda _: None)
    assert reiqa(*asked, *whole, "--out", tmp_path / "out").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--database", "nowhere"), "expected NAME=FOLDER or csv=FILE"),
        (("--database", "tid2031=."), "Did you mean tid2013?"),
        (("--database", "csv=scores.csv", "--baseline", "niqe"), "expected a baseline out of"),
        (("--database", "csv=scores.csv", "--splits", "0"), "--splits: expected at least 1"),
        (("--database", "csv=scores.csv", "--shard", "two"), "--shard: expected K/N"),
        (("--database", "csv=scores.csv", "--preset", "none"), "none"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    reiqa, scored_photos, preset, monkeypatch, tmp_path, words, message
):
    monkeypatch.chdir(scored_photos.parent)
    result = reiqa("benchmark", "--preset", preset, *words, "--out", tmp_path / "out")
    assert result.code == 1
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_an_incomplete_database_says_what_is_missing(reiqa, preset, tmp_path):
    folder = MINIATURES["csiq"](tmp_path / "csiq").folder
    result = reiqa(
        "benchmark", "--database", f"csiq={folder}", "--preset", preset, "--out", tmp_path / "out"
    )
    assert result.code == 1
    assert "csiq.DMOS.xlsx: expected 866 scored photos of CSIQ. Received: 12" in result.err


@pytest.mark.slow  # four processes that load TensorFlow
def test_a_run_that_is_killed_at_any_moment_goes_on_where_it_was(asked, tmp_path):
    asked = [str(each) for each in asked]
    asked[asked.index("--cache") + 1] = str(tmp_path / "features.sqlite")
    code = "from reiqa_tf.cli.main import run; run()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def start(out):
        command = [sys.executable, "-c", code, *asked, "--out", str(out)]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def finished():
        parts = tmp_path / "out" / "parts"
        return {path.name: path.stat().st_mtime_ns for path in parts.glob("*.json")}

    kept = {}
    for count in (1, 4, 7):
        process = start(tmp_path / "out")
        while len(finished()) < count and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        now = finished()
        assert kept.items() <= now.items()  # what was there was not computed again
        kept = now
    for out in (tmp_path / "out", tmp_path / "at once"):
        assert start(out).wait() == 0
    assert kept.items() <= finished().items()
    documents = [
        json.loads((out / "benchmark.json").read_text())
        for out in (tmp_path / "out", tmp_path / "at once")
    ]
    assert documents[0] == documents[1]
