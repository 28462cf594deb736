"""ONNX files in onnxruntime, against Keras, on real photos."""

import json

import numpy as np
import pytest

from reiqa_tf.export import onnx as onnx_export
from reiqa_tf.export.onnx import OPSET, ONNXError, convert_onnx
from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.runtimes.contract import Contract
from reiqa_tf.runtimes.native_head import NativeHead
from reiqa_tf.runtimes.onnx_scorer import OnnxScorer
from reiqa_tf.scoring import native_size
from tests.small_models import small_scorer

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")

SIZES = [(96, 128), (97, 131), (200, 99), (64, 64), (131, 300)]


def known(scorer):
    return Contract.of(scorer, "small", "0" * 64, {"description": "for tests"})


def open_file(model):
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def scorer():
    """A scorer with some kernels large enough to be halved."""
    return small_scorer(quality=ReIQAEncoder(ResNetBackbone((1, 1), width=16), name="quality"))


@pytest.fixture(scope="module")
def converted(scorer):
    """What the converter makes of the scorer, as bytes: converting takes seconds."""
    return onnx_export._convert(scorer, None).SerializeToString()


@pytest.fixture(scope="module")
def models(scorer, converted):
    """The scorer's file in both precisions, of one conversion."""

    def again(_scorer, _probe):
        return onnx.load_model_from_string(converted)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_export, "_convert", again)
        return {
            precision: convert_onnx(scorer, precision, known(scorer))
            for precision in onnx_export.PRECISIONS
        }


@pytest.fixture(scope="module")
def model(models):
    return models["float32"]


@pytest.fixture(scope="module")
def session(model):
    return open_file(model)


def test_every_size_agrees_with_keras(scorer, session, photo):
    for i, (height, width) in enumerate(SIZES):
        levels = photo[40 * i :][:height, 50 * i :][None, :, :width]
        score, spread, distance = session.run(["score", "spread", "distance"], {"images": levels})
        features = scorer.features(levels)
        np.testing.assert_allclose(score, scorer.head(features), atol=1e-4)
        np.testing.assert_allclose(spread, scorer.head.spread(features), rtol=1e-4)
        np.testing.assert_allclose(distance, scorer.head.distance(features), rtol=1e-4, atol=1e-4)


def test_the_features_beside_the_scores_are_those_of_keras(scorer, session, photo):
    for i, (height, width) in enumerate(SIZES):
        levels = photo[40 * i :][:height, 50 * i :][None, :, :width]
        (received,) = session.run(["features"], {"images": levels})
        expected = scorer.features(levels).numpy()
        assert np.abs(received - expected).max() <= 1e-5 * np.abs(expected).max()


def test_photos_in_a_batch_score_as_they_do_alone(session, photo):
    levels = np.stack([photo[40 * i :][:97, 50 * i :][:, :131] for i in range(3)])
    together = session.run(["score"], {"images": levels})[0]
    alone = [session.run(["score"], {"images": image[None]})[0][0] for image in levels]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert len(set(np.round(together, 5))) == 3


def test_names_types_and_open_dimensions_are_the_contract(scorer, session):
    (images,) = session.get_inputs()
    assert (images.name, images.type) == ("images", "tensor(uint8)")
    assert images.shape == ["N", "H", "W", 3]
    outputs = [(output.name, output.type, output.shape) for output in session.get_outputs()]
    assert outputs == [
        ("score", "tensor(float)", ["N"]),
        ("spread", "tensor(float)", ["N"]),
        ("distance", "tensor(float)", ["N"]),
        ("features", "tensor(float)", ["N", scorer.feature_count]),
        ("head", "tensor(float)", [3 * scorer.feature_count]),
    ]


