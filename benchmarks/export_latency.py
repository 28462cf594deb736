"""How fast exported files judge a photo, and how near that is to what the processor can do.

Every file gets the same real photos at the same size, one at a time, in its own runtime; so does
Keras's `predict` in float32, the yardstick. All take turns, photo by photo, so that whatever else
the machine does meets them alike. A process is bound to as many cores as it may use threads.

The limit is a large matrix product: of float32 numbers by NumPy's BLAS, of 8-bit integers by
LiteRT, in the same process. Multiply-adds are counted in the convolutions of the float32 file.

    python benchmarks/export_latency.py
    python benchmarks/export_latency.py --photos FOLDER --threads 1 --rounds 40
"""

import argparse
import concurrent.futures
import multiprocessing
import os
import pathlib
import tempfile
import time

import numpy as np

from reiqa_tf import presets
from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.cli.terminal import print_table

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


def convert(folder, preset, size, photos):
    """Writes the files, and answers their multiply-adds."""
    from reiqa_tf.export.contract import contract
    from reiqa_tf.export.onnx import convert_onnx
    from reiqa_tf.export.tflite import convert_tflite
    from reiqa_tf.models.presets import load_preset, read_metadata

    scorer, about = load_preset(preset), read_metadata(preset)
    known = contract(scorer, preset, about["sha256"]["model.weights.h5"], about)
    for name, (kind, precision) in FILES.items():
        print(f"converting: {name}", flush=True)
        if kind == "onnx":
            contents = convert_onnx(scorer, precision, known)
        else:
            contents = convert_tflite(scorer, size, precision, known, calibration=photos)
        (folder / name).write_bytes(contents)
    (folder / PRODUCTS[1]).write_bytes(integer_product())
    return multiply_adds((folder / "tflite float32").read_bytes())


def multiply_adds(model):
    """Multiply-adds of the convolutions of a TFLite file of a fixed size."""
    from ai_edge_litert import schema_py_generated as schema

    content = schema.Model.GetRootAs(model, 0)
    graph = content.Subgraphs(0)
    kinds = schema.BuiltinOperator
    count = 0
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = content.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if kind in (kinds.CONV_2D, kinds.DEPTHWISE_CONV_2D):
            outputs = graph.Tensors(operator.Outputs(0)).ShapeAsNumpy()
            kernel = graph.Tensors(operator.Inputs(1)).ShapeAsNumpy()
            # (out, h, w, in) of a convolution, (1, h, w, out) of a depthwise one
            each = kernel[1:] if kind == kinds.CONV_2D else kernel[1:3]
            count += int(np.prod(outputs)) * int(np.prod(each))
    return count


def integer_product():
    """A TFLite file that multiplies two matrices of 8-bit integers."""
    import tensorflow as tf
    from ai_edge_quantizer.quantizer import Quantizer

    from reiqa_tf.export.quiet import quiet

    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(SIDE, SIDE)).astype(np.float32)
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((SIDE, SIDE), tf.float32, name="matrix")])
    def multiply(matrix_):
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


def measure(threads, folder, preset, photos, rounds):
    """Medians in seconds, by what was measured, in a process of `threads` cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

    def limit_tensorflow():
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)

    start_tensorflow(limit_tensorflow)
    import onnxruntime
    import threadpoolctl
    from ai_edge_litert.interpreter import Interpreter

    from reiqa_tf.models.presets import load_preset

    def litert(name):
        interpreter = Interpreter(str(folder / name), num_threads=threads)
        interpreter.allocate_tensors()
        (image,) = interpreter.get_input_details()

        def run(photo):
            interpreter.set_tensor(image["index"], photo)
            interpreter.invoke()

        return run, image

    def onnx(name):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(folder / name, options)
        return lambda photo: session.run(None, {"images": photo})

    scorer = load_preset(preset)
    runs = {PREDICT: lambda photo: scorer.predict(photo, verbose=0)}
    for name, (kind, _) in FILES.items():
        runs[name] = onnx(name) if kind == "onnx" else litert(name)[0]
    matrix = np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32)
    multiply, details = litert(PRODUCTS[1])
    scale, zero = details["quantization"]
    levels = np.clip(np.rint(matrix / scale) + zero, -128, 127).astype(details["dtype"])
    runs[PRODUCTS[0]] = lambda _: matrix @ matrix
    runs[PRODUCTS[1]] = lambda _: multiply(levels)

    seconds = {name: [] for name in runs}
    with threadpoolctl.threadpool_limits(threads):
        for turn in range(-2, rounds):  # two to warm up
            photo = photos[turn % len(photos)][None]
            for name, run in runs.items():
                start = time.perf_counter()
                run(photo)
                if turn >= 0:
                    seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(each)) for name, each in seconds.items()}


def main():
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
    photos = [each.image for each in parity.cut_pictures(paths, size=size, count=16)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        work = convert(folder, arguments.preset, size, photos)
        megabytes = {name: (folder / name).stat().st_size / 1e6 for name in FILES}
        print(f"{work / 1e9:.3f} thousand million multiply-adds at {size[0]} x {size[1]}")
        for threads in arguments.threads:
            # A process of its own: TensorFlow's threads are set once.
            with concurrent.futures.ProcessPoolExecutor(
                1, multiprocessing.get_context("spawn")
            ) as pool:
                seconds = pool.submit(
                    measure, threads, folder, arguments.preset, photos, arguments.rounds
                ).result()
            report(threads, seconds, work, megabytes)


def report(threads, seconds, work, megabytes):
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
