"""Blurs: Gaussian, of a lens out of focus, of motion."""

import functools

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.filters import filter_both, filter_columns, filter_rows, gaussian_kernel

_LARGEST_RADIUS = 8
_SUBPIXELS = 16
_FAST_SIZE = 24


def gaussian_blur(windows, sigma, reach, drawn):  # noqa: ARG001
    """Gaussian blur of standard deviation `sigma` px, cut off at `reach` px."""
    return filter_both(windows.pixels(reach), gaussian_kernel(sigma, reach))


def lens_blur(windows, radius, reach, drawn):  # noqa: ARG001
    """Convolution with a disk of `radius` px, as a product of spectra."""
    kernels = tf.constant(disk_kernels())
    first = _LARGEST_RADIUS - reach
    side = 2 * reach + 1
    disk = tf.slice(kernels, (tf.cast(radius, tf.int32), first, first), (1, side, side))
    planes = tf.transpose(windows.pixels(reach), (0, 3, 1, 2))
    wanted = tf.shape(planes)[2:]
    # Transforms are fast at sizes without large prime factors.
    size = -(-wanted // _FAST_SIZE) * _FAST_SIZE
    spectrum = tf.signal.rfft2d(planes, size) * tf.signal.rfft2d(disk, size)
    blurred = tf.signal.irfft2d(spectrum, size)
    # Rows and columns before twice the radius mix both ends of the picture.
    return tf.transpose(blurred[:, :, 2 * reach : wanted[0], 2 * reach : wanted[1]], (0, 2, 3, 1))


@functools.cache
def disk_kernels():
    """Disks of radius 0 to 8 px; each pixel weighs the part of its area that the disk covers.

    Returns:
        float32 array `(9, 17, 17)`, each kernel in the middle and of sum 1.
    """
    centres = (np.arange(_SUBPIXELS) + 0.5) / _SUBPIXELS - 0.5
    pixels = np.arange(-_LARGEST_RADIUS, _LARGEST_RADIUS + 1)
    position = (pixels[:, np.newaxis] + centres).ravel()
    squared = position[:, np.newaxis] ** 2 + position**2
    kernels = []
    for radius in range(_LARGEST_RADIUS + 1):
        covered = (squared <= radius**2).reshape(pixels.size, _SUBPIXELS, pixels.size, _SUBPIXELS)
        area = covered.mean(axis=(1, 3))
        # A disk that reaches one pixel into a neighbour is cut there, as in the published bank.
        area[np.abs(pixels) > radius] = 0
        area[:, np.abs(pixels) > radius] = 0
        kernels.append(area / max(area.sum(), 1e-9))
    return np.float32(kernels)


def draw_axis(seed, value, photo):  # noqa: ARG001
    """A fair coin: whether to blur along columns (up and down) instead of along rows."""
    return tf.random.stateless_uniform((), seed) < 0.5


def motion_blur(windows, length, reach, drawn):
    """Mean over `length` px along the rows or along the columns."""
    length = tf.cast(length, tf.int32)
    kernel = tf.ones((length,)) / tf.cast(length, tf.float32)
    pixels = windows.pixels(reach)

    def along_columns():
        return filter_rows(pixels[:, :, reach : reach + windows.columns], kernel)

    def along_rows():
        return filter_columns(pixels[:, reach : reach + windows.rows], kernel)

    blurred = tf.cond(drawn, along_columns, along_rows)
    # An even length has one neighbour more before a pixel than after it.
    return blurred[:, : windows.rows, : windows.columns]
