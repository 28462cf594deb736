"""The table of distortions, and what holds for each row of it."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.distortions import DISTORTIONS, NAMES, distort
from reiqa_tf.distortions.engine.windows import Photo, Windows, extend, mirror_index

EACH = pytest.mark.parametrize(
    "distortion", list(DISTORTIONS), ids=lambda distortion: distortion.name
)


def test_the_bank_is_the_published_one():
    assert tuple(NAMES) == (
        "gaussian_blur",
        "lens_blur",
        "color_diffusion",
        "color_shift",
        "hsv_saturation",
        "lab_saturation",
        "jpeg",
        "gaussian_noise",
        "ycbcr_noise",
        "impulse_noise",
        "multiplicative_noise",
        "denoise",
        "brighten",
        "darken",
        "mean_shift",
        "resize_bicubic",
        "sharpen",
        "contrast",
        "color_block",
        "pixelate",
        "non_eccentricity",
        "jitter",
        "resize_bilinear",
        "resize_nearest",
        "resize_lanczos",
        "motion_blur",
    )
    unordered = {distortion.name for distortion in DISTORTIONS if not distortion.ordered}
    assert unordered == {"hsv_saturation", "mean_shift", "contrast"}
    assert all(len(distortion.levels) == 5 for distortion in DISTORTIONS)


@EACH
def test_an_ordered_distortion_changes_more_with_each_level(photo, distortion):
    # Between neighbours a photo may say otherwise (and a shift points where it likes).
    image = photo[40:117, 300:401]
    changes = [
        np.abs(distort(image, distortion.name, level, (2, 1)) - image / 255).mean()
        for level in (0, 2, 4)
    ]
    if distortion.ordered:
        assert changes[2] > changes[1] > changes[0] or distortion.name == "color_shift"
    assert max(changes) > 0.002


# Of these two a window computes as much as the photo: ten seconds each.
NARROW = pytest.mark.parametrize(
    "distortion",
    [
        pytest.param(
            one,
            id=one.name,
            marks=pytest.mark.slow if one.name in ("jitter", "lens_blur") else (),
        )
        for one in DISTORTIONS
    ],
)


@NARROW
def test_windows_see_what_the_whole_photo_would(photo, distortion):
    image = tf.constant(photo[130:307, 210:439])  # 177 x 229
    source = Photo(image)
    places = ((0, 177 - 48, 61), (229 - 48, 0, 97))
    corners = Windows(source, *places, 48, 48)
    inner = Windows(source, (33, 90, 20), (50, 120, 150), 48, 48)
    for level in (0, 2, 4):
        seed = tf.constant([level, 77])
        whole = distort(image, distortion.name, level, seed)
        for windows, part in zip(
            (corners, inner), distortion.distort((corners, inner), level, seed), strict=True
        ):
            # Products of other sizes add up in another order.
            for planes, top, left in zip(part, windows.tops, windows.lefts, strict=True):
                theirs = np.moveaxis(whole.numpy()[top : top + 48, left : left + 48], -1, 0)
                np.testing.assert_allclose(planes, theirs, atol=2e-5)


@NARROW
def test_no_pixel_outside_the_declared_neighbourhood_matters(photo, distortion):
    if distortion.neighbourhood is None:
        pytest.skip("looks at all of the photo")
    image = photo[100:340, 200:460].copy()
    for level in (0, 4):
        reach = distortion.neighbourhood[level]
        windows = [
            Windows(Photo(tf.constant(each)), (100,), (110,), 32, 32)
            for each in (image, _changed(image, 100 - reach, 110 - reach, 32 + 2 * reach))
        ]
        seed = tf.constant([1, level])
        before, after = (distortion.distort([part], level, seed)[0] for part in windows)
        np.testing.assert_allclose(after, before, atol=1e-5)


def _changed(image, top, left, side):
    changed = 255 - image
    changed[top : top + side, left : left + side] = image[top : top + side, left : left + side]
    return changed


@EACH
def test_eager_graph_and_tf_data_give_the_same_pixels(photo, distortion):
    image = tf.constant(photo[40:117, 300:401])
    name = distortion.name
    eager = distort(image, name, 4, (5, 6)).numpy()
    assert eager.dtype == np.float32
    assert eager.shape == image.shape
    assert 0 <= eager.min() <= eager.max() <= 1
    graph = tf.function(
        lambda image: distort(image, name, 4, (5, 6)),
        input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)],
        autograph=False,
    )
    np.testing.assert_array_equal(graph(image), eager)
    for calls in (1, 8):
        dataset = tf.data.Dataset.from_tensors(image).repeat(4)
        dataset = dataset.map(lambda image: distort(image, name, 4, (5, 6)), calls)
        for each in dataset:
            np.testing.assert_array_equal(each, eager)


@pytest.mark.parametrize(
    ("name", "level"), [("resize_lanczos", 4), ("resize_bicubic", 3), ("color_diffusion", 0)]
)
def test_large_products_are_the_same_in_one_thread_and_in_all(photo, name, level):
    # Large enough for several threads, and tf.data gives each photo one.
    image = tf.constant(photo[:, :700])
    dataset = tf.data.Dataset.from_tensors(image).map(lambda image: distort(image, name, level))
    (in_one_thread,) = dataset
    np.testing.assert_array_equal(in_one_thread, distort(image, name, level))


_HASHES = """
import hashlib, sys
import numpy as np
from PIL import Image
from reiqa_tf.distortions import NAMES, distort
image = np.asarray(Image.open(sys.argv[1]))[40:117, 300:401]
for name in NAMES:
    distort(image[:40, :50], name, 1, (1, 1))  # what came before must not matter
    print(hashlib.sha256(distort(image, name, 2, (8, 9)).numpy().tobytes()).hexdigest())
