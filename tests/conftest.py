"""Settings and pictures that all tests share."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is first imported
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # the same numbers on every machine

import pathlib

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.cli.startup import start_tensorflow

start_tensorflow()

PHOTOS = pathlib.Path(__file__).parent / "photos"


@pytest.fixture(scope="session")
def photo():
    """A real photo: uint8 (512, 768, 3)."""
    return np.asarray(Image.open(PHOTOS / "kodim23.png"))


@pytest.fixture(scope="module")
def scorer():
    """A small model with weights that are as alive as trained ones."""
    from tests.small_models import small_scorer

    return small_scorer()


@pytest.fixture(scope="session")
def photos_folder():
    """The folder of real photos that the repository holds."""
    return PHOTOS
