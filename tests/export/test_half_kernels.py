"""Kernels stored as the float16 numbers that they were: half of the bytes, the same numbers."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from reiqa_tf.export.half_kernels import store_kernels_as_halves
from tests.small_models import small_scorer


@pytest.fixture(scope="module")
def scorer():
    """A scorer whose kernels are float16 numbers, as those of a preset in half precision."""
    scorer = small_scorer()
    for variable in scorer.variables:
        array = keras.ops.convert_to_numpy(variable)
        variable.assign(array.astype(np.float16).astype(np.float32))
    return scorer


def _kernels(scorer, depthwise):
    """The larger kernels in ONNX's order: output channel, input channel, rows, columns."""
    for variable in scorer.variables:
        is_depthwise = "depthwise" in variable.path
        if len(variable.shape) == 4 and is_depthwise == depthwise:
            array = keras.ops.convert_to_numpy(variable)
            if array.size >= 512:
                yield array.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))


def _model(kernel, groups):
    """One convolution, as a converter leaves it."""
    node = helper.make_node("Conv", ["x", "kernel"], ["y"], group=groups)
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", None, "H", "W"])
        for name in "xy"
    )
    weights = [numpy_helper.from_array(np.ascontiguousarray(kernel), "kernel")]
    graph = helper.make_graph([node], "convolution", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def _run(model, channels):
    images = np.random.default_rng(1).normal(size=(2, channels, 9, 11)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": images})[0]


@pytest.mark.parametrize("depthwise", [False, True])
def test_a_kernel_times_a_factor_a_channel_is_found_and_computes_the_same(scorer, depthwise):
    generator = np.random.default_rng(0)
    kernels = list(_kernels(scorer, depthwise))
    assert kernels
    for kernel in kernels:
        # What folding batch normalisation does; a dead channel has the factor 0.
        factors = generator.uniform(-3, 3, (len(kernel), 1, 1, 1)).astype(np.float32)
        factors[0] = 0
        channels, groups = (len(kernel), len(kernel)) if depthwise else (kernel.shape[1], 1)
        model = _model(kernel * factors, groups)
        whole, expected = model.ByteSize(), _run(model, channels)
        share = store_kernels_as_halves(model, scorer)
        assert share == 1
        assert model.ByteSize() < 0.5 * whole + 4 * len(kernel) + 300
        onnx.checker.check_model(model, full_check=True)
        np.testing.assert_allclose(_run(model, channels), expected, rtol=1e-5, atol=1e-5)


def test_kernels_that_are_no_multiples_are_left_to_the_last_bit(scorer):
    kernel = next(_kernels(scorer, False)).copy()
    kernel[0, 0, 0, 0] *= 1.001
    model = _model(kernel, 1)
    before = model.SerializeToString()
    assert store_kernels_as_halves(model, scorer) == 0
    assert model.SerializeToString() == before


def test_kernels_of_a_scorer_in_full_precision_are_left_as_they_are():
    scorer = small_scorer()
    model = _model(next(_kernels(scorer, False)), 1)
    assert store_kernels_as_halves(model, scorer) == 0
