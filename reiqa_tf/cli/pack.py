"""`reiqa pack`: a million small files as a thousand large ones."""

from __future__ import annotations

import argparse

from reiqa_tf.cli import terminal
from reiqa_tf.errors import ReiqaError

_EXAMPLES = """\
  reiqa pack photos/ --out packed                 shards of 1,000 photos
  reiqa pack photos.csv --out packed              the photos of its column `image`
  reiqa pack photos/ --out gs://bucket/packed     from or to a store (reiqa_tf[remote])
  reiqa pack --verify packed                      is all of it there, and undamaged?

  reiqa score packed --out scores.csv             the pack stands for the folder
  reiqa score packed/2020/1.jpg                   and for each of its photos
  reiqa pretrain packed --out run
  reiqa beam-score --input packed --output scores.parquet

Shards are TFRecord files of tf.train.Example: `image/encoded` is the photo's file byte for byte,
`image/filename` its path. tf.data reads them; this package needs no TensorFlow to write or read
them. Every photo is decoded once on the way; what cannot be read is left out and named. pack.json
has counts and the SHA-256 of each shard, index.npz where each photo is. The same photos make the
same bytes. After Ctrl-C or a crash the same command goes on with the shards that are not whole."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "pack", run, "Pack photos into shards, for scoring and training.", _EXAMPLES
    )
    parser.add_argument(
        "photos", nargs="?", metavar="PHOTOS", help="a folder, a pattern, or a CSV file"
    )
    parser.add_argument("--out", metavar="FOLDER", help="folder of the pack")
    parser.add_argument(
        "--shard-photos",
        type=int,
        metavar="N",
        help="photos of each shard (default: 1000)",
    )
    parser.add_argument(
        "--verify", metavar="FOLDER", help="instead: compare a pack with what it says of itself"
    )


def run(arguments: argparse.Namespace) -> int:
    """Packs, or verifies, and returns the exit code."""
    if arguments.verify is not None:
        if arguments.photos or arguments.out or arguments.shard_photos:
            raise ReiqaError("--verify FOLDER stands alone: reiqa pack --verify packed")
        return _verify(arguments.verify)
    if not (arguments.photos and arguments.out):
        raise ReiqaError(
            "expected photos and a folder for the pack: reiqa pack photos/ --out packed"
        )
    from reiqa_tf.bulk.packing import SHARD_PHOTOS, pack

    packed = pack(
        arguments.photos,
        arguments.out,
        shard_photos=SHARD_PHOTOS if arguments.shard_photos is None else arguments.shard_photos,
        progress=terminal.show_progress,
    )
    print(_in_a_line(packed.folder, len(packed), len(packed.shards), packed.size))
    problems = [f"{name}: {reason}" for name, reason in packed.left_out.items()]
    terminal.report_failures(problems, len(packed) + len(problems))
    return 1 if problems else 0


def _verify(folder: str) -> int:
    from reiqa_tf.bulk.packing import verify_pack
    from reiqa_tf.packs.pack import open_pack

    packed = open_pack(folder)
    problems = verify_pack(folder, terminal.show_progress)
    terminal.report_failures(problems, len(packed.shards), "shards are not as they were made")
    if problems:
        return 1
    print(f"sound: {_in_a_line(packed.folder, len(packed), len(packed.shards), packed.size)}")
    return 0


def _in_a_line(folder: str, photos: int, shards: int, size: int) -> str:
    return f"{folder}: {photos:,} photos in {shards:,} shards, {size / 1e6:,.1f} MB"
