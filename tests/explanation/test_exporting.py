"""Exported files explain scores as Keras does, and only where that was asked for."""

import shutil

import numpy as np
import pytest

import reiqa_tf
from reiqa_tf.explanation.diagnosis import load_probe
from reiqa_tf.explanation.explainer import open_explainer
from reiqa_tf.runtimes.explained import EXPLAINED
from reiqa_tf.runtimes.litert_scorer import LiteRTScorer
from reiqa_tf.runtimes.onnx_scorer import OnnxScorer
from tests.explanation.conftest import add_probe, make_probe

pytest.importorskip("tf2onnx")
# Converting to three formats takes a minute and a half.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("few_pictures")]
FORMATS = ("saved_model", "onnx", "tflite")


@pytest.fixture(scope="module")
def exported(small_preset, photos_folder, tmp_path_factory):
    """The small preset with exports of all formats in it, and what comparing them found."""
    preset = tmp_path_factory.mktemp("exported") / "small"
    shutil.copytree(small_preset, preset)
    made = reiqa_tf.export(preset, formats=FORMATS, photos=photos_folder, explain=True)
    return preset, made


def test_all_formats_explain_as_keras_does(exported):
    _, made = exported
    assert [artifact.format for artifact in made.artifacts] == list(FORMATS)
    assert made.is_sound, [artifact.complaints for artifact in made.artifacts]


def test_verifying_compares_explanations_again_and_says_whose_differ(exported, photos_folder):
    preset, _ = exported
    folder, photos = preset / "exports", [photos_folder / "kodim23.png"]
    assert reiqa_tf.verify(folder, preset, photos).is_sound
    add_probe(preset, make_probe(load_probe(preset).kernel.shape[0], seed=1))
    checked = reiqa_tf.verify(folder, preset, photos)
    assert len(checked.complaints) == 2 * len(FORMATS)
    assert "onnx: its map differs from Keras by" in checked.complaints[2]
    add_probe(preset, make_probe(load_probe(preset).kernel.shape[0]))


def test_an_onnx_file_explains_without_keras(exported, why, photos_folder):
    explainer = open_explainer(exported[0])
    assert explainer.runtime == "onnx"
    found = explainer.explain(photos_folder / "kodim23.png")
    assert float(found.score) == pytest.approx(float(why.score), abs=1e-4)
    assert found.average == pytest.approx(why.average, abs=1e-4)
    assert list(found.parts) == list(why.parts)
    assert np.allclose(list(found.parts.values()), list(why.parts.values()), atol=1e-4)
    assert np.allclose(found.map(), why.map(), atol=1e-4)
    assert found.diagnosis.text == why.diagnosis.text


def test_a_batch_is_explained_photo_by_photo(exported, photo):
    scorer = OnnxScorer(exported[0] / "exports" / "model.onnx")
    images = np.stack([photo[:64, :96], photo[200:264, 300:396]])
    together = scorer.run_for(images, EXPLAINED)
    for row, image in enumerate(images):
        alone = scorer.run_for(image[None], EXPLAINED)
        for name in EXPLAINED:
            assert np.allclose(together[name][row], alone[name][0], atol=1e-4)


def test_files_that_explain_still_score(exported, photos_folder, small_preset):
    expected = float(reiqa_tf.score(photos_folder / "kodim05.png", small_preset, "keras"))
    for scorer in (
        OnnxScorer(exported[0] / "exports" / "model.onnx"),
        LiteRTScorer(exported[0] / "exports" / "model.tflite"),
    ):
        score = scorer.score(photos_folder / "kodim05.png")
        assert float(score) == pytest.approx(expected, abs=1e-4)
