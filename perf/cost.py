"""What a preset costs beside the paper's networks: arithmetic, parameters, bytes, milliseconds.

The yardstick is a scorer of two ResNet-50 with random weights, as in the paper: content and
quality, means of their last stage. Both scorers score the same real photos on one core, in turns,
by Keras's `predict` (a compiled graph, called for one photo at a time) and as a float32 TFLite file
of that size in LiteRT.

Multiply-adds are those of the convolutions of all experts, at full and at half size, counted in the
graph with the shapes that it has for such a photo (`reiqa_tf.models.counting` says what is left
out). Parameters are what training can change, the head's included. MB are 10^6 bytes: the weights
file of a preset with its encoders in float16, and the TFLite file. Converting the yardstick takes
some 9 GB of memory.

    python perf/cost.py
    python perf/cost.py --preset my_preset --size 384 --rounds 40
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from turns import Run, in_its_own_process, litert, median_seconds, start_on

from reiqa_tf import presets
from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.cli.terminal import print_table
from reiqa_tf.typing import Size

if TYPE_CHECKING:
    import keras

YARDSTICK = "two ResNet-50"
THREADS = 1


class Costs(TypedDict):
    """What can be counted of a preset.

    `experts`: multiply-adds and parameters by name; `parameters` of all with the head; the bytes of
    `weights` and `tflite`.
    """

    experts: dict[str, tuple[int, int]]
    parameters: int
    weights: int
    tflite: int


def save_yardstick(folder: pathlib.Path, working_size: int) -> None:
    """Saves the yardstick as a preset."""
    start_tensorflow()
    import keras

    from reiqa_tf.models.encoder import ReIQAEncoder
    from reiqa_tf.models.head import LinearHead
    from reiqa_tf.models.resnet import ResNetBackbone
    from reiqa_tf.models.scorer import ReIQAScorer, save_preset
    from reiqa_tf.scoring.calibration import Calibration

    keras.utils.set_random_seed(0)
    experts = {name: ReIQAEncoder(ResNetBackbone(), name=name) for name in ("content", "quality")}
    # Random weights, of which nothing else is asked than what they cost.
    head = LinearHead(dataclasses.replace(Calibration.unknown(), measured=True))
    yardstick = ReIQAScorer(**experts, head=head, working_size=working_size)
    yardstick.build((None, None, None, 3))
    save_preset(yardstick, folder)


def describe(preset: str, folder: pathlib.Path, size: Size) -> Costs:
    """Writes the files of a preset into a folder, and counts what can be counted.

    Returns:
        `Costs`.
    """
    start_tensorflow()
    from reiqa_tf.export.tflite import convert_tflite
    from reiqa_tf.models.counting import multiply_adds
    from reiqa_tf.models.scorer import load_preset, save_preset
    from reiqa_tf.presets.folders import read_metadata
    from reiqa_tf.runtimes.contract import Contract

    scorer, about = load_preset(preset), read_metadata(preset)
    save_preset(scorer, folder / "half", half_precision=True)
    known = Contract.of(scorer, preset, about["sha256"]["model.weights.h5"], about)
    (folder / "tflite").write_bytes(convert_tflite(scorer, size, "float32", known))
    return {
        "experts": {
            name: (multiply_adds(expert, *size), parameters(expert))
            for name, expert in scorer.experts().items()
        },
        "parameters": parameters(scorer),
        "weights": (folder / "half" / "model.weights.h5").stat().st_size,
        "tflite": (folder / "tflite").stat().st_size,
    }


def parameters(model: keras.Model) -> int:
    """How many numbers training can change."""
    return sum(variable.shape.num_elements() for variable in model.trainable_variables)


def measure(
    folders: Mapping[str, tuple[str, pathlib.Path]], photos: Sequence[np.ndarray], rounds: int
) -> dict[tuple[str, str], float]:
    """Median seconds of one photo, by preset and runtime, in a process of one core."""
    start_on(THREADS)
    from reiqa_tf.models.scorer import load_preset

    runs: dict[tuple[str, str], Run] = {}
    for name, (preset, folder) in folders.items():
        scorer = load_preset(preset)
        runs[name, "keras"] = lambda photo, scorer=scorer: scorer.predict(photo, verbose=0)
        runs[name, "tflite"] = litert(folder / "tflite", THREADS)[0]
    return median_seconds(runs, photos, rounds, THREADS)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default=presets.DEFAULT, help="(default: %(default)s)")
    parser.add_argument("--size", type=int, default=512, help="side in pixels (default: 512)")
    parser.add_argument("--rounds", type=int, default=20, help="photos timed (default: 20)")
    parser.add_argument("--photos", help="folder of real photos (default: those of the package)")
    arguments = parser.parse_args()

    from reiqa_tf.data.photos import find_photos
    from reiqa_tf.export import parity

    paths = find_photos(arguments.photos) if arguments.photos else parity.shipped_photos()
    size = (arguments.size, arguments.size)
    photos = [picture.image for picture in parity.cut_pictures(paths, size=size, count=16)]
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        in_its_own_process(save_yardstick, scratch / YARDSTICK, arguments.size)
        folders, counted = {}, {}
        for name, preset in (
            (arguments.preset, arguments.preset),
            (YARDSTICK, scratch / YARDSTICK),
        ):
            folder = scratch / str(len(folders))
            folder.mkdir()
            print(f"converting: {name}", flush=True)
            folders[name] = (str(preset), folder)
            counted[name] = in_its_own_process(describe, str(preset), folder, size)
        seconds = in_its_own_process(measure, folders, photos, arguments.rounds)
    report(counted, seconds, arguments.size)


def report(
    counted: Mapping[str, Costs], seconds: Mapping[tuple[str, str], float], side: int
) -> None:
    """Prints the table."""
    rows, figures = [], []
    for name, about in counted.items():
        work = sum(count for count, _ in about["experts"].values())
        keras, tflite = (seconds[name, runtime] for runtime in ("keras", "tflite"))
        figures.append(
            (
                work / 1e9,
                about["parameters"] / 1e6,
                about["weights"] / 1e6,
                about["tflite"] / 1e6,
                1e3 * keras,
                1e3 * tflite,
            )
        )
        rows.append((name, *(f"{figure:.4g}" for figure in figures[-1])))
        rows += [
            (f"  {expert}", f"{count / 1e9:.4g}", f"{own / 1e6:.4g}", "", "", "", "")
            for expert, (count, own) in about["experts"].items()
        ]
    ratios = [f"{theirs / ours:.1f}" for ours, theirs in zip(*figures, strict=True)]
    rows.append((f"times less than {YARDSTICK}", *ratios))
    columns = [
        "scorer",
        "10^9 multiply-adds",
        "10^6 parameters",
        "weights float16, MB",
        "TFLite float32, MB",
        "Keras predict, ms",
        "TFLite, ms",
    ]
    print_table(
        f"a photo of {side} x {side} px on one core",
        [(heading, "right" if number else "left") for number, heading in enumerate(columns)],
        rows,
    )


if __name__ == "__main__":
    main()
