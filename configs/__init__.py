"""Configurations of pretraining runs: one module each, with a function `get_config`."""
