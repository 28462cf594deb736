"""What the pairs for the quality-aware encoder cost, against a yardstick on the same machine.

The yardstick is Pillow's GaussianBlur(5) of a 512 x 512 photo: the published pipeline takes 1.65 of
it for each pair of 160 px on one core. All times are seconds of one core (the processor time of
the whole process, all threads together, so that a busy machine disturbs little).

    taskset -c 0 python perf/views.py PHOTOS              # a folder or pattern of JPEG files
    taskset -c 0 python perf/views.py PHOTOS --operators  # and a table of the 26 operators
    taskset -c 0 python perf/views.py PHOTOS --photos 2000 --memory
"""

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable, Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from PIL import Image, ImageFilter
from rich.console import Console
from rich.table import Table

from reiqa_tf.distortions import DISTORTIONS, LEVELS, Distortion
from reiqa_tf.distortions.engine.windows import Photo, Windows
from reiqa_tf.image.decoding import decode_jpeg
from reiqa_tf.image.reading import open_image
from reiqa_tf.pretraining.halving import source_span
from reiqa_tf.pretraining.pipelines import ViewPipeline
from reiqa_tf.pretraining.quality_views import QualityViews
from reiqa_tf.pretraining.training_photos import training_photos

SIDE = 512
YARDSTICK = ImageFilter.GaussianBlur(5)
_WARM_UP = 120


def seconds(function: Callable[[], object], repeats: int) -> float:
    """Median of a function's processor time, after a first call that is not counted."""
    function()
    taken = []
    for _ in range(repeats):
        begin = time.process_time()
        function()
        taken.append(time.process_time() - begin)
    return statistics.median(taken)


def corner(path: str) -> Image.Image:
    """The upper left 512 x 512 px of a photo."""
    return open_image(path).crop((0, 0, SIDE, SIDE))


def yardstick(path: str) -> float:
    """Seconds of Pillow's GaussianBlur(5) of 512 x 512 px."""
    picture = corner(path)
    return seconds(lambda: picture.filter(YARDSTICK), 15)


def operator_times(path: str, patch: int) -> Iterator[tuple[Distortion, list[float]]]:
    """For each distortion, seconds for all crops of a version of one photo, level by level."""
    image = tf.constant(corner(path))
    span = source_span(patch)
    far = SIDE - span

    def compiled(distortion: Distortion) -> Callable[..., list[tf.Tensor]]:
        @tf.function(autograph=False)
        def apply(image: tf.Tensor, level: tf.Tensor, seed: tf.Tensor) -> list[tf.Tensor]:
            photo = Photo(tf.ensure_shape(image, (None, None, 3)))
            full = Windows(photo, (64, 64 + 120), (64, 64 + 80), patch, patch)
            half = Windows(photo, (0, far), (0, far), span, span)
            return distortion.distort((full, half), level, seed)

        return apply

    for distortion in DISTORTIONS:
        apply = compiled(distortion)
        yield (
            distortion,
            [
                seconds(
                    lambda apply=apply, i=i: apply(image, tf.constant(i), tf.constant([1, i])), 5
                )
                for i in range(LEVELS)
            ],
        )


def limits(path: str, views: QualityViews) -> tuple[float, float]:
    """What no implementation can do without: decoding, and touching each output value once."""
    contents = tf.io.read_file(path)
    decode = seconds(lambda: decode_jpeg(contents), 15)
    output = tf.zeros((views.pairs, 2, views.patch, views.patch, 3))
    copy = tf.function(lambda x: x + 1.0, autograph=False)
    return decode, seconds(lambda: copy(output), 15)


def resident() -> float:
    """Memory of this process in MiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", metavar="PHOTOS")
    parser.add_argument("--photos", type=int, default=100, help="photos that are timed")
    parser.add_argument("--batch", type=int, default=4, help="photos in a batch")
    parser.add_argument("--patch", type=int, default=160)
    parser.add_argument("--operators", action="store_true", help="also time each operator")
    parser.add_argument("--memory", action="store_true", help="also print memory on the way")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    console = Console()
    photos = training_photos(arguments.source)
    views = QualityViews(arguments.patch)
    before = yardstick(photos[0])

    if arguments.operators:
        table = Table(
            title=f"Two pairs of a version, 512 x 512 px; yardstick {before * 1e3:.1f} ms"
        )
        for heading in ("operator", *(f"level {i}" for i in range(LEVELS)), "mean", "yardsticks"):
            table.add_column(heading, justify="left" if heading == "operator" else "right")
        means = []
        for distortion, times in operator_times(photos[0], arguments.patch):
            means.append(statistics.mean(times))
            table.add_row(
                distortion.name,
                *(f"{taken * 1e3:.2f} ms" for taken in (*times, means[-1])),
                f"{means[-1] / before:.2f}",
            )
        mean = statistics.mean(means)
        table.add_row("mean", *[""] * LEVELS, f"{mean * 1e3:.2f} ms", f"{mean / before:.2f}")
        console.print(table)

    pipeline = ViewPipeline(photos, views, arguments.batch, parallel_calls=1)
    begin = time.perf_counter()
    batches = iter(pipeline.dataset())
    next(batches)
    started = time.perf_counter() - begin
    for _ in range(_WARM_UP // arguments.batch):
        next(batches)
    steps = max(1, arguments.photos // arguments.batch)
    picture = corner(photos[0])
    between = []
    begin, wall = time.process_time(), time.perf_counter()
    for step, _ in enumerate(itertools.islice(batches, steps)):
        # On a busy machine everything takes longer, the yardstick too: it is timed on the way.
        start = time.thread_time()
        picture.filter(YARDSTICK)
        between.append(time.thread_time() - start)
        if arguments.memory and step % max(1, steps // 10) == 0:
            console.print(f"{step * arguments.batch:6d} photos  {resident():,.0f} MiB")
    spent = time.process_time() - begin - sum(between)
    wall = time.perf_counter() - wall
    unit = statistics.median(between)
    pair = spent / (steps * arguments.batch * views.pairs)
    decode, touch = limits(photos[0], views)
    table = Table(title=f"{steps * arguments.batch} photos to pairs of {arguments.patch} px")
    table.add_column("what")
    table.add_column("figure", justify="right")
    table.add_row("yardstick, before and on the way", f"{before * 1e3:.2f}, {unit * 1e3:.2f} ms")
    table.add_row("a pair, of one core", f"{pair * 1e3:.2f} ms")
    table.add_row("a pair, yardsticks", f"{pair / unit:.3f}")
    table.add_row("the published pipeline, yardsticks", "1.65")
    table.add_row("a photo, by the clock", f"{wall / steps / arguments.batch * 1e3:.1f} ms")
    table.add_row("until the first batch", f"{started:.1f} s")
    table.add_row("limit: decoding, a pair", f"{decode / views.pairs / unit:.3f} yardsticks")
    table.add_row("limit: each value written once, a pair", f"{touch / views.pairs / unit:.3f}")
    table.add_row("memory", f"{resident():,.0f} MiB")
    console.print(table)


if __name__ == "__main__":
    main()
