"""What it saves to compute photos side by side, a core each, instead of one on all cores.

First a folder, as `reiqa score FOLDER` scores it: from files, by onnxruntime, photos one after the
other on all cores against photos side by side; both take turns in one process. Then one large photo
at its own size (`--native-size`), in tiles: by Keras, by onnxruntime a tile after the other, and
tiles side by side; each in a process of its own, for its peak memory.

    python perf/side_by_side.py PHOTOS_FOLDER
    python perf/side_by_side.py PHOTOS_FOLDER --photos 120 --rounds 3 --size 6000x4000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from decoding import large_photos
from scoring import peak_memory
from turns import in_its_own_process

from reiqa_tf import presets
from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.cli.terminal import print_table
from reiqa_tf.data.photos import find_photos
from reiqa_tf.runtimes import onnx_scorer
from reiqa_tf.runtimes.opening import open_artifact

IN_TURN, BESIDE, KERAS = "onnxruntime, in turn", "onnxruntime, side by side", "Keras"
ASKED_NATIVE = 2
"""How many times as fast as Keras a large photo at its own size is asked to be."""


def folder(preset: str, paths: Sequence[str], rounds: int) -> dict[str, tuple[float, np.ndarray]]:
    """Median seconds for all photos, and their scores, in turns."""
    scorer = open_artifact(preset, "onnx")
    list(scorer.score_many(paths[: onnx_scorer._MANY]))  # opens both sessions
    seconds: dict[str, list[float]] = {IN_TURN: [], BESIDE: []}
    scores: dict[str, np.ndarray] = {}
    for _ in range(rounds):
        for name, many in ((IN_TURN, len(paths) + 1), (BESIDE, 1)):
            onnx_scorer._MANY = many
            start = time.perf_counter()
            found = [outcome.score for outcome in scorer.score_many(paths)]
            seconds[name].append(time.perf_counter() - start)
            scores[name] = np.array(found, np.float64)
    return {name: (float(np.median(taken)), scores[name]) for name, taken in seconds.items()}


def native(preset: str, contents: bytes, name: str, rounds: int) -> tuple[float, float, float]:
    """Median seconds for a photo at its own size, its score, and peak memory in MiB."""
    scorer: Any
    if name == KERAS:
        start_tensorflow()
        from reiqa_tf.models.scorer import load_preset

        scorer = load_preset(preset)
        compute = scorer.compile_features()
    else:
        scorer = open_artifact(preset, "onnx")
        compute = None
        if name == IN_TURN:
            scorer.__dict__["_beside"] = scorer

    def score() -> float:
        return float(scorer.judge_features(scorer.native_features(contents, compute)[None])[0])

    seconds = []
    for turn in range(-1, rounds):
        start = time.perf_counter()
        found = score()
        if turn >= 0:
            seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), found, peak_memory()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", help="folder with photos")
    parser.add_argument("--preset", default=presets.DEFAULT, help="(default: %(default)s)")
    parser.add_argument("--photos", type=int, default=120, help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--size", default="6000x4000", help="of the large one (%(default)s)")
    arguments = parser.parse_args()
    paths = find_photos(arguments.folder)[: arguments.photos]

    found = in_its_own_process(folder, arguments.preset, paths, arguments.rounds)
    anchor, expected = found[IN_TURN]
    rows = [
        (
            name,
            f"{len(paths) / taken:.2f}",
            f"{anchor / taken:.2f}",
            f"{np.abs(scores - expected).max():.2g}",
        )
        for name, (taken, scores) in found.items()
    ]
    print_table(
        f"{len(paths)} photos from files",
        [("way", "left"), ("photos/s", "right"), ("times", "right"), ("scores apart", "right")],
        rows,
    )

    width, height = map(int, arguments.size.split("x"))
    (contents,) = large_photos(paths, (width, height), 1)
    large = {
        name: in_its_own_process(native, arguments.preset, contents, name, arguments.rounds)
        for name in (KERAS, IN_TURN, BESIDE)
    }
    anchor, score, _ = large[KERAS]
    print_table(
        f"one photo of {width} x {height} px at its own size",
        [
            *(("way", "left"), ("seconds", "right"), ("times Keras", "right")),
            *(("score apart", "right"), ("peak MiB", "right")),
        ],
        [
            (
                name,
                f"{taken:.2f}",
                f"{anchor / taken:.2f}",
                f"{abs(own - score):.2g}",
                f"{peak:.0f}",
            )
            for name, (taken, own, peak) in large.items()
        ],
        caption=f"asked: {ASKED_NATIVE} times as fast as Keras",
    )


if __name__ == "__main__":
    main()
