"""`reiqa score`: every input, every output, and what happens when things go wrong."""

import csv
import dataclasses
import io
import json

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.image.reading import read_image
from reiqa_tf.models.scorer import load_preset, save_preset
from tests.small_models import CALIBRATION, small_scorer


@pytest.fixture(scope="module")
def folder(photo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i, (height, width) in enumerate([(90, 120), (64, 64), (64, 64), (200, 300)]):
        Image.fromarray(photo[50 * i : 50 * i + height, :width]).save(folder / f"{i}.png")
    return folder


def _scores(result):
    return {row["photo"]: row["score"] for row in json.loads(result.out)["scores"]}


def test_scores_are_those_of_the_python_interface(reiqa, preset, folder):
    result = reiqa("score", folder, "--preset", preset, "--format", "json")
    assert result.code == 0
    assert result.err == ""
    scorer = load_preset(preset)
    received = _scores(result)
    assert list(received) == [str(folder / f"{i}.png") for i in range(4)]
    for path, score in received.items():
        assert score == pytest.approx(scorer.score(path), rel=1e-5)


def test_files_folders_and_patterns_mix_in_the_given_order(reiqa, preset, folder):
    result = reiqa(
        "score", folder / "2.png", f"{folder}/[01].png", "--preset", preset, "--format", "jsonl"
    )
    names = [json.loads(line)["photo"] for line in result.out.splitlines()]
    assert names == [str(folder / f"{i}.png") for i in (2, 0, 1)]


def test_csv_and_json_say_the_same(reiqa, preset, folder):
    document = json.loads(reiqa("score", folder, "--preset", preset, "--format", "json").out)
    text = reiqa("score", folder, "--preset", preset, "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["score"] for row in rows] == [f"{row['score']:.4f}" for row in document["scores"]]
    assert document["score_range"] == [0, 1]
    assert document["higher_is_better"] is True
    for row in document["scores"]:
        assert row["low"] <= row["score"] <= row["high"]
        assert row["low"] >= min(0, row["score"])
        assert row["high"] <= max(1, row["score"])


@pytest.mark.parametrize(
    ("flag", "key"),
    [
        ("worst", lambda row: row["score"]),
        ("best", lambda row: -row["score"]),
        ("name", lambda row: row["photo"]),
    ],
)
def test_output_is_sorted_as_asked(reiqa, preset, folder, flag, key):
    result = reiqa("score", folder, "--preset", preset, "--format", "json", "--sort", flag)
    rows = json.loads(result.out)["scores"]
    assert rows == sorted(rows, key=key)


def test_the_table_names_photo_score_interval_and_scale(reiqa, preset, folder):
    result = reiqa("score", folder / "0.png", "--preset", preset)
    value = load_preset(preset).score(folder / "0.png")
    assert f"{value:.3f}" in result.out
    assert str(folder / "0.png") in result.out
    assert "0 to 1, higher is better" in result.out


def test_a_photo_unlike_all_others_is_marked(reiqa, tmp_path, folder):
    scorer = small_scorer()
    scorer.head.calibration = dataclasses.replace(CALIBRATION, distance_limit=-1e3)
    save_preset(scorer, tmp_path / "narrow")
    result = reiqa("score", folder / "0.png", "--preset", tmp_path / "narrow")
    assert "unfamiliar" in result.out


def test_features_are_written_with_the_names_of_their_photos(reiqa, preset, folder, tmp_path):
    path = tmp_path / "deep" / "features.npz"
    reiqa("score", folder, "--preset", preset, "--features", path)
    scorer = load_preset(preset)
    with np.load(path) as file:
        assert list(file["photos"]) == [str(folder / f"{i}.png") for i in range(4)]
        for name, row in zip(file["photos"], file["features"], strict=True):
            expected = scorer.features(read_image(name, fit=96)[None])[0]
            np.testing.assert_allclose(row, expected, rtol=2e-4, atol=1e-5)


def test_a_preset_without_a_head_answers_features_and_says_how_to_get_scores(
    reiqa, folder, tmp_path
):
    save_preset(small_scorer(head=None), tmp_path / "bare")
    result = reiqa("score", folder, "--preset", tmp_path / "bare")
    assert result.code == 1
    assert "reiqa fit" in result.err
    arguments = ("--preset", tmp_path / "bare", "--features", tmp_path / "f.npz")
    assert reiqa("score", folder, *arguments).code == 0
    with np.load(tmp_path / "f.npz") as stored:
        assert stored["features"].shape[0] == 4


def test_broken_photos_are_named_at_the_end_and_the_rest_is_scored(reiqa, preset, folder, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (tmp_path / "empty.png").write_bytes(b"")
    sources = (tmp_path, folder, tmp_path / "gone.png")
    result = reiqa("score", *sources, "--preset", preset, "--format", "json")
    assert result.code == 1
    assert len(_scores(result)) == 4
    assert len(json.loads(result.out)["problems"]) == 3
    assert "3 of 7 photos could not be read" in result.err
    for name in ("broken.jpg", "empty.png", "gone.png"):
        assert name in result.err
    assert "Traceback" not in result.err


def test_standard_input_brings_paths_or_one_photo(reiqa, preset, folder, monkeypatch):
    paths = f"{folder}/1.png\n\n{folder}/3.png\n".encode()
    one = (folder / "3.png").read_bytes()
    expected = _scores(reiqa("score", folder, "--preset", preset, "--format", "json"))
    for contents, names in ((paths, ["1.png", "3.png"]), (one, ["-"])):
        stdin = io.TextIOWrapper(io.BytesIO(contents))
        monkeypatch.setattr("sys.stdin", stdin)
        received = _scores(reiqa("score", "-", "--preset", preset, "--format", "json"))
        assert [name.rsplit("/", 1)[-1] for name in received] == names
        assert list(received.values())[-1] == pytest.approx(expected[f"{folder}/3.png"], rel=1e-5)


def test_at_native_size_detail_beyond_the_working_size_counts(reiqa, preset, folder):
    arguments = ("score", folder / "3.png", "--preset", preset, "--format", "json")
    expected = load_preset(preset).score(folder / "3.png", native_size=True)
    (native,) = _scores(reiqa(*arguments, "--native-size")).values()
    (working,) = _scores(reiqa(*arguments)).values()
    assert native == pytest.approx(expected, rel=1e-5)
    assert native != pytest.approx(working, rel=1e-3)


def test_after_ctrl_c_what_was_scored_is_printed(reiqa, preset, folder, monkeypatch):
    from reiqa_tf.models import scorer as module

    compute_features = module.compute_features

    def interrupted(*arguments, **options):
        for count, outcome in enumerate(compute_features(*arguments, **options)):
            if count == 2:
                raise KeyboardInterrupt
            yield outcome

    monkeypatch.setattr(module, "compute_features", interrupted)
    result = reiqa("score", folder, "--preset", preset, "--format", "jsonl")
    assert result.code == 130
    assert len(result.out.splitlines()) == 2
    assert "interrupted" in result.err


def test_an_unknown_preset_and_an_unknown_flag_are_one_line_without_a_traceback(reiqa, folder):
    result = reiqa("score", folder, "--preset", "content_lite_biq2021")
    assert result.code == 1
    assert "Did you mean content_lite0_biq2021?" in result.err
    assert result.err.count("\n") == 1
    assert reiqa("score", folder, "--nonsense").code == 2
    assert reiqa("score").code == 2


@pytest.mark.parametrize("command", ["score", "fit", "evaluate", "presets", "convert"])
def test_every_command_teaches_by_example(reiqa, command):
    result = reiqa(command, "--help")
    assert result.code == 0
    assert f"  reiqa {command}" in result.out


def test_a_preset_without_a_head_has_no_page(reiqa, folder, tmp_path):
    save_preset(small_scorer(head=None), tmp_path / "bare")
    options = ("--features", tmp_path / "f.npz", "--page", tmp_path / "page.html")
    result = reiqa("score", folder, "--preset", tmp_path / "bare", *options)
    assert result.code == 1
    assert "reiqa fit" in result.err
