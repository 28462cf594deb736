"""TFLite files in LiteRT, against Keras, on real photos."""

import dataclasses
import functools
import json
import zipfile

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
from flatbuffers import number_types
from PIL import Image

from reiqa_tf.export import tflite
from reiqa_tf.export.gpu_readiness import gpu_obstacles
from reiqa_tf.export.quiet import quiet
from reiqa_tf.export.tflite import PRECISIONS, TFLiteError, convert_tflite, operators
from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.models.rounding import eight_bits
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.runtimes.contract import Contract
from reiqa_tf.runtimes.errors import ArtifactError
from reiqa_tf.runtimes.input_form import InputForm
from reiqa_tf.runtimes.litert_scorer import LiteRTScorer
from tests.small_models import small_scorer

interpreters = pytest.importorskip("ai_edge_litert.interpreter")
schema = pytest.importorskip("ai_edge_litert.schema_py_generated")

SIZE = (96, 128)
SIZES = [(96, 128), (97, 131), (200, 99), (64, 64), (131, 300)]


def known(scorer):
    about = {"description": "for tests", "license": "CC0-1.0"}
    return Contract.of(scorer, "small", "0" * 64, about)


def crops(photo, size, count):
    height, width = size
    return [photo[37 * i :][:height, 61 * i :][:, :width] for i in range(count)]


def open_file(model, threads=1):
    interpreter = interpreters.Interpreter(model_content=model, num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter.get_signature_runner("serving_default")


def by_keras(scorer, photos):
    return np.array([float(scorer(photo[None])[0]) for photo in photos])


def by_file(model, photos, name="score"):
    run = open_file(model)
    return np.array([run(images=photo[None])[name][0] for photo in photos])


@pytest.fixture(scope="module")
def small():
    """A scorer with some kernels large enough to be halved."""
    return small_scorer(quality=ReIQAEncoder(ResNetBackbone((1, 1), width=16), name="quality"))


@pytest.fixture(scope="module")
def fixed(small, photo):
    """The small scorer at a fixed size, in all precisions, of one conversion."""
    photos = crops(photo, SIZE, 6)[:4]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tflite, "float_model", functools.cache(tflite.float_model))
        return {
            precision: convert_tflite(small, SIZE, precision, known(small), calibration=photos)
            for precision in PRECISIONS
        }


@pytest.fixture(scope="module")
def any_size(small):
    return convert_tflite(small, None, "float32", known(small))


@pytest.mark.parametrize(
    ("precision", "tolerance"),
    # Of random weights: the shipped preset's, in the slow tests, come nearer.
    [("float32", 1e-4), ("float16", 3e-3), ("dynamic_range", 0.1), ("full_integer", 0.1)],
)
def test_a_file_of_a_fixed_size_agrees_with_keras(small, fixed, photo, precision, tolerance):
    photos = crops(photo, SIZE, 6)
    difference = by_file(fixed[precision], photos) - by_keras(small, photos)
    assert np.abs(difference).max() <= tolerance
    features = [small.features(p[None]) for p in photos]
    for name, compute in (("spread", small.head.spread), ("distance", small.head.distance)):
        expected = np.array([float(compute(row)[0]) for row in features])
        received = by_file(fixed[precision], photos, name)
        np.testing.assert_allclose(received, expected, rtol=10 * tolerance, atol=10 * tolerance)


def test_a_file_for_any_size_agrees_with_keras_at_every_size(small, any_size, photo):
    photos = [crops(photo, size, 1)[0] for size in SIZES]
    difference = by_file(any_size, photos) - by_keras(small, photos)
    assert np.abs(difference).max() <= 1e-4


def test_the_input_takes_bytes_and_the_outputs_are_floats_in_every_precision(fixed):
    for model in fixed.values():
        run = open_file(model)
        assert run.get_input_details()["images"]["dtype"] == np.uint8
        assert list(run.get_input_details()["images"]["shape"]) == [1, *SIZE, 3]
        outputs = run.get_output_details()
        assert {name: output["dtype"] for name, output in outputs.items()} == {
            "score": np.float32,
            "spread": np.float32,
            "distance": np.float32,
        }


