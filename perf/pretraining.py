"""What pretraining costs: the data beside the step, and the step beside PyTorch's.

The first table says what share of the time of a whole run the data take: the run's pairs a second
(photos, views and steps) against those of the step alone, which gets one batch again and again. The
second sets the published step, ResNet-50 at 160 px with a queue of 65,536 keys, beside the same
step in PyTorch on the same cores (where PyTorch is installed); times are medians, wall clock.

On a CPU data and step share the cores: then the share of the CPU seconds is what counts, which
other programs on the machine hardly change. To compare steps on a machine that is not quiet, give
each one thread (`--threads 1`) and look at the CPU seconds: PyTorch's idle threads compute, too.

`--device GPU` insists on a GPU, and says so in a line where there is none; `--device CPU` hides
them. On a GPU the peak of its memory stands beside the one that `reiqa pretrain --plan` counts.

    python perf/pretraining.py data PHOTOS_FOLDER --config quality_lite0 --steps 20
    python perf/pretraining.py step --pairs 8 --steps 8
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))  # the PyTorch step is in tests/oracles

import numpy as np

from reiqa_tf.cli.terminal import print_table
from reiqa_tf.pretraining.config import PretrainConfig, load_config, override

if TYPE_CHECKING:
    from reiqa_tf.pretraining.step import TrainingStep

PUBLISHED = "quality_resnet50"
"""The configuration whose step PyTorch does, too."""


def medians(advance: Callable[[], object], steps: int) -> tuple[float, float, float]:
    """Seconds of the first step, which compiles, and medians after it: wall clock and CPU."""
    taken, computed = [], []
    for _ in range(steps + 1):
        start, start_computed = time.perf_counter(), time.process_time()
        advance()
        taken.append(time.perf_counter() - start)
        computed.append(time.process_time() - start_computed)
    return taken[0], statistics.median(taken[1:]), statistics.median(computed[1:])


def means(advance: Callable[[], object], steps: int) -> tuple[float, float]:
    """Seconds of a step, wall clock and CPU, on average: what runs beside counts as well."""
    start, start_computed = time.perf_counter(), time.process_time()
    for _ in range(steps):
        advance()
    taken, computed = time.perf_counter() - start, time.process_time() - start_computed
    return taken / steps, computed / steps


def choose_device(device: str | None) -> str:
    """Sees to it that TensorFlow computes where it is told to; returns the names of the devices.

    Raises:
        SystemExit: if a GPU is wanted and there is none.
    """
    if device == "CPU":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # before TensorFlow and PyTorch look
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if device == "GPU" and not gpus:
        raise SystemExit("pretraining.py: no GPU was found, so --device GPU measures nothing.")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    return ", ".join(device.name for device in gpus or tf.config.list_physical_devices("CPU"))


def make_step(config: PretrainConfig) -> TrainingStep:
    """A step of a configuration, with fresh weights."""
    import tensorflow as tf

    from reiqa_tf.pretraining.from_config import make_moco
    from reiqa_tf.pretraining.step import TrainingStep
    from reiqa_tf.training.optimizers import make_optimizer

    moco = make_moco(config)
    optimizer = make_optimizer(
        config.optimizer, config.learning_rate, config.schedule, 1000, moco.trainable_variables
    )
    return TrainingStep(moco, optimizer, tf.distribute.get_strategy(), config.parts)


def measure_data(arguments: argparse.Namespace) -> None:
    """Prints pairs a second of data and step, of the step alone, and of the data alone."""
    choose_device(arguments.device)
    from reiqa_tf.pretraining.from_config import make_pipeline
    from reiqa_tf.pretraining.training_photos import training_photos

    config = load_config(arguments.config)
    for setting in arguments.set:
        config = override(config, setting)
    pipeline = make_pipeline(config, training_photos(arguments.photos), cache=arguments.cache)
    step = make_step(config)
    batches = iter(pipeline.dataset())
    held = next(batches)
    medians(lambda: step(next(batches)), 2)  # compiles, and empties what was prepared meanwhile
    whole, whole_computed = means(lambda: step(next(batches)), arguments.steps)
    for _ in range(4):  # what was prepared while the steps were made
        next(batches)
    data, data_computed = means(lambda: next(batches), arguments.steps)
    batches = None  # ends what prepares further ones
    _, alone, alone_computed = medians(lambda: step(held), arguments.steps)
    pairs = config.batch_size * pipeline.views.pairs
    rows = [
        ("pairs in a step", f"{pairs}"),
        ("step alone, pairs/s", f"{pairs / alone:.1f}"),
        ("data alone, pairs/s", f"{pairs / data:.1f}"),
        ("data and step, pairs/s", f"{pairs / whole:.1f}"),
        ("share of the time that data cost", f"{1 - alone / whole:.1%}"),
        ("step alone, CPU s", f"{alone_computed:.2f}"),
        ("data alone, CPU s", f"{data_computed:.2f}"),
        ("data and step, CPU s", f"{whole_computed:.2f}"),
        ("share of the CPU time that data cost", f"{1 - alone_computed / whole_computed:.1%}"),
    ]
    print_table(None, [(f"{arguments.config}", "left"), ("value", "right")], rows)


def images_of(pairs: int, side: int = 160) -> dict[str, np.ndarray]:
    """Queries and keys, of the published size unless another one is named."""
    generator = np.random.default_rng(0)
    shape = (pairs, side, side, 3)
    return {name: generator.uniform(size=shape).astype(np.float32) for name in ("query", "key")}


def measure_step(arguments: argparse.Namespace) -> None:
    """Prints seconds of the step, ours and PyTorch's of ResNet-50, and their ratio."""
    if arguments.device == "GPU":
        choose_device("GPU")
    # In processes of their own, one after the other, so that the threads of one do not stand in
    # the other's way.
    seconds = {}
    names = ("tensorflow", "pytorch") if arguments.config == PUBLISHED else ("tensorflow",)
    for name in names:
        command = [sys.executable, __file__, name, "--pairs", str(arguments.pairs)]
        command += ["--steps", str(arguments.steps), "--precision", arguments.precision]
        command += ["--config", arguments.config]
        command += ["--device", arguments.device] if arguments.device else []
        environment = dict(os.environ)
        if arguments.threads:
            for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
                environment[variable] = str(arguments.threads)
        result = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, env=environment
        )
        seconds[name] = json.loads(result.stdout.splitlines()[-1])
    rows = [
        (f"{name}: {what}", f"{value:.3f}" if isinstance(value, float) else str(value))
        for name, figures in seconds.items()
        for what, value in figures.items()
    ]
    for what in ("step, s", "step, CPU s"):
        if what in seconds.get("pytorch", {}):
            ratio = seconds["tensorflow"][what] / seconds["pytorch"][what]
            rows.append((f"tensorflow / pytorch: {what}", f"{ratio:.2f}"))
    heading = f"{arguments.config}, {arguments.pairs} pairs, {arguments.precision}"
    print_table(None, [(heading, "left"), ("value", "right")], rows)


