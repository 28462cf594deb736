"""The presets that the package ships, a folder each. The code is in `reiqa_tf.models.presets`."""

DEFAULT = "content_lite0_biq2021"
"""Name of the preset that the commands take unless a person names another."""
