"""Weights of others: PyTorch checkpoints read without PyTorch and laid into our models."""

from reiqa_tf.backend import require_tensorflow

require_tensorflow()
