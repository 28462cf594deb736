"""Pictures and artifacts that the tests of export share."""

import io

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.export.saved_model import write_saved_model
from tests.small_models import small_scorer


@pytest.fixture(scope="session")
def small():
    """A scorer of both experts, small enough for a moment."""
    return small_scorer()


@pytest.fixture(scope="session")
def files(photo):
    """Real photos of different sizes as the bytes of JPEG and PNG files."""
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds = [
        ("JPEG", (70, 90), {"quality": 90}),
        ("PNG", (96, 96), {}),
        ("JPEG", (200, 131), {"quality": 75, "exif": exif}),
        ("PNG", (129, 301), {}),
    ]
    encoded = []
    for i, (kind, (height, width), options) in enumerate(kinds):
        file = io.BytesIO()
        Image.fromarray(photo[30 * i :][:height, 50 * i :][:, :width]).save(file, kind, **options)
        encoded.append(file.getvalue())
    return encoded


@pytest.fixture(scope="session")
def served(small, files, tmp_path_factory):
    """The folder of a SavedModel, version 7 of the model `quality`."""
    folder = tmp_path_factory.mktemp("served")
    write_saved_model(small, folder, "quality", files, version=7)
    return folder


def keras_scores(scorer, files):
    """What Keras says about photos, one by one."""
    return np.array([float(scorer.score(contents)) for contents in files])
