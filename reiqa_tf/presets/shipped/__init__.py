"""The presets that the package ships, a folder each."""
