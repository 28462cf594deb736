"""Where features are kept, asked for alike in `reiqa fit`, `reiqa evaluate`, `reiqa benchmark`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reiqa_tf.typing import PathLike

KEPT = "features so far are kept; run the same command again"
"""What a command says on Ctrl-C."""


def add_cache_flags(parser: argparse.ArgumentParser) -> None:
    """Adds `--cache` and `--no-cache`."""
    parser.add_argument("--cache", metavar="FILE", help="keep features in this file")
    parser.add_argument("--no-cache", action="store_true", help="keep no features")


def cache_of(arguments: argparse.Namespace) -> PathLike | None:
    """The file that the flags ask for, or None."""
    from reiqa_tf.scoring.cache import default_cache_file

    return None if arguments.no_cache else arguments.cache or default_cache_file()
