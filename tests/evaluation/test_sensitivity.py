"""How scores fall with distortions, measured with judges whose answers are known."""

import itertools
import json

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.distortions import DISTORTIONS, distort
from reiqa_tf.evaluation import sensitivity
from reiqa_tf.evaluation.sensitivity import (
    draw_seed,
    fall,
    measure_sensitivity,
    score_versions,
    summarise_falls,
    write_sensitivity,
)
from reiqa_tf.evaluation.sensitivity_photos import SensitivityError, choose_photos


class Brightness:
    """The mean level of a picture; keeps what it was asked for."""

    name, working_size, score_range, fingerprint = "brightness", 64, (0, 255), "one"

    def __init__(self):
        self.batches = []

    def __call__(self, images):
        self.batches.append(images)
        return images.mean(axis=(1, 2, 3))


@pytest.fixture(autouse=True)
def few_distortions(monkeypatch):
    """Four are enough here: each takes seconds to compile."""
    names = ("impulse_noise", "brighten", "darken", "mean_shift")
    few = tuple(each for each in DISTORTIONS if each.name in names)
    monkeypatch.setattr(sensitivity, "DISTORTIONS", few)
    return [each.name for each in few]


@pytest.fixture
def photos(photo, tmp_path):
    """Six crops as files, one of them in shades that nothing can move: black."""
    paths = []
    for i in range(6):
        crop = photo[60 * i : 60 * i + 40, 100 * i : 100 * i + 48] if i else 0 * photo[:40, :48]
        paths.append(str(tmp_path / f"{i}.png"))
        Image.fromarray(crop).save(paths[-1])
    return paths


def tau_by_pairs(scores):
    """Kendall's tau-b of level and falling score, pair by pair."""
    pairs = list(itertools.combinations(scores, 2))
    falling = sum(mild > strong for mild, strong in pairs)
    rising = sum(mild < strong for mild, strong in pairs)
    tied = len(pairs) - falling - rising
    if tied == len(pairs):
        return 0.0
    return (falling - rising) / np.sqrt(len(pairs) * (len(pairs) - tied))


@pytest.mark.parametrize("count", [5, 6])
def test_the_fall_of_scores_is_what_counting_pairs_says(count):
    generator = np.random.default_rng(0)
    assert fall(np.arange(count)[::-1]) == pytest.approx(1)
    assert fall(np.arange(count)) == pytest.approx(-1)
    assert fall([0.3] * count) == 0
    for _ in range(50):
        scores = generator.integers(4, size=count) / 7  # with ties
        assert fall(scores) == pytest.approx(tau_by_pairs(scores))


def test_a_photo_is_scored_clean_and_at_every_level(photo, few_distortions):
    image = photo[100:140, 200:248]
    clean, table = score_versions(Brightness(), image, "digest", seed=3)
    assert clean == pytest.approx(image.mean())
    for row, name in zip(table, few_distortions, strict=True):
        for level, score in enumerate(row):
            made = distort(image, name, level, draw_seed(3, "digest", name)).numpy()
            assert score == pytest.approx(np.floor(255 * made + 0.5).mean())


def test_equal_pixels_are_scored_once_and_alike(photo):
    judge = Brightness()
    clean, table = score_versions(judge, photo[100:140, 200:248], "digest", seed=0)
    assert table[3, 2] == clean  # a shift by nothing
    seen = np.concatenate(judge.batches)
    assert len(seen) == 1 + 4 * 5 - 1
    assert len({picture.tobytes() for picture in seen}) == len(seen)


def test_draws_differ_between_photos_and_distortions_and_not_between_levels(photo):
    image = np.full((40, 48, 3), 128, np.uint8)
    seeds = {
        draw_seed(seed, digest, name)
        for seed in (0, 1)
        for digest in ("a", "b")
        for name in ("jitter", "jpeg")
    }
    assert len(seeds) == 8
    drawn = [draw_seed(0, "a", "impulse_noise"), draw_seed(0, "b", "impulse_noise")]
    one, other = ([distort(image, "impulse_noise", n, seed) for n in range(5)] for seed in drawn)
    hit = [np.asarray(picture != one[0][0, 0]).any(-1) for picture in one]
    for mild, strong in itertools.pairwise(hit):  # what is hit stays hit at the next level
        assert (mild <= strong).all()
    assert (np.asarray(one[4]) != np.asarray(other[4])).any()


