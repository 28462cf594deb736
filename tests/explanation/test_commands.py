"""`reiqa explain`, `reiqa score --why` and the page of an album."""

import csv
import json
import shutil

import pytest

import reiqa_tf
from reiqa_tf.cli.main import main, parse


@pytest.fixture
def run(capsys):
    """Runs a command: exit code, standard output."""

    def run_command(*words):
        code = main(parse(["reiqa", *map(str, words)]))
        return code, capsys.readouterr().out

    return run_command


@pytest.fixture
def holiday(tmp_path, photos_folder):
    folder = tmp_path / "holiday"
    folder.mkdir()
    for name in ("kodim05", "kodim23"):
        shutil.copy(photos_folder / f"{name}.png", folder)
    return folder


def test_explain_prints_parts_that_lead_to_the_score(run, small_preset, holiday, why):
    code, printed = run("explain", holiday / "kodim23.png", "--preset", small_preset)
    assert code == 0
    assert f"diagnosis: {why.diagnosis.text}" in printed
    for words in ("average photo", "content, full size", "quality, half size", "this photo"):
        assert words in printed


def test_explain_prints_json(run, small_preset, holiday):
    code, printed = run("explain", holiday / "kodim23.png", "--preset", small_preset, "--json")
    assert code == 0
    document = json.loads(printed)
    assert sum(map(sum, document["map"])) + document["average"] == pytest.approx(
        document["score"], abs=1e-4
    )


@pytest.mark.slow  # explains a photo in TensorFlow
def test_explain_never_replaces_what_it_was_not_told_to(run, small_preset, holiday, tmp_path):
    photo, out = holiday / "kodim23.png", tmp_path / "why.png"
    assert run("explain", photo, "--preset", small_preset, "--out", out)[0] == 0
    assert run("explain", photo, "--preset", small_preset, "--out", out)[0] == 1
    before = photo.read_bytes()
    assert run("explain", photo, "--preset", small_preset, "--out", photo, "--overwrite")[0] == 1
    assert photo.read_bytes() == before
    assert run("explain", photo, "--preset", small_preset, "--out", "why.txt")[0] == 1


@pytest.mark.slow  # scores a folder three times
def test_scores_name_the_main_fault(run, small_preset, holiday, tmp_path):
    base = ("score", holiday, "--preset", small_preset, "--why")
    code, printed = run(*base)
    assert code == 0
    assert "main fault" in printed
    code, printed = run(*base, "--format", "json")
    rows = json.loads(printed)["scores"]
    why = reiqa_tf.explain(holiday / "kodim05.png", small_preset)
    assert rows[0]["fault"] == ("" if why.diagnosis.main is None else why.diagnosis.main.text)
    assert [fault["family"] for fault in rows[0]["faults"]] == [
        fault.family for fault in why.diagnosis.found
    ]
    assert run(*base, "--out", tmp_path / "scores.csv")[0] == 0
    with open(tmp_path / "scores.csv") as file:
        assert next(csv.DictReader(file))["fault"] == rows[0]["fault"]


def test_scores_without_a_reason_say_nothing_of_faults(run, small_preset, holiday):
    _, printed = run("score", holiday, "--preset", small_preset, "--format", "csv")
    assert "fault" not in printed


def test_a_page_shows_diagnosis_and_map(small_preset, holiday, tmp_path):
    album = reiqa_tf.score_album(holiday, small_preset, why=True)
    album.save_page(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert data["limit"] > 0
    for entry, photo in zip(data["photos"], album.sorted("best"), strict=True):
        assert entry["map"].startswith("data:image/png;base64,")
        assert entry["faults"] == photo.why.diagnosis.text
    plain = reiqa_tf.score_album(holiday, small_preset)
    plain.save_page(tmp_path / "plain.html")
    assert '"map":' not in (tmp_path / "plain.html").read_text()


def test_what_cannot_be_explained_is_refused(run, small_preset, holiday):
    for options in (["--runtime", "tflite"], ["--native-size"]):
        assert run("score", holiday, "--preset", small_preset, "--why", *options)[0] == 1


def test_a_shipped_preset_is_not_taught(run, holiday):
    assert run("fit-diagnosis", holiday, "--preset", "reiqa_lite0_biq2021")[0] == 1
    assert run("fit-diagnosis", holiday, "--preset", "nowhere")[0] == 1