"""


@pytest.mark.slow  # compiles the whole bank once more
def test_another_process_distorts_to_the_same_bits(photo, photos_folder):
    path = photos_folder / "kodim23.png"
    theirs = subprocess.run(
        [sys.executable, "-c", _HASHES, str(path)], capture_output=True, text=True, check=True
    ).stdout.split()
    image = photo[40:117, 300:401]
    for name, expected in zip(NAMES, theirs, strict=True):
        pixels = distort(image, name, 2, (8, 9)).numpy()
        assert hashlib.sha256(pixels.tobytes()).hexdigest() == expected, name


@EACH
@pytest.mark.parametrize("level", [pytest.param(0, marks=pytest.mark.slow), 4])
def test_the_smallest_photo_can_be_distorted(photo, distortion, level):
    distorted = distort(photo[200:232, 300:333], distortion.name, level, (1, 1)).numpy()
    assert np.isfinite(distorted).all()
    assert 0 <= distorted.min() <= distorted.max() <= 1


@pytest.mark.parametrize("name", ["gaussian_noise", "jpeg", "jitter", "lab_saturation"])
def test_photos_of_a_batch_are_distorted_one_by_one(photo, name):
    batch = tf.constant(np.stack([photo[:77, :101], photo[100:177, 100:201]]))
    together = distort(batch, name, 2, (3, 4)).numpy()
    for i in range(2):
        seed = tf.random.fold_in(tf.constant([3, 4]), i)
        np.testing.assert_array_equal(together[i], distort(batch[i], name, 2, seed))


def test_levels_of_eight_bits_and_floats_are_the_same_photo(photo):
    image = photo[:64, :64]
    for name in ("jpeg", "lab_saturation", "pixelate"):
        floats = distort(image / np.float32(255), name, 2)
        np.testing.assert_allclose(distort(image, name, 2), floats, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((64, 64, 3)), "gaussian_blurr", 0), "Expected one of the distortions"),
        ((np.zeros((64, 64, 3)), "jpeg", 5), "Expected a level of 0"),
        ((np.zeros((64, 64, 3)), "jpeg", -1), "Expected a level of 0"),
        ((np.zeros((31, 64, 3)), "jpeg", 0), "at least 32 x 32 px"),
        ((np.zeros((64, 64)), "jpeg", 0), r"expected \(batch, H, W, 3\) .* Received: \(64, 64\)"),
        ((np.zeros((64, 64, 4)), "jpeg", 0), r"one picture \(H, W, 3\)"),
        ((np.zeros((1, 1, 64, 64, 3)), "jpeg", 0), r"expected \(batch, H, W, 3\)"),
    ],
)
def test_what_cannot_be_distorted_is_said(arguments, message):
    with pytest.raises(ValueError, match=message):
        distort(*arguments)


def test_a_photo_goes_on_mirrored_however_far():
    np.testing.assert_array_equal(
        mirror_index(tf.range(-7, 7), 3), [0, 0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]
    )
    image = np.arange(12.0, dtype=np.float32).reshape(2, 2, 3)
    np.testing.assert_array_equal(
        extend(tf.constant(image), (3, 1, 2, 3), "mirror"),
        np.pad(image, ((3, 1), (2, 3), (0, 0)), mode="symmetric"),
    )
    np.testing.assert_array_equal(
        extend(tf.constant(image), (3, 1, 2, 0), "edge"),
        np.pad(image, ((3, 1), (2, 0), (0, 0)), mode="edge"),
    )
