"""The runtime that features are computed with: the fastest that gives what Keras gives."""

import shutil

import numpy as np
import pytest

from reiqa_tf.fitting.fast_features import fastest_features
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.presets.folders import preset_folder
from reiqa_tf.runtimes.onnx_scorer import OnnxScorer
from reiqa_tf.scoring.features import feature_table

PRESET = "content_lite0_biq2021"


@pytest.fixture(scope="module")
def shipped():
    return load_preset(PRESET)


def test_a_presets_onnx_file_gives_keras_features_photo_by_photo(shipped, photo):
    fastest = fastest_features(PRESET, shipped)
    assert isinstance(fastest, OnnxScorer)
    crops = [photo[:96, :128], photo[100:196, 50:178], photo[::4, ::4], photo[200:264, 300:364]]
    received, problems = feature_table(fastest, crops)
    assert not problems
    expected = np.concatenate([np.asarray(shipped.features(crop[None])) for crop in crops])
    away = np.linalg.norm(received - expected, axis=1)
    assert (away <= 1e-5 * np.linalg.norm(expected, axis=1)).all()


def test_keras_computes_where_there_is_no_file_of_these_weights(shipped, scorer, tmp_path):
    assert fastest_features(shipped, shipped) is shipped  # a scorer in memory has no file
    plain = tmp_path / "plain"
    shutil.copytree(preset_folder(PRESET), plain, ignore=shutil.ignore_patterns("exports"))
    assert fastest_features(plain, shipped) is shipped
    assert fastest_features(PRESET, scorer) is scorer  # other encoders than the file's
