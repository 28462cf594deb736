"""The bank of 26 distortions as TensorFlow operations: one table, drawing split from applying.

`bank` holds the table and `distort`; the operators are in one module a family, and work on
`windows` of a photo.
"""

from reiqa_tf.distortions.bank import DISTORTIONS, LEVELS, NAMES, Distortion, distort

__all__ = ["DISTORTIONS", "LEVELS", "NAMES", "Distortion", "distort"]
