"""The presets that the package ships, a folder each, and how to find them.

`reiqa_tf.presets.storage` loads and saves presets; what needs no Keras is here, in `folders`.
"""

DEFAULT = "reiqa_lite0_biq2021"
"""Name of the preset that the commands take unless a person names another."""
