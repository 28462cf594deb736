"""Baselines: what they answer, and how answers of any function are gathered."""

import importlib.util
import sys

import numpy as np
import pytest
from PIL import Image, ImageFilter

from reiqa_tf.data.near_duplicates import perceptual_hash
from reiqa_tf.errors import ReiqaError
from reiqa_tf.evaluation.baselines import baseline_named, brisque, entropy, hash_bits, sharpness
from reiqa_tf.evaluation.photo_functions import FunctionError, PhotoFunction, value_table
from reiqa_tf.scoring.cache import FeatureCache


def test_sharpness_is_the_variance_of_the_laplacian_and_falls_with_blur(photo):
    grey = np.pad(photo @ np.array([0.299, 0.587, 0.114]), 1, mode="symmetric")
    centre = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    assert sharpness(photo) == pytest.approx((around - 4 * centre).var())
    blurred = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(2)))
    assert sharpness(blurred) < 0.1 * sharpness(photo)


def test_entropy_of_pictures_worked_by_hand():
    flat = np.full((8, 8, 3), 9, np.uint8)
    assert entropy(flat) == 0
    halves = flat.copy()
    halves[:4] = 200
    assert entropy(halves) == pytest.approx(1)
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert entropy(ramp) == pytest.approx(8)


def test_the_bits_of_a_hash_are_those_of_the_hash(photo):
    bits = hash_bits(photo)
    code = sum(int(bit) << (63 - place) for place, bit in enumerate(bits))
    assert code == int(perceptual_hash(photo))


@pytest.mark.skipif(importlib.util.find_spec("brisque") is None, reason="no package brisque")
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the package itself
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_brisque_falls_with_blur_and_noise(photo):
    small = photo[:256, :256]
    blurred = np.asarray(Image.fromarray(small).filter(ImageFilter.GaussianBlur(3)))
    noise = np.random.default_rng(0).normal(scale=40, size=small.shape)
    noisy = np.clip(small + noise, 0, 255).astype(np.uint8)
    assert brisque(small) > brisque(blurred)
    assert brisque(small) > brisque(noisy)


def test_unknown_baselines_are_refused():
    with pytest.raises(ReiqaError, match="out of sharpness, entropy, brisque, or module:function"):
        baseline_named("niqe")
    with pytest.raises(FunctionError, match="expected module:function"):
        baseline_named("no_such_module:score")
    with pytest.raises(FunctionError, match="expected a function"):
        baseline_named("math:pi")


@pytest.fixture
def competitor(tmp_path, monkeypatch):
    """A function of the user's, in a module of the user's."""
    (tmp_path / "competitor.py").write_text(
        "def brightness(image):\n    return image.mean()\n"
        "def broken(image):\n    raise RuntimeError('out of ideas')\n"
        "def empty(image):\n    return float('nan')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "competitor", raising=False)  # of the test before


@pytest.fixture
def photos(photo, tmp_path):
    paths = []
    for i in range(4):
        paths.append(str(tmp_path / f"{i}.png"))
        Image.fromarray(photo[i * 50 :][:40, :40]).save(paths[-1])
    (tmp_path / "2.png").write_bytes(b"broken")
    return paths


def test_any_function_can_be_put_in_and_is_asked_once_a_photo(competitor, photos, tmp_path):
    function = baseline_named("competitor:brightness")
    with FeatureCache(tmp_path / "f.sqlite", function.fingerprint) as cache:
        values, problems = value_table(function, photos, cache, workers=1)
        expected = [np.asarray(Image.open(photos[i])).mean() for i in (0, 1, 3)]
        np.testing.assert_allclose(values[[0, 1, 3], 0], expected, rtol=1e-6)
        assert np.isnan(values[2, 0])
        assert list(problems) == [2]
        assert "2.png: not a picture" in str(problems[2])
        asked = []
        counting = PhotoFunction("counting", lambda image: asked.append(image) or 0)
        again, _ = value_table(counting, photos, cache, workers=1)
        np.testing.assert_array_equal(again, values)
        assert not asked


@pytest.mark.parametrize(
    ("name", "message"),
    [("broken", "RuntimeError: out of ideas"), ("empty", "expected finite numbers.*nan")],
)
def test_a_function_that_fails_is_named_with_what_it_said(competitor, photos, name, message):
    values, problems = value_table(baseline_named(f"competitor:{name}"), photos, workers=1)
    assert np.isnan(values).all()
    assert len(problems) == 4
    with pytest.raises(ReiqaError, match=f"competitor:{name}: {message}"):
        raise problems[0]


def test_a_changed_function_is_not_mistaken_for_the_old_one(competitor, tmp_path):
    before = baseline_named("competitor:brightness").fingerprint
    source = tmp_path / "competitor.py"
    source.write_text(source.read_text().replace("mean()", "std()"))
    assert baseline_named("competitor:brightness").fingerprint != before


@pytest.mark.slow  # processes begin afresh
def test_several_processes_answer_what_one_answers(photos):
    one, _ = value_table(baseline_named("entropy"), photos, workers=1)
    two, problems = value_table(baseline_named("entropy"), photos, workers=2)
    np.testing.assert_array_equal(one, two)
    assert list(problems) == [2]
