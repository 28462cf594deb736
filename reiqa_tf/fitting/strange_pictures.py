"""Pictures that are no photos, or damaged ones: a head learns from them what it does not know.

Drawn and computed pictures, and photos of which a part is missing. Every picture is a function of
its kind and number, so that the same fit sees the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import cast

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scipy.spatial import cKDTree

from reiqa_tf.image.reading import read_image
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import FeatureCache
from reiqa_tf.scoring.features import FeatureScorer, features_of
from reiqa_tf.typing import PathLike

SIDE = 512
"""Side in pixels of a drawn picture, before it is brought to a scorer's working size."""

PER_KIND = 12
"""Pictures of each kind that a head learns from."""

_WORDS = (
    "light", "camera", "photo", "river", "window", "paper", "green", "stone", "music", "garden",
    "harbour", "letter", "morning", "bridge", "market", "winter", "table", "colour", "number",
    "street", "forest", "answer", "train", "glass", "island", "kitchen",
)  # fmt: skip
_CODE = (
    "def {a}({b}, {c}=None):", "    if {b} is None:", "        return {c}", "    for {a} in {b}:",
    "        {c}.append({a} + 1)", "    # {a} of the {b}", "import {a}", "class {a}({b}):",
    "    {a} = [{b} for {b} in {c}]", "    print('{a}', {c})", "", "    while {a} < len({b}):",
)  # fmt: skip


def _colors(random: np.random.Generator, count: int) -> list[tuple[int, int, int]]:
    levels = random.integers(0, 256, (count, 3)).tolist()
    return [(red, green, blue) for red, green, blue in levels]


def _font(random: np.random.Generator, low: int = 10, high: int = 22) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(int(random.integers(low, high)))
    return cast("ImageFont.FreeTypeFont", font)  # which it is where a size is given


def _words(random: np.random.Generator, count: int) -> str:
    return " ".join(random.choice(_WORDS, count))


def code_screenshot(random: np.random.Generator) -> Image.Image:
    """An editor with lines of a program in the colours of a theme, light or dark."""
    dark = random.random() < 0.5
    ground = (30, 30, 38) if dark else (252, 252, 250)
    inks = [(220, 220, 220), (120, 190, 255), (240, 170, 100), (130, 200, 130)]
    inks = inks if dark else [(255 - r, 255 - g, 255 - b) for r, g, b in inks]
    picture = Image.new("RGB", (SIDE, SIDE), ground)
    draw, font = ImageDraw.Draw(picture), _font(random, 11, 18)
    step = int(font.size * 1.4)
    draw.rectangle((0, 0, 40, SIDE), fill=(45, 45, 52) if dark else (235, 235, 235))
    for number, y in enumerate(range(6, SIDE, step)):
        draw.text((8, y), str(number + 1), fill=(128, 128, 128), font=font)
        a, b, c = random.choice(_WORDS, 3)
        line = str(random.choice(_CODE)).format(a=a, b=b, c=c)
        draw.text((48, y), line, fill=inks[int(random.integers(4))], font=font)
    return picture


def text_page(random: np.random.Generator) -> Image.Image:
    """A page of a book or a letter."""
    picture = Image.new("RGB", (SIDE, SIDE), tuple(int(v) for v in random.integers(235, 256, 3)))
    draw, font = ImageDraw.Draw(picture), _font(random, 12, 20)
    for y in range(30, SIDE - 30, int(font.size * 1.5)):
        if random.random() < 0.9:
            draw.text(
                (30, y), _words(random, int(random.integers(5, 12))), fill=(20, 20, 20), font=font
            )
    return picture


def chart(random: np.random.Generator) -> Image.Image:
    """Bars or lines over axes, with a title."""
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    draw, font = ImageDraw.Draw(picture), _font(random)
    draw.text((120, 10), _words(random, 3), fill="black", font=font)
    draw.line((50, 40, 50, 460, 490, 460), fill="black", width=2)
    for y in range(60, 460, 50):
        draw.line((50, y, 490, y), fill=(210, 210, 210))
        draw.text((15, y - 6), str(500 - y), fill="black", font=ImageFont.load_default(10))
    colors, count = _colors(random, 4), int(random.integers(5, 12))
    tops = random.integers(60, 440, (3, count))
    if random.random() < 0.5:
        width = 430 // count
        for index, top in enumerate(tops[0]):
            x = 55 + index * width
            draw.rectangle((x, int(top), x + width - 8, 459), fill=colors[index % 4])
    else:
        for color, row in zip(colors, tops, strict=False):
            xs = np.linspace(60, 480, count)
            draw.line([(float(x), float(y)) for x, y in zip(xs, row, strict=True)], color, 3)
    return picture


