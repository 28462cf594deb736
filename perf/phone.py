"""TFLite files of presets side by side: one table for phones, and where their time goes.

The folders are what `reiqa export --format tflite --precision float32,float16,dynamic_range,
full_integer --size N --scores scores.csv` left. All files get the same real photos, each at its own
size, one at a time and in turns, in one process that is bound to one core; the limit, a large
product of 8-bit integers, takes its turn as well. What a file's manifest says (MB, SRCC, worst
difference, whether a phone's GPU has all that it needs) is put beside that.

Where the time goes is told by files that end earlier: each operator's time is that of a file which
ends after it, less that of a file which ends before it, the median of several runs.

    python perf/phone.py default_exports nano_exports
    python perf/phone.py default_exports nano_exports --markdown --operators 0
"""

from __future__ import annotations

import argparse
import collections
import json
import pathlib
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from export_latency import SIDE, integer_product
from turns import Run, in_its_own_process, litert, median_seconds, start_on

from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.cli.terminal import print_table
from reiqa_tf.typing import PathLike

INTEGER_PRODUCT = "int8"
FLOAT_PRODUCT = "float32"


class File(NamedTuple):
    """A TFLite file, and what its manifest says."""

    path: pathlib.Path
    preset: str
    precision: str
    size: tuple[int, int]
    entry: dict[str, Any]
    multiply_adds: int

    @property
    def name(self) -> str:
        """What the table calls it."""
        height, width = self.size
        return f"{self.preset}, {self.precision.replace('_', ' ')}, {width} x {height}"


def files_of(folder: pathlib.Path, preset: str | None) -> Iterator[File]:
    """The TFLite files of a fixed size in a folder of exports."""
    from reiqa_tf.models.counting import multiply_adds
    from reiqa_tf.models.scorer import load_preset

    manifest = json.loads((folder / "manifest.json").read_text())
    scorer = load_preset(preset or manifest["preset"])
    counts: dict[tuple[int, int], int] = {}
    for name, entry in manifest["artifacts"].items():
        if entry["format"] != "tflite" or not isinstance(entry["size"], list):
            continue
        size = (entry["size"][0], entry["size"][1])
        if size not in counts:
            experts = scorer.experts().values()
            counts[size] = sum(multiply_adds(expert, *size) for expert in experts)
        called = entry["contract"]["preset"]
        yield File(folder / name, called, entry["precision"], size, entry, counts[size])


def measure(
    paths: Sequence[PathLike], sizes: Sequence[tuple[int, int]], product: PathLike, rounds: int
) -> list[float]:
    """Median seconds of files, then of the products of float32 and of 8-bit numbers."""
    start_on(1)
    from reiqa_tf.export import parity

    shown = {size: pictures(parity, size) for size in set(sizes)}
    runs: dict[int | str, Run] = {}
    for number, (path, size) in enumerate(zip(paths, sizes, strict=True)):
        run, _ = litert(path, 1)
        photos = shown[size]
        # All take turns by the same number, of which each makes a picture of its own size.
        runs[number] = lambda turn, run=run, photos=photos: run(photos[turn[0] % len(photos)])
    multiply, details = litert(product, 1)
    matrix = np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32)
    scale, zero = details["quantization"]
    levels = np.clip(np.rint(matrix / scale) + zero, -128, 127).astype(details["dtype"])
    runs[FLOAT_PRODUCT] = lambda _: matrix @ matrix
    runs[INTEGER_PRODUCT] = lambda _: multiply(levels)
    numbers = list(np.arange(16))
    seconds = median_seconds(runs, numbers, rounds, 1)
    return [seconds[name] for name in runs]


def pictures(parity: Any, size: tuple[int, int]) -> list[np.ndarray]:
    """Sixteen pictures of the package's own photos, uint8 `(1, H, W, 3)`."""
    cut = parity.cut_pictures(parity.shipped_photos(), size=size, count=16)
    return [picture.image[None] for picture in cut]


