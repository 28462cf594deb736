"""Keras models: backbones, the encoder, the scorer, and presets on disk."""