def cartoon(random: np.random.Generator) -> Image.Image:
    """Flat colours with black outlines: hills, houses, faces, shapes."""
    sky, ground, *rest = _colors(random, 8)
    picture = Image.new("RGB", (SIDE, SIDE), sky)
    draw, width = ImageDraw.Draw(picture), int(random.integers(2, 6))
    for _ in range(int(random.integers(1, 4))):
        x, y = int(random.integers(0, SIDE)), int(random.integers(260, 480))
        r = int(random.integers(150, 400))
        draw.ellipse((x - r, y, x + r, y + 2 * r), ground, "black", width)
    for _ in range(int(random.integers(2, 7))):
        x, y, r = (int(v) for v in (*random.integers(40, 470, 2), random.integers(20, 90)))
        color = rest[int(random.integers(len(rest)))]
        kind = random.integers(3)
        if kind == 0:  # a face
            draw.ellipse((x - r, y - r, x + r, y + r), color, "black", width)
            for side in (-1, 1):
                eye = x + side * r // 3
                draw.ellipse((eye - r // 7, y - r // 3, eye + r // 7, y), "white", "black", width)
            draw.arc((x - r // 2, y - r // 4, x + r // 2, y + r // 2), 20, 160, "black", width)
        elif kind == 1:  # a house
            draw.rectangle((x - r, y - r // 2, x + r, y + r), color, "black", width)
            roof = (x - r, y - r // 2, x, y - r * 3 // 2, x + r, y - r // 2)
            draw.polygon(roof, rest[0], "black")
        else:
            points = np.array([x, y]) + random.normal(0, r, (6, 2))
            draw.polygon(points.ravel().tolist(), color, "black")
    return picture


def line_drawing(random: np.random.Generator) -> Image.Image:
    """Strokes of a pen on paper."""
    picture = Image.new("RGB", (SIDE, SIDE), tuple(int(v) for v in random.integers(225, 256, 3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(random.integers(8, 40))):
        path = random.uniform(50, 460, 2) + np.cumsum(random.normal(0, 22, (12, 2)), axis=0)
        draw.line(
            [tuple(map(float, point)) for point in path], (30, 30, 40), int(random.integers(1, 4))
        )
    return picture


def interface(random: np.random.Generator) -> Image.Image:
    """A window with buttons, lists and fields."""
    base, accent, *_ = _colors(random, 2)
    light = random.random() < 0.6
    ground, ink = ((246, 246, 248), "black") if light else ((40, 42, 48), "white")
    picture = Image.new("RGB", (SIDE, SIDE), ground)
    draw, font = ImageDraw.Draw(picture), _font(random, 11, 17)
    draw.rectangle((0, 0, SIDE, 42), fill=base)
    draw.text((14, 12), _words(random, 2), fill="white", font=font)
    for y in range(60, 480, int(random.integers(38, 70))):
        draw.rounded_rectangle(
            (16, y, 496, y + 30), 7, fill=(255, 255, 255) if light else (58, 60, 68)
        )
        draw.text((28, y + 8), _words(random, int(random.integers(1, 5))), fill=ink, font=font)
        if random.random() < 0.5:
            draw.rounded_rectangle((400, y + 4, 484, y + 26), 9, fill=accent)
    return picture


def code_squares(random: np.random.Generator) -> Image.Image:
    """Black and white squares as of a two-dimensional bar code."""
    count = int(random.integers(21, 60))
    cells = (random.random((count, count)) < 0.5).astype(np.uint8) * 255
    square = Image.fromarray(cells).resize((420, 420), Image.Resampling.NEAREST)
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    picture.paste(square.convert("RGB"), (46, 46))
    return picture


def fractal(random: np.random.Generator) -> Image.Image:
    """A Julia set in a smooth palette."""
    angle = random.uniform(0, 2 * np.pi)
    constant = 0.7885 * np.exp(1j * angle)
    x, y = np.meshgrid(np.linspace(-1.5, 1.5, SIDE // 2), np.linspace(-1.5, 1.5, SIDE // 2))
    z = (x + 1j * y) * random.uniform(0.4, 1.0)
    steps = np.zeros(z.shape)
    for _ in range(60):
        inside = np.abs(z) < 4
        z = np.where(inside, z * z + constant, z)
        steps += inside
    phases, speed = random.uniform(0, 2 * np.pi, 3), random.uniform(0.05, 0.3)
    levels = (127.5 + 127.5 * np.sin(steps[..., None] * speed + phases)).astype(np.uint8)
    return Image.fromarray(levels).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def gradient(random: np.random.Generator) -> Image.Image:
    """A smooth change from colour to colour."""
    x, y = np.meshgrid(np.linspace(0, 1, SIDE), np.linspace(0, 1, SIDE))
    a, b, c = random.normal(size=(3, 3))
    wave = x[..., None] * a + y[..., None] * b + (x * y)[..., None] * c
    wave = (wave - wave.min()) / np.ptp(wave)
    return Image.fromarray((255 * wave).astype(np.uint8))


def clouds(random: np.random.Generator) -> Image.Image:
    """Noise of all scales, smoothed: a computed texture."""
    total = np.zeros((SIDE, SIDE, 3))
    for power in range(2, 8):
        small = Image.fromarray(random.integers(0, 256, (2**power, 2**power, 3), dtype=np.uint8))
        total += np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC), float) / 2**power
    total = (total - total.min()) / np.ptp(total)
    return Image.fromarray((255 * total).astype(np.uint8))


def spheres(random: np.random.Generator) -> Image.Image:
    """Shaded balls over a chequered plane, as a first ray tracer draws them."""
    x, y = np.meshgrid(np.linspace(-1, 1, SIDE), np.linspace(-1, 1, SIDE))
    depth = 1 / np.maximum(y + 0.25, 1e-3)
    checks = (np.floor(x * depth * 2) + np.floor(depth * 3)) % 2
    first, second, sky, *colors = (np.array(color) for color in _colors(random, 7))
    floor = np.where(checks[..., None] > 0, first, second) * np.exp(-0.08 * depth)[..., None]
    picture = np.where((y > -0.2)[..., None], floor, sky * (1 - 0.4 * y[..., None]))
    for color in colors:
        cx, cy, r = random.uniform(-0.8, 0.8), random.uniform(-0.5, 0.7), random.uniform(0.12, 0.4)
        dx, dy = (x - cx) / r, (y - cy) / r
        inside = dx**2 + dy**2 < 1
        z = np.sqrt(np.maximum(1 - dx**2 - dy**2, 0))
        light = np.clip(0.5 * z - 0.5 * dx - 0.6 * dy, 0, None)
        shade = color * (0.15 + 0.8 * light[..., None]) + 255 * (light**30)[..., None]
        picture = np.where(inside[..., None], shade, picture)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def cells(random: np.random.Generator) -> Image.Image:
    """Flat patches around random centres."""
    count, side = int(random.integers(15, 200)), SIDE // 2
    centers = random.uniform(0, side, (count, 2))
    places = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    nearest = cKDTree(centers).query(places)[1].reshape(side, side)
    colors = random.integers(0, 256, (count, 3), dtype=np.uint8)
    return Image.fromarray(colors[nearest]).resize((SIDE, SIDE), Image.Resampling.NEAREST)


def noise(random: np.random.Generator) -> Image.Image:
    """Every value at random, in colour or in grey."""
    channels = 3 if random.random() < 0.5 else 1
    levels = random.integers(0, 256, (SIDE, SIDE, channels), dtype=np.uint8)
    return Image.fromarray(np.broadcast_to(levels, (SIDE, SIDE, 3)).copy())


def plain(random: np.random.Generator) -> Image.Image:
    """One colour; black, grey and white are among them."""
    color = _colors(random, 1)[0]
    if random.random() < 0.5:
        color = 3 * (int(random.choice([0, 64, 128, 192, 255])),)
    return Image.new("RGB", (SIDE, SIDE), color)


DRAWN: dict[str, Callable[[np.random.Generator], Image.Image]] = {
    "code screenshot": code_screenshot,
    "cartoon": cartoon,
    "fractal": fractal,
    "chart": chart,
    "clouds": clouds,
    "text page": text_page,
    "line drawing": line_drawing,
    "interface": interface,
    "code squares": code_squares,
    "gradient": gradient,
    "spheres": spheres,
    "cells": cells,
    "noise": noise,
    "plain": plain,
}


def _filling(random: np.random.Generator, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    if kind == "noise":
        return random.integers(0, 256, shape, dtype=np.uint8)
    return np.full(shape, {"grey": 128, "black": 0, "white": 255}[kind], np.uint8)


def _half(random: np.random.Generator, photo: np.ndarray, kind: str) -> np.ndarray:
    photo, (height, width) = photo.copy(), photo.shape[:2]
    rows, columns = slice(None), slice(None)
    first = bool(random.integers(2))
    if random.integers(2):
        rows = slice(None, height // 2) if first else slice(height // 2, None)
    else:
        columns = slice(None, width // 2) if first else slice(width // 2, None)
    photo[rows, columns] = _filling(random, kind, photo[rows, columns].shape)
    return photo


def _blocks(random: np.random.Generator, photo: np.ndarray, kind: str) -> np.ndarray:
    photo, (height, width) = photo.copy(), photo.shape[:2]
    side = int(random.integers(24, 65))
    for y in range(0, height, side):
        for x in range(0, width, side):
            if random.random() < 0.35:
                place = np.s_[y : y + side, x : x + side]
                photo[place] = _filling(random, kind, photo[place].shape)
    return photo


def _posterized(random: np.random.Generator, photo: np.ndarray, _: str) -> np.ndarray:
    smooth = Image.fromarray(photo).filter(ImageFilter.MedianFilter(5))
    return np.asarray(smooth.quantize(int(random.integers(4, 9))).convert("RGB"))


DAMAGED: dict[str, tuple[Callable[[np.random.Generator, np.ndarray, str], np.ndarray], str]] = {
    "half grey": (_half, "grey"),
    "half black": (_half, "black"),
    "blocks grey": (_blocks, "grey"),
    "half white": (_half, "white"),
    "half noise": (_half, "noise"),
    "blocks black": (_blocks, "black"),
    "posterized": (_posterized, ""),
}

KINDS = (*DRAWN, *DAMAGED)
"""Names of all kinds."""


def strange_features(
    scorer: FeatureScorer,
    photos: Sequence[PathLike],
    kinds: Sequence[str] = KINDS,
    count: int | None = None,
    cache: FeatureCache | None = None,
    progress: Progress = silent,
) -> np.ndarray:
    """Computes the features of strange pictures.

    Args:
        scorer: a built `ReIQAScorer`.
        photos: paths of photos, of which the damaged pictures are made; at least one.
        kinds: names of `KINDS`.
        count: pictures of each kind; None: `PER_KIND`.
        cache: an open `FeatureCache`, or None.
        progress: shows how far the work is.

    Returns:
        float32 array `(M, feature_count)`, the pictures of one kind after those of another.
    """
    compute = scorer.compile_features()
    count = PER_KIND if count is None else count
    made = (picture for kind in kinds for picture in strange_pictures(kind, count, photos))
    rows = [
        features_of(compute, read_image(picture, fit=scorer.working_size)[None], cache)
        for picture in progress(made, "pictures that are no photos", len(kinds) * count)
    ]
    return np.concatenate(rows)


def strange_pictures(
    kind: str, count: int, photos: Sequence[PathLike] = ()
) -> Iterator[np.ndarray]:
    """Makes pictures of a kind.

    Args:
        kind: a name in `DRAWN` or `DAMAGED`.
        count: how many.
        photos: paths of photos that the damaged ones are made of, spread over the list.

    Yields:
        uint8 arrays `(H, W, 3)`.
    """
    for number in range(count):
        random = np.random.default_rng([*kind.encode(), number])
        if kind in DRAWN:
            yield np.asarray(DRAWN[kind](random).convert("RGB"))
        else:
            damage, filling = DAMAGED[kind]
            photo = read_image(photos[number * len(photos) // count], fit=SIDE)
            yield damage(random, photo, filling)