def kinds_of_kernels(model, operator):
    content = schema.ModelT.InitFromPackedBuf(model, 0)
    graph = content.subgraphs[0]
    code = getattr(schema.BuiltinOperator, operator)
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in content.operatorCodes]
    found = [op for op in graph.operators if codes[op.opcodeIndex] == code]
    return {graph.tensors[operator.inputs[1]].type for operator in found}


def test_full_integer_computes_convolutions_in_8_bits_and_the_half_size_in_floats(fixed):
    kinds = schema.TensorType
    assert kinds_of_kernels(fixed["full_integer"], "CONV_2D") == {kinds.INT8}
    assert kinds_of_kernels(fixed["full_integer"], "DEPTHWISE_CONV_2D") == {
        kinds.INT8,
        kinds.FLOAT32,
    }
    assert kinds_of_kernels(fixed["float32"], "DEPTHWISE_CONV_2D") == {kinds.FLOAT32}
    assert len(fixed["float16"]) < len(fixed["float32"])


def test_the_ranges_of_activations_are_the_extremes_of_all_photos(small, photo):
    from ai_edge_quantizer.quantizer import Quantizer

    photos = crops(photo, SIZE, 3)
    model = tflite.float_model(small, SIZE)

    def ranges(chosen):
        with quiet():
            return PRECISIONS["full_integer"](
                Quantizer(bytearray(model)), model, small, SIZE, InputForm(), chosen
            )

    together, alone = ranges(photos), [ranges([one]) for one in photos]
    assert together
    for name, limits in together.items():
        assert limits["min"] == min(found[name]["min"] for found in alone)
        assert limits["max"] == max(found[name]["max"] for found in alone)


def test_operators_are_built_in(fixed, any_size):
    for model in (*fixed.values(), any_size):
        found = operators(model)
        assert "CONV_2D" in found
        assert not [name for name in found if name.startswith("custom")]


def test_an_operator_that_is_not_built_in_is_refused(small, monkeypatch):
    def not_built_in(*_, **__):
        @tf.function(input_signature=[tf.TensorSpec((1, 32, 32, 3), tf.uint8, name="images")])
        def function(images):
            return {"score": tf.linalg.det(tf.cast(images[..., 0], tf.float32))}

        module = tf.Module()
        module.function = function
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function()], module
        )
        converter.allow_custom_ops = True
        return converter.convert()

    monkeypatch.setattr(tflite, "float_model", not_built_in)
    with pytest.raises(TFLiteError, match="custom MatrixDeterminant"):
        convert_tflite(small, (32, 32), "float32", known(small))


def field(table, number):
    """Position of a table's field by its number in the published schema."""
    offset = table.Offset(4 + 2 * number)
    return None if offset == 0 else table.Pos + offset


def text(table, number):
    return table.String(field(table, number)).decode()


def tables(table, number):
    start = table.Vector(field(table, number) - table.Pos)
    count = table.VectorLen(field(table, number) - table.Pos)
    return [
        flatbuffers.table.Table(table.Bytes, table.Indirect(start + 4 * i)) for i in range(count)
    ]


def below(table, number):
    return flatbuffers.table.Table(table.Bytes, table.Indirect(field(table, number)))


def floats(table, number):
    start = table.Vector(field(table, number) - table.Pos)
    count = table.VectorLen(field(table, number) - table.Pos)
    return [table.Get(number_types.Float32Flags, start + 4 * i) for i in range(count)]