def test_the_summary_is_what_plain_numpy_says(few_distortions):
    generator = np.random.default_rng(1)
    clean, tables = generator.normal(size=9), generator.normal(size=(9, 4, 5))
    tables[:, 1] = np.sort(tables[:, 1])[:, ::-1]  # falls in every photo
    summary = summarise_falls(clean, tables, seed=4)
    assert summary["clean"]["mean"] == pytest.approx(clean.mean())
    for index, name in enumerate(few_distortions):
        about, scores = summary["distortions"][name], tables[:, index]
        means = scores.mean(axis=0)
        assert [each["mean"] for each in about["means"]] == pytest.approx(means)
        assert [each["mean"] for each in about["steps"]] == pytest.approx(np.diff(means))
        assert about["means_fall"] == all(a > b for a, b in itertools.pairwise(means))
        assert about["tau"]["mean"] == pytest.approx(np.mean([tau_by_pairs(s) for s in scores]))
        six = np.column_stack([clean, scores])
        assert about["tau_with_clean"]["mean"] == pytest.approx(
            np.mean([tau_by_pairs(row) for row in six])
        )
        strictly = [all(a > b for a, b in itertools.pairwise(row)) for row in scores]
        assert about["falls_strictly"] == pytest.approx(np.mean(strictly))
        draws = np.random.default_rng(4).integers(9, size=(1000, 9))
        ends = np.percentile(scores[:, 3][draws].mean(axis=1), [2.5, 97.5])
        assert [about["means"][3][end] for end in ("low", "high")] == pytest.approx(ends)
    assert summary["distortions"][few_distortions[1]]["tau"]["mean"] == pytest.approx(1)
    ordered = {name: about["ordered"] for name, about in summary["distortions"].items()}
    assert ordered == {**dict.fromkeys(few_distortions, True), "mean_shift": False}


def test_a_measurement_says_what_is_known_of_brightness(photos, tmp_path):
    found = measure_sensitivity(Brightness(), photos, tmp_path / "out")
    distortions = found.document["distortions"]
    # Five photos darken strictly; the black one stays as it is.
    assert distortions["darken"]["means_fall"]
    assert distortions["darken"]["tau"]["mean"] == pytest.approx(5 / 6)
    assert distortions["darken"]["falls_strictly"] == pytest.approx(5 / 6)
    assert not distortions["brighten"]["means_fall"]
    assert distortions["brighten"]["tau"]["mean"] == pytest.approx(-5 / 6)
    assert found.document["photos"]["0.png"]["distorted"]["darken"] == [0] * 5
    assert found.problems == []
    write_sensitivity(found, tmp_path / "out")
    assert json.loads((tmp_path / "out/sensitivity.json").read_text()) == found.document
    assert np.asarray(Image.open(tmp_path / "out/sensitivity.png")).std() > 0


def test_an_interrupted_measurement_goes_on_to_the_same_numbers(photos, tmp_path):
    whole = measure_sensitivity(Brightness(), photos, tmp_path / "whole", seed=5)

    class Interrupted(Brightness):
        def __call__(self, images):
            if len(self.batches) == 12:  # five batches a photo: in the middle of the third
                raise KeyboardInterrupt
            return super().__call__(images)

    with pytest.raises(KeyboardInterrupt):
        measure_sensitivity(Interrupted(), photos, tmp_path / "out", seed=5)
    judge = Brightness()
    assert measure_sensitivity(judge, photos, tmp_path / "out", seed=5).document == whole.document
    judged = sum(map(len, judge.batches))
    again = Brightness()
    measure_sensitivity(again, photos, tmp_path / "out", seed=5)
    assert 0 < judged <= 4 * 21
    assert again.batches == []
    other = measure_sensitivity(Brightness(), photos, tmp_path / "out", seed=6).document["photos"]
    noise, changed = (
        document["1.png"]["distorted"]["impulse_noise"]
        for document in (whole.document["photos"], other)
    )
    assert noise != changed


def test_photos_that_cannot_be_distorted_are_left_out_and_named(photos, photo, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    narrow = str(tmp_path / "narrow.png")
    Image.fromarray(photo[:40, :300]).save(narrow)
    bad = [str(tmp_path / "broken.png"), narrow]
    found = measure_sensitivity(Brightness(), [*bad, photos[1]], tmp_path / "out")
    assert list(found.document["photos"]) == ["1.png"]
    broken, too_narrow = map(str, found.problems)
    assert "broken.png: not a picture" in broken
    assert "narrow.png: too small once shrunk to fit 64 px" in too_narrow
    assert "received 64 x 9 px" in too_narrow
    assert found.document["problems"] == [broken, too_narrow]
    # Of one photo there is no interval.
    tau = found.document["distortions"]["darken"]["tau"]
    assert tau == {"mean": pytest.approx(1), "low": None, "high": None}
    write_sensitivity(found, tmp_path / "out")
    with pytest.raises(SensitivityError, match="none of 2 photos could be judged, such as"):
        measure_sensitivity(Brightness(), bad, tmp_path / "out")
    with pytest.raises(SensitivityError, match="expected a seed from 0"):
        measure_sensitivity(Brightness(), photos, tmp_path / "out", seed=-1)


def test_a_larger_choice_of_photos_adds_to_a_smaller_one():
    photos = [f"{i:02}.png" for i in range(40)]
    few, more = choose_photos(photos, 5, 1), choose_photos(photos, 12, 1)
    assert len(set(few)) == 5
    assert set(few) < set(more)
    assert more == sorted(more)
    assert choose_photos(photos, 12, 2) != more
    assert choose_photos([*photos, "./03.png"], None, 0) == [*photos[:3], "./03.png", *photos[4:]]
    assert choose_photos(photos, 100, 0) == photos
    with pytest.raises(SensitivityError, match="at least 1 photo"):
        choose_photos(photos, 0, 0)
