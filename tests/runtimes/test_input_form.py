"""The forms in which files take pictures: what they make of upright RGB, and what they say."""

import numpy as np
import pytest

from reiqa_tf.image.camera_frames import turn
from reiqa_tf.runtimes.input_form import PIXELS, ROTATIONS, InputForm, InputFormError


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("pixels", PIXELS)
def test_a_picture_in_a_form_is_turned_back_by_the_file(pixels, rotation):
    form = InputForm(pixels, rotation)
    images = np.random.default_rng(0).integers(0, 256, (2, 6, 8, 3), np.uint8)
    packed = form.packed(images)
    assert packed.dtype == form.dtype
    assert packed.shape == (2, *form.lying((6, 8)), form.channels)
    for image, received in zip(images, packed, strict=True):
        upright = turn(received, rotation)[..., :3]
        levels = np.rint(255 * upright) if pixels == "float" else upright
        np.testing.assert_array_equal(levels, image)
    assert InputForm.read(form.entries(), "model.tflite") == form


def test_forms_that_there_are_not_are_refused():
    with pytest.raises(InputFormError, match=r"rgb, rgba, float\. Received: 'bgr'"):
        InputForm("bgr")
    with pytest.raises(InputFormError, match=r"0, 90, 180, 270, clockwise\. Received: 45"):
        InputForm("rgb", 45)
    with pytest.raises(InputFormError, match=r"model\.tflite: rotation: expected"):
        InputForm.read({"pixels": "rgb", "rotation": "x"}, "model.tflite")
    assert InputForm.read({}, "model.tflite") is None
