"""The bank of 26 distortions as TensorFlow operations: one table, drawing split from applying.

`bank` holds the table and `distort`. Each operator is one class, in the module of its family, and
says in order what is random (`draw`), what is prepared (`prepare`) and what the pixels become
(`apply`). `reference` has all of them in plain NumPy, and `engine` what makes these here fast.
"""

from reiqa_tf.distortions.bank import DISTORTIONS, NAMES, add_distortion, distort, distortion_named
from reiqa_tf.distortions.distortion import LEVELS, WHOLE_PHOTO, Distortion
from reiqa_tf.distortions.engine.windows import around

__all__ = [
    "DISTORTIONS",
    "LEVELS",
    "NAMES",
    "WHOLE_PHOTO",
    "Distortion",
    "add_distortion",
    "around",
    "distort",
    "distortion_named",
]
