"""What decoding large JPEGs at reduced scale saves, and how far it moves their scores.

Photos of any size are made of a folder's: enlarged, or laid side by side at their own size, with
detail of other photos and noise upon them, and saved as JPEG of five qualities, three layouts of
chroma, one in 25 progressive. Each is read whole and at reduced scale, and scored both ways.
Milliseconds are the processor's, of reading and shrinking.

    python perf/decoding.py KODAK
    python perf/decoding.py KODAK --size 6000x4000 --photos 12
"""

from __future__ import annotations

import argparse
import io
import itertools
import time
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageFilter

from reiqa_tf import presets
from reiqa_tf.cli.terminal import print_table, show_progress
from reiqa_tf.data.photos import find_photos
from reiqa_tf.image.reading import open_image, read_image, reduction
from reiqa_tf.runtimes.opening import open_artifact

ASKED_DIFFERENCE = 0.005
"""Largest change of a score that is asked for, as a share of its range."""

ASKED_SPEED = 2.0
"""How many times sooner photos of 12 megapixels are to be read."""

_NOISE = (0, 2, 4, 8)
_QUALITIES = (75, 85, 90, 93, 96)
_SUBSAMPLINGS = (2, 1, 2, 0)


def large_photos(paths: Sequence[str], size: tuple[int, int], count: int) -> Iterator[bytes]:
    """Makes JPEG files of `size`, width and height, that have detail at every scale."""
    photos = [open_image(path) for path in paths]
    for number in range(count):
        kind = number % 3
        pixels = _mosaic(photos[number:] + photos[:number], size) if kind == 0 else None
        if pixels is None:
            picture = photos[number % len(photos)].resize(size, Image.Resampling.LANCZOS)
            if kind == 2:
                picture = picture.filter(ImageFilter.UnsharpMask(3, 150, 0))
            pixels = np.asarray(picture, np.float32)
            if kind == 2:
                detail = _mosaic([photos[(5 * number + 3) % len(photos)].convert("L")], size)
                pixels = pixels + 0.35 * (detail - detail.mean())[..., None]
        noise = _NOISE[number // 3 % len(_NOISE)]
        if noise:
            generator = np.random.default_rng(number)
            pixels = pixels + noise * generator.standard_normal(pixels.shape, np.float32)
        file = io.BytesIO()
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(
            file,
            "JPEG",
            quality=_QUALITIES[number % len(_QUALITIES)],
            subsampling=_SUBSAMPLINGS[number // 2 % len(_SUBSAMPLINGS)],
            progressive=number % 25 == 3,
        )
        yield file.getvalue()


def _mosaic(photos: Sequence[Image.Image], size: tuple[int, int]) -> np.ndarray:
    """Photos side by side at the size of the first."""
    width, height = photos[0].size
    mosaic = Image.new(photos[0].mode, size)
    places = itertools.product(range(0, size[1], height), range(0, size[0], width))
    for number, (top, left) in enumerate(places):
        tile = photos[number % len(photos)].resize((width, height))
        mosaic.paste(tile, (left, top))
    return np.asarray(mosaic, np.float32)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", help="folder with photos to make large ones of")
    parser.add_argument("--size", default="4000x3000", help="(default: %(default)s)")
    parser.add_argument("--photos", type=int, default=50, help="how many (default: %(default)s)")
    parser.add_argument("--preset", default=presets.DEFAULT)
    arguments = parser.parse_args()

    scorer = open_artifact(arguments.preset, "onnx")
    fit = scorer.working_size
    if fit is None:
        parser.error("expected a preset with a working size")
    low, high = scorer.score_range
    width, height = map(int, arguments.size.split("x"))
    files = large_photos(find_photos(arguments.folder), (width, height), arguments.photos)
    seconds, differences = [], []
    for contents in show_progress(files, "photos", arguments.photos):
        scores = []
        seconds.append([0.0, 0.0])
        for way in (0, 1):
            start = time.process_time()
            image = read_image(contents if way else open_image(contents), fit)
            seconds[-1][way] = time.process_time() - start
            scores.append(scorer.predict(image[None])[0])
        differences.append((scores[1] - scores[0]) / (high - low))
    changes = np.array(differences)
    taken = np.array(seconds)
    whole, reduced = 1e3 * taken.mean(axis=0)
    times = reduction(width, height, fit)
    print_table(
        f"{len(changes)} JPEGs of {width} x {height} px, decoded at 1/{times}",
        [("figure", "left"), ("value", "right"), ("asked", "right")],
        [
            ("whole, ms a photo", f"{whole:.0f}", ""),
            ("at reduced scale, ms a photo", f"{reduced:.0f}", ""),
            ("times as fast, all", f"{whole / reduced:.2f}", f"{ASKED_SPEED}"),
            ("times as fast, median", f"{np.median(taken[:, 0] / taken[:, 1]):.2f}", ""),
            ("change of the score, worst", f"{np.abs(changes).max():.4f}", f"{ASKED_DIFFERENCE}"),
            ("change of the score, mean", f"{changes.mean():+.4f}", ""),
            (
                "change of the score, root of the mean square",
                f"{np.sqrt((changes**2).mean()):.4f}",
                "",
            ),
        ],
    )


if __name__ == "__main__":
    main()
