"""The 26 distortions in plain NumPy, SciPy and Pillow, as a reader would write them from the paper.

This is what the operators of the bank compute, without windows, planes, programs or any other
trick: their documentation, and the oracle that the tests hold them to. An image is a float array
`(H, W, 3)`, RGB in [0, 1]; so is what comes back. The second argument is a value out of the
distortion's `levels`. What is random comes last: what was drawn, or the generator that draws it.

Lab is CIE L*a*b* (D65, 2 degrees), HSV and YCbCr (BT.601, studio range) are as in scikit-image.

Example:
```python
import numpy as np
from reiqa_tf import read_image
from reiqa_tf.distortions import reference

image = read_image("photo.jpg") / 255
blurred = reference.gaussian_blur(image, 2)
noisy = reference.gaussian_noise(image, 0.01, np.random.default_rng(7))
```

Reference: the implementation published with Re-IQA (Saha, Mishra and Bovik, CVPR 2023, arXiv
2304.00451), after KADID-10k (Lin, Hosu and Saupe, QoMEX 2019).
"""

import io
import math
from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage


def gaussian_blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur: the mean of the neighbours, weighted by exp(-d^2 / (2 sigma^2))."""
    return ndimage.gaussian_filter(image, (sigma, sigma, 0), mode="nearest", truncate=6)


def lens_blur(image: np.ndarray, radius: int) -> np.ndarray:
    """Mean over a disk: a pixel weighs the part of its area that the disk covers."""
    grid, side = 25, 2 * radius + 1
    fine = (np.arange(side * grid) + 0.5) / grid - radius - 0.5
    disk = (np.hypot(fine[:, None], fine) <= radius).reshape(side, grid, side, grid).mean((1, 3))
    return ndimage.convolve(image, (disk / disk.sum())[..., None], mode="nearest")


def color_diffusion(image: np.ndarray, amount: float) -> np.ndarray:
    """In Lab, a and b become amount x blur(a, b), of sigma = 1.5 amount + 2; L is kept."""
    lab, sigma = lab_from_rgb(image), 1.5 * amount + 2
    blurred = ndimage.gaussian_filter(lab, (sigma, sigma, 0), mode="nearest", truncate=4)
    lab[..., 1:] = amount * blurred[..., 1:]
    return rgb_from_lab(lab)


def color_shift(image: np.ndarray, shift: tuple[int, int]) -> np.ndarray:
    """Green becomes e x moved + (1 - e) x green, where e says how much of an edge a pixel is.

    e is the gradient magnitude of the luma, blurred with sigma 4, stretched to [0, 1], at least .1,
    stretched, clipped to its 1st and 99th percentile, and stretched.

    Args:
        image: float array `(H, W, 3)`.
        shift: rows down and columns to the right: (round(amount u), round(amount v)) of a random
            unit vector (u, v) with both parts at least 0. See `draw_shift`.
    """
    luma = np.pad(image @ [0.2989, 0.5870, 0.1140], 1, mode="edge")
    gradient = luma[2:, 1:-1] - luma[:-2, 1:-1], luma[1:-1, 2:] - luma[1:-1, :-2]
    edges = _stretch(ndimage.gaussian_filter(np.hypot(*gradient), 4, mode="nearest"))
    edges = _stretch(np.maximum(edges, 0.1))
    edges = _stretch(np.clip(edges, *np.percentile(edges, [1, 99])))
    margin, (height, width) = max(shift), edges.shape
    top, left = margin - shift[0], margin - shift[1]
    green = np.pad(image[..., 1], margin, mode="symmetric")[top : top + height, left : left + width]
    shifted = np.array(image)
    shifted[..., 1] = green * edges + image[..., 1] * (1 - edges)
    return shifted


def draw_shift(amount: float, generator: np.random.Generator) -> tuple[int, int]:
    """Draws the shift of `color_shift`, in pixels down and to the right."""
    angle = generator.uniform(0, math.pi / 2)
    return round(amount * math.sin(angle)), round(amount * math.cos(angle))


def hsv_saturation(image: np.ndarray, factor: float) -> np.ndarray:
    """In HSV, S becomes factor x S; below 0, too, the formula back to RGB is followed."""
    red, green, blue = np.moveaxis(image, -1, 0)
    value, chroma = image.max(-1), np.ptp(image, -1)
    safe = np.where(chroma == 0, 1, chroma)
    hue = np.select(
        [value == red, value == green],
        [(green - blue) / safe % 6, (blue - red) / safe + 2],
        (red - green) / safe + 4,
    )
    saturation = factor * chroma / np.maximum(value, 1e-12)
    sector, part = np.floor(hue).astype(int) % 6, hue - np.floor(hue)
    low = value * (1 - saturation)
    falling, rising = value * (1 - part * saturation), value * (1 - (1 - part) * saturation)
    red = np.choose(sector, [value, falling, low, low, rising, value])
    green = np.choose(sector, [rising, value, value, falling, low, low])
    blue = np.choose(sector, [low, low, rising, value, value, falling])
    return np.clip(np.stack([red, green, blue], -1), 0, 1)


def lab_saturation(image: np.ndarray, factor: float) -> np.ndarray:
    """In Lab, a and b become factor x a and factor x b."""
    return rgb_from_lab(lab_from_rgb(image) * [1, factor, factor])


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """JPEG of the given quality, colours at half size (4:2:0)."""
    file = io.BytesIO()
    _picture(image).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(file)) / 255


def gaussian_noise(
    image: np.ndarray, variance: float, generator: np.random.Generator
) -> np.ndarray:
    """X + n, n white noise of the given variance in each channel."""
    return np.clip(image + generator.normal(0, math.sqrt(variance), image.shape), 0, 1)


def ycbcr_noise(image: np.ndarray, variance: float, generator: np.random.Generator) -> np.ndarray:
    """In YCbCr, divided by 255, y + n; then back to RGB."""
    noise = generator.normal(0, math.sqrt(variance), image.shape)
    return np.clip(image + 255 * noise @ np.linalg.inv(_YCBCR).T, 0, 1)


def impulse_noise(
    image: np.ndarray, probability: float, generator: np.random.Generator
) -> np.ndarray:
    """A pixel becomes black with probability p / 2, white with p / 2."""
    chance = generator.uniform(size=(*image.shape[:2], 1))
    black = np.where(chance < probability, 0, image)
    return np.where(chance < probability / 2, 1, black)


def multiplicative_noise(
    image: np.ndarray, variance: float, generator: np.random.Generator
) -> np.ndarray:
    """X + x n, n white noise of the given variance."""
    return np.clip(image * (1 + generator.normal(0, math.sqrt(variance), image.shape)), 0, 1)


def denoise(image: np.ndarray, variance: float, generator: np.random.Generator) -> np.ndarray:
    """White noise, 8 bits, then by a fair coin a Gaussian blur of sigma 3 or a 5 x 5 box blur."""
    noisy = np.rint(255 * gaussian_noise(image, variance, generator)) / 255
    if generator.uniform() < 0.5:
        return ndimage.gaussian_filter(noisy, (3, 3, 0), mode="nearest", truncate=3)
    return ndimage.uniform_filter(noisy, (5, 5, 1), mode="nearest")


def brighten(image: np.ndarray, amount: float) -> np.ndarray:
    """(2 f(x) + y) / 3: f bends upwards by `amount`, y is x with f on L / 100 of Lab."""
    lab = lab_from_rgb(image)
    lab[..., 0] = 100 * _parabola(lab[..., 0] / 100, amount)
    return (2 * _parabola(image, amount) + rgb_from_lab(lab)) / 3


def darken(image: np.ndarray, amount: float) -> np.ndarray:
    """f(x), the parabola through (0, 0), (.5, .5 - amount / 2) and (1, 1)."""
    return _parabola(image, -amount)


def mean_shift(image: np.ndarray, shift: float) -> np.ndarray:
    """X + shift."""
    return np.clip(image + shift, 0, 1)


def resize_bicubic(image: np.ndarray, factor: float) -> np.ndarray:
    """Pillow's bicubic resize to int(size / factor) and back."""
    return _there_and_back(image, lambda side: side / factor, Image.Resampling.BICUBIC)


