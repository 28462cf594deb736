"""The bank of distortions in NumPy, SciPy and Pillow, straight from its mathematics."""

import io

import numpy as np
from PIL import Image
from scipy import ndimage

_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])


def lab_from_rgb(image):
    linear = np.where(image > 0.04045, ((image + 0.055) / 1.055) ** 2.4, image / 12.92)
    relative = linear @ _XYZ.T / _WHITE
    root = np.where(relative > 0.008856, np.cbrt(relative), 7.787 * relative + 16 / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def rgb_from_lab(lab):
    y = (lab[..., 0] + 16) / 116
    root = np.stack([y + lab[..., 1] / 500, y, np.maximum(y - lab[..., 2] / 200, 0)], -1)
    relative = np.where(root > 0.2068966, root**3, (root - 16 / 116) / 7.787) * _WHITE
    linear = relative @ np.linalg.inv(_XYZ).T
    gamma = 1.055 * np.maximum(linear, 1e-12) ** (1 / 2.4) - 0.055
    return np.clip(np.where(linear > 0.0031308, gamma, 12.92 * linear), 0, 1)


def gaussian_blur(image, sigma):
    return ndimage.gaussian_filter(image, (sigma, sigma, 0), mode="nearest", truncate=6)


def lens_blur(image, radius):
    grid = 25
    fine = (np.arange((2 * radius + 1) * grid) + 0.5) / grid - radius - 0.5
    inside = np.hypot(fine[:, None], fine) <= radius
    side = 2 * radius + 1
    disk = inside.reshape(side, grid, side, grid).mean((1, 3))
    return ndimage.convolve(image, (disk / disk.sum())[..., None], mode="nearest")


def color_diffusion(image, amount):
    lab = lab_from_rgb(image)
    sigma = 1.5 * amount + 2
    lab[..., 1:] = amount * ndimage.gaussian_filter(
        lab[..., 1:], (sigma, sigma, 0), mode="nearest", truncate=4
    )
    return rgb_from_lab(lab)


def hsv_saturation(image, factor):
    """By hue sectors, as textbooks have it."""
    value, chroma = image.max(-1), np.ptp(image, -1)
    red, green, blue = np.moveaxis(image, -1, 0)
    safe = np.where(chroma == 0, 1, chroma)
    hue = np.select(
        [value == red, value == green],
        [(green - blue) / safe % 6, (blue - red) / safe + 2],
        (red - green) / safe + 4,
    )
    saturation = factor * np.where(value == 0, 0, chroma / np.maximum(value, 1e-12))
    sector = np.floor(hue).astype(int) % 6
    part = hue - np.floor(hue)
    low = value * (1 - saturation)
    falling = value * (1 - part * saturation)
    rising = value * (1 - (1 - part) * saturation)
    table = np.array(
        [
            [value, rising, low],
            [falling, value, low],
            [low, value, rising],
            [low, falling, value],
            [rising, low, value],
            [value, low, falling],
        ]
    )
    rows, columns = np.indices(value.shape)
    return np.clip(np.stack([table[sector, i, rows, columns] for i in range(3)], -1), 0, 1)


def lab_saturation(image, factor):
    lab = lab_from_rgb(image)
    lab[..., 1:] *= factor
    return rgb_from_lab(lab)


def jpeg(image, quality):
    file = io.BytesIO()
    _to_pillow(image).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(file)) / 255


def _tone(image, bend):
    curve = np.polyfit([0, 0.5, 1], [0, 0.5 + bend / 2, 1], 2)
    return np.clip(np.polyval(curve, image), 0, 1)


def brighten(image, amount):
    lab = lab_from_rgb(image)
    lab[..., 0] = 100 * _tone(lab[..., 0] / 100, amount)
    return (2 * _tone(image, amount) + rgb_from_lab(lab)) / 3


def darken(image, amount):
    return _tone(image, -amount)


def mean_shift(image, shift):
    return np.clip(image + shift, 0, 1)


def sharpen(image, amount):
    lab = lab_from_rgb(image)
    light = lab[..., 0]
    laplacian = sum(np.gradient(np.gradient(light, axis=axis), axis=axis) for axis in (0, 1))
    lab[..., 0] = np.clip(light - amount * laplacian, 0, 100)
    return rgb_from_lab(lab)


def contrast(image, strength):
    points = [0, 0.3, 0.5, 0.7, 1], [0, 0.25 - strength / 4, 0.5, 0.75 + strength / 4, 1]
    return np.clip(np.polyval(np.polyfit(*points, 3), image), 0, 1)


def _there_and_back(image, small_size, resampling):
    picture = _to_pillow(image)
    small = picture.resize(small_size, resampling)
    return np.asarray(small.resize(picture.size, resampling)) / 255


def _resize(resampling):
    def resize(image, factor):
        height, width = image.shape[:2]
        return _there_and_back(image, (int(width / factor), int(height / factor)), resampling)

    return resize


resize_bicubic = _resize(Image.Resampling.BICUBIC)
resize_bilinear = _resize(Image.Resampling.BILINEAR)
resize_nearest = _resize(Image.Resampling.NEAREST)
resize_lanczos = _resize(Image.Resampling.LANCZOS)


def pixelate(image, strength):
    height, width = image.shape[:2]
    scale = 0.95 - strength**0.6
    small = int(scale * width), int(scale * height)
    return _there_and_back(image, small, Image.Resampling.NEAREST)


def _to_pillow(image):
    return Image.fromarray(np.rint(image * 255).astype(np.uint8))


def color_shift(image, down, right):
    """With the shift that was drawn."""
    luma = image @ [0.2989, 0.5870, 0.1140]
    padded = np.pad(luma, 1, mode="edge")
    magnitude = np.hypot(padded[2:, 1:-1] - padded[:-2, 1:-1], padded[1:-1, 2:] - padded[1:-1, :-2])
    edges = _stretch(ndimage.gaussian_filter(magnitude, 4, mode="nearest"))
    edges = _stretch(np.maximum(edges, 0.1))
    edges = _stretch(np.clip(edges, *np.percentile(edges, [1, 99])))
    padded = np.pad(image[..., 1], 16, mode="symmetric")
    height, width = luma.shape
    moved = padded[16 - down : 16 - down + height, 16 - right : 16 - right + width]
    shifted = image.copy()
    shifted[..., 1] = moved * edges + image[..., 1] * (1 - edges)
    return shifted


def _stretch(values):
    return (values - values.min()) / (values.max() - values.min())


def motion_blur(image, length, along_columns):
    return ndimage.uniform_filter1d(image, length, axis=0 if along_columns else 1, mode="nearest")


def cubic_lookup(image, rows, columns):
    """Keys' cubic convolution (a = -.5) at real places of a picture that is large enough."""
    first_row, first_column = np.floor(rows).astype(int), np.floor(columns).astype(int)
    total = np.zeros((*rows.shape, image.shape[-1]))
    for i in range(-1, 3):
        for j in range(-1, 3):
            weight = _keys(rows - first_row - i) * _keys(columns - first_column - j)
            total += weight[..., None] * image[first_row + i, first_column + j]
    return total


def _keys(distance):
    x = np.abs(distance)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))
