"""The presets that the package ships, a folder each. The code is in `reiqa_tf.models.presets`."""
