"""Scorers without a network, to compare with: each a function of a photo, higher is better."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from reiqa_tf.data.near_duplicates import perceptual_hash
from reiqa_tf.errors import ReiqaError
from reiqa_tf.evaluation.baseline_catalog import BASELINES
from reiqa_tf.evaluation.photo_functions import PhotoFunction, function_named

_GREY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as JPEG and most of the field


def sharpness(image: np.ndarray) -> float:
    """Variance of the Laplacian of the grey photo: high where edges are crisp, or noise is strong.

    Args:
        image: uint8 array `(H, W, 3)`, RGB.

    Returns:
        float, at least 0.
    """
    return float(ndimage.laplace(image @ _GREY).var())


def entropy(image: np.ndarray) -> float:
    """Shannon entropy of the 256 grey levels in bits, 0 for a flat picture and 8 for even use.

    Args:
        image: uint8 array `(H, W, 3)`, RGB.

    Returns:
        float in [0, 8].
    """
    counts = np.bincount(np.rint(image @ _GREY).astype(np.uint8).ravel(), minlength=256)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def brisque(image: np.ndarray) -> float:
    """BRISQUE by the package `brisque`, with its sign turned: its own scores fall with quality.

    Args:
        image: uint8 array `(H, W, 3)`, RGB.

    Returns:
        float; mostly between -100 and 0.

    Reference:
        Mittal, Moorthy, Bovik, No-Reference Image Quality Assessment in the Spatial Domain, IEEE
        TIP 21(12), 2012; weights as the package ships them, fitted on LIVE.
    """
    return -float(_brisque_model().score(image))


def hash_bits(image: np.ndarray) -> np.ndarray:
    """The 64 bits of a photo's perceptual hash, as numbers that a cache can keep.

    Args:
        image: uint8 array `(H, W, 3)`, RGB.

    Returns:
        float32 array `(64,)` of zeros and ones.
    """
    code = np.array([perceptual_hash(image)], ">u8")
    return np.unpackbits(code.view(np.uint8)).astype(np.float32)


def baseline_named(name: str) -> PhotoFunction:
    """Finds a baseline.

    Args:
        name: one of `BASELINES`, or `module:function` of the user's own.

    Returns:
        `PhotoFunction`.

    Raises:
        ReiqaError: if there is none, or a package that it needs is missing.
    """
    if ":" in name:
        return function_named(name)
    if name not in BASELINES:
        raise ReiqaError(
            f"expected a baseline out of {', '.join(BASELINES)}, or module:function. "
            f"Received: {name!r}"
        )
    function, package = BASELINES[name]
    version = ""
    if package:
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            raise ReiqaError(
                f"{name}: expected the package `{package}`: pip install 'reiqa_tf[{name}]'"
            ) from None
    return PhotoFunction(name, globals()[function], version)


@functools.cache
def _brisque_model() -> Any:
    from brisque import BRISQUE

    class Model(BRISQUE):
        def scale_features(self, features: Sequence[Any]) -> Any:
            # Some of them are arrays of one number, which NumPy 2.4 no longer takes for a number.
            return super().scale_features([np.asarray(value).item() for value in features])

    return Model(url=False)