def measure_tensorflow(arguments: argparse.Namespace) -> None:
    """Prints the figures of our step as JSON."""
    names = choose_device(arguments.device)
    import tensorflow as tf

    config = override(load_config(arguments.config), f"precision={arguments.precision}")
    step = make_step(override(config, "parts=1"))
    pictures = images_of(arguments.pairs, config.pairs.patch)
    images = {name: tf.constant(np.rint(255 * part), tf.uint8) for name, part in pictures.items()}
    first, median, computed = medians(lambda: step(images), arguments.steps)
    figures = _figures(names, first, median, computed)
    if "GPU" in names:
        from reiqa_tf.pretraining.plan import StepMemory

        photos = arguments.pairs / config.pairs.pairs_per_photo
        figures["GPU memory at most, GB"] = (
            tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e9
        )
        figures["the same as planned, GB"] = StepMemory(config).of_replica(photos, 1).total / 1e9
    print(json.dumps(figures))


def measure_pytorch(arguments: argparse.Namespace) -> None:
    """Prints the figures of PyTorch's step as JSON; always float32."""
    if arguments.device == "CPU":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    try:
        import torch
    except ImportError:
        print(json.dumps({"devices": "not installed"}))
        return
    from tests.oracles import torch_contrast

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    networks = [torch_contrast.Network((3, 4, 6, 3), 64, 128).train().to(device) for _ in range(2)]
    queue = torch.nn.functional.normalize(torch.randn(65_536, 128), dim=1).to(device)
    images = {
        name: torch.from_numpy(batch.transpose(0, 3, 1, 2).copy()).to(device)
        for name, batch in images_of(arguments.pairs).items()
    }

    def advance() -> None:
        networks[0].zero_grad()
        torch_contrast.training_step(*networks, images, queue, 0.2, 0.999, 0.01)

    first, median, computed = medians(advance, arguments.steps)
    names = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    names = f"{names}, {torch.get_num_threads()} threads"
    print(json.dumps(_figures(names, first, median, computed)))


def _figures(devices: str, first: float, median: float, computed: float) -> dict[str, str | float]:
    return {
        "devices": devices,
        "first step, s": first,
        "step, s": median,
        "step, CPU s": computed,
    }


def main() -> None:
    """Reads the arguments and measures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(required=True)
    data = parts.add_parser("data", help="the whole run against the step alone")
    data.add_argument("photos", help="folder with photos")
    data.add_argument("--config", default="quality_lite0")
    data.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    data.add_argument("--cache", help="folder that keeps decoded photos")
    data.set_defaults(measure=measure_data)
    data.add_argument("--steps", type=int, default=10)
    data.add_argument("--device", choices=("CPU", "GPU"), help="(default: GPUs if there are any)")
    for name, measure, text in (
        ("step", measure_step, "the step against PyTorch's"),
        ("tensorflow", measure_tensorflow, "a part of `step`"),
        ("pytorch", measure_pytorch, "a part of `step`"),
    ):
        step = parts.add_parser(name, help=text)
        step.add_argument("--pairs", type=int, default=8)
        step.add_argument("--steps", type=int, default=10)
        step.add_argument(
            "--precision", choices=("float32", "bfloat16"), default="float32", help="of ours"
        )
        step.add_argument("--config", default=PUBLISHED, help="(default: %(default)s)")
        step.add_argument("--threads", type=int, help="of each (default: as many as cores)")
        step.add_argument("--device", choices=("CPU", "GPU"), help="(default: GPUs if any)")
        step.set_defaults(measure=measure)
    arguments = parser.parse_args()
    arguments.measure(arguments)


if __name__ == "__main__":
    main()