def parts_of(
    path: pathlib.Path, folder: pathlib.Path, count: int
) -> list[tuple[str, pathlib.Path]]:
    """Files that end after ever more operators, with the kinds of those since the one before.

    Args:
        path: a TFLite file.
        folder: where they are written.
        count: how many.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}
    whole = flatbuffer_utils.read_model(str(path))
    # A file cannot end with a kernel: those of 16 bits are made 32 wide by operators in front.
    possible = [
        number
        for number, operator in enumerate(whole.subgraphs[0].operators, 1)
        if not is_constant(whole, operator)
    ]
    chosen = np.linspace(len(possible) / count, len(possible), count).round().astype(int)
    ends = [possible[number - 1] for number in sorted(set(chosen.tolist()))]
    made = []
    for first, end in zip([0, *ends], ends, strict=False):
        model = flatbuffer_utils.read_model(str(path))
        graph = model.subgraphs[0]
        kinds = collections.Counter(
            kind_of(names[model.operatorCodes[operator.opcodeIndex].builtinCode], graph, operator)
            for operator in graph.operators[first:end]
        )
        graph.operators = graph.operators[:end]
        graph.outputs = list(graph.operators[-1].outputs)
        model.signatureDefs = []
        target = folder / f"{path.stem}-{end:04d}.tflite"
        flatbuffer_utils.write_model(model, str(target))
        made.append((", ".join(f"{n} {kind}" for kind, n in kinds.items()), target))
    return made


def is_constant(model: Any, operator: Any) -> bool:
    """Whether all that an operator reads is stored in the file."""
    tensors = model.subgraphs[0].tensors
    stored = [
        model.buffers[tensors[number].buffer].data for number in operator.inputs if number >= 0
    ]
    return all(data is not None and len(data) for data in stored)


def kind_of(name: str, graph: Any, operator: Any) -> str:
    """What people call an operator."""
    if name == "CONV_2D":
        height, width = graph.tensors[operator.inputs[1]].shape[1:3]
        return f"conv {width}x{height}"
    return name.lower().replace("_2d", "")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", help="exported folders; the first has the anchor")
    parser.add_argument("--presets", nargs="*", default=[], help="where presets lie, if elsewhere")
    parser.add_argument("--rounds", type=int, default=20, help="photos that each file gets")
    parser.add_argument(
        "--operators", type=int, default=12, help="pieces that each file is timed in; 0 for none"
    )
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    arguments = parser.parse_args()
    start_tensorflow()
    presets = [*arguments.presets, *[None] * len(arguments.folders)]
    files = [
        file
        for folder, preset in zip(arguments.folders, presets, strict=False)
        for file in files_of(pathlib.Path(folder), preset)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        product = pathlib.Path(scratch) / "product.tflite"
        product.write_bytes(integer_product())
        *seconds, float_product, int_product = in_its_own_process(
            measure,
            [file.path for file in files],
            [file.size for file in files],
            product,
            arguments.rounds,
        )
        limits = {False: SIDE**3 / float_product, True: SIDE**3 / int_product}
        print_artifacts(files, seconds, limits, arguments.markdown)
        if arguments.operators:
            for file in files:
                print_operators(file, pathlib.Path(scratch), product, arguments)


def print_artifacts(
    files: Sequence[File], seconds: Sequence[float], limits: dict[bool, float], markdown: bool
) -> None:
    """Prints the one table."""
    from reiqa_tf.export.gpu_readiness import gpu_obstacles

    columns = [
        "artifact", "MB", "10^9 mult-adds", "ms, one core", "times the first", "10^9 mult-adds/s",
        "of limit", "SRCC", "worst difference", "GPU-ready",
    ]  # fmt: skip
    rows = []
    for file, took in zip(files, seconds, strict=True):
        entry = file.entry
        rate = file.multiply_adds / took
        is_ready = not gpu_obstacles(file.path.read_bytes())
        srcc = (entry.get("srcc") or {}).get("artifact")
        rows.append(
            (
                file.name,
                f"{entry['bytes'] / 1e6:.1f}",
                f"{file.multiply_adds / 1e9:.2f}",
                f"{1e3 * took:.1f}",
                f"{seconds[0] / took:.1f}",
                f"{rate / 1e9:.0f}",
                f"{rate / limits[file.precision == 'full_integer']:.0%}",
                "" if srcc is None else f"{srcc:.4f}",
                f"{entry['difference']['worst']:.1g}",
                "yes" if is_ready else "no",
            )
        )
    if markdown:
        for row in (columns, ["---"] * len(columns), *rows):
            print("|", " | ".join(row), "|")
    else:
        print_table(
            "TFLite files, one core",
            [(column, "left" if column == "artifact" else "right") for column in columns],
            rows,
        )
    for is_integer, limit in limits.items():
        kind = INTEGER_PRODUCT if is_integer else FLOAT_PRODUCT
        print(f"limit, a product of {SIDE} x {SIDE} {kind} matrices: {limit / 1e9:.0f}e9 a second")


def print_operators(
    file: File, scratch: pathlib.Path, product: PathLike, arguments: argparse.Namespace
) -> None:
    """Prints where the time of a file goes."""
    parts = parts_of(file.path, scratch, arguments.operators)
    paths = [path for _, path in parts]
    sizes = [file.size] * len(paths)
    ends = in_its_own_process(measure, paths, sizes, product, arguments.rounds)[:-2]
    rows = [
        (str(number), kinds, f"{1e3 * (end - start):.2f}", f"{(end - start) / ends[-1]:.0%}")
        for number, ((kinds, _), start, end) in enumerate(
            zip(parts, [0.0, *ends], ends, strict=False), 1
        )
    ]
    print_table(
        f"{file.name}: {1e3 * ends[-1]:.1f} ms",
        [("piece", "right"), ("operators", "left"), ("ms", "right"), ("share", "right")],
        rows,
    )


if __name__ == "__main__":
    main()
