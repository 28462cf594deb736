"""Damaged, foreign and absurd files: a clear error for all, and the process lives on."""

import json
import random

import numpy as np
import pytest

from reiqa_tf.runtimes.contract import Contract
from reiqa_tf.runtimes.errors import ArtifactError
from reiqa_tf.runtimes.litert_scorer import LiteRTScorer
from reiqa_tf.runtimes.onnx_scorer import OnnxScorer
from tests.runtimes.tiny_artifacts import CONTRACT, bare_tflite, tiny_onnx, tiny_tflite

IMAGES = np.full((1, 64, 64, 3), 128, np.uint8)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, None) for name in CONTRACT if name not in ("producer", "feature_count")),
        ("preset", ""),
        ("outputs", "score"),
        ("outputs", "score,distance"),  # of a version without spreads
        ("outputs", ["score", "spread", "distance"]),
        ("working_size", 31),
        ("working_size", 512.5),
        ("working_size", 10**9),
        ("working_size", True),
        ("score_low", "0"),
        ("score_low", 1.0),
        ("score_high", float("nan")),
        ("score_high", float("inf")),
        ("score_high", 10**400),
        ("higher_is_better", False),
        ("interval", -1),
        ("interval", True),
        ("expected_slope", None),
        ("percentiles", "0.1 0.2"),
        ("percentiles", " ".join(["a"] * 101)),
        ("percentiles", " ".join(str(-number) for number in range(101))),
        ("percentiles", " ".join(["inf"] * 101)),
        ("coverage", 1),
        ("distance_limit", float("nan")),
    ],
)
def test_a_contract_that_is_incomplete_or_absurd_is_refused_by_name(name, value):
    entries = {**CONTRACT, name: value}
    if value is None:
        del entries[name]
    if name == "working_size" and value is None:
        assert Contract.read(entries, "m.onnx").working_size is None
        return
    with pytest.raises(ArtifactError, match=r"m\.onnx: .*Export the preset again"):
        Contract.read(entries, "m.onnx")


def test_entries_that_nobody_knows_are_left_alone(tmp_path):
    props = {name: json.dumps(value) for name, value in CONTRACT.items()}
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_onnx({**props, "Image.BitmapPixelFormat": "Rgb8", "deep": "[" * 10**5}))
    assert OnnxScorer(path).contract == Contract.read(CONTRACT, path)


def test_onnx_files_of_others_are_refused(tmp_path):
    path = tmp_path / "model.onnx"
    for contents in (tiny_onnx({}), tiny_onnx({"preset": "not JSON"})):
        path.write_bytes(contents)
        with pytest.raises(ArtifactError, match=r"entry preset should be .* Received: None"):
            OnnxScorer(path)
    path.write_bytes(tiny_onnx(outputs=("score", "confidence")))
    with pytest.raises(ArtifactError, match="expected the input images"):
        OnnxScorer(path)


def test_tflite_files_of_others_are_refused(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(bare_tflite())
    with pytest.raises(ArtifactError, match="no TFLite file of this package"):
        LiteRTScorer(path)
    path.write_bytes(tiny_tflite(contract={**CONTRACT, "outputs": "features"}))
    with pytest.raises(ArtifactError, match="expected the input images"):
        LiteRTScorer(path)


def _damaged(contents, generator):
    """A random cut, flipped bits, foreign bytes, zeros or an insertion."""
    damaged = bytearray(contents)
    place = generator.randrange(len(damaged))
    kind = generator.randrange(5)
    if kind == 0:
        del damaged[place:]
    elif kind == 1:
        damaged[place] ^= 1 << generator.randrange(8)
    elif kind == 2:
        for _ in range(20):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
    elif kind == 3:
        damaged[place : place + 100] = bytes(len(damaged[place : place + 100]))
    else:
        damaged[place:place] = generator.randbytes(50)
    return bytes(damaged)


@pytest.mark.parametrize(
    ("scorer_class", "make"), [(OnnxScorer, tiny_onnx), (LiteRTScorer, tiny_tflite)]
)
def test_damaged_files_are_refused_or_still_score_and_the_process_lives(
    tmp_path, scorer_class, make
):
    generator, contents, path = random.Random(0), make(), tmp_path / "model"  # noqa: S311
    messages = []
    for _ in range(100):
        path.write_bytes(_damaged(contents, generator))
        try:
            assert scorer_class(path, threads=1).predict(IMAGES).dtype == np.float32
        except ArtifactError as error:
            messages.append(str(error))
    assert len(messages) > 50
    for message in messages:
        assert str(path) in message
        assert "\n" not in message


@pytest.mark.parametrize("scorer_class", [OnnxScorer, LiteRTScorer])
@pytest.mark.parametrize("contents", [b"", b"\0" * 1000, b"PK\3\4", b"TFL3" * 9, b"{}" * 99])
def test_what_is_no_model_is_refused(tmp_path, scorer_class, contents):
    (tmp_path / "model").write_bytes(contents)
    with pytest.raises(ArtifactError, match="model: "):
        scorer_class(tmp_path / "model")


@pytest.mark.parametrize("scorer_class", [OnnxScorer, LiteRTScorer])
def test_a_folder_is_no_model(tmp_path, scorer_class):
    with pytest.raises(ArtifactError, match="cannot be read"):
        scorer_class(tmp_path)
