"""What computed a result: the versions that belong beside its numbers."""

import platform
import sys

import keras
import numpy as np
import scipy
import sklearn
import tensorflow as tf
from PIL import __version__ as pillow_version

from reiqa_tf.version import __version__


def versions() -> dict[str, str]:
    """Versions of the package and of what it leans on, by name; and the platform."""
    return {
        "reiqa_tf": __version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "pillow": pillow_version,
        "platform": f"{sys.platform}, {platform.machine()}",
    }
