"""How fast exported files score a photo, and how near that is to what the processor can do.

Every file gets the same real photos at the same size, one at a time, in its own runtime; so does
Keras's `predict` in float32, the yardstick. All take turns, photo by photo, so that whatever else
the machine does meets them alike. A process is bound to as many cores as it may use threads.

The limit is a large matrix product: of float32 numbers by NumPy's BLAS, of 8-bit integers by
LiteRT, in the same process. Multiply-adds are those of the encoders' convolutions.

    python perf/export_latency.py
    python perf/export_latency.py --photos FOLDER --threads 1 --rounds 40
"""

import argparse
import pathlib
import tempfile
from collections.abc import Mapping, Sequence

import numpy as np
from turns import Run, in_its_own_process, litert, median_seconds, start_on

from reiqa_tf import presets
from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.cli.terminal import print_table
from reiqa_tf.typing import Size, Tensor

FILES = {
    "onnx float32": ("onnx", "float32"),
    "onnx float16": ("onnx", "float16"),
    "tflite float32": ("tflite", "float32"),
    "tflite float16": ("tflite", "float16"),
    "tflite dynamic_range": ("tflite", "dynamic_range"),
    "tflite full_integer": ("tflite", "full_integer"),
}
IN_INTEGERS = {"tflite dynamic_range", "tflite full_integer"}
PREDICT = "keras predict float32"
SIDE = 1536  # of the matrix products
PRODUCTS = ("matrix product float32", "matrix product int8")


def convert(folder: pathlib.Path, preset: str, size: Size, photos: Sequence[np.ndarray]) -> int:
    """Writes the files, and counts their multiply-adds."""
    from reiqa_tf.export.onnx import convert_onnx
    from reiqa_tf.export.tflite import convert_tflite
    from reiqa_tf.models.counting import multiply_adds
    from reiqa_tf.models.scorer import load_preset
    from reiqa_tf.presets.folders import read_metadata
    from reiqa_tf.runtimes.contract import Contract

    scorer, about = load_preset(preset), read_metadata(preset)
    known = Contract.of(scorer, preset, about["sha256"]["model.weights.h5"], about)
    for name, (kind, precision) in FILES.items():
        print(f"converting: {name}", flush=True)
        if kind == "onnx":
            contents = convert_onnx(scorer, precision, known)
        else:
            contents = convert_tflite(scorer, size, precision, known, calibration=photos)
        (folder / name).write_bytes(contents)
    (folder / PRODUCTS[1]).write_bytes(integer_product())
    return sum(multiply_adds(expert, *size) for expert in scorer.experts().values())


def integer_product() -> bytes:
    """A TFLite file that multiplies two matrices of 8-bit integers."""
    import tensorflow as tf
    from ai_edge_quantizer.quantizer import Quantizer

    from reiqa_tf.export.quiet import quiet

    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(SIDE, SIDE)).astype(np.float32)
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((SIDE, SIDE), tf.float32, name="matrix")])
    def multiply(matrix_: Tensor) -> dict[str, Tensor]:
        return {"product": tf.linalg.matmul(matrix_, tf.constant(matrix))}

    module.function = multiply
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [multiply.get_concrete_function()], module
    )
    with quiet():
        quantizer = Quantizer(bytearray(converter.convert()))
        # Input and output too, so that nothing but the product is timed.
        quantizer.add_static_config(".*", "*", activation_num_bits=8, weight_num_bits=8)
        ranges = quantizer.calibrate({"serving_default": [{"matrix": matrix}]})
        return bytes(quantizer.quantize(ranges).quantized_model)


def measure(
    threads: int, folder: pathlib.Path, preset: str, photos: Sequence[np.ndarray], rounds: int
) -> dict[str, float]:
    """Medians in seconds, by what was measured, in a process of `threads` cores."""
    start_on(threads)
    import onnxruntime

    from reiqa_tf.models.scorer import load_preset

    def onnx(name: str) -> Run:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(folder / name, options)
        return lambda photo: session.run(None, {"images": photo})

    scorer = load_preset(preset)
    runs: dict[str, Run] = {PREDICT: lambda photo: scorer.predict(photo, verbose=0)}
    for name, (kind, _) in FILES.items():
        runs[name] = onnx(name) if kind == "onnx" else litert(folder / name, threads)[0]
    matrix = np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32)
    multiply, details = litert(folder / PRODUCTS[1], threads)
    scale, zero = details["quantization"]
    levels = np.clip(np.rint(matrix / scale) + zero, -128, 127).astype(details["dtype"])
    runs[PRODUCTS[0]] = lambda _: matrix @ matrix
    runs[PRODUCTS[1]] = lambda _: multiply(levels)
    return median_seconds(runs, photos, rounds, threads)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", help="folder of real photos (default: those of the package)")
    parser.add_argument("--preset", default=presets.DEFAULT)
    parser.add_argument("--size", type=int, default=512, help="side in pixels")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=20, help="photos a file gets")
    arguments = parser.parse_args()

    start_tensorflow()
    from reiqa_tf.data.photos import find_photos
    from reiqa_tf.export import parity

    paths = find_photos(arguments.photos) if arguments.photos else parity.shipped_photos()
    size = (arguments.size, arguments.size)
    photos = [picture.image for picture in parity.cut_pictures(paths, size=size, count=16)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        work = convert(folder, arguments.preset, size, photos)
        megabytes = {name: (folder / name).stat().st_size / 1e6 for name in FILES}
        print(f"{work / 1e9:.3f} thousand million multiply-adds at {size[0]} x {size[1]}")
        for threads in arguments.threads:
            seconds = in_its_own_process(
                measure, threads, folder, arguments.preset, photos, arguments.rounds
            )
            report(threads, seconds, work, megabytes)


def report(
    threads: int, seconds: Mapping[str, float], work: int, megabytes: Mapping[str, float]
) -> None:
    """Prints the table of one number of threads."""
    limits = {name: SIDE**3 / seconds[name] for name in PRODUCTS}
    rows = []
    for name in (PREDICT, *FILES):
        rate, limit = work / seconds[name], limits[PRODUCTS[name in IN_INTEGERS]]
        rows.append(
            (
                name,
                f"{megabytes[name]:.1f}" if name in megabytes else "",
                f"{1e3 * seconds[name]:.1f}",
                f"{seconds[PREDICT] / seconds[name]:.2f}",
                f"{rate / 1e9:.0f}",
                f"{rate / limit:.0%}",
            )
        )
    rows += [(name, "", "", "", f"{limit / 1e9:.0f}", "100%") for name, limit in limits.items()]
    columns = ["file", "MB", "ms a photo", "times predict's speed", "10^9 mult-adds/s", "of limit"]
    print_table(
        f"{threads} thread{'s' if threads > 1 else ''}",
        [(heading, "left" if heading == "file" else "right") for heading in columns],
        rows,
    )


if __name__ == "__main__":
    main()
