"""What it costs to begin a training run on a million photos and more, and to go on in one.

    python perf/millions.py PHOTOS --photos 1300000

makes so many hard links to the photos of a folder (a few hundred will do; they are copied once, so
that the links lie on the disk of --folder) and removes them at the end. Two processes of their own,
one with 1,000 of the photos and one with all, list them, begin `reiqa_tf.pretrain` and stop at the
first batch; what the second takes more is due to the number. A third goes on in the middle of an
epoch. Printed are seconds of the clock and of the processor and the largest memory, and asserted is
that the order of an epoch is a permutation that follows from the seed alone.

Asked: at most 60 s and 1 GB more than the small run takes, compilation being in both.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from reiqa_tf.pretraining.config import PretrainConfig

SMALL = 1000
FOLDER_PHOTOS = 1000
MOST_LINKS = 60_000
"""Of one file; ext4 takes 65,000."""


def main() -> None:
    """Parses the arguments, and runs what they ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", metavar="PHOTOS", help="folder with photos to link to")
    parser.add_argument("--photos", type=int, default=1_300_000, metavar="N")
    parser.add_argument("--folder", help="where the links are made (default: for temporary files)")
    parser.add_argument("--part", choices=sorted(PARTS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(PARTS[arguments.part](arguments.source)))
        return
    with tempfile.TemporaryDirectory(prefix="reiqa-millions-", dir=arguments.folder) as folder:
        rehearse(pathlib.Path(arguments.source), pathlib.Path(folder), arguments.photos)


def rehearse(source: pathlib.Path, folder: pathlib.Path, count: int) -> None:
    """Makes the links, measures, and prints."""
    started = time.perf_counter()
    link(source, folder / "small", min(SMALL, count))
    link(source, folder / "large", count)
    print(f"{count:,} hard links made in {time.perf_counter() - started:.0f} s")
    small = in_process("begin", folder / "small")
    large = in_process("begin", folder / "large")
    resumed = in_process("resume", folder / "large")
    print(f"{'':28}{small['photos']:>12,}{large['photos']:>12,}{'more':>10}")
    for name, unit in ROWS.items():
        less, more = small[name], large[name]
        print(f"{name + ', ' + unit:28}{less:12.1f}{more:12.1f}{more - less:10.1f}")
    print(
        f"going on at step {resumed['step']:,} of {resumed['steps']:,}: first batch after "
        f"{resumed['batch']:.1f} s, {resumed['batch processor']:.1f} s of the processor; "
        "its photos are those of the order"
    )


ROWS = {
    "listed": "s",
    "listed processor": "s",
    "first batch": "s",
    "first batch processor": "s",
    "memory": "MB",
}
"""What is printed of the two runs, and its units."""


def link(source: pathlib.Path, folder: pathlib.Path, count: int) -> None:
    """Makes `count` hard links to photos, a thousand a folder."""
    folder.mkdir(parents=True)
    photos = sorted(path for path in source.iterdir() if path.suffix.lower() in (".jpg", ".png"))
    if len(photos) * MOST_LINKS < count:
        raise SystemExit(f"{source}: expected at least {-(-count // MOST_LINKS)} photos")
    kept = folder.parent / f".{folder.name}"
    kept.mkdir()
    photos = [pathlib.Path(shutil.copy(path, kept)) for path in photos[:500]]
    endings = [path.suffix.lower() for path in photos]
    for number in range(count):
        if number % FOLDER_PHOTOS == 0:
            inside = os.path.join(folder, f"{number // FOLDER_PHOTOS:05d}")
            os.mkdir(inside)
        which = number % len(photos)
        os.link(photos[which], os.path.join(inside, f"{number:07d}{endings[which]}"))


def in_process(part: str, folder: pathlib.Path) -> dict[str, Any]:
    """Measures in a process of its own, whose memory is nobody else's."""
    command = [sys.executable, __file__, str(folder), "--part", part]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    measured: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return measured


class FirstBatchError(Exception):
    """Ends a run when its first batch is there."""


def small_config() -> PretrainConfig:
    """A run of which little is compiled: content views, a tiny network."""
    from reiqa_tf.pretraining.config import ContentPairs, load_config

    config = load_config("smoke")
    return dataclasses.replace(config, pairs=ContentPairs(patch=32), parts=1)


def begin(folder: str) -> dict[str, Any]:
    """Begins a run, up to its first batch."""
    from reiqa_tf.pretraining.pretrain import pretrain
    from reiqa_tf.pretraining.training_photos import training_photos
    from reiqa_tf.training.callbacks import BatchCallback

    class Stop(BatchCallback):
        """Ends the run at its first batch."""

        def on_batch(self, *_: object) -> None:
            raise FirstBatchError

    started, worked = time.perf_counter(), time.process_time()
    photos = training_photos(folder)
    listed, listed_worked = time.perf_counter() - started, time.process_time() - worked
    with tempfile.TemporaryDirectory() as run, contextlib.suppress(FirstBatchError):
        pretrain(photos, run, small_config(), callbacks=[Stop()])
    return {
        "photos": len(photos),
        "listed": listed,
        "listed processor": listed_worked,
        "first batch": time.perf_counter() - started,
        "first batch processor": time.process_time() - worked,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def resume(folder: str) -> dict[str, Any]:
    """Goes on in the middle of the second epoch, and compares what is there with the order."""
    import tensorflow as tf

    from reiqa_tf.pretraining.from_config import make_pipeline
    from reiqa_tf.pretraining.training_photos import training_photos

    config = small_config()
    pipeline = make_pipeline(config, training_photos(folder))
    count, steps = len(pipeline.photos), pipeline.steps_per_epoch
    step = steps + steps // 2
    started, worked = time.perf_counter(), time.process_time()
    batch = next(pipeline.batches(step))
    measured = {
        "step": step,
        "steps": 2 * steps,
        "batch": time.perf_counter() - started,
        "batch processor": time.process_time() - worked,
    }

    def order(seed: int, epoch: int) -> np.ndarray:
        """All photos in the order of an epoch, from the seed alone."""
        positions = tf.range(count, dtype=tf.int32)
        of_epoch = tf.constant([seed, epoch], tf.int64)
        shuffled = tf.random.experimental.index_shuffle(positions, of_epoch, max_index=count - 1)
        return np.asarray(shuffled)

    places = step * config.batch_size + np.arange(config.batch_size)
    orders = {epoch: order(config.seed, epoch) for epoch in sorted({*(places // count)})}
    expected = [orders[place // count][place % count] for place in places]
    if list(batch["wanted"].numpy()) != expected:
        raise AssertionError("the batch is not the one whose turn it is")
    for shuffled in orders.values():
        if not np.array_equal(np.sort(shuffled), np.arange(count)):
            raise AssertionError("an epoch does not hold each photo once")
    if count > 1 and np.array_equal(order(config.seed + 1, 1), orders[places[0] // count]):
        raise AssertionError("another seed has the same order")
    return measured


PARTS: dict[str, Callable[[str], dict[str, Any]]] = {"begin": begin, "resume": resume}
"""What runs in processes of their own."""


if __name__ == "__main__":
    main()
