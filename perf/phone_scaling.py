"""How far off a photo's score is if a phone shrinks it in its own way, in points of the score.

Every photo is shrunk to several sides as `reiqa score` does it (Pillow's bicubic filter, as wide as
the reduction), and in the ways that phones offer. What is compared are the scores of the two
pictures, which have the same size. Then the same photo comes as a camera frame: its planes, with
chroma at half size, are shrunk as examples/android and examples/ios do, and in another encoding
than they are in. The photos of Kodak's PhotoCD are usual for this: 768 pixels the longer way, so
that sides of 512, 256 and 192 are reductions by 1.5, 3 and 4.

    python perf/phone_scaling.py FOLDER
    python perf/phone_scaling.py FOLDER --preset my_preset --sides 512 --markdown
"""

from __future__ import annotations

import argparse
import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from PIL import Image

import reiqa_tf
from reiqa_tf.cli.terminal import print_table, show_progress
from reiqa_tf.data.photos import search_photos
from reiqa_tf.image.camera_frames import CameraFrame, Plane, frame_to_picture, frame_to_rgb
from reiqa_tf.image.reading import open_image
from reiqa_tf.presets import DEFAULT

Shrink: TypeAlias = Callable[[np.ndarray, int, int], np.ndarray]
"""From a photo, uint8 `(H, W, 3)`, a height and a width in pixels, to the shrunk photo."""

Filter = Image.Resampling


def by_pillow(filter_: Filter) -> Shrink:
    """A filter of Pillow; all but `NEAREST` are as wide as the reduction."""

    def shrink(photo: np.ndarray, height: int, width: int) -> np.ndarray:
        return np.asarray(Image.fromarray(photo).resize((width, height), filter_))

    return shrink


AS_FITTED = by_pillow(Filter.BICUBIC)
"""How photos are shrunk for the head."""