def test_the_metadata_are_those_that_tools_for_tflite_read(small, fixed):
    for model in (fixed["float32"], fixed["full_integer"]):
        content = schema.Model.GetRootAs(model, 0)
        entries = [content.Metadata(i) for i in range(content.MetadataLength())]
        (entry,) = (found for found in entries if found.Name() == b"TFLITE_METADATA")
        written = content.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
        assert written[4:8] == b"M001"
        root = flatbuffers.table.Table(
            written, flatbuffers.encode.Get(number_types.UOffsetTFlags.packer_type, written, 0)
        )
        assert text(root, 0) == "small"
        assert text(root, 1) == "for tests"
        assert text(root, 5) == "CC0-1.0"
        (packed,) = tables(root, 6)
        assert text(packed, 0) == "contract.json"
        (graph,) = tables(root, 3)
        (images,) = tables(graph, 2)
        assert text(images, 0) == "images"
        image = below(below(images, 3), 1)
        assert image.Get(number_types.Uint8Flags, field(image, 0)) == 1  # RGB
        (unit,) = tables(images, 4)
        assert floats(below(unit, 1), 0) == [0.0]  # mean
        assert floats(below(unit, 1), 1) == [1.0]  # standard deviation
        assert (floats(below(images, 5), 1), floats(below(images, 5), 0)) == ([0.0], [255.0])
        outputs = {text(output, 0): output for output in tables(graph, 3)}
        assert set(outputs) == {"score", "spread", "distance"}
        limits = below(outputs["score"], 5)
        assert (floats(limits, 1), floats(limits, 0)) == ([0.0], [1.0])
        # Tools match the metadata of tensors by their place.
        names = {
            content.SignatureDefs(0).Outputs(i).TensorIndex(): content.SignatureDefs(0)
            .Outputs(i)
            .Name()
            .decode()
            for i in range(3)
        }
        assert list(outputs) == [names[i] for i in content.Subgraphs(0).OutputsAsNumpy()]


def test_the_contract_is_packed_with_the_file(small, fixed, tmp_path):
    for precision, model in fixed.items():
        (tmp_path / precision).write_bytes(model)
        with zipfile.ZipFile(tmp_path / precision) as archive:
            entries = json.loads(archive.read("contract.json"))
        assert entries == dataclasses.replace(known(small), input=InputForm()).entries()
        assert (entries["batch_size"], entries["pixels"], entries["rotation"]) == (1, "rgb", 0)


@pytest.mark.parametrize(
    "form", [InputForm("rgba", 90), InputForm("float", 270), InputForm("rgb", 180)]
)
def test_a_file_takes_pictures_in_other_forms_and_scores_them_the_same(
    small, fixed, photo, tmp_path, form
):
    contract = dataclasses.replace(known(small), input=form)
    path = tmp_path / "model.tflite"
    path.write_bytes(convert_tflite(small, SIZE, "float32", contract))
    scorer = LiteRTScorer(path)
    assert scorer.contract.input == form
    photos = crops(photo, SIZE, 3)
    np.testing.assert_allclose(
        scorer.predict(np.stack(photos)), by_file(fixed["float32"], photos), atol=1e-6
    )
    details = open_file(path.read_bytes()).get_input_details()["images"]
    assert details["dtype"] == form.dtype
    assert list(details["shape"]) == [1, *form.lying(SIZE), form.channels]
    assert gpu_obstacles(path.read_bytes()) == []
    assert form.rotation == 0 or str(form.rotation).encode() in path.read_bytes()
    with pytest.raises(ArtifactError, match=r"takes pictures of 96 x 128 px .* Received: 128 x 96"):
        scorer.predict(np.stack([crop.swapaxes(0, 1) for crop in photos]))


def test_the_gpu_of_a_phone_has_all_operators_of_files_of_a_fixed_size(fixed, any_size):
    for precision, model in fixed.items():
        assert gpu_obstacles(model) == [], precision
        assert "DEQUANTIZE" in operators(model)  # in place of CAST, which it has not for bytes
    text = " ".join(gpu_obstacles(any_size))
    assert "shapes that are not known before the file runs: export a fixed size" in text


def converted(function, *shape, dtype=tf.float32):
    module = tf.Module()
    signature = [tf.TensorSpec(shape, dtype, name="images")]
    module.function = tf.function(function, input_signature=signature, autograph=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.function.get_concrete_function()], module
    )
    with quiet():
        return converter.convert()


@pytest.mark.parametrize(
    ("function", "shape", "dtype", "obstacle"),
    [
        (lambda x: tf.reverse(x, [1]), (1, 4, 4, 3), "float32", "REVERSE_V2, which the delegate"),
        (lambda x: tf.cast(x, tf.float32) + 1, (1, 4), "int64", "CAST from INT64 to FLOAT32"),
        (lambda x: x[:, :, :, :, :1] + 1, (1, 4, 4, 3, 2), "float32", "a tensor of 5 dimensions"),
        (lambda x: x[0] + 1, (1, 4, 4, 3), "float32", "STRIDED_SLICE that adds or removes"),
        (lambda x: tf.gather(x, [[1], [0]]), (2, 4), "float32", "INT32 of 2 dimensions"),
    ],
)
def test_what_the_gpu_has_not_is_named(function, shape, dtype, obstacle):
    model = converted(function, *shape, dtype=tf.as_dtype(dtype))
    assert obstacle in "; ".join(gpu_obstacles(model))


