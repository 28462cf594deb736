"""What it costs exported files to explain their scores, against the score alone.

The preset is exported twice for each format, with and without `--explain`. Files of one format get
the same real photos, one at a time and in turns with all others, in one process on so many cores:
the file that scores; the one that explains, asked for the score alone; the same, asked for score,
map and diagnosis.

    python perf/explained.py
    python perf/explained.py --threads 2 --rounds 21 --preset my_preset
"""

from __future__ import annotations

import argparse
import pathlib
import tempfile
from typing import Any

import numpy as np
from turns import Run, in_its_own_process, median_seconds, start_on

from reiqa_tf import presets
from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.cli.terminal import print_table
from reiqa_tf.runtimes.explained import EXPLAIN, EXPLAINED

FORMATS = ("onnx", "tflite", "saved_model")
ALONE, SCORE, WHY = "scores alone", "explains, asked for the score", "explains, asked for all"
ASKED = 1.1
"""How many times what the score alone takes is asked for at most."""


def export_both(preset: str, folder: str, side: int) -> None:
    """Exports a preset to `scores` and to `explains` in a folder."""
    start_tensorflow()
    import reiqa_tf

    for name, explain in (("scores", False), ("explains", True)):
        reiqa_tf.export(
            preset,
            out=pathlib.Path(folder) / name,
            formats=FORMATS,
            sizes=[(side, side)],
            explain=explain,
        )


def runs_of(folder: pathlib.Path, threads: int) -> dict[tuple[str, str], Run]:
    """Functions of a photo `(1, H, W, 3)`, by format and by what the file is asked for."""
    import tensorflow as tf

    from reiqa_tf.backend import silenced
    from reiqa_tf.runtimes.litert_scorer import LiteRTScorer
    from reiqa_tf.runtimes.onnx_scorer import OnnxScorer

    scores, explains = folder / "scores", folder / "explains"
    open_file: dict[str, Any] = {"onnx": OnnxScorer, "tflite": LiteRTScorer}
    runs: dict[tuple[str, str], Run] = {}
    for name, opened in open_file.items():
        with silenced():
            (alone,), (why,) = (
                [opened(path, threads) for path in sorted(there.rglob(f"*.{name}"))]
                for there in (scores, explains)
            )
        runs[name, ALONE] = lambda photo, scorer=alone: scorer.run_for(photo, ("score",))
        runs[name, SCORE] = lambda photo, scorer=why: scorer.run_for(photo, ("score",))
        runs[name, WHY] = lambda photo, scorer=why: scorer.run_for(photo, EXPLAINED)
    for there, kinds in ((scores, {ALONE: "images"}), (explains, {SCORE: "images", WHY: EXPLAIN})):
        (model,) = there.rglob("saved_model.pb")
        loaded = tf.saved_model.load(model.parent)
        for kind, signature in kinds.items():
            # The module goes with the function: without it, its weights would be gone.
            runs["saved_model", kind] = lambda photo, loaded=loaded, signature=signature: (
                loaded.signatures[signature](tf.constant(photo))
            )
    return runs


def measure(folder: str, side: int, threads: int, rounds: int) -> dict[tuple[str, str], float]:
    """Median seconds for a photo."""
    start_on(threads)
    from reiqa_tf.data.photos import find_photos
    from reiqa_tf.image.reading import open_image

    found = find_photos(pathlib.Path(__file__).parents[1] / "export" / "photos")
    photos = [np.asarray(open_image(path).resize((side, side))) for path in found]
    return median_seconds(runs_of(pathlib.Path(folder), threads), photos, rounds, threads)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default=presets.DEFAULT, help="(default: %(default)s)")
    parser.add_argument("--size", type=int, default=512, help="side in pixels (default: 512)")
    parser.add_argument("--threads", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=21, help="(default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        in_its_own_process(export_both, arguments.preset, folder, arguments.size)
        seconds = in_its_own_process(
            measure, folder, arguments.size, arguments.threads, arguments.rounds
        )
    rows = []
    for (name, kind), taken in seconds.items():
        ratio = taken / seconds[name, ALONE]
        rows.append((name, kind, f"{1e3 * taken:.1f}", f"{ratio:.2f}"))
    print_table(
        f"{arguments.preset}, {arguments.size} x {arguments.size} px, cores: {arguments.threads}",
        [("format", "left"), ("file", "left"), ("ms", "right"), ("times the score", "right")],
        rows,
        caption=f"asked: at most {ASKED} times",
    )


if __name__ == "__main__":
    main()