def sharpen(image: np.ndarray, amount: float) -> np.ndarray:
    """In Lab, L minus amount x its Laplacian: central differences of central differences."""
    lab = lab_from_rgb(image)
    light = lab[..., 0]
    laplacian = sum(np.gradient(np.gradient(light, axis=axis), axis=axis) for axis in (0, 1))
    lab[..., 0] = np.clip(light - amount * laplacian, 0, 100)
    return rgb_from_lab(lab)


def contrast(image: np.ndarray, strength: float) -> np.ndarray:
    """The least-squares cubic through (0, 0), (.3, .25 - p/4), (.5, .5) and their mirror image."""
    values = [0, 0.25 - strength / 4, 0.5, 0.75 + strength / 4, 1]
    return np.clip(np.polyval(np.polyfit([0, 0.3, 0.5, 0.7, 1], values, 3), image), 0, 1)


def color_block(image: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Squares of 32 px in random colours at random places, one after the other."""
    painted, (height, width) = np.array(image), image.shape[:2]
    for _ in range(count):
        top, left = generator.integers(height - 31), generator.integers(width - 31)
        painted[top : top + 32, left : left + 32] = generator.uniform(size=3)
    return painted


def pixelate(image: np.ndarray, strength: float) -> np.ndarray:
    """Nearest-neighbour resize to int(z size), z = .95 - strength^.6, and back."""
    return _there_and_back(
        image, lambda side: (0.95 - strength**0.6) * side, Image.Resampling.NEAREST
    )


def non_eccentricity(image: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Patches of 16 px copied up to 8 px away in each direction, one after the other."""
    copied, last = np.array(image), np.array(image.shape[:2]) - 16
    for _ in range(count):
        row, column = generator.integers(last + 1)
        down, right = np.clip(np.add((row, column), generator.integers(-8, 9, 2)), 0, last)
        copied[down : down + 16, right : right + 16] = copied[row : row + 16, column : column + 16]
    return copied


def jitter(image: np.ndarray, deviation: float, generator: np.random.Generator) -> np.ndarray:
    """Five times, a pixel is taken from a place displaced by white noise of that deviation in px.

    Values between pixels are Keys' cubic convolution, as in the bank. The published code has cubic
    splines instead, which keep more of the noise that former rounds left between neighbours: on a
    ramp, five rounds of it displace by 0.110, 0.213, 0.397, 0.928 and 1.805 px (standard deviations
    at the five levels), and five rounds of this by 0.110, 0.209, 0.375, 0.851 and 1.650 px.
    """
    height, width = image.shape[:2]
    margin = math.ceil(6 * deviation) + 2
    for _ in range(5):
        beyond = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
        rows, columns = np.indices((height, width)) + margin
        down, right = generator.normal(0, deviation, (2, height, width))
        image = cubic_lookup(beyond, rows + down, columns + right)
    return np.clip(image, 0, 1)


def resize_bilinear(image: np.ndarray, factor: float) -> np.ndarray:
    """Pillow's bilinear resize to int(size / factor) and back."""
    return _there_and_back(image, lambda side: side / factor, Image.Resampling.BILINEAR)


def resize_nearest(image: np.ndarray, factor: float) -> np.ndarray:
    """Nearest-neighbour resize to int(size / factor) and back."""
    return _there_and_back(image, lambda side: side / factor, Image.Resampling.NEAREST)


def resize_lanczos(image: np.ndarray, factor: float) -> np.ndarray:
    """Pillow's Lanczos resize (a = 3) to int(size / factor) and back."""
    return _there_and_back(image, lambda side: side / factor, Image.Resampling.LANCZOS)


def motion_blur(image: np.ndarray, length: int, along_columns: bool) -> np.ndarray:
    """Mean of `length` pixels in a line, along columns or along rows by a fair coin."""
    return ndimage.uniform_filter1d(image, length, axis=0 if along_columns else 1, mode="nearest")


_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
_YCBCR = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]])


