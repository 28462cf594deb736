"""Artifacts of a graph small enough to write by hand: the score is the mean level, 0 to 1."""

import functools
import hashlib
import io
import json
import zipfile

import numpy as np

CONTRACT = {
    "producer": "tests",
    "preset": "tiny",
    "weights_sha256": "0" * 64,
    "outputs": "score,spread,distance",
    "feature_count": 1,
    "working_size": 96,
    "score_low": 0.0,
    "score_high": 1.0,
    "higher_is_better": True,
    "expected_slope": 1.0,
    "expected_offset": 0.0,
    "interval": 0.1,
    "percentiles": " ".join(str(number / 100) for number in range(101)),
    "coverage": 0.9,
    "distance_limit": 2.0,
}


def expected_score(image):
    return image.mean(dtype=np.float64) / 255


def tiny_onnx(props=None, outputs=("score", "spread", "distance")):
    """Bytes of an ONNX file: distance is four times the score, spread is 1, a feature the score.

    `props` are texts.
    """
    from onnx import TensorProto, checker, helper, numpy_helper

    if props is None:
        props = {name: json.dumps(value) for name, value in CONTRACT.items()}
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", "H", "W", 3])
    nodes = [
        helper.make_node("Cast", ["images"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["levels", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "level"], ["first"]),
        helper.make_node("Mul", ["first", "four"], ["other"]),
        helper.make_node("Pow", ["first", "zero"], ["constant"]),
        helper.make_node("Unsqueeze", ["first", "one"], ["column"]),
    ]
    shapes = []
    sources = {"score": "first", "spread": "constant", "distance": "other", "features": "column"}
    for name in outputs:
        source = sources.get(name, "other")
        nodes.append(helper.make_node("Identity", [source], [name]))
        shape = ["N", 1] if name == "features" else ["N"]
        shapes.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    numbers = {"axes": np.array([1, 2, 3]), "level": np.float32(1 / 255), "four": np.float32(4)}
    numbers |= {"zero": np.float32(0), "one": np.array([1])}
    stored = [numpy_helper.from_array(array, name) for name, array in numbers.items()]
    graph = helper.make_graph(nodes, "tiny", [images], shapes, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, props)
    checker.check_model(model)
    return model.SerializeToString()


@functools.cache
def bare_tflite(height=None, width=None):
    """Bytes of a TFLite file of the same graph, for one size or for any, without its contract."""
    import tensorflow as tf

    module = tf.Module()
    shape = tf.TensorSpec((1, height, width, 3), tf.uint8, name="images")

    @tf.function(input_signature=[shape])
    def score(images):
        mean = tf.reduce_mean(tf.cast(images, tf.float32), (1, 2, 3)) * (1 / 255)
        return {"score": mean, "spread": tf.ones_like(mean), "distance": 4.0 * mean}

    module.score = score
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [score.get_concrete_function()], module
    )
    return converter.convert()


def tiny_tflite(height=None, width=None, contract=CONTRACT):
    """The same with the contract in an archive at the end, as `reiqa export` packs it."""
    file = io.BytesIO(bare_tflite(height, width))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("contract.json", json.dumps(contract))
    return file.getvalue()


def write_exports(folder, files):
    """Writes files, a dictionary from names to bytes, and their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    artifacts = {}
    for name, contents in files.items():
        (folder / name).write_bytes(contents)
        artifacts[name] = {"sha256": hashlib.sha256(contents).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder
