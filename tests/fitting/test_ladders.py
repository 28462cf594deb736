"""Ladders: what they are made of, and that a head which climbed them ranks distorted photos."""

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.data.scored_photos import read_scored_photos
from reiqa_tf.distortions.bank import DISTORTIONS, distort
from reiqa_tf.distortions.ladder import ladder
from reiqa_tf.fitting.degradations import DEGRADATIONS
from reiqa_tf.fitting.fit_head import fit_head
from reiqa_tf.fitting.ladders import (
    EMPHASIS,
    FALL,
    KINDS,
    REPEATS,
    TURNED,
    Ladder,
    choose_ladders,
    ladder_steps,
    ordered_names,
)
from reiqa_tf.fitting.regression import Regression
from reiqa_tf.image.reading import read_image
from reiqa_tf.presets.storage import encoders_fingerprint
from reiqa_tf.scoring.cache import FeatureCache
from reiqa_tf.scoring.features import feature_table
from tests.small_models import small_scorer

SIDE = 96


@pytest.fixture(scope="module")
def scorer():
    return small_scorer()


@pytest.fixture(scope="module")
def scored(photo, tmp_path_factory):
    """Thirty crops whose score is their contrast: nothing about faults of any kind."""
    folder = tmp_path_factory.mktemp("crops")
    generator = np.random.default_rng(3)
    lines = ["image,mos"]
    for i in range(30):
        y, x = generator.integers(400), generator.integers(600)
        crop = photo[y : y + SIDE, x : x + SIDE]
        Image.fromarray(crop).save(folder / f"{i}.png")
        lines.append(f"{i}.png,{crop.std():.3f}")
    (folder / "scores.csv").write_text("\n".join(lines) + "\n")
    return read_scored_photos(folder / "scores.csv")


def test_a_ladder_is_the_photo_at_each_level_with_one_draw_in_8_bits(photo):
    crop = photo[:SIDE, :SIDE]
    pictures = ladder(crop, "gaussian_noise", (3, 4))
    assert pictures.dtype == np.uint8
    for level in range(5):
        expected = 255 * distort(crop, "gaussian_noise", level, (3, 4)).numpy()
        assert np.abs(pictures[level] - expected).max() <= 0.5 + 1e-4
    grain = pictures.astype(float) - crop
    assert np.corrcoef(grain[0].ravel(), grain[4].ravel())[0, 1] > 0.8


def test_kinds_are_dealt_evenly_and_photos_taken_before_any_is_taken_again():
    ladders = choose_ladders(50, 10 * len(KINDS), seed=1)
    names = [each.kind for each in ladders]
    for name in KINDS:
        assert names.count(name) == 10 * REPEATS.get(name, 1)
    assert set(ordered_names()) | {"halos", "missing_part", TURNED} <= set(KINDS)
    rows = [each.row for each in ladders if len(each.seed) == 2]
    assert sorted(rows[:50]) == sorted(rows[50:100]) == list(range(50))
    assert rows[:50] != rows[50:100]
    assert len({each.seed for each in ladders}) == len(ladders)


def test_only_ordered_distortions_are_climbed():
    assert {each.name for each in DISTORTIONS} - set(ordered_names()) == {
        "hsv_saturation",
        "mean_shift",
        "contrast",
    }


def test_more_ladders_begin_with_the_same_ones():
    few, many = choose_ladders(20, 40, seed=2), choose_ladders(20, 90, seed=2)
    assert many[: len(few)] == few
    assert choose_ladders(20, 40, seed=2) != choose_ladders(20, 40, seed=3)


def test_steps_are_differences_of_the_features_of_neighbouring_levels(scorer, scored):
    ladders = [Ladder(4, "jpeg", (0, 7)), Ladder(5, "darken", (0, 0))]
    steps, problems = ladder_steps(scorer, scored, ladders, weight=0.5)
    image = np.asarray(Image.open(scored.paths[4]))
    pictures = np.concatenate([image[None], ladder(image, "jpeg", (0, 7))])
    features = np.asarray(scorer.features(pictures))
    np.testing.assert_allclose(steps.differences[:5], np.diff(features, axis=0), atol=1e-5)
    assert steps.rows.tolist() == [4] * 5 + [5] * 5
    assert steps.change == pytest.approx(np.full(10, -FALL * scored.scores.std()))
    assert steps.weight.tolist() == [0.5] * 5 + [0.5 * EMPHASIS["darken"]] * 5
    assert problems == []


