"""The preset that is shipped: loads offline, judges as measured, the same in every process."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import reiqa_tf
from reiqa_tf import presets
from reiqa_tf.image.reading import read_image
from reiqa_tf.models.counting import multiply_adds
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.presets.folders import preset_folder, read_metadata
from reiqa_tf.pretraining.config import load_config
from reiqa_tf.runtimes.opening import open_scorer
from reiqa_tf.training.settings import as_dictionary, differences


@pytest.fixture(scope="module")
def scorer():
    return load_preset(presets.DEFAULT)


@pytest.fixture(scope="module")
def compute(scorer):
    return scorer.compile_features()


# Measured when the preset was made, on one machine; other processors differ in the last digits.
SCORES = {"kodim05.png": 0.9176, "kodim19.png": 0.7848, "kodim23.png": 0.8014}


def _score(scorer, compute, image):
    return float(scorer.judge_features(compute(image[None]))[0])


def test_it_scores_known_photos_as_it_did_when_it_was_made(scorer, compute, photos_folder):
    for name, expected in SCORES.items():
        image = read_image(photos_folder / name, fit=scorer.working_size)
        assert _score(scorer, compute, image) == pytest.approx(expected, abs=2e-4)


def test_the_compiled_score_is_keras_own(scorer, compute, photo):
    image = photo[:384, :512]
    assert _score(scorer, compute, image) == pytest.approx(
        float(scorer.predict(image[None], verbose=0)[0]), rel=1e-5
    )


def test_a_photo_has_the_same_score_alone_in_a_batch_and_in_another_order(scorer, compute, photo):
    crops = np.stack([photo[i : i + 256, 2 * i : 2 * i + 320] for i in range(0, 200, 40)])
    together = [float(score) for score in scorer.judge_features(compute(crops))]
    backwards = [float(score) for score in scorer.judge_features(compute(crops[::-1]))][::-1]
    alone = [_score(scorer, compute, crop) for crop in crops]
    np.testing.assert_allclose(backwards, together, rtol=1e-5)
    np.testing.assert_allclose(alone, together, rtol=1e-5)


def test_worse_versions_of_a_photo_score_lower(scorer, compute, photo):
    generator = np.random.default_rng(0)
    whole = photo[:384, :512]
    picture = Image.fromarray(whole)
    noise = whole + generator.normal(0, 40, whole.shape)
    versions = {
        "shrunk and enlarged": picture.resize((128, 96)).resize((512, 384)),
        "noisy": np.clip(noise, 0, 255).astype(np.uint8),
        "dark": (whole * 0.15).astype(np.uint8),
    }
    clean = _score(scorer, compute, whole)
    for name, version in versions.items():
        assert _score(scorer, compute, np.asarray(version)) < clean - 0.05, name


def test_noise_and_blank_pictures_are_unfamiliar_and_photos_are_not(scorer, compute, photos_folder):
    ramp = np.linspace(0, 255, 512).astype(np.uint8)[:, np.newaxis, np.newaxis]
    odd = [
        np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8),
        *(np.full((512, 512, 3), level, np.uint8) for level in (0, 128, 255)),
        np.zeros((64, 64, 3), np.uint8),
        np.broadcast_to(ramp, (512, 512, 3)),
    ]
    for image in odd:
        assert not scorer.judge_features(compute(image[None]))[0].familiar
    for name in SCORES:
        image = read_image(photos_folder / name, fit=scorer.working_size)
        assert scorer.judge_features(compute(image[None]))[0].familiar


def test_it_says_what_it_is_made_of(scorer):
    metadata = read_metadata(presets.DEFAULT)
    for entry in ("description", "data", "license", "sources", "metrics", "fit", "working_size"):
        assert metadata[entry], entry
    assert metadata["metrics"]["held_out"]["srcc"] > 0.8
    assert scorer.score_range == (0, 1)
    assert set(scorer.experts()) == {"content", "quality"}
    assert metadata["sources"]["content"]["sha256"]
    trained = metadata["sources"]["quality"]["pretraining"]
    recipe = as_dictionary(load_config("quality_lite0_biq2021"))
    names = {text.split(":")[0] for text in differences(trained["config"], recipe)}
    # How many were kept changes no weight; and there were two scales before there was a choice.
    assert names <= {"checkpoints.keep", "encoder.scales"}
    assert recipe["encoder"]["scales"] == 2


def test_its_model_card_is_the_projects(photos_folder):
    cards = [photos_folder.parents[1], preset_folder(presets.DEFAULT)]
    one, other = ((folder / "MODEL_CARD.md").read_text() for folder in cards)
    assert one == other


def test_another_process_gives_the_same_score_and_says_nothing_else(scorer, compute, photos_folder):
    command = [sys.executable, "-c", "from reiqa_tf.cli.main import run; run()"]
    arguments = ["score", str(photos_folder / "kodim19.png"), "--format", "json"]
    image = read_image(photos_folder / "kodim19.png", fit=scorer.working_size)
    expected = _score(scorer, compute, image)
    for runtime in ("keras", "onnx"):
        options = [*arguments, "--runtime", runtime]
        result = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
        assert result.stderr == ""
        (row,) = json.loads(result.stdout)["scores"]
        assert row["score"] == pytest.approx(expected, rel=1e-5)


def test_what_is_exported_of_it_is_of_its_weights_and_scores_as_keras_does(
    scorer, compute, photos_folder
):
    light = open_scorer(presets.DEFAULT, "onnx")  # refuses the exports of other weights
    assert light.score_range == scorer.score_range
    assert light.working_size == scorer.working_size
    for name in SCORES:
        image = read_image(photos_folder / name, fit=scorer.working_size)
        expected = scorer.judge_features(compute(image[None]))[0]
        received = light.score(photos_folder / name)
        for part in ("low", "high"):
            assert getattr(received, part) == pytest.approx(getattr(expected, part), abs=1e-5)
        assert received == pytest.approx(float(expected), abs=1e-5)
        assert received.familiar == expected.familiar
    noise = np.random.default_rng(0).integers(0, 256, (1, 512, 512, 3), np.uint8)
    assert not light.judge(noise)[0].familiar


def test_the_features_of_its_onnx_file_are_keras_own(scorer, compute, photos_folder):
    light = open_scorer(presets.DEFAULT, "onnx")
    assert light.feature_count == scorer.feature_count
    for name in SCORES:
        images = read_image(photos_folder / name, fit=scorer.working_size)[None]
        expected, received = compute(images), light.features(images)
        assert received.shape == expected.shape
        assert np.abs(received - expected).max() <= 1e-5 * np.abs(expected).max()


def test_onnxruntime_scores_a_photo_alone_in_a_batch_and_in_another_order_alike(photo):
    light = open_scorer(presets.DEFAULT, "onnx")
    crops = np.stack([photo[i : i + 255, 2 * i : 2 * i + 321] for i in range(0, 120, 40)])
    together = light.predict(crops)
    np.testing.assert_allclose(light.predict(crops[::-1])[::-1], together, rtol=1e-5)
    alone = np.concatenate([light.predict(crop[None]) for crop in crops])
    np.testing.assert_allclose(alone, together, rtol=1e-5)


# Of the preset for phones, likewise.
NANO = {"kodim05.png": 0.7485, "kodim19.png": 0.9355, "kodim23.png": 1.0223}


def test_the_preset_for_phones_scores_known_photos_as_it_did_when_it_was_made(photos_folder):
    light = open_scorer("reiqa_nano_biq2021", "onnx")
    for name, expected in NANO.items():
        assert light.score(photos_folder / name) == pytest.approx(expected, abs=2e-4)


@pytest.mark.slow  # converts two files
def test_the_preset_for_phones_fits_a_phone(photos_folder, tmp_path):
    scorer = load_preset("reiqa_nano_biq2021")
    assert multiply_adds(scorer.quality, 288, 288) < 0.6e9
    made = reiqa_tf.export(
        "reiqa_nano_biq2021",
        tmp_path / "out",
        formats=["tflite"],
        precisions=["float16", "full_integer"],
        sizes=[(216, 288)],
        photos=photos_folder,
    )
    assert made.complaints == []
    assert [artifact.is_gpu_ready for artifact in made.artifacts] == [True, True]
    assert (tmp_path / "out/model_full_integer_216x288.tflite").stat().st_size < 4e6


@pytest.mark.slow
def test_a_photo_of_108_megapixels_is_scored_at_native_size_in_less_than_two_gibibytes(
    photo, tmp_path
):
    path = tmp_path / "large.jpg"
    Image.fromarray(np.tile(photo, (18, 16, 1))[:9000, :12000]).save(path, quality=90)
    code = (
        "import pathlib, re, resource\n"
        "from reiqa_tf.cli.main import main, parse\n"
        f"main(parse(['reiqa', 'score', {str(path)!r}, '--native-size', '--format', 'json']))\n"
        # Linux counts what the process was before it became Python into ru_maxrss: this one.
        "status = pathlib.Path('/proc/self/status')\n"
        "if status.exists():\n"
        "    print(1024 * int(re.search(r'VmHWM:\\s+(\\d+)', status.read_text())[1]))\n"
        "else:\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    *document, peak = result.stdout.splitlines()
    assert len(json.loads("\n".join(document))["scores"]) == 1
    assert int(peak) < 2 * 2**30
