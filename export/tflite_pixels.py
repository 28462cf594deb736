"""The first operator of a TFLite file, from bytes to floats, as the GPUs of phones have it."""

from __future__ import annotations

import numpy as np


def with_dequantized_pixels(model: bytes) -> bytes:
    """Makes floats of the levels of a picture by DEQUANTIZE, where the converter wrote CAST.

    Either computes the same numbers: dequantised with a scale of 1 and a zero of 0, a byte is the
    float that it stands for. But LiteRT's GPU delegate has no CAST from bytes, and would leave the
    beginning of the graph to the processor.

    Args:
        model: bytes of a TFLite file.

    Returns:
        bytes of the file; as it was, if it casts no bytes.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    content = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    kinds = schema.BuiltinOperator
    dequantize = schema.OperatorCodeT()
    dequantize.builtinCode = dequantize.deprecatedBuiltinCode = kinds.DEQUANTIZE
    dequantize.version = 1
    found = False
    for graph in content.subgraphs:
        for operator in graph.operators:
            code = content.operatorCodes[operator.opcodeIndex]
            levels, floats = (
                graph.tensors[ends[0]] for ends in (operator.inputs, operator.outputs)
            )
            if (
                max(code.builtinCode, code.deprecatedBuiltinCode) != kinds.CAST
                or levels.type != schema.TensorType.UINT8
                or floats.type != schema.TensorType.FLOAT32
            ):
                continue
            levels.quantization = schema.QuantizationParametersT()
            levels.quantization.scale = np.ones(1, np.float32)
            levels.quantization.zeroPoint = np.zeros(1, np.int64)
            operator.opcodeIndex = len(content.operatorCodes)
            operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
            operator.builtinOptions = schema.DequantizeOptionsT()
            found = True
    if not found:
        return model
    content.operatorCodes.append(dequantize)
    for stored in content.buffers:
        if stored.data is not None:  # anything but an array is written byte by byte
            stored.data = np.frombuffer(stored.data, np.uint8)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(content))