@pytest.mark.slow
def test_an_encoder_without_head_returns_features(photo):
    scorer = small_scorer(quality=None, head=None)
    model = convert_tflite(scorer, None, "float32", known(scorer))
    levels = photo[:97, :131]
    received = open_file(model)(images=levels[None])
    assert list(received) == ["features"]
    expected = scorer.features(levels[None]).numpy()
    np.testing.assert_allclose(received["features"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "precision", "calibration", "message"),
    [
        ((96, 96), "int8", None, "full_integer. Received: 'int8'"),
        ((96, 31), "float32", None, r"at least 32.* Received: \(96, 31\)"),
        (None, "full_integer", [], "a fixed size"),
        ((96, 96), "full_integer", None, "Received: no photos"),
        ((96, 96), "full_integer", [np.zeros((96, 97, 3), np.uint8)], r"uint8 \(96, 97, 3\)"),
    ],
)
def test_wrong_arguments_are_explained(small, monkeypatch, size, precision, calibration, message):
    def empty(*_, **__):
        return b""

    monkeypatch.setattr(tflite, "float_model", empty)
    monkeypatch.setattr("ai_edge_quantizer.quantizer.Quantizer", bytearray)
    with pytest.raises(TFLiteError, match=message):
        convert_tflite(small, size, precision, known(small), calibration=calibration)


def test_remarks_are_shown_when_something_fails(capfd):
    with quiet():
        print("a remark")  # noqa: T201
        tf.print("another")
    assert capfd.readouterr() == ("", "")
    with pytest.raises(RuntimeError), quiet():  # noqa: PT012
        tf.print("what one needs")
        raise RuntimeError
    assert "what one needs" in capfd.readouterr().err


@pytest.fixture(scope="module")
def shipped():
    return load_preset("content_lite0_biq2021")


def squares(folder, side=512):
    """Square parts of photos that are `side` pixels the shorter way."""
    parts = []
    for path in sorted(folder.glob("*.*g")):
        photo = np.asarray(Image.open(path).convert("RGB"))
        for offset in (0, 90, 180, 256):
            upright = photo.shape[0] > photo.shape[1]
            top, left = (offset, 0) if upright else (0, offset)
            parts.append(photo[top : top + side, left : left + side])
    return parts


@pytest.mark.slow
def test_the_shipped_preset_agrees_at_512(shipped, photos_folder):
    photos = squares(photos_folder)
    expected = by_keras(shipped, photos)
    for precision, tolerance in (("float32", 1e-4), ("float16", 1e-3)):
        model = convert_tflite(shipped, (512, 512), precision, known(shipped))
        assert np.abs(by_file(model, photos) - expected).max() <= tolerance


@pytest.mark.slow
def test_the_shipped_preset_in_integers_is_small_and_near(shipped, photos_folder):
    import reiqa_tf.export

    folder = reiqa_tf.export.__path__[0]
    photos = squares(photos_folder)
    seen = squares(type(photos_folder)(folder) / "photos")
    model = convert_tflite(shipped, (512, 512), "full_integer", known(shipped), calibration=seen)
    assert len(model) <= 12e6
    difference = by_file(model, photos) - by_keras(shipped, photos)
    # On photos like those of the preset the differences have a deviation of 0.013.
    assert np.abs(difference).max() <= 0.06


@pytest.mark.slow  # converts and quantises a real network
def test_rounding_while_a_network_learns_errs_as_its_full_integer_file_will(photo):
    scorer = load_preset("content_lite0_biq2021")
    photos = crops(photo, (96, 96), 10)
    model = convert_tflite(scorer, (96, 96), "full_integer", known(scorer), calibration=photos)
    exact, file = by_keras(scorer, photos), by_file(model, photos)
    with eight_bits():
        simulated = by_keras(scorer, photos)
    errors = simulated - exact, file - exact
    assert np.corrcoef(*errors)[0, 1] > 0.8
    assert 0.5 < np.std(errors[0]) / np.std(errors[1]) < 2
