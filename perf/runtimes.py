"""How many photos a second each runtime scores, and how near that is to what the processor can do.

Every way gets the same photos of one size: one session of all threads or one session a thread
(`1 x 2` and `2 x 1`), photos alone and in batches of four, graphs for any size and for this one
(onnxruntime by overriding the free dimensions, OpenVINO by reshaping, LiteRT by converting). The
ways take turns, so that whatever else the machine does meets them alike; onnxruntime as
`reiqa score` opens it is the anchor that the ratios are of. The limit is a large matrix product of
float32 numbers in the same process and turns. LiteRT and OpenVINO are left out where they are not
installed (`pip install openvino`).

    python perf/runtimes.py
    python perf/runtimes.py --threads 2 --rounds 9 --preset my_preset
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from turns import in_its_own_process, litert

from reiqa_tf import presets
from reiqa_tf.backend import silenced
from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.cli.terminal import print_table
from reiqa_tf.extras import is_installed
from reiqa_tf.presets.folders import preset_folder
from reiqa_tf.runtimes.contract import DISTANCE, IMAGES, SCORE, SPREAD
from reiqa_tf.runtimes.opening import EXPORTS_FOLDER
from reiqa_tf.typing import Size

BATCHES = (1, 4)
ASKED = 1.5
"""How many times the anchor's photos a second are asked for."""

PRODUCT_SIDE = 1536
_OUTPUTS = [SCORE, SPREAD, DISTANCE]

Score = Callable[[np.ndarray], object]
"""What scores a batch of photos; what it returns is not looked at."""


class Way(NamedTuple):
    """A way to score.

    Attributes:
        runtime: name of the runtime.
        sessions: how many work at the same time.
        threads: of each.
        batch: photos that are scored together.
        is_fixed: whether the graph is for this size alone.
    """

    runtime: str
    sessions: int
    threads: int
    batch: int
    is_fixed: bool


def _with_onnx(path: pathlib.Path, way: Way, size: Size) -> Score:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = way.threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if way.is_fixed:
        for letter, length in zip("NHW", (way.batch, *size), strict=True):
            options.add_free_dimension_override_by_name(letter, length)
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda photos: session.run(_OUTPUTS, {IMAGES: photos})


def _with_openvino(path: pathlib.Path, way: Way, size: Size) -> Score:
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    if way.is_fixed:
        model.reshape([way.batch, *size, 3])
    settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": way.threads, "NUM_STREAMS": 1}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return lambda photos: request.infer({IMAGES: photos})


def _with_litert(path: pathlib.Path, way: Way, _: Size) -> Score:
    return litert(path, way.threads)[0]


_OPEN = {"onnxruntime": _with_onnx, "OpenVINO": _with_openvino, "LiteRT": _with_litert}


def prepare(preset: str, folder: str, size: Size, is_converted: bool) -> int:
    """Counts the multiply-adds of a photo, and writes a TFLite file if it is asked for."""
    start_tensorflow()
    from reiqa_tf.export.tflite import convert_tflite
    from reiqa_tf.models.counting import multiply_adds
    from reiqa_tf.models.scorer import load_preset
    from reiqa_tf.presets.folders import read_metadata
    from reiqa_tf.runtimes.contract import Contract

    scorer, about = load_preset(preset), read_metadata(preset)
    if is_converted:
        known = Contract.of(scorer, preset, about["sha256"]["model.weights.h5"], about)
        path = pathlib.Path(folder) / "model.tflite"
        path.write_bytes(convert_tflite(scorer, size, "float32", known))
    return sum(multiply_adds(expert, *size) for expert in scorer.experts().values())


def ways(threads: int, runtimes: Sequence[str]) -> list[Way]:
    """All ways there are, the anchor first."""
    layouts = dict.fromkeys([(1, threads), (threads, 1)])
    found = [
        Way(runtime, *layout, batch, is_fixed)
        for runtime in runtimes
        for layout in layouts
        for batch in BATCHES
        for is_fixed in (False, True)
    ]
    # Exported TFLite files are of one size, or made for it when they are opened, and of one photo.
    return [way for way in found if way.runtime != "LiteRT" or (way.batch, way.is_fixed) == (1, 1)]


