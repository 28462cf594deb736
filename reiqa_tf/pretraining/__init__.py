"""Contrastive pretraining after MoCo-v2: configuration, pairs, networks, the loop, its report."""
