"""The bank of 26 distortions as one table, and `distort`, which applies a row of it.

Numbers of the table: the implementation published with Re-IQA (Saha, Mishra and Bovik, CVPR 2023,
arXiv 2304.00451), whose bank goes back to KADID-10k (Lin, Hosu and Saupe, QoMEX 2019).
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions import (
    blurs,
    colors,
    compression,
    displacements,
    noises,
    patches,
    resizes,
    tones,
)
from reiqa_tf.distortions.distortion import LEVELS, Distortion
from reiqa_tf.distortions.engine.windows import SMALLEST_SIDE, Photo, Windows
from reiqa_tf.image.shapes import PICTURES, require_pictures

DISTORTIONS: list[Distortion] = []
"""The distortions, in the order of their numbers (from 1 on). `add_distortion` adds to it."""

NAMES: list[str] = []
"""Their names, in the same order."""


def add_distortion(distortion: Distortion) -> None:
    """Adds an operator to the bank, behind the others.

    From then on `distort`, `reiqa distort` and `QualityViews` know it, as do all that go through
    `DISTORTIONS`. Call it before views are compiled.

    Args:
        distortion: an object of a subclass of `Distortion`.

    Raises:
        ValueError: if the name is taken, or levels, sizes or neighbourhood are not five.

    Example:
    ```python
    import tensorflow as tf
    from reiqa_tf.distortions import Distortion, add_distortion, around, distort

    class Posterize(Distortion):
        \"\"\"Fewer levels of each colour.\"\"\"

        name = "posterize"
        levels = (32, 16, 8, 4, 2)
        unit = "levels of a colour"

        def apply(self, pixels, value, prepared):
            return tf.round(around(pixels) * (value - 1)) / (value - 1)

    add_distortion(Posterize())
    poster = distort(tf.random.uniform((64, 64, 3)), "posterize", level=3)
    ```
    """
    if distortion.name in NAMES:
        raise ValueError(f"Expected a name that is not taken. Received: {distortion.name!r}")
    for part in ("levels", "sizes", "neighbourhood"):
        values = getattr(distortion, part)
        if values is not None and len(values) != LEVELS:
            raise ValueError(
                f"{distortion.name}: expected {part} of {LEVELS} levels. Received: {values}"
            )
    DISTORTIONS.append(distortion)
    NAMES.append(distortion.name)


for _kind in (
    blurs.GaussianBlur,
    blurs.LensBlur,
    colors.ColorDiffusion,
    colors.ColorShift,
    colors.HsvSaturation,
    colors.LabSaturation,
    compression.Jpeg,
    noises.GaussianNoise,
    noises.YcbcrNoise,
    noises.ImpulseNoise,
    noises.MultiplicativeNoise,
    noises.Denoise,
    tones.Brighten,
    tones.Darken,
    tones.MeanShift,
    resizes.ResizeBicubic,
    tones.Sharpen,
    tones.ContrastCurve,
    patches.ColorBlock,
    resizes.Pixelate,
    patches.NonEccentricity,
    displacements.Jitter,
    resizes.ResizeBilinear,
    resizes.ResizeNearest,
    resizes.ResizeLanczos,
    blurs.MotionBlur,
):
    add_distortion(_kind())


def distort(
    image: np.ndarray | tf.Tensor, name: str, level: int | tf.Tensor, seed: Sequence[int] = (0, 0)
) -> tf.Tensor:
    """Distorts a photo, or each photo of a batch.

    The same photo, name, level and seed give the same pixels, eagerly, in a graph and inside
    `tf.data`, alone or as the same place of a batch.

    Args:
        image: `(H, W, 3)` or `(B, H, W, 3)`, float32 in [0, 1] or 8-bit levels, at least 32 px in
            each direction.
        name: a name in `NAMES`.
        level: 0 (mildest) to 4; commands, pictures and reports call these 1 to 5.
        seed: two integers. Photo `i` of a batch takes the seed that
            `tf.random.fold_in(seed, i)` makes.

    Returns:
        float32 tensor of the same shape, in [0, 1].

    Raises:
        ValueError: if the name is unknown, the level is not 0 to 4, or the picture has another rank
            or number of channels or is too small.

    Example:
    ```python
    import tensorflow as tf
    from reiqa_tf.distortions import distort

    photo = tf.random.uniform((384, 512, 3))
    blurred = distort(photo, "gaussian_blur", level=3)
    noisy = distort(photo, "gaussian_noise", level=1, seed=(7, 0))
    ```

    Reference: the table `DISTORTIONS`.
    """
    distortion = distortion_named(name)
    image = tf.convert_to_tensor(image)
    _check(image, level)
    level = tf.convert_to_tensor(level, tf.int32)
    seed = tf.convert_to_tensor(seed, tf.int32)
    if image.dtype != tf.uint8:
        image = tf.cast(image, tf.float32)
    distort_one = _compiled(distortion, image.dtype)
    if image.shape.rank == 3:
        return distort_one(image, level, seed)
    return tf.map_fn(
        lambda part: distort_one(part[0], level, tf.random.fold_in(seed, part[1])),
        (image, tf.range(tf.shape(image)[0])),
        fn_output_signature=tf.TensorSpec(image.shape[1:], tf.float32),
    )


def distortion_named(name: str) -> Distortion:
    """Looks a distortion up.

    Args:
        name: a name in `NAMES`.

    Returns:
        the `Distortion`.

    Raises:
        ValueError: if there is none of that name.
    """
    if name not in NAMES:
        raise ValueError(f"Expected one of the distortions {', '.join(NAMES)}. Received: {name!r}")
    return DISTORTIONS[NAMES.index(name)]


def _check(image: tf.Tensor, level: int | tf.Tensor) -> None:
    if isinstance(level, int) and not 0 <= level < LEVELS:
        raise ValueError(
            f"Expected a level of 0 (mildest) to {LEVELS - 1}, which commands and reports call "
            f"1 to {LEVELS}. Received: {level}"
        )
    shape = image.shape
    require_pictures(image)
    if shape.rank not in (3, 4):
        raise ValueError(f"images: {PICTURES}. Received: {shape}.")
    if min(side or SMALLEST_SIDE for side in shape[-3:-1]) < SMALLEST_SIDE:
        raise ValueError(
            f"Expected a photo of at least {SMALLEST_SIDE} x {SMALLEST_SIDE} px. "
            f"Received: a picture of shape {shape}"
        )


@functools.cache
def _compiled(
    distortion: Distortion, dtype: tf.DType
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    """One graph for each distortion, shared by eager calls, graphs and `tf.data`.

    The same graph for all sizes, whoever calls first: another would differ in the last bit.
    """

    def distort_whole(image: tf.Tensor, level: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        (planes,) = distortion.distort([Windows.whole(Photo(image))], level, seed)
        return tf.transpose(planes[0], (1, 2, 0))

    signature = [
        tf.TensorSpec((None, None, 3), dtype),
        tf.TensorSpec((), tf.int32),
        tf.TensorSpec((2,), tf.int32),
    ]
    function: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor] = tf.function(
        distort_whole, input_signature=signature, autograph=False
    )
    return function
