"""`reiqa verify`: are exported artifacts still what they were, and as near Keras as stated?"""

import argparse

from reiqa_tf.cli import terminal
from reiqa_tf.cli.export import add_comparison_flags, print_comparison
from reiqa_tf.cli.startup import start_tensorflow

_EXAMPLES = """\
  reiqa verify exported
  reiqa verify exported --preset my_preset         against this preset, computed again
  reiqa verify exported --scores scores.csv        SRCC on this machine as well

Every file is compared with its SHA-256 in manifest.json, and each artifact is opened in its own
runtime, compared with Keras and timed. Keras's scores are computed from the preset where it is
given or shipped; otherwise those that the manifest holds are taken, if the pictures are the same.
Files that are missing, damaged or new are named; the exit code is 1 if anything is wrong."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "verify", run, "Check exported artifacts again.", _EXAMPLES
    )
    parser.add_argument("folder", metavar="DIR", help="the folder that `reiqa export` made")
    parser.add_argument(
        "--preset", help="the preset that it was made of (default: the shipped one of that name)"
    )
    add_comparison_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Verifies the artifacts and returns the exit code."""
    from reiqa_tf.export.planning import reference_photos
    from reiqa_tf.presets.folders import read_metadata
    from reiqa_tf.runtimes.manifest import read_manifest

    read_manifest(arguments.folder)
    if arguments.preset is not None:
        read_metadata(arguments.preset)
    photos, scored = reference_photos(arguments.photos, arguments.scores, arguments.split)
    start_tensorflow()
    from reiqa_tf.export.verification import verify

    checked = verify(
        arguments.folder,
        arguments.preset,
        photos=photos,
        scores=scored,
        progress=terminal.show_progress,
    )
    print_comparison(checked)
    return 0 if checked.is_sound else 1
