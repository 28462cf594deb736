"""Tuning: encoders and head trained end to end on scored photos, an objective of the engine."""
