"""`reiqa presets`: what is shipped, and what a preset says about itself."""

import argparse

from reiqa_tf.cli import terminal

_EXAMPLES = """\
  reiqa presets                            the presets that the package ships
  reiqa presets reiqa_lite0_biq2021        everything that one says about itself
  reiqa presets my_preset"""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "presets", run, "List the shipped presets, or describe one.", _EXAMPLES
    )
    parser.add_argument("preset", nargs="?", help="a folder or the name of a shipped preset")


def run(arguments: argparse.Namespace) -> int:
    """Prints the list or the description and returns the exit code."""
    import json

    from reiqa_tf.presets.folders import read_metadata, shipped_presets

    if arguments.preset:
        print(json.dumps(read_metadata(arguments.preset), indent=2))
        return 0
    rows = []
    for name in shipped_presets():
        metadata = read_metadata(name)
        rows.append((name, metadata.get("description", ""), metadata.get("license", "")))
    terminal.print_table(
        None, [("preset", "left"), ("what it is", "left"), ("licence", "left")], rows
    )
    return 0
