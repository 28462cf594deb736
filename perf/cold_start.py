"""What `reiqa score photo.jpg` costs from a cold shell, with each runtime, and where it goes.

Every run is a process of its own, as from a shell; the runtimes take turns, so that a busy machine
is unfair to none. The yardstick is a bare script that imports onnxruntime and opens the preset's
file: the whole command should take at most 1.2 times as long. Processor time counts all cores.

    python perf/cold_start.py
    python perf/cold_start.py photo.jpg --preset my_preset --runs 20
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from reiqa_tf import presets
from reiqa_tf.backend import silenced
from reiqa_tf.cli.terminal import print_table
from reiqa_tf.extras import is_installed
from reiqa_tf.presets.folders import preset_folder
from reiqa_tf.runtimes.errors import ArtifactError
from reiqa_tf.runtimes.opening import EXPORTS_FOLDER, LIGHT_RUNTIMES, open_artifact

PHOTO = pathlib.Path(__file__).parents[1] / "tests" / "photos" / "kodim23.png"

_COMMAND = [sys.executable, "-c", "from reiqa_tf.cli.main import run; run()"]

LIMIT = 1.2
"""How many times as long as the bare script the command may take."""

_WHOLE = "as typed"
_BARE = "bare onnxruntime"
_BARE_CODE = "import sys, onnxruntime; onnxruntime.InferenceSession(sys.argv[1])"

# The steps of the command, timed one after the other in a process of their own.
_STEPS = """
import json, sys, time
runtime, preset, photo = sys.argv[1:]
stamps = []
def done(step):
    stamps.append((step, time.perf_counter(), time.process_time()))
done("")
from reiqa_tf.cli import main
main.parse(["reiqa", "score", photo])
done("parse the command line")
import numpy
done("import NumPy")
import reiqa_tf.image.reading
done("import Pillow")
if runtime == "onnx":
    import onnxruntime
else:
    import ai_edge_litert.interpreter
done("import the runtime")
from reiqa_tf.runtimes.opening import open_artifact
scorer = open_artifact(preset, runtime)
done("open the artifact")
image = reiqa_tf.image.reading.read_image(photo, fit=scorer.working_size)
done("read the photo")
scorer.run(image[None])
done("compute")
scorer.run(image[None])
done("(the same photo once more)")
spans = [(b[0], b[1] - a[1], b[2] - a[2]) for a, b in zip(stamps, stamps[1:])]
print(json.dumps(spans))
"""


def run(command: Sequence[str]) -> tuple[float, float, str]:
    """Seconds on the clock and of the processor that a command takes, and its output."""
    before, start = os.times(), time.perf_counter()
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, after = time.perf_counter() - start, os.times()
    processor = (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )
    return seconds, processor, result.stdout


def installed(preset: str) -> list[str]:
    """Names of the light runtimes that can score with this preset here."""
    names = []
    for name in LIGHT_RUNTIMES:
        try:
            with silenced():
                open_artifact(preset, name)
        except ArtifactError as problem:
            print(f"without {name}: {problem}", file=sys.stderr)
        else:
            names.append(name)
    return names


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photo", nargs="?", default=str(PHOTO))
    parser.add_argument("--preset", default=presets.DEFAULT)
    parser.add_argument("--runs", type=int, default=9, help="of each (default: %(default)s)")
    arguments = parser.parse_args()

    light = installed(arguments.preset)
    names = [*(["keras"] if is_installed("tensorflow") else []), *light]
    options = ["--preset", arguments.preset, "--format", "json", "--runtime"]
    commands = {name: [*_COMMAND, "score", arguments.photo, *options, name] for name in names}
    # As people type it: a table, and whichever runtime there is.
    commands[_WHOLE] = [*_COMMAND, "score", arguments.photo, "--preset", arguments.preset]
    if "onnx" in light:
        path = preset_folder(arguments.preset) / EXPORTS_FOLDER / "model.onnx"
        commands[_BARE] = [sys.executable, "-c", _BARE_CODE, str(path)]
    taken: dict[str, list[list[float]]] = {name: [] for name in commands}
    scores = {}
    for turn in range(arguments.runs + 1):
        for name, command in commands.items():
            *seconds, output = run(command)
            if name in names:
                scores[name] = json.loads(output)["scores"][0]["score"]
            if turn:  # the first time the disk is read, and what is kept is written
                taken[name].append(seconds)
    medians = {
        name: [statistics.median(column) for column in zip(*runs, strict=True)]
        for name, runs in taken.items()
    }
    print_table(
        f"reiqa score {pathlib.Path(arguments.photo).name}, median of {arguments.runs}",
        [
            ("runtime", "left"),
            ("seconds", "right"),
            ("fastest", "right"),
            ("processor seconds", "right"),
            (f"- {names[0]}'s score", "right"),
        ],
        [
            (
                name,
                f"{wall:.2f}",
                f"{min(taken[name])[0]:.2f}",
                f"{processor:.2f}",
                f"{scores[name] - scores[names[0]]:.1e}" if name in names else "",
            )
            for name, (wall, processor) in medians.items()
        ],
    )
    for name in light if "keras" in names else ():
        print(f"keras : {name} = {medians['keras'][0] / medians[name][0]:.1f}")
    if _BARE in medians:
        wall, processor = (
            whole / bare for whole, bare in zip(medians[_WHOLE], medians[_BARE], strict=True)
        )
        fastest = min(taken[_WHOLE])[0] / min(taken[_BARE])[0]
        print(
            f"{_WHOLE} : {_BARE} = {wall:.2f} (fastest {fastest:.2f}, processor {processor:.2f}); "
            f"limit {LIMIT}"
        )
    for name in light:
        tables = [
            json.loads(
                run([sys.executable, "-c", _STEPS, name, arguments.preset, arguments.photo])[2]
            )
            for _ in range(arguments.runs)
        ]
        start = [run([sys.executable, "-c", "pass"])[:2] for _ in range(arguments.runs)]
        steps = [("start Python", *map(statistics.median, zip(*start, strict=True)))]
        for rows in zip(*tables, strict=True):
            walls, processors = zip(*(row[1:] for row in rows), strict=True)
            steps.append((rows[0][0], statistics.median(walls), statistics.median(processors)))
        print_table(
            f"what {name} spends it on, median of {arguments.runs}",
            [("step", "left"), ("ms", "right"), ("processor ms", "right")],
            [(step, f"{1e3 * wall:.0f}", f"{1e3 * cpu:.0f}") for step, wall, cpu in steps],
        )


if __name__ == "__main__":
    main()
