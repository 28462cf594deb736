"""How far the map of an explanation can be trusted.

A quarter of each photo is spoilt: blurred, made noisy, covered with blocks, or coded as a poor
JPEG. The photos are drawn from those given, the quarter is drawn by chance.

- `found`: share of the photos in which the spoilt quarter is the lowest of the map; chance is 25 %.
- `clean`: the same of the photo before it was spoilt, of the same quarter.
- `mended`: of the first photos (`--mend`), the share whose score rises when the quarter of the
  places with the lowest points of the map is replaced by the original; `rise` is the mean of the
  rise, as a share of what mending all of it gives; `elsewhere` is the same for as many places
  drawn by chance.

    python perf/faithful.py scores.csv --split test
    python perf/faithful.py kodak/ --count 24 --preset my_preset
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from reiqa_tf import presets
from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.cli.terminal import print_table, show_progress
from reiqa_tf.evaluation.sensitivity_photos import choose_photos, list_photos

SPOILT = (
    ("blur", "gaussian_blur", 4),
    ("noise", "gaussian_noise", 4),
    ("blocks", "color_block", 4),
    ("JPEG", "jpeg", 4),
)
"""What a row is called, and the distortion and level, 0 to 4, of the bank."""


def lowest_quarter(points: np.ndarray) -> int:
    """Which quarter of a map is the lowest: 0 and 1 above, 2 and 3 below."""
    half = len(points) // 2
    sums = points.reshape(2, half, 2, half).sum(axis=(1, 3))
    return int(sums.argmin())


def quarter_of(picture: np.ndarray, number: int) -> tuple[slice, slice]:
    """Rows and columns of a quarter of a picture."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    top, left = (
        (number // 2) * (picture.shape[0] - height),
        (number % 2) * (picture.shape[1] - width),
    )
    return slice(top, top + height), slice(left, left + width)


def mended(spoilt: np.ndarray, original: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """A picture with the places that `cells`, true or false on the grid, name as they were."""
    rows = np.arange(spoilt.shape[0]) * len(cells) // spoilt.shape[0]
    columns = np.arange(spoilt.shape[1]) * len(cells) // spoilt.shape[1]
    return np.where(cells[rows][:, columns][..., None], original, spoilt)


def measure(
    compute: Callable[[np.ndarray], dict[str, np.ndarray]],
    photos: list[str],
    working_size: int | None,
    seed: int,
    mend: int,
) -> dict[str, np.ndarray]:
    """For each row of `SPOILT` an array `(photos, 5)`: found, clean, rise, elsewhere, all of it.

    Of photos behind the first `mend` the last three are NaN.
    """
    from reiqa_tf.distortions import distort
    from reiqa_tf.distortions.ladder import read_distortable
    from reiqa_tf.image.scaling import to_levels

    generator = np.random.default_rng(seed)
    rows: dict[str, list[list[float]]] = {name: [] for name, _, _ in SPOILT}
    for number, photo in enumerate(show_progress(photos, "photos", len(photos))):
        picture = read_distortable(photo, working_size, photo)
        quarter = int(generator.integers(4))
        place = quarter_of(picture, quarter)
        before = compute(picture[None])
        was_lowest = lowest_quarter(before["map"][0]) == quarter
        for name, distortion, level in SPOILT:
            spoilt = picture.copy()
            spoilt[place] = to_levels(distort(picture[place], distortion, level, (seed, number)))
            found = compute(spoilt[None])
            points = found["map"][0]
            if number >= mend:
                hit = lowest_quarter(points) == quarter
                rows[name].append([hit, was_lowest, *3 * [np.nan]])
                continue
            worst = points <= np.quantile(points, 0.25)
            chance = generator.permutation(worst.ravel()).reshape(worst.shape)
            rises = [
                compute(mended(spoilt, picture, cells)[None])["score"][0] - found["score"][0]
                for cells in (worst, chance)
            ]
            whole = before["score"][0] - found["score"][0]
            rows[name].append([lowest_quarter(points) == quarter, was_lowest, *rises, whole])
    return {name: np.array(values, float) for name, values in rows.items()}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTO|FOLDER|CSV")
    parser.add_argument("--split", help="of CSV files, the rows of this split")
    parser.add_argument("--preset", default=presets.DEFAULT)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--mend", type=int, default=50, help="photos that are mended as well")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    photos = choose_photos(
        list_photos(arguments.photos, arguments.split), arguments.count, arguments.seed
    )
    start_tensorflow()
    from reiqa_tf.explanation.diagnosis import load_probe
    from reiqa_tf.explanation.graph import compiled_outputs
    from reiqa_tf.models.scorer import load_preset

    scorer = load_preset(arguments.preset)
    compute = compiled_outputs(scorer, load_probe(arguments.preset))
    found = measure(compute, photos, scorer.working_size, arguments.seed, arguments.mend)
    rows = []
    for name, values in found.items():
        hit, was, *_ = values.T
        worst, chance, whole = values[: arguments.mend, 2:].T
        rows.append(
            (
                name,
                f"{hit.mean():.0%}",
                f"{was.mean():.0%}",
                f"{(worst > 0).mean():.0%}",
                f"{worst.mean() / whole.mean():.0%}",
                f"{chance.mean() / whole.mean():.0%}",
            )
        )
    headings = ("found", "clean", "mended", "rise", "elsewhere")
    print_table(
        f"{arguments.preset}: a spoilt quarter of {len(photos)} photos",
        [("spoilt by", "left"), *((heading, "right") for heading in headings)],
        rows,
        caption="found: the spoilt quarter is the lowest of the map; chance is 25 %",
    )


if __name__ == "__main__":
    main()