@pytest.mark.slow  # twelve tiles in both
def test_photos_at_their_own_size_score_as_in_keras(scorer, model, photo, tmp_path, monkeypatch):
    (tmp_path / "model.onnx").write_bytes(model)
    light = OnnxScorer(tmp_path / "model.onnx", threads=1)
    monkeypatch.setattr(native_size, "TILE_SIDE", 150)  # twelve tiles
    for picture in (photo, photo[:97, :131]):
        expected, score = (each.score(picture, native_size=True) for each in (scorer, light))
        assert score == pytest.approx(expected, abs=1e-4)
        assert (score.low, score.high) == pytest.approx((expected.low, expected.high), abs=1e-4)
        (outcome,) = light.score_many([picture], native_size=True)
        assert outcome.score == score
        np.testing.assert_allclose(
            outcome.features, scorer.native_features(picture), rtol=2e-3, atol=1e-4
        )


def test_the_opset_is_pinned_and_the_operators_are_onnx_s_own(model):
    read = onnx.load_model_from_string(model)
    assert {(opset.domain, opset.version) for opset in read.opset_import} >= {("", OPSET)}
    assert {node.domain for node in read.graph.node} <= {"", "ai.onnx"}
    assert "Conv" in {node.op_type for node in read.graph.node}


def test_the_file_says_what_its_user_must_know(scorer, session):
    said = session.get_modelmeta().custom_metadata_map
    assert said.pop("Image.BitmapPixelFormat") == "Rgb8"
    assert said.pop("Image.ColorSpaceGamma") == "SRGB"
    assert said.pop("Image.NominalPixelRange") == "NominalRange_0_255"
    assert NativeHead.read(json.loads(said.pop("native_size"))) == NativeHead.of(scorer)
    assert {key: json.loads(value) for key, value in said.items()} == known(scorer).entries()


def test_float16_stores_large_kernels_in_half_and_computes_in_float32(scorer, models, photo):
    model, halved = models["float32"], models["float16"]
    read = onnx.load_model_from_string(halved)
    halves = [
        stored for stored in read.graph.initializer if stored.data_type == onnx.TensorProto.FLOAT16
    ]
    assert halves
    assert all(np.prod(half.dims) >= 512 for half in halves)
    saved = 2 * sum(int(np.prod(half.dims)) for half in halves)
    assert len(halved) <= len(model) - 0.9 * saved
    levels = photo[None, :97, :131]
    score = open_file(halved).run(["score"], {"images": levels})[0]
    # Of random weights: the shipped preset's lose nothing.
    np.testing.assert_allclose(score, scorer(levels), atol=3e-3)


@pytest.mark.slow
def test_an_encoder_without_head_returns_features(photo):
    scorer = small_scorer(content=None, head=None)
    session = open_file(convert_onnx(scorer, "float32", known(scorer)))
    assert [output.name for output in session.get_outputs()] == ["features"]
    levels = photo[None, :97, :131]
    received = session.run(None, {"images": levels})[0]
    np.testing.assert_allclose(received, scorer.features(levels), rtol=1e-4, atol=1e-5)


def test_an_unknown_precision_is_refused(scorer):
    with pytest.raises(ONNXError, match=r"one of float32, float16. Received: 'int8'"):
        convert_onnx(scorer, "int8", known(scorer))


@pytest.mark.slow
def test_the_shipped_preset_agrees_and_its_halves_lose_nothing(photo):
    scorer = load_preset("content_lite0_biq2021")
    whole = convert_onnx(scorer, "float32", known(scorer))
    halved = convert_onnx(scorer, "float16", known(scorer))
    # Its kernels are float16 numbers, which either file stores as such: see `half_kernels`.
    assert len(halved) <= 2.2 * scorer.count_params()
    assert len(whole) <= 2.2 * scorer.count_params()
    for height, width in ((512, 512), (384, 512), (225, 301)):
        levels = photo[None, :height, :width]
        expected = scorer(levels).numpy()
        for model in (whole, halved):
            score = open_file(model).run(["score"], {"images": levels})[0]
            np.testing.assert_allclose(score, expected, atol=1e-4)
