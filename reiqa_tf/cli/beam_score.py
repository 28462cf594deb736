"""`reiqa beam-score`: scores of millions of photos, by Apache Beam, as Parquet."""

import argparse

from reiqa_tf import presets
from reiqa_tf.cli import terminal
from reiqa_tf.cli.startup import start_tensorflow

_EXAMPLES = """\
  reiqa beam-score --input 'photos/**.jpg' --output scores.parquet
  reiqa beam-score --input 'photos/*.jpg' --output scored/part --features
  reiqa beam-score --input 'gs://bucket/*.jpg' --output gs://bucket/scores -- \\
      --runner=DataflowRunner --project=MINE --region=europe-west1

What stands behind -- goes to Beam. Photos that cannot be read get a row with the reason. With
--features the files also serve `reiqa benchmark --take`. Needs pip install 'reiqa_tf[beam]'."""


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
    from reiqa_tf.presets.folders import read_metadata

    read_metadata(arguments.preset)
    if arguments.features:
        start_tensorflow()
    from reiqa_tf.bulk.beam_pipeline import run_pipeline

    run_pipeline(
        arguments.input, arguments.output, arguments.preset, arguments.features, arguments.beam
    )
    print(f"written: {arguments.output}")
    return 0
