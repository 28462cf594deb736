"""Pairs of ResNet-50, the paper's encoders, in every format.

A conversion takes up to 12 GiB of memory, so they stand in one file, whose tests run one after the
other.
"""

import gc
import sys

import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.export.onnx import convert_onnx
from reiqa_tf.export.saved_model import write_saved_model
from reiqa_tf.export.tflite import convert_tflite
from reiqa_tf.models.encoder import IMAGENET, ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.runtimes.contract import Contract
from tests.export.conftest import keras_scores
from tests.small_models import small_scorer

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def memory_given_back():
    """Models and their graphs refer to each other: left alone they wait for the collector."""
    yield
    gc.collect()


def known(scorer):
    return Contract.of(scorer, "pair", "0" * 64, {"description": "for tests", "license": "CC0-1.0"})


def resnet50_pair():
    """A scorer of the paper's size: means of the last stage of two ResNet-50."""
    experts = {name: ReIQAEncoder(ResNetBackbone(), name=name) for name in ("content", "quality")}
    return small_scorer(working_size=None, **experts)


def test_a_pair_converts_to_tflite_in_every_precision(photo):
    interpreters = pytest.importorskip("ai_edge_litert.interpreter")
    scorer = resnet50_pair()
    photos = [photo[37 * i :][:64, 61 * i :][:, :96] for i in range(3)]
    expected = np.array([float(scorer(image[None])[0]) for image in photos])
    scale = np.abs(expected).max()  # random weights have no range
    for precision, tolerance in (
        ("float32", 1e-4),
        ("float16", 2e-3),
        ("dynamic_range", 0.1),
        ("full_integer", 0.2),
    ):
        model = convert_tflite(scorer, (64, 96), precision, known(scorer), calibration=photos)
        interpreter = interpreters.Interpreter(model_content=model, num_threads=1)
        interpreter.allocate_tensors()
        run = interpreter.get_signature_runner("serving_default")
        received = np.array([run(images=image[None])["score"][0] for image in photos])
        assert np.abs(received - expected).max() / scale <= tolerance, precision


def test_a_pair_converts_to_onnx(photo):
    onnxruntime = pytest.importorskip("onnxruntime")
    scorer = resnet50_pair()
    levels = photo[None, :97, :131]
    expected = scorer(levels).numpy()  # random weights have no range
    for precision, tolerance in (("float32", 1e-4), ("float16", 2e-3)):
        session = onnxruntime.InferenceSession(
            convert_onnx(scorer, precision, known(scorer)), providers=["CPUExecutionProvider"]
        )
        score = session.run(["score"], {"images": levels})[0]
        np.testing.assert_allclose(score, expected, rtol=tolerance)


def test_a_pair_takes_at_most_1_02_times_the_bytes_of_its_weights(files, tmp_path, capsys):
    scorer = small_scorer(
        working_size=224,
        content=ReIQAEncoder(ResNetBackbone(), normalization=IMAGENET, name="content"),
        quality=ReIQAEncoder(ResNetBackbone(), name="quality"),
    )
    write_saved_model(scorer, tmp_path, "pair", files[:1])
    weights = sum(4 * int(np.prod(variable.shape)) for variable in scorer.variables)
    folder = tmp_path / "pair/1"
    stored = sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "assets.extra"
    )
    with capsys.disabled():
        ratio = f"{stored / weights:.4f} times its weights"
        sys.stdout.write(f"\nSavedModel of a ResNet-50 pair: {stored:,} bytes, {ratio}\n")
    assert weights > 180e6
    assert stored <= 1.02 * weights
    received = tf.saved_model.load(folder).signatures["serving_default"](
        image_bytes=tf.constant(files)
    )
    np.testing.assert_allclose(received["score"], keras_scores(scorer, files), rtol=1e-4)
