"""Photos that were made small and brought back to their size."""

import tensorflow as tf

from reiqa_tf.distortions.distortion import LEVELS, WHOLE_PHOTO, Distortion, Tensors
from reiqa_tf.distortions.engine.resampling import (
    BICUBIC,
    BILINEAR,
    LANCZOS,
    Kernel,
    fill_windows,
    nearest_sources,
    shrink,
)
from reiqa_tf.distortions.engine.windows import Windows
from reiqa_tf.image.scaling import to_unit_range


class _Resize(Distortion):
    """What operators share that make a photo smaller with an antialiasing filter, and back."""

    levels = sizes = (2, 3, 4, 8, 16)
    unit = "times smaller"
    neighbourhood = WHOLE_PHOTO
    kernel: Kernel

    def prepare(self, windows: Windows, value: tf.Tensor, drawn: Tensors) -> Tensors:
        return shrink(windows, self.kernel, self.size)

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        return tf.clip_by_value(fill_windows(pixels, *prepared), 0.0, 1.0)


class ResizeBicubic(_Resize):
    """Made smaller and brought back by Pillow's bicubic filter."""

    name = "resize_bicubic"
    kernel = BICUBIC


class ResizeBilinear(_Resize):
    """Made smaller and brought back by Pillow's bilinear filter."""

    name = "resize_bilinear"
    kernel = BILINEAR


class ResizeLanczos(_Resize):
    """Made smaller and brought back by Pillow's Lanczos filter (a = 3)."""

    name = "resize_lanczos"
    kernel = LANCZOS


class _Nearest(Distortion):
    """What operators share that leave pixels out, and repeat those that stay."""

    def apply(self, pixels: tf.Tensor, value: tf.Tensor, prepared: Tensors) -> tf.Tensor:
        rows, columns = prepared
        found = [
            tf.gather(tf.gather(planes, rows[i], axis=1), columns[i], axis=2)
            for i, planes in enumerate(tf.unstack(pixels))
        ]
        return to_unit_range(tf.stack(found))


class ResizeNearest(_Nearest):
    """Made smaller and brought back by nearest neighbours."""

    name = "resize_nearest"
    levels = (2, 3, 4, 5, 6)
    unit = "times smaller"
    neighbourhood = WHOLE_PHOTO

    def prepare(self, windows: Windows, value: tf.Tensor, drawn: Tensors) -> Tensors:
        return nearest_sources(windows, lambda side: side / value)


class Pixelate(_Nearest):
    """Made smaller, to .95 - strength^.6 of its size, and brought back by nearest neighbours."""

    name = "pixelate"
    levels = (0.01, 0.05, 0.1, 0.2, 0.5)
    unit = "strength"
    neighbourhood = (4,) * LEVELS

    def prepare(self, windows: Windows, value: tf.Tensor, drawn: Tensors) -> Tensors:
        return nearest_sources(windows, lambda side: (0.95 - tf.pow(value, 0.6)) * side)
