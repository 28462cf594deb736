"""A diagnosis is learnt, stored, read again and measured."""

import numpy as np
import pytest

from reiqa_tf.explanation.diagnosis import Probe
from reiqa_tf.explanation.faults import FAMILIES
from reiqa_tf.fitting.diagnosis_report import report
from reiqa_tf.fitting.fault_samples import Recipe, choose_recipes, make_sample, smaller_copies
from reiqa_tf.fitting.fit_probe import fit_probe

FAMILY_COUNT = len(FAMILIES)


def _made_up(count, seed):
    """Features in which each fault shows as its amount along a direction of its own."""
    generator = np.random.default_rng(seed)
    directions = np.random.default_rng(7).normal(size=(FAMILY_COUNT, 120))
    recipes = [
        Recipe(row % 40, ((row % FAMILY_COUNT, "", row // FAMILY_COUNT % 5),), (0, row))
        for row in range(count)
    ]
    amounts = np.full((count, FAMILY_COUNT), np.nan)
    for row, recipe in enumerate(recipes):
        ((family, _, level),) = recipe.steps
        amounts[row, family] = 1.5 ** (1 + level)
    strength = np.nan_to_num(np.log1p(amounts), nan=0.0)
    features = strength @ directions + generator.normal(scale=0.7, size=(count, 120))
    clean = generator.normal(scale=0.7, size=(200, 120))
    return clean.astype(np.float32), features.astype(np.float32), amounts, recipes


@pytest.fixture(scope="module")
def learnt():
    clean, features, amounts, recipes = _made_up(900, seed=0)
    return fit_probe(
        np.concatenate([clean, features]),
        np.concatenate([np.full((len(clean), FAMILY_COUNT), np.nan), amounts]),
        np.concatenate([np.arange(len(clean)) % 40, [recipe.row for recipe in recipes]]),
        slice(0, 110),
        clean.mean(axis=0),
    )


def test_faults_are_told_in_pictures_that_were_not_seen(learnt):
    measured = report(learnt, *_made_up(450, seed=1))
    assert measured["false_alarms"] <= 0.1
    assert measured["calibration_error"] < 0.05
    assert all(family["recall"] > 0.9 for family in measured["families"])
    for family in measured["families"]:
        assert family["precision"] > 0.9
        by_level = [share for share in family["precision_by_level"] if share is not None]
        assert min(by_level) <= family["precision"] <= max(by_level)
    positive = [family for family in measured["families"] if family["family"] != "exposure"]
    assert all(family["amount_error"] < 0.3 for family in positive)


def test_columns_that_are_not_asked_for_count_nothing(learnt):
    assert not learnt.kernel[110:].any()
    assert learnt.kernel[:110].any()


def test_a_stored_diagnosis_says_the_same(learnt, tmp_path):
    learnt.save(tmp_path / "diagnosis.npz")
    read = Probe.read(tmp_path / "diagnosis.npz")
    _, features, _, _ = _made_up(90, seed=2)
    for mine, theirs in zip(learnt.numbers(features), read.numbers(features), strict=True):
        assert np.allclose(mine, theirs, rtol=0.02, atol=0.01)
    assert np.array_equal(read.average, learnt.average)


def test_recipes_deal_families_and_levels_equally_and_begin_alike():
    recipes = choose_recipes(10, 9 * 40)
    singles = [recipe for recipe in recipes if len(recipe.steps) == 1]
    assert len(recipes) - len(singles) == len(recipes) // 4
    counts = np.bincount([recipe.steps[0][0] for recipe in singles])
    assert counts.min() == counts.max()
    assert choose_recipes(10, 9 * 20) == recipes[: 9 * 20]
    assert all(recipe.steps[-1][1] == "jpeg" for recipe in recipes if "jpeg" in str(recipe.steps))


def test_a_sample_has_the_amount_of_what_was_done(photos_folder):
    photo = photos_folder / "kodim23.png"
    names = [family.name for family in FAMILIES]
    blur, noise = names.index("blur"), names.index("noise")
    steps = ((blur, "lens_blur", 2), (noise, "gaussian_noise", 4))
    picture, amounts = make_sample(photo, Recipe(0, steps, (0, 0)), 128)
    assert picture.shape == (85, 128, 3)
    assert amounts[blur] == 2
    assert amounts[noise] == pytest.approx(25, rel=0.15)  # of 255, of the variance 0.01
    assert np.isnan(np.delete(amounts, [blur, noise])).all()


def test_a_change_that_nobody_sees_is_no_fault(photos_folder):
    recipe = Recipe(0, ((0, "gaussian_blur", 0),), (0, 0))
    _, amounts = make_sample(photos_folder / "kodim23.png", recipe, 128)
    assert np.isnan(amounts).all()


def test_half_of_the_photos_are_shrunk_if_asked_for_and_faults_stay_the_same():
    plain, shrunk = choose_recipes(10, 900), choose_recipes(10, 900, shrinks=True)
    assert [recipe.steps for recipe in plain] == [recipe.steps for recipe in shrunk]
    assert {recipe.share for recipe in plain} == {1.0}
    shares = np.array([recipe.share for recipe in shrunk])
    assert (shares < 1).mean() == pytest.approx(0.5, abs=0.05)
    assert 0.4 <= shares.min() < 0.45


def test_a_smaller_copy_is_shrunk_and_has_no_fault(photos_folder):
    (recipe,) = smaller_copies(1)
    picture, amounts = make_sample(photos_folder / "kodim23.png", recipe, 400)
    assert picture.shape[1] == round(recipe.share * 400)
    assert np.isnan(amounts).all()
