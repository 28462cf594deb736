"""The bank of 26 distortions as one table, and what it takes to apply a row of it.

Numbers of the table: the implementation published with Re-IQA (Saha, Mishra and Bovik, CVPR 2023,
arXiv 2304.00451), whose bank goes back to KADID-10k (Lin, Hosu and Saupe, QoMEX 2019).
"""

import dataclasses
import functools
from collections.abc import Callable

import tensorflow as tf

from reiqa_tf.distortions import (
    blurs,
    colors,
    compression,
    displacements,
    noises,
    resampling,
    sizes,
    tones,
)
from reiqa_tf.distortions.fusing import fused, kept_whole
from reiqa_tf.distortions.windows import SMALLEST_SIDE, Photo, Windows

WHOLE_PHOTO = None
"""Neighbourhood of an operator that looks at all of the photo."""


@dataclasses.dataclass(frozen=True)
class Distortion:
    """A row of the table.

    Attributes:
        name: what users call it.
        apply: pure function `(pixels, value, *cut)` of `Windows.pixels` that returns float32 planes
            `(T, 3, rows, columns)` in [0, 1]. It is compiled. None where `cut` makes a tuple of
            these planes alone.
        levels: physical values of the five levels, mildest first where `ordered`.
        unit: what the values are.
        ordered: whether a higher level always means a stronger change.
        neighbourhood: pixels around a window that its result depends on, for each level;
            `WHOLE_PHOTO` if all.
        draw: function `(seed, value, photo)` that makes what is random (and what takes the whole
            photo to measure); None if there is neither.
        cut: function `(windows, value, drawn)` that makes a tuple of what `apply` needs beside the
            pixels; None if nothing.
        random: whether the result depends on the seed.

    Where levels are best computed in different ways, `apply`, `draw` and `cut` are tuples of five
    functions, one for each level.
    """

    name: str
    apply: Callable | tuple | None
    levels: tuple
    unit: str
    ordered: bool
    neighbourhood: tuple | None
    draw: Callable | tuple | None = None
    cut: Callable | tuple | None = None
    random: bool = False

    def on(self, windows, level, seed):
        """Distorts windows of a photo.

        Args:
            windows: the `Windows`.
            level: 0 to 4, an integer or a scalar int32 tensor.
            seed: int32 tensor `(2,)`.

        Returns:
            float32 tensor `(T, rows, columns, 3)` in [0, 1].
        """
        return tf.transpose(self.on_all((windows,), level, seed)[0], (0, 2, 3, 1))

    def on_all(self, groups, level, seed):
        """Distorts several groups of windows of one photo with the same randomness.

        Args:
            groups: sequence of `Windows`, all of the same photo.
            level: 0 to 4, an integer or a scalar int32 tensor.
            seed: int32 tensor `(2,)`.

        Returns:
            list with float32 planes `(T, 3, rows, columns)` in [0, 1] for each group.
        """
        value = tf.gather(tf.constant(self.levels, tf.float32), level)
        of_levels = list(zip(*map(_of_each_level, (self.draw, self.cut, self.apply)), strict=True))
        ways = list(dict.fromkeys(of_levels))
        if len(ways) == 1:
            return _on_all(*ways[0], groups, value, seed)
        return tf.switch_case(
            tf.gather([ways.index(way) for way in of_levels], level),
            [kept_whole(lambda way=way: _on_all(*way, groups, value, seed)) for way in ways],
        )


def _of_each_level(part):
    return part if isinstance(part, tuple) else (part,) * LEVELS


def _on_all(draw, cut, apply, groups, value, seed):
    """One of the ways of a distortion, from what is random to distorted planes."""
    drawn = ()
    if draw is not None:
        photo = _rows_of(groups)
        groups = [dataclasses.replace(windows, photo=photo) for windows in groups]
        drawn = draw(seed, value, photo)
    parts = [cut(windows, value, drawn) if cut else () for windows in groups]
    if apply is None:
        return [planes for (planes,) in parts]
    return _program(apply)([windows.pixels for windows in groups], value, parts)


def _rows_of(groups):
    """The photo, with the rows wanted that windows show."""
    tops = tf.stack([top for windows in groups for top in windows.tops])
    stops = tf.stack([top + windows.rows for windows in groups for top in windows.tops])
    first = tf.reduce_min(tops)
    return groups[0].photo.with_rows(first, tf.reduce_max(stops) - first)


@functools.cache
def _program(apply):
    """A compiled operator for several groups of windows."""
    return fused(
        lambda groups, value, cut: [
            apply(pixels, value, *parts) for pixels, parts in zip(groups, cut, strict=True)
        ]
    )


_NONE = (0,) * 5
_LENS = (1, 2, 4, 6, 8)
_RESIZE = (2, 3, 4, 8, 16)
_MOTION = (12, 16, 20, 24, 28)

