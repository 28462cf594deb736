"""How often a scorer prefers what nobody would, on photos that are good.

Every photo of a folder is scored as it is, sharpened until it has halos (Pillow's Sharpness 3),
burnt by one stop (twice the light, in linear light), blurred (Gaussian, 1 px), with its lower half
replaced by grey, and turned by 90 degrees. None of it needs anybody's scores: sharpened and burnt
copies should score below the photo, half a photo below a blurred one, and a photo that is turned as
it did before. The photos of Kodak's PhotoCD are usual for this.

    python perf/common_sense.py FOLDER
    python perf/common_sense.py FOLDER --preset reiqa_lite0_biq2021 --preset my_preset
"""

from __future__ import annotations

import argparse

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

import reiqa_tf
from reiqa_tf.cli.terminal import print_table, show_progress
from reiqa_tf.data.photos import search_photos
from reiqa_tf.fitting.degradations import exposed
from reiqa_tf.image.reading import open_image
from reiqa_tf.presets import DEFAULT

GREY = 127


def variants(photo: Image.Image) -> dict[str, np.ndarray]:
    """A photo and what is done to it, by name."""
    pixels = np.asarray(photo)
    half = pixels.copy()
    half[len(half) // 2 :] = GREY
    return {
        "photo": pixels,
        "sharpened": np.asarray(ImageEnhance.Sharpness(photo).enhance(3)),
        "burnt": exposed(pixels, 1),
        "blurred": np.asarray(photo.filter(ImageFilter.GaussianBlur(1))),
        "half grey": half,
        "turned": np.ascontiguousarray(np.rot90(pixels)),
    }


def main() -> None:
    """Scores and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--preset", action="append")
    arguments = parser.parse_args()
    paths = search_photos(arguments.folder).photos
    rows = []
    for preset in arguments.preset or [DEFAULT]:
        scorer = reiqa_tf.open_scorer(preset)
        scores: dict[str, list[float]] = {}
        for path in show_progress(paths, preset, len(paths)):
            for name, pixels in variants(open_image(path)).items():
                scores.setdefault(name, []).append(float(scorer.score(pixels)))
        table = {name: np.array(values) for name, values in scores.items()}
        low, high = scorer.score_range
        turned = np.abs(table["turned"] - table["photo"]).mean() / (high - low)
        rows.append(
            (
                preset,
                str(len(paths)),
                str((table["sharpened"] > table["photo"]).sum()),
                str((table["burnt"] > table["photo"]).sum()),
                str((table["half grey"] < table["blurred"]).sum()),
                f"{turned:.3f}",
            )
        )
    print_table(
        "photos of which",
        [
            ("preset", "left"),
            ("all", "right"),
            ("sharpened is above the photo", "right"),
            ("burnt is above it", "right"),
            ("half grey is below blurred", "right"),
            ("change by turning", "right"),
        ],
        rows,
        caption="the change by turning is the mean, in units of the scale",
    )


if __name__ == "__main__":
    main()
