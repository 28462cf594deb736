"""Weights of others: PyTorch checkpoints read without PyTorch and laid into our models."""
