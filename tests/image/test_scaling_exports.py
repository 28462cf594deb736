"""Half size converted: TFLite and ONNX with built-in operators, in their own runtimes."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from reiqa_tf.image.scaling import half_size, to_unit_range


def _halving(*shape):
    @tf.function(input_signature=[tf.TensorSpec((1, *shape, 3), tf.uint8)])
    def halve(images):
        return {"half": half_size(to_unit_range(images))}

    return halve


def _by_pillow(levels):
    height, width = levels.shape[:2]
    return np.asarray(Image.fromarray(levels).resize((width // 2, height // 2))).astype(int)


def _check(received, levels):
    received = np.rint(received[0] * 255).astype(int)
    difference = np.abs(received - _by_pillow(levels))
    even = levels.shape[0] % 2 == levels.shape[1] % 2 == 0
    assert difference.max() <= (0 if even else 1)
    assert (difference > 0).mean() <= 0.001


def _tflite(function):
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], function
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return converter.convert()


def _run_in_litert(model, levels):
    first, last = model.get_input_details()[0]["index"], model.get_output_details()[0]["index"]
    model.resize_tensor_input(first, (1, *levels.shape))
    model.allocate_tensors()
    model.set_tensor(first, levels[None])
    model.invoke()
    return model.get_tensor(last)


@pytest.mark.parametrize(("height", "width"), [(96, 128), (97, 131), (64, 95)])
def test_half_size_of_a_fixed_size_runs_in_litert(photo, height, width):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    model = interpreter.Interpreter(model_content=_tflite(_halving(height, width)))
    levels = photo[:height, :width]
    _check(_run_in_litert(model, levels), levels)


def test_half_size_of_any_size_runs_in_litert(photo):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    model = interpreter.Interpreter(model_content=_tflite(_halving(None, None)))
    for height, width in ((96, 128), (97, 131), (200, 99)):
        levels = photo[:height, :width]
        _check(_run_in_litert(model, levels), levels)


def test_half_size_of_any_size_runs_in_onnxruntime(photo):
    tf2onnx = pytest.importorskip("tf2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    function = _halving(None, None)
    model, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=18)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for height, width in ((96, 128), (97, 131), (200, 99)):
        levels = photo[:height, :width]
        (received,) = session.run(None, {session.get_inputs()[0].name: levels[None]})
        _check(received, levels)