def four_pixels(photo: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear between the four nearest pixels, however far apart the new ones are."""
    across, down = photo.shape[1] / width, photo.shape[0] / height
    return np.asarray(
        Image.fromarray(photo).transform(
            (width, height),
            Image.Transform.AFFINE,
            (across, 0, 0, 0, down, 0),
            Filter.BILINEAR,
        )
    )


def area(photo: np.ndarray, height: int, width: int) -> np.ndarray:
    """The mean of the area that a new pixel covers, with shares of the pixels at its border."""

    def shares(old: int, new: int) -> np.ndarray:
        begins, ends = np.arange(new)[:, None] * old, np.arange(1, new + 1)[:, None] * old
        inside = np.minimum(ends, np.arange(1, old + 1) * new) - np.maximum(
            begins, np.arange(old) * new
        )
        return np.maximum(inside, 0) / old

    down, across = shares(photo.shape[0], height), shares(photo.shape[1], width)
    means = np.einsum("hH,HWc,wW->hwc", down, photo, across, optimize=True)
    return np.floor(means + 0.5).astype(np.uint8)


def halved(photo: np.ndarray, times: int) -> np.ndarray:
    """Means of two by two pixels, a number of times."""
    for _ in range(times):
        photo = area(photo, photo.shape[0] // 2, photo.shape[1] // 2)
    return photo


def mipmap(photo: np.ndarray, height: int, width: int) -> np.ndarray:
    """As a GPU samples a texture with mipmaps: two halved copies, bilinear, and between them."""
    level = math.log2(photo.shape[0] / height)
    lower = math.floor(level)
    near, far = (
        four_pixels(halved(photo, times), height, width).astype(float)
        for times in (lower, math.ceil(level))
    )
    return np.floor(near + (level - lower) * (far - near) + 0.5).astype(np.uint8)


def decoder_first(last: Shrink) -> Shrink:
    """A decoder that leaves out halves (`inSampleSize`), as libjpeg does, then something else."""

    def shrink(photo: np.ndarray, height: int, width: int) -> np.ndarray:
        times = math.floor(math.log2(photo.shape[0] / height))
        return last(halved(photo, times), height, width)

    return shrink


def frame_of(photo: np.ndarray) -> CameraFrame:
    """The photo as a camera would hand it over: JFIF, chroma averaged over two by two pixels."""
    height, width, _ = photo.shape
    luma, blue, red = Image.fromarray(photo).convert("YCbCr").split()
    planes = [np.asarray(band) for band in (luma, blue.reduce(2), red.reduce(2))]
    return CameraFrame(height, width, *(Plane(plane.ravel(), plane.shape[1]) for plane in planes))


def frame_shrunk(encoding: str) -> Shrink:
    """A camera frame, its planes shrunk one by one."""
    return lambda photo, height, width: frame_to_picture(frame_of(photo), height, width, encoding)


def frame_whole(upsampling: str) -> Shrink:
    """A camera frame, made RGB at its own size and then shrunk as photos are."""

    def shrink(photo: np.ndarray, height: int, width: int) -> np.ndarray:
        rgb = frame_to_rgb(frame_of(photo), upsampling=upsampling)
        return AS_FITTED(rgb, height, width)

    return shrink


def as_jpeg(photo: np.ndarray, height: int, width: int) -> np.ndarray:
    """The photo from a JPEG file of quality 95, chroma at half size: what storing it changes."""
    return AS_FITTED(stored(photo), height, width)


def stored(photo: np.ndarray) -> np.ndarray:
    """The photo as that file shows it."""
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=95, subsampling="4:2:0")
    return np.asarray(Image.open(file))


def frame_of_jpeg(photo: np.ndarray, height: int, width: int) -> np.ndarray:
    """The camera frame of what that file shows."""
    return frame_shrunk("jfif")(stored(photo), height, width)


WAYS: dict[str, Shrink] = {
    "area (`INTER_AREA`, box of shares)": area,
    "bilinear, four pixels (`createScaledBitmap`)": four_pixels,
    "halves by the decoder, then bilinear of four": decoder_first(four_pixels),
    "halves by the decoder, then bicubic": decoder_first(AS_FITTED),
    "GPU mipmap, trilinear": mipmap,
    "Lanczos, as wide as the reduction": by_pillow(Filter.LANCZOS),
    "bilinear, as wide as the reduction": by_pillow(Filter.BILINEAR),
    "nearest pixel": by_pillow(Filter.NEAREST),
    "from a JPEG of quality 95": as_jpeg,
    "frame of that JPEG, compared with it": frame_of_jpeg,
    "frame, planes shrunk (the examples)": frame_shrunk("jfif"),
    "frame, chroma repeated, then shrunk": frame_whole("nearest"),
    "frame, chroma by triangle, then shrunk": frame_whole("triangle"),
    "frame, taken for limited range": frame_shrunk("bt601_limited"),
    "frame, taken for BT.709": frame_shrunk("bt709_full"),
}


def differences(paths: Sequence[str], preset: str, side: int) -> dict[str, np.ndarray]:
    """Points of the score that each way adds, as shares of the score's range, by photo."""
    scorer = reiqa_tf.open_scorer(preset)
    low, high = scorer.score_range
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    for path in show_progress(paths, f"{side} px", len(paths)):
        photo = np.asarray(open_image(path))
        longer = max(photo.shape)
        height, width = ((2 * length * side + longer) // (2 * longer) for length in photo.shape[:2])
        scores = {
            shrink: float(scorer.score(shrink(photo, height, width)))
            for shrink in (AS_FITTED, *WAYS.values())
        }
        for name, shrink in WAYS.items():
            expected = scores[as_jpeg if shrink is frame_of_jpeg else AS_FITTED]
            found[name].append((scores[shrink] - expected) / (high - low))
    return {name: np.array(values) for name, values in found.items()}


def main() -> None:
    """Scores and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("--preset", default=DEFAULT)
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 256, 192])
    parser.add_argument("--markdown", action="store_true", help="a table for docs/phone.md")
    arguments = parser.parse_args()
    paths = search_photos(arguments.folder).photos
    by_side = {side: differences(paths, arguments.preset, side) for side in arguments.sides}
    report(by_side, len(paths), arguments.preset, arguments.markdown)


def report(
    by_side: Mapping[int, Mapping[str, np.ndarray]], photos: int, preset: str, markdown: bool
) -> None:
    """Prints mean and largest difference of each way at each side."""
    headings = ["shrunk by", *(f"{side} px: mean, worst" for side in by_side)]
    rows = [
        [
            name,
            *(
                f"{found[name].mean():+.3f}, {np.abs(found[name]).max():.3f}"
                for found in by_side.values()
            ),
        ]
        for name in WAYS
    ]
    title = f"{preset}, {photos} photos: points of the score, as shares of its range"
    if markdown:
        print(f"{title}\n")
        for cells in (headings, ["---"] * len(headings), *rows):
            print(f"| {' | '.join(cells)} |")
        return
    columns = [(heading, "right" if place else "left") for place, heading in enumerate(headings)]
    print_table(title, columns, rows)


if __name__ == "__main__":
    main()
