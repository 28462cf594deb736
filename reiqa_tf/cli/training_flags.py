"""What the commands that train share: configuration, devices, and how a run that ended is told."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from reiqa_tf.cli import terminal

if TYPE_CHECKING:
    import tensorflow as tf

    from reiqa_tf.data.scored_photos import ScoredPhotos
    from reiqa_tf.typing import PathLike

_Config = TypeVar("_Config")


class Run(Protocol):
    """What came of a run, as far as all of them tell it."""

    @property
    def folder(self) -> PathLike: ...  # noqa: D102
    @property
    def step(self) -> int: ...  # noqa: D102
    @property
    def steps(self) -> int: ...  # noqa: D102
    @property
    def photos(self) -> int: ...  # noqa: D102
    @property
    def skipped(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def interrupted(self) -> bool: ...  # noqa: D102
    @property
    def writes(self) -> bool: ...  # noqa: D102


def add_config_flags(
    parser: argparse.ArgumentParser,
    shipped: Sequence[str],
    default: str,
    setting: str,
    flag: str = "--config",
) -> None:
    """Adds `--config` and `--set`.

    Args:
        parser: of the command.
        shipped: names of the shipped configurations.
        default: the one that is taken unless another is named.
        setting: an example of what `--set` takes.
        flag: what `--config` is called.
    """
    parser.add_argument(
        flag,
        dest="config",
        default=default,
        metavar="NAME",
        help=f"a shipped configuration ({', '.join(shipped)}) or a Python file of "
        "yours (default: %(default)s)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"change a number of the configuration, such as {setting}; may be repeated",
    )


def config_of(
    arguments: argparse.Namespace,
    load_config: Callable[[str], _Config],
    override: Callable[[_Config, str], _Config],
) -> _Config:
    """The configuration that the flags ask for."""
    config = load_config(arguments.config)
    for setting in arguments.set:
        config = override(config, setting)
    return config


def add_score_flags(parser: argparse.ArgumentParser) -> None:
    """Adds `--range`, `--lower-is-better` and `--tensorboard` of what learns from scores."""
    parser.add_argument(
        "--range",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="the scale of the scores (default: the lowest and the highest score)",
    )
    parser.add_argument(
        "--lower-is-better", action="store_true", help="the scores fall with quality (DMOS)"
    )
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="also write RUN/tensorboard: curves (pip install 'reiqa_tf[tensorboard]')",
    )


def scored_photos_of(arguments: argparse.Namespace, path: str) -> ScoredPhotos:
    """The scored photos of a list, read as the flags of `add_score_flags` ask for."""
    from reiqa_tf.data.scored_photos import read_scored_photos

    limits = None if arguments.range is None else tuple(arguments.range)
    return read_scored_photos(path, limits, arguments.lower_is_better)


def add_replicas_flag(parser: argparse.ArgumentParser) -> None:
    """Adds `--replicas`."""
    parser.add_argument(
        "--replicas",
        type=int,
        metavar="N",
        help="GPUs of this machine to use, or parts of its CPU (default: all GPUs, or the CPU)",
    )


def strategy_of(arguments: argparse.Namespace) -> tf.distribute.Strategy:
    """The strategy that the flag asks for."""
    from reiqa_tf.training.strategy import make_strategy

    return make_strategy(arguments.replicas)


def report(result: Run, print_summary: Callable[[], None]) -> int:
    """Tells what came of a run.

    Args:
        result: of the run.
        print_summary: prints what it reached, of a run that was not interrupted.

    Returns:
        the exit code.
    """
    from reiqa_tf.cli.main import INTERRUPTED

    if result.writes:
        terminal.report_failures(list(result.skipped.values()), result.photos)
    if result.interrupted:
        print(
            f"reiqa: stopped after step {result.step} of {result.steps}, which is saved in "
            f"{result.folder}; the same command goes on",
            file=sys.stderr,
        )
        return INTERRUPTED
    if result.writes:
        print_summary()
    return 0