def test_a_photo_that_is_turned_makes_one_step_along_which_the_score_stays(scorer, scored):
    ladders = [Ladder(3, TURNED, (0, 1)), Ladder(3, "overexposed", (0, 2))]
    steps, _ = ladder_steps(scorer, scored, ladders)
    image = np.asarray(Image.open(scored.paths[3]))
    features = np.asarray(scorer.features(np.stack([image, image[::-1, ::-1]])))
    np.testing.assert_allclose(steps.differences[0], features[1] - features[0], atol=1e-5)
    burnt = DEGRADATIONS["overexposed"](image, 0, np.random.default_rng((0, 2)))
    features = np.asarray(scorer.features(np.stack([image, burnt])))
    np.testing.assert_allclose(steps.differences[1], features[1] - features[0], atol=1e-5)
    assert steps.change == pytest.approx([0] + 5 * [-FALL * scored.scores.std()])


def test_photos_are_shrunk_after_they_were_sharpened(scorer, scored):
    (steps, _) = ladder_steps(scorer, scored, [Ladder(3, "halos", (0, 2))])
    image = np.asarray(Image.open(scored.paths[3]))
    sharpened = DEGRADATIONS["halos"](image, 0, np.random.default_rng((0, 2)))
    share = np.random.default_rng([0, 2, 1]).uniform(1 / 1.8, 1)
    assert share < 0.95
    pictures = np.stack([read_image(one, fit=round(share * SIDE)) for one in (image, sharpened)])
    features = np.asarray(scorer.features(pictures))
    np.testing.assert_allclose(steps.differences[0], features[1] - features[0], atol=1e-5)


def test_levels_that_change_no_pixel_make_a_step_of_no_length(scorer, scored):
    steps, _ = ladder_steps(scorer, scored, [Ladder(0, "lab_saturation", (0, 0))])
    assert not steps.differences[0].any()  # the colours times 1
    assert steps.differences[1].any()


@pytest.mark.slow  # compiles the bank
def test_a_head_that_climbed_ladders_ranks_the_levels_of_photos_it_has_not_seen(
    scorer, scored, photo
):
    features, _ = feature_table(scorer, scored.paths)
    regression = Regression(strengths=(1.0,), scale_floor=0)
    climbed = ("gaussian_noise", "impulse_noise", "color_block")
    ladders = [Ladder(i % 30, climbed[(i + i // 30) % 3], (1, i)) for i in range(60)]
    steps, _ = ladder_steps(scorer, scored, ladders, weight=3.0)
    unseen = photo[200 : 200 + SIDE, 300 : 300 + SIDE]
    falls = {}
    for kind, given in (("without", None), ("with", steps)):
        fitted = fit_head(scorer, features, scored, regression, given).scorer
        falls[kind] = [
            np.mean(np.diff(np.ravel(fitted(ladder(unseen, name, (9, draw))))) < 0)
            for name in climbed
            for draw in range(8)
        ]
    assert np.mean(falls["with"]) > 0.85
    assert np.mean(falls["with"]) > np.mean(falls["without"]) + 0.2


def test_features_of_ladders_are_kept_and_known_again(scorer, scored, tmp_path, monkeypatch):
    ladders = choose_ladders(30, 3)
    with FeatureCache(tmp_path / "cache.sqlite", encoders_fingerprint(scorer)) as cache:
        first, _ = ladder_steps(scorer, scored, ladders, cache=cache)

        def never(_):
            raise AssertionError("computed again")

        monkeypatch.setattr("reiqa_tf.models.scorer.ReIQAScorer.compile_features", lambda _: never)
        again, _ = ladder_steps(scorer, scored, ladders, cache=cache)
    np.testing.assert_array_equal(first.differences, again.differences)


def test_photos_too_narrow_to_distort_are_left_out_and_named(scorer, tmp_path):
    for i, size in enumerate([(300, 36), (80, 60)]):  # of 96 px the first is 12 px high
        Image.new("RGB", size).save(tmp_path / f"{i}.png")
    (tmp_path / "scores.csv").write_text("image,mos\n0.png,1\n1.png,2\n")
    scored = read_scored_photos(tmp_path / "scores.csv")
    ladders = [Ladder(row, "jpeg", (0, row)) for row in (0, 1)]
    steps, problems = ladder_steps(scorer, scored, ladders)
    assert set(steps.rows) == {1}
    assert len(problems) == 1
    assert "0.png: too small once shrunk to fit 96 px" in str(problems[0])
    assert ladder_steps(scorer, scored, ladders[:1])[0] is None
