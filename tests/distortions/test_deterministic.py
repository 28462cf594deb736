"""Distortions without randomness against the same mathematics in NumPy, SciPy and Pillow."""

import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from reiqa_tf.distortions import DISTORTIONS, distort, reference
from reiqa_tf.distortions.engine import resampling
from reiqa_tf.distortions.engine.windows import Photo, Windows

# Largest mean difference and 99th percentile, in 8-bit levels. What Pillow rounds to 8 bits may be
# half a level off, more where it rounds between two passes.
TIGHT = (0.02, 0.1)
TOLERANCES = {
    "gaussian_blur": (0.3, 1.2),  # cut off at three standard deviations
    "lens_blur": (0.05, 0.3),  # areas of pixels counted on another grid
    "color_diffusion": (0.05, 0.5),  # interpolated between every fourth pixel
    "jpeg": (1e-4, 1e-4),
    "resize_bicubic": (0.6, 3),
    "resize_bilinear": (0.6, 3),
    "resize_lanczos": (0.6, 4),
    "resize_nearest": (1e-4, 1e-4),
    "pixelate": (1e-4, 1e-4),
}
FIXED = [distortion for distortion in DISTORTIONS if not distortion.random]


# Even sizes, too, where blocks or grids of another size are laid over a photo.
CASES = [
    pytest.param(distortion, size, id=f"{distortion.name}-{size[0]}x{size[1]}")
    for distortion in FIXED
    for size in ((97, 131), (128, 160))
    if size[0] % 2 or distortion.name.startswith(("resize", "pixelate", "jpeg", "color_diffusion"))
]


@pytest.mark.parametrize(("distortion", "size"), CASES)
def test_each_level_is_what_the_mathematics_says(photo, distortion, size):
    image = photo[100 : 100 + size[0], 200 : 200 + size[1]]
    oracle = getattr(reference, distortion.name)
    mean, high = TOLERANCES.get(distortion.name, TIGHT)
    # Programs of some distortions are compiled for each size and level.
    for level in range(5) if size[0] % 2 else (0, 4):
        expected = oracle(image / 255, distortion.levels[level])
        difference = 255 * np.abs(distort(image, distortion.name, level).numpy() - expected)
        assert difference.mean() <= mean, level
        assert np.percentile(difference, 99) <= high, level


def test_the_neutral_levels_change_nothing(photo):
    image = photo[:64, :96]
    for name, level, tolerance in (("mean_shift", 2, 0), ("lab_saturation", 0, 2e-3)):
        np.testing.assert_allclose(distort(image, name, level), image / 255, atol=tolerance + 1e-6)


@pytest.mark.skipif("REIQA_GOLDEN" not in os.environ, reason="REIQA_GOLDEN names no file")
@pytest.mark.parametrize("distortion", FIXED, ids=lambda distortion: distortion.name)
def test_agrees_with_the_published_implementation(distortion):
    golden = np.load(os.environ["REIQA_GOLDEN"])
    for level in range(5):
        expected = golden[f"{distortion.name}_{level}"] / 255
        ours = distort(golden["image"], distortion.name, level).numpy()
        difference = 255 * np.abs(ours - expected)
        print(  # noqa: T201 - the table that is asked for
            f"{distortion.name:16} {level} mean {difference.mean():.2f} "
            f"99th percentile {np.percentile(difference, 99):.2f}"
        )
        assert difference.mean() <= 1.5
        assert np.percentile(difference, 99) <= 4


@pytest.fixture
def uncompiled():
    """Runs compiled functions operation by operation: here every photo has another size."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize(
    ("kernel", "filter_of_pillow"),
    [
        (resampling.BILINEAR, Image.Resampling.BILINEAR),
        (resampling.BICUBIC, Image.Resampling.BICUBIC),
        (resampling.LANCZOS, Image.Resampling.LANCZOS),
    ],
    ids=["bilinear", "bicubic", "lanczos"],
)
@pytest.mark.parametrize("factor", [2, 3, 4, 8, 16])
def test_windows_are_resized_as_pillow_resizes_photos_of_any_size(kernel, filter_of_pillow, factor):
    draw = np.random.default_rng(factor)
    # The sizes with the largest remainder, of which the smallest is the worst, and some more.
    sizes = [(32 + factor - 1, 33), (48 + factor - 1, 63), *draw.integers(32, 130, (4, 2)).tolist()]
    for height, width in sizes:
        image = draw.random((height, width, 3), np.float32)
        small = [
            Image.fromarray(plane).resize((width // factor, height // factor), filter_of_pillow)
            for plane in np.moveaxis(image, -1, 0)
        ]
        clipped = [Image.fromarray(np.clip(np.asarray(plane), 0, 1)) for plane in small]
        whole = np.stack([plane.resize((width, height), filter_of_pillow) for plane in clipped])
        top, left = draw.integers(0, (height - 29, width - 31))
        for windows in (
            Windows.whole(Photo(tf.constant(image))),
            Windows(Photo(tf.constant(image)), (top, 0), (left, 0), 30, 32),
        ):
            planes = resampling.fill_windows(
                windows.pixels, *resampling.shrink(windows, kernel, factor)
            )
            for part, first_row, first_column in zip(
                planes.numpy(), windows.tops, windows.lefts, strict=True
            ):
                last_row, last_column = first_row + windows.rows, first_column + windows.columns
                expected = whole[:, first_row:last_row, first_column:last_column]
                np.testing.assert_allclose(part, expected, atol=2e-6)
