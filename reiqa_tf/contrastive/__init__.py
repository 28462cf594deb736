"""Contrastive learning after MoCo: projection, loss, queue, momentum network.

Letters: N pairs, D numbers in an embedding, K keys in the queue, R replicas.
"""
