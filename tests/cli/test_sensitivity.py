"""`reiqa sensitivity`: from photos to a table, a document and a picture."""

import itertools
import json

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.distortions import NAMES, distort
from reiqa_tf.evaluation import sensitivity as sensitivity_module
from reiqa_tf.evaluation.sensitivity import draw_seed
from reiqa_tf.image.reading import read_image
from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.models.scorer import load_preset, save_preset
from reiqa_tf.scoring.cache import photo_digest
from tests.small_models import small_scorer


@pytest.fixture(scope="module")
def photos(photos_folder, tmp_path_factory):
    """Four small photos in a list with splits, and a file that is none."""
    folder = tmp_path_factory.mktemp("good")
    photo = Image.open(photos_folder / "kodim05.png")
    lines = ["image,split"]
    for i in range(4):
        left, top = 110 * i, 70 * i
        photo.crop((left, top, left + 64, top + 64)).save(folder / f"{i}.png")
        lines.append(f"{i}.png,{'test' if i < 3 else 'train'}")
    (folder / "broken.png").write_bytes(b"not a picture")
    (folder / "photos.csv").write_text("\n".join([*lines, "broken.png,train"]) + "\n")
    return folder


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """The smallest preset there is: 131 pictures a photo are many."""
    quality = ReIQAEncoder(ResNetBackbone((1,), width=4), name="quality")
    folder = tmp_path_factory.mktemp("preset") / "tiny"
    save_preset(small_scorer(content=None, quality=quality), folder)
    return folder


# Compiles all 26 distortions; tests/evaluation measures a few of them.
whole_bank = pytest.mark.slow


@pytest.fixture(scope="module")
def measured(photos, preset, tmp_path_factory):
    """A whole run over the CSV file, and what it printed."""
    from reiqa_tf.cli.main import main, parse

    out = tmp_path_factory.mktemp("fall")
    words = "sensitivity", photos / "photos.csv", "--preset", preset, "--seed", 3, "--out", out
    assert main(parse(["reiqa", *map(str, words)])) == 1  # one photo is none
    return out, json.loads((out / "sensitivity.json").read_text())


@whole_bank
def test_the_scores_are_those_of_the_preset_for_the_distorted_photo(measured, photos, preset):
    _, document = measured
    scorer = load_preset(preset)
    digest = photo_digest((photos / "2.png").read_bytes())
    image = read_image(photos / "2.png")
    found = document["photos"]["2.png"]
    assert set(found["distorted"]) == set(NAMES)
    assert found["clean"] == pytest.approx(float(scorer(image[None])[0]), abs=1e-5)
    for name, level in (("jpeg", 4), ("gaussian_noise", 2), ("motion_blur", 0)):
        made = distort(image, name, level, draw_seed(3, digest, name)).numpy()
        levels = np.rint(255 * made).astype(np.uint8)
        expected = float(scorer(levels[None])[0])
        assert found["distorted"][name][level] == pytest.approx(expected, abs=1e-5)


@whole_bank
def test_the_figures_are_those_of_the_scores(measured):
    _, document = measured
    photos = document["photos"]
    assert list(photos) == [f"{i}.png" for i in range(4)]
    assert document["protocol"]["seed"] == 3
    assert document["preset"]["working_size"] == 96
    assert document["versions"]["tensorflow"]
    for name in NAMES:
        about = document["distortions"][name]
        scores = np.array([each["distorted"][name] for each in photos.values()])
        assert [each["mean"] for each in about["means"]] == pytest.approx(scores.mean(axis=0))
        signs = [
            np.sign(row[i] - row[j])
            for row in scores
            for i, j in itertools.combinations(range(5), 2)
        ]
        if np.all(signs):  # without ties tau is the mean sign
            assert about["tau"]["mean"] == pytest.approx(np.mean(signs))
    assert not document["distortions"]["contrast"]["ordered"]


@whole_bank
def test_it_goes_on_after_an_interruption_with_the_same_numbers(
    reiqa, measured, photos, preset, tmp_path, monkeypatch
):
    whole, document = measured
    words = "sensitivity", photos / "photos.csv", "--preset", preset, "--seed", 3
    calls, real = [], sensitivity_module.score_versions

    def counted(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(sensitivity_module, "score_versions", counted)
    result = reiqa(*words, "--out", tmp_path)
    assert result.code == 130
    assert "what is finished is kept; run the same command again" in result.err
    assert not (tmp_path / "sensitivity.json").exists()
    result = reiqa(*words, "--out", tmp_path)
    assert len(calls) == 3 + 2
    assert json.loads((tmp_path / "sensitivity.json").read_text()) == document
    pictures = [(out / "sensitivity.png").read_bytes() for out in (whole, tmp_path)]
    assert pictures[0] == pictures[1]
    for line in ("motion_blur", "contrast *", "hsv_saturation *", "4 photos, clean"):
        assert line in result.out
    assert result.code == 1
    assert "1 of 5 photos could not be read" in result.err
    assert "broken.png: not a picture" in result.err


@whole_bank
def test_a_split_and_a_limit_choose_photos(reiqa, photos, preset, tmp_path):
    words = "sensitivity", photos / "photos.csv", "--preset", preset, "--split", "test"
    assert reiqa(*words, "--limit", 2, "--out", tmp_path).code == 0
    chosen = json.loads((tmp_path / "sensitivity.json").read_text())["photos"]
    assert len(chosen) == 2
    assert set(chosen) < {f"{i}.png" for i in range(3)}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("0.png", "--split", "test"), "--split chooses rows of a CSV file"),
        (("plain.csv", "--split", "test"), "no column 'split', so no rows of test"),
        (("photos.csv", "--split", "val"), "no row to take photos from"),
        (("0.png", "--limit", "0"), "at least 1 photo"),
        (("0.png", "--seed", "-1"), "expected a seed from 0"),
        (("nowhere",), "no such file or folder"),
        (("broken.png",), "none of 1 photos could be judged"),
        (("0.png", "--preset", "headless"), "Fit a head"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_line(
    reiqa, photos, preset, tmp_path, monkeypatch, words, message
):
    monkeypatch.chdir(photos)
    (photos / "plain.csv").write_text("image\n0.png\n")
    if "headless" in words and not (photos / "headless").exists():
        save_preset(small_scorer(head=None), photos / "headless")
    result = reiqa("sensitivity", "--preset", preset, *words, "--out", tmp_path / "out")
    assert result.code == 1
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()
