"""Keras models: backbones, the encoder, the scorer, and presets on disk."""

from reiqa_tf.backend import require_tensorflow

require_tensorflow()
