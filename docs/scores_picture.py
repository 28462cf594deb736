"""Draws docs/pictures/scores.jpg, six photos with their scores: `python docs/scores_picture.py`.

The three photos of tests/photos, as they are and spoilt, scored by the default preset.
"""

import io
import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import reiqa_tf

DOCS = pathlib.Path(__file__).parent
PICTURE = DOCS / "pictures" / "scores.jpg"
PHOTOS = DOCS.parent / "tests" / "photos"

# Of 1,680 px, which a phone shows as 330: texts of 60 px are 12 px high there.
WIDTH, HEIGHT, GAP, MARGIN = 528, 396, 24, 24
LARGE, SMALL = 68, 52
INK, PALE, BACKGROUND = (26, 28, 32), (92, 96, 104), (255, 255, 255)
# From bad to excellent; dark to light as well, so that nobody needs to tell red from green.
COLORS = [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 201, 37)]


def as_jpeg(photo: Image.Image, quality: int) -> Image.Image:
    """Returns the photo after a round of JPEG compression."""
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def noisy(photo: Image.Image, deviation: float) -> Image.Image:
    """Returns the photo with white noise of a deviation in levels of 255."""
    noise = np.random.default_rng(0).normal(0, deviation, (photo.height, photo.width, 3))
    return Image.fromarray((np.asarray(photo) + noise).clip(0, 255).round().astype(np.uint8))


def draw() -> Image.Image:
    """Returns the picture."""
    parrots, lighthouse, bikes = (
        Image.open(PHOTOS / name).convert("RGB")
        for name in ("kodim23.png", "kodim19.png", "kodim05.png")
    )
    shown = [
        ("as taken", parrots),
        ("as taken", lighthouse),
        ("as taken", bikes),
        ("blurred", parrots.filter(ImageFilter.GaussianBlur(4))),
        ("JPEG, quality 7", as_jpeg(lighthouse, 7)),
        ("noise", noisy(bikes, 40)),
    ]
    cell_height = HEIGHT + LARGE + SMALL + 44
    size = (3 * WIDTH + 2 * GAP + 2 * MARGIN, 2 * cell_height + GAP + 2 * MARGIN)
    sheet = Image.new("RGB", size, BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(LARGE), ImageFont.load_default(SMALL)
    for number, (name, photo) in enumerate(shown):
        score = reiqa_tf.score(photo)
        print(f"{name:16} {score:.2f} {score.word}")
        x = MARGIN + number % 3 * (WIDTH + GAP)
        y = MARGIN + number // 3 * (cell_height + GAP)
        sheet.paste(middle(photo), (x, y))
        bar = y + HEIGHT
        share = min(max(float(score), 0), 1)
        pen.rectangle((x, bar, x + WIDTH - 1, bar + 13), (226, 228, 232))
        pen.rectangle((x, bar, x + share * (WIDTH - 1), bar + 13), COLORS[min(int(5 * share), 4)])
        pen.text((x, bar + 16), f"{score:.2f}", INK, large, stroke_width=1)
        left = x + pen.textlength("0.00", large) + 22
        pen.text((left, bar + 16 + LARGE - SMALL), score.word, INK, small)
        pen.text((x, bar + 20 + LARGE), name, PALE, small)
    return sheet


def middle(photo: Image.Image) -> Image.Image:
    """Returns the middle of a photo in the shape of a cell."""
    scale = max(WIDTH / photo.width, HEIGHT / photo.height)
    size = (round(photo.width * scale), round(photo.height * scale))
    left, top = (size[0] - WIDTH) // 2, (size[1] - HEIGHT) // 3
    resized = photo.resize(size, Image.Resampling.LANCZOS)
    return resized.crop((left, top, left + WIDTH, top + HEIGHT))


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    draw().save(PICTURE, quality=88, optimize=True)
