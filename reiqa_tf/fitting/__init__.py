"""From scored photos to a linear head: regression, ladders of distortions, the fit."""
