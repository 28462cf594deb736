"""Export with proof: SavedModel, TFLite and ONNX, measured against Keras. See `exporting`."""

# On disk this folder is called `export`; under that name it would be anybody's.
if __name__ != "reiqa_tf.export":
    raise ImportError(
        f"expected this package under its name reiqa_tf.export. Received: {__name__}. "
        "Install reiqa_tf (pip install --editable .) and import reiqa_tf.export."
    )
