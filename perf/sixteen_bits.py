"""What a preset's scores lose on a phone's GPU, which has 16 bits for every number: simulated.

The TFLite file of a fixed size is walked operator by operator, in 32 bits and rounded to 16 after
every operator; see `reiqa_tf.export.sixteen_bits`. Pictures: all 0, all 255, noise, and photos.

    python perf/sixteen_bits.py FOLDER
    python perf/sixteen_bits.py FOLDER --preset my_preset --size 384
"""

from __future__ import annotations

import argparse

import numpy as np

from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.cli.terminal import print_table, show_progress
from reiqa_tf.data.photos import search_photos
from reiqa_tf.presets import DEFAULT


def main() -> None:
    """Scores and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("--preset", default=DEFAULT)
    parser.add_argument("--size", type=int, default=512, help="side in pixels")
    arguments = parser.parse_args()
    start_tensorflow()
    from reiqa_tf.export import parity
    from reiqa_tf.export.sixteen_bits import SixteenBits
    from reiqa_tf.export.tflite import float_model
    from reiqa_tf.models.scorer import load_preset

    size = (arguments.size, arguments.size)
    scorer = load_preset(arguments.preset)
    low, high = scorer.score_range
    both = SixteenBits(float_model(scorer, size))

    def loss(picture: np.ndarray) -> float:
        exact, rounded = both.run(picture)
        return abs(exact["score"] - rounded["score"]) / (high - low)

    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    rows = [(f"all {level}", loss(np.full_like(noise, level)), None) for level in (0, 255)]
    rows.append(("noise", loss(noise), None))
    paths = search_photos(arguments.folder).photos
    cut = parity.cut_pictures(paths, size=size, count=len(paths))
    losses = np.array([loss(picture.image) for picture in show_progress(cut, "photos", len(cut))])
    rows.append((f"{len(cut)} photos", losses.max(), losses.mean()))
    print_table(
        f"{arguments.preset} at {size[0]} x {size[1]}: change of the score, share of its range",
        [("picture", "left"), ("worst", "right"), ("mean", "right")],
        [
            (name, f"{worst:.4f}", "" if mean is None else f"{mean:.4f}")
            for name, worst, mean in rows
        ],
    )


if __name__ == "__main__":
    main()