def measure(
    paths: dict[str, str], size: Size, photos: np.ndarray, threads: int, rounds: int
) -> dict[Way | str, list[tuple[float, float]]]:
    """Seconds of the clock and of the processor of each way for all photos, round by round."""
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), str(threads)))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    import threadpoolctl

    runs: dict[Way | str, Callable[[], object]] = {}
    pool = concurrent.futures.ThreadPoolExecutor(threads)
    for way in ways(threads, list(paths)):
        with silenced():
            path = pathlib.Path(paths[way.runtime])
            sessions = [_OPEN[way.runtime](path, way, size) for _ in range(way.sessions)]
        batches = [photos[i : i + way.batch] for i in range(0, len(photos), way.batch)]

        def run(sessions: list[Score] = sessions, batches: list[np.ndarray] = batches) -> None:
            shares = [batches[place :: len(sessions)] for place in range(len(sessions))]
            list(pool.map(lambda score, share: [*map(score, share)], sessions, shares))

        runs[way] = run
    matrix = np.random.default_rng(0).normal(size=(PRODUCT_SIDE,) * 2).astype(np.float32)
    runs["product"] = lambda: [matrix @ matrix for _ in range(4)]
    taken: dict[Way | str, list[tuple[float, float]]] = {name: [] for name in runs}
    with threadpoolctl.threadpool_limits(threads):
        for turn in range(-1, rounds):
            for name, run in runs.items():
                start = time.perf_counter(), time.process_time()
                run()
                if turn >= 0:
                    taken[name].append(
                        (time.perf_counter() - start[0], time.process_time() - start[1])
                    )
    return taken


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default=presets.DEFAULT, help="(default: %(default)s)")
    parser.add_argument("--size", type=int, default=512, help="side in pixels (default: 512)")
    parser.add_argument("--threads", type=int, default=2, help="(default: %(default)s)")
    parser.add_argument("--photos", type=int, default=8, help="of a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    arguments = parser.parse_args()

    from reiqa_tf.data.photos import find_photos
    from reiqa_tf.image.reading import open_image

    size = (arguments.size, arguments.size)
    found = find_photos(pathlib.Path(__file__).parents[1] / "export" / "photos")
    photos = np.stack(
        [
            np.asarray(open_image(found[number % len(found)]).resize(size))
            for number in range(arguments.photos)
        ]
    )
    onnx = str(preset_folder(arguments.preset) / EXPORTS_FOLDER / "model.onnx")
    paths = {"onnxruntime": onnx}
    with tempfile.TemporaryDirectory() as scratch:
        if is_installed("openvino"):
            paths["OpenVINO"] = onnx
        if is_installed("ai_edge_litert"):
            paths["LiteRT"] = str(pathlib.Path(scratch) / "model.tflite")
        work = in_its_own_process(prepare, arguments.preset, scratch, size, "LiteRT" in paths)
        taken = in_its_own_process(
            measure, paths, size, photos, arguments.threads, arguments.rounds
        )
    report(taken, len(photos), work, arguments.size)


def report(
    taken: dict[Way | str, list[tuple[float, float]]], count: int, work: int, side: int
) -> None:
    """Prints the table."""
    medians = {name: np.median(seconds, axis=0) for name, seconds in taken.items()}
    limit = 4 * PRODUCT_SIDE**3 / medians["product"][0]
    anchor = next(iter(medians))
    rows = []
    for way, (wall, processor) in medians.items():
        if isinstance(way, str):
            continue
        pairs = zip(taken[anchor], taken[way], strict=True)
        rate = work * count / wall
        rows.append(
            (
                way.runtime,
                f"{way.sessions} x {way.threads}",
                f"{way.batch}",
                "this" if way.is_fixed else "any",
                f"{count / wall:.2f}",
                f"{np.median([theirs[0] / ours[0] for theirs, ours in pairs]):.2f}",
                f"{1e3 * processor / count:.0f}",
                f"{rate / 1e9:.1f}",
                f"{rate / limit:.0%}",
            )
        )
    best = max(rows, key=lambda row: float(row[5]))
    headings = [
        *("runtime", "sessions x threads", "batch", "size", "photos/s", "times the first"),
        *("processor ms", "10^9 mult-adds/s", "of limit"),
    ]
    print_table(
        f"{side} x {side} px; the limit is {limit / 1e9:.0f} x 10^9 multiply-adds a second",
        [(heading, "left" if heading in headings[:2] else "right") for heading in headings],
        rows,
    )
    print(f"fastest: {' '.join(best[:4])}, {best[5]} times the first; asked {ASKED}")


if __name__ == "__main__":
    main()
