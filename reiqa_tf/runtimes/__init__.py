"""Exported scorers in their own runtimes: scores without TensorFlow and without Keras.

Starting TensorFlow takes seconds and scoring a photo a fraction of one; nothing in this room
imports it. `onnx_scorer` and `litert_scorer` hold a class each, `opening` finds the artifact of a
preset and the runtime that is installed for it.
"""
