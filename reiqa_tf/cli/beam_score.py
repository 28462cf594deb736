"""`reiqa beam-score`: scores of millions of photos, by Apache Beam, as Parquet."""

import argparse

from reiqa_tf import presets
from reiqa_tf.cli import terminal
from reiqa_tf.cli.startup import start_tensorflow

_EXAMPLES = """\
  reiqa beam-score --input 'photos/**.jpg' --output scores.parquet
  reiqa beam-score --input 'photos/*.jpg' --output scored/part --features
  reiqa beam-score --input packed --output scored/part              what `reiqa pack` made
  reiqa beam-score --input packed --output scores.parquet -- \\
      --direct_running_mode=multi_processing --direct_num_workers=8
  reiqa beam-score --input packed --output scored/part -- \\
      --runner=FlinkRunner --flink_master=HOST:8081 --environment_type=DOCKER
  reiqa beam-score --input 'gs://bucket/*.jpg' --output gs://bucket/scores -- \\
      --runner=DataflowRunner --project=MINE --region=europe-west1

What stands behind -- goes to Beam. Photos that cannot be read get a row with the reason. Each
worker scores with one thread, in the fastest runtime that the preset was exported to; with
--features it is Keras, and the files also serve `reiqa benchmark --take`. Files appear when all
photos are scored. Beam's direct runner does not replace a worker that dies: start the command
again. Flink and Dataflow do. Needs pip install 'reiqa_tf[beam]'."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "beam-score", run, "Score millions of photos with Apache Beam.", _EXAMPLES
    )
    parser.add_argument(
        "--input",
        required=True,
        metavar="PATTERN|PACK",
        help="of the photos' paths, or a folder that `reiqa pack` made",
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="FILE.parquet|PREFIX",
        help="one file, or the beginning of the names of several",
    )
    parser.add_argument(
        "--preset",
        default=presets.DEFAULT,
        help="a folder that all workers can read, or the name of a shipped preset "
        "(default: %(default)s)",
    )
    parser.add_argument("--features", action="store_true", help="keep the features too")
    parser.add_argument("beam", nargs="*", metavar="-- OPTION", help="options for Beam")


def run(arguments: argparse.Namespace) -> int:
    """Runs the pipeline and returns the exit code."""
    from absl import logging

    from reiqa_tf.presets.folders import read_metadata

    logging.set_verbosity(logging.WARNING)  # Beam tells of every step of every worker
    read_metadata(arguments.preset)
    if arguments.features:
        start_tensorflow()
    from reiqa_tf.bulk.beam_pipeline import run_pipeline

    run_pipeline(
        arguments.input, arguments.output, arguments.preset, arguments.features, arguments.beam
    )
    print(f"written: {arguments.output}")
    return 0