def lab_from_rgb(image: np.ndarray) -> np.ndarray:
    """CIE Lab of sRGB: L from 0 to 100."""
    linear = np.where(image > 0.04045, ((image + 0.055) / 1.055) ** 2.4, image / 12.92)
    relative = linear @ _XYZ.T / _WHITE
    root = np.where(relative > 0.008856, np.cbrt(relative), 7.787 * relative + 16 / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def rgb_from_lab(lab: np.ndarray) -> np.ndarray:
    """SRGB of CIE Lab, clipped to [0, 1]."""
    y = (lab[..., 0] + 16) / 116
    root = np.stack([y + lab[..., 1] / 500, y, np.maximum(y - lab[..., 2] / 200, 0)], -1)
    relative = np.where(root > 0.2068966, root**3, (root - 16 / 116) / 7.787) * _WHITE
    linear = relative @ np.linalg.inv(_XYZ).T
    gamma = 1.055 * np.maximum(linear, 1e-12) ** (1 / 2.4) - 0.055
    return np.clip(np.where(linear > 0.0031308, gamma, 12.92 * linear), 0, 1)


def cubic_lookup(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution (a = -.5) at real places of a picture that is large enough."""
    first_row, first_column = np.floor(rows).astype(int), np.floor(columns).astype(int)
    total = np.zeros((*rows.shape, image.shape[-1]))
    for i in range(-1, 3):
        for j in range(-1, 3):
            weight = _keys(rows - first_row - i) * _keys(columns - first_column - j)
            total += weight[..., None] * image[first_row + i, first_column + j]
    return total


def _keys(distance: np.ndarray) -> np.ndarray:
    x = np.abs(distance)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _stretch(values: np.ndarray) -> np.ndarray:
    return (values - values.min()) / (values.max() - values.min())


def _parabola(values: np.ndarray, bend: float) -> np.ndarray:
    """The parabola through (0, 0), (.5, .5 + bend / 2) and (1, 1), clipped to [0, 1]."""
    curve = np.polyfit([0, 0.5, 1], [0, 0.5 + bend / 2, 1], 2)
    return np.clip(np.polyval(curve, values), 0, 1)


def _there_and_back(
    image: np.ndarray, small: Callable[[int], float], resampling: Image.Resampling
) -> np.ndarray:
    picture = _picture(image)
    made_small = picture.resize((int(small(picture.width)), int(small(picture.height))), resampling)
    return np.asarray(made_small.resize(picture.size, resampling)) / 255


def _picture(image: np.ndarray) -> Image.Image:
    return Image.fromarray(np.rint(image * 255).astype(np.uint8))
