"""Why a photo has its score: a map, the parts of the score, and what is wrong with the photo.

Nothing here imports TensorFlow. The maps and parts are computed by a scorer: Keras, or an ONNX file
that was exported with them.
"""
