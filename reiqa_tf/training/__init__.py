"""Fitting: a head on features of scored photos."""