DISTORTIONS = (
    Distortion(
        "gaussian_blur",
        (*(blurs.narrow_gaussian_blur,) * 4, blurs.wide_gaussian_blur),
        levels=(0.1, 0.5, 1, 2, 5),
        unit="px, standard deviation",
        ordered=True,
        neighbourhood=blurs.GAUSSIAN_REACHES,
    ),
    Distortion(
        "lens_blur",
        (
            *(blurs.small_lens_blur(radius) for radius in _LENS[:3]),
            *(blurs.large_lens_blur(radius) for radius in _LENS[3:]),
        ),
        levels=_LENS,
        unit="px, radius",
        ordered=True,
        neighbourhood=_LENS,
        cut=(*(None,) * 3, *(blurs.cut_fours(radius) for radius in _LENS[3:])),
    ),
    Distortion(
        "color_diffusion",
        colors.color_diffusion,
        levels=(1, 3, 6, 8, 12),
        unit="times the colour, blurred",
        ordered=True,
        neighbourhood=(colors.DIFFUSION_REACH,) * 5,
        draw=colors.draw_diffusion,
        cut=colors.cut_diffusion,
    ),
    Distortion(
        "color_shift",
        colors.color_shift,
        levels=(1, 3, 6, 8, 12),
        unit="px",
        ordered=True,
        neighbourhood=WHOLE_PHOTO,
        draw=colors.draw_shift,
        cut=colors.cut_shift,
        random=True,
    ),
    Distortion(
        "hsv_saturation",
        colors.hsv_saturation,
        levels=(0.4, 0.2, 0.1, 0, -0.4),
        unit="times S of HSV",
        ordered=False,
        neighbourhood=_NONE,
    ),
    Distortion(
        "lab_saturation",
        colors.lab_saturation,
        levels=(1, 2, 3, 6, 9),
        unit="times a and b of Lab",
        ordered=True,
        neighbourhood=_NONE,
        cut=colors.cut_roots,
    ),
    Distortion(
        "jpeg",
        compression.jpeg,
        levels=(70, 43, 36, 24, 7),
        unit="quality",
        ordered=True,
        neighbourhood=(31,) * 5,
        cut=compression.cut_coded,
    ),
    Distortion(
        "gaussian_noise",
        noises.gaussian_noise,
        levels=(0.001, 0.002, 0.003, 0.005, 0.01),
        unit="variance",
        ordered=True,
        neighbourhood=_NONE,
        draw=noises.draw_normal,
        cut=noises.cut_normal,
        random=True,
    ),
    Distortion(
        "ycbcr_noise",
        noises.ycbcr_noise,
        levels=(0.0001, 0.0005, 0.001, 0.002, 0.003),
        unit="variance",
        ordered=True,
        neighbourhood=_NONE,
        draw=noises.draw_normal,
        cut=noises.cut_normal,
        random=True,
    ),
    Distortion(
        "impulse_noise",
        noises.impulse_noise,
        levels=(0.001, 0.005, 0.01, 0.02, 0.03),
        unit="of the pixels",
        ordered=True,
        neighbourhood=_NONE,
        draw=noises.draw_uniform,
        cut=noises.cut_uniform,
        random=True,
    ),
    Distortion(
        "multiplicative_noise",
        noises.multiplicative_noise,
        levels=(0.001, 0.005, 0.01, 0.02, 0.05),
        unit="variance",
        ordered=True,
        neighbourhood=_NONE,
        draw=noises.draw_normal,
        cut=noises.cut_normal,
        random=True,
    ),
    Distortion(
        "denoise",
        noises.denoise,
        levels=(0.001, 0.002, 0.003, 0.005, 0.01),
        unit="variance",
        ordered=True,
        neighbourhood=(noises.DENOISE_RADIUS,) * 5,
        draw=noises.draw_denoise,
        cut=noises.cut_denoise,
        random=True,
    ),
    Distortion(
        "brighten",
        tones.brighten,
        levels=(0.1, 0.2, 0.4, 0.7, 1.1),
        unit="bend of the tone curve",
        ordered=True,
        neighbourhood=_NONE,
        cut=colors.cut_roots,
    ),
    Distortion(
        "darken",
        tones.darken,
        levels=(0.05, 0.1, 0.2, 0.4, 0.8),
        unit="bend of the tone curve",
        ordered=True,
        neighbourhood=_NONE,
    ),
    Distortion(
        "mean_shift",
        tones.mean_shift,
        levels=(0.15, 0.08, 0, -0.08, -0.15),
        unit="added",
        ordered=False,
        neighbourhood=_NONE,
    ),
    Distortion(
        "resize_bicubic",
        sizes.resized,
        levels=_RESIZE,
        unit="times smaller",
        ordered=True,
        neighbourhood=WHOLE_PHOTO,
        cut=tuple(sizes.cut_shrunken(resampling.cubic, factor) for factor in _RESIZE),
    ),
    Distortion(
        "sharpen",
        tones.sharpen,
        levels=(1, 2, 3, 6, 12),
        unit="times the Laplacian",
        ordered=True,
        neighbourhood=(2,) * 5,
        cut=tones.cut_sharpened,
    ),
    Distortion(
        "contrast",
        tones.contrast,
        levels=(0.3, 0.15, 0, -0.4, -0.6),
        unit="bend of the tone curve",
        ordered=False,
        neighbourhood=_NONE,
    ),
    Distortion(
        "color_block",
        displacements.color_block,
        levels=(2, 4, 6, 8, 10),
        unit="squares of 32 px",
        ordered=True,
        neighbourhood=_NONE,
        draw=displacements.draw_blocks,
        cut=displacements.cut_blocks,
        random=True,
    ),
    Distortion(
        "pixelate",
        sizes.looked_up,
        levels=(0.01, 0.05, 0.1, 0.2, 0.5),
        unit="strength",
        ordered=True,
        neighbourhood=(4,) * 5,
        cut=sizes.cut_pixelated,
    ),
    Distortion(
        "non_eccentricity",
        displacements.non_eccentricity,
        levels=(20, 40, 60, 80, 100),
        unit="patches of 16 px",
        ordered=True,
        neighbourhood=WHOLE_PHOTO,
        draw=displacements.draw_copies,
        cut=displacements.cut_copies,
        random=True,
    ),
    Distortion(
        "jitter",
        displacements.jitter,
        levels=displacements.JITTER_LEVELS,
        unit="px, standard deviation",
        ordered=True,
        neighbourhood=displacements.JITTER_REACHES,
        draw=displacements.draw_jitter,
        cut=tuple(
            displacements.cut_jittered(displacements.round_reach(deviation))
            for deviation in displacements.JITTER_LEVELS
        ),
        random=True,
    ),
    Distortion(
        "resize_bilinear",
        sizes.resized,
        levels=_RESIZE,
        unit="times smaller",
        ordered=True,
        neighbourhood=WHOLE_PHOTO,
        cut=tuple(sizes.cut_shrunken(resampling.triangle, factor) for factor in _RESIZE),
    ),
    Distortion(
        "resize_nearest",
        sizes.looked_up,
        levels=(2, 3, 4, 5, 6),
        unit="times smaller",
        ordered=True,
        neighbourhood=WHOLE_PHOTO,
        cut=sizes.cut_nearest,
    ),
    Distortion(
        "resize_lanczos",
        sizes.resized,
        levels=_RESIZE,
        unit="times smaller",
        ordered=True,
        neighbourhood=WHOLE_PHOTO,
        cut=tuple(sizes.cut_shrunken(resampling.lanczos, factor) for factor in _RESIZE),
    ),
    Distortion(
        "motion_blur",
        None,
        levels=_MOTION,
        unit="px",
        ordered=True,
        neighbourhood=tuple(length // 2 for length in _MOTION),
        draw=blurs.draw_axis,
        cut=tuple(blurs.cut_motion_blurred(length) for length in _MOTION),
        random=True,
    ),
)
"""The 26 distortions, in the order of their numbers (1 to 26) in the published bank."""

LEVELS = 5
"""Levels of each distortion, 0 (mildest) to 4."""

NAMES = tuple(distortion.name for distortion in DISTORTIONS)
"""Names of the distortions, in the order of the table."""


def distort(image, name, level, seed=(0, 0)):
    """Distorts a photo, or each photo of a batch.

    The same photo, name, level and seed give the same pixels, eagerly, in a graph and inside
    `tf.data`, alone or as the same place of a batch.

    Args:
        image: `(H, W, 3)` or `(B, H, W, 3)`, float32 in [0, 1] or 8-bit levels, at least 32 px in
            each direction.
        name: a name in `NAMES`.
        level: 0 (mildest) to 4.
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
    if image.shape.rank == 3:
        return _compiled(distortion, image.dtype)(image, level, seed)
    return tf.map_fn(
        lambda part: _compiled(distortion, image.dtype)(
            part[0], level, tf.random.fold_in(seed, part[1])
        ),
        (image, tf.range(tf.shape(image)[0])),
        fn_output_signature=tf.TensorSpec(image.shape[1:], tf.float32),
    )


def distortion_named(name):
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


def _check(image, level):
    if isinstance(level, int) and not 0 <= level < LEVELS:
        raise ValueError(f"Expected a level of 0 (mildest) to {LEVELS - 1}. Received: {level}")
    shape = image.shape
    if shape.rank not in (3, 4) or shape[-1] not in (3, None):
        raise ValueError(
            "Expected a photo (height, width, 3) or a batch of them. "
            f"Received: a picture of shape {shape}"
        )
    if min(side or SMALLEST_SIDE for side in shape[-3:-1]) < SMALLEST_SIDE:
        raise ValueError(
            f"Expected a photo of at least {SMALLEST_SIDE} x {SMALLEST_SIDE} px. "
            f"Received: a picture of shape {shape}"
        )


_FUNCTIONS = {}


def _compiled(distortion, dtype):
    """One graph for each distortion, shared by eager calls, graphs and `tf.data`."""
    key = distortion.name, dtype
    if key not in _FUNCTIONS:
        # The same graph for all sizes, whoever calls first: another would differ in the last bit.
        signature = [
            tf.TensorSpec((None, None, 3), dtype),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((2,), tf.int32),
        ]
        _FUNCTIONS[key] = tf.function(
            lambda image, level, seed: distortion.on(Windows.whole(Photo(image)), level, seed)[0],
            input_signature=signature,
            autograph=False,
        )
    return _FUNCTIONS[key]
