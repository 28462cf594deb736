"""`reiqa tune`: encoders and head of your own, from photos that have scores."""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING

from reiqa_tf.cli import cache_flags, terminal, training_flags
from reiqa_tf.cli.export_flag import add_export_flag, export_at_once
from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.errors import ReiqaError
from reiqa_tf.extras import require_extra
from reiqa_tf.presets import DEFAULT as DEFAULT_PRESET

if TYPE_CHECKING:
    from reiqa_tf.tuning.tune import Tuned

_EXAMPLES = """\
  reiqa tune scores.csv --out run                                  encoders and head, your scores
  reiqa tune scores.csv --out run --preset content_lite0_biq2021   half of the cost
  reiqa tune scores.csv --pairs pairs.csv --out run                and what people preferred
  reiqa tune --pairs pairs.csv --out run                           that alone
  reiqa tune scores.csv --out run --set schedule.epochs=4 --set optimizer.rate=1e-4
  reiqa tune scores.csv --out run --set ladders=0                  without distortions
  reiqa score holiday/ --preset run/preset

scores.csv has the columns image and mos, and may have split (train, val, test) and group. Rows of
val, or a fifth of the groups, are held out: they say after every epoch how well the average of the
weights scores, which epoch is kept, and at the end how wide intervals are. Rows of test are left
alone. pairs.csv has the columns better and worse; alone, a fifth of it is held out. `reiqa fit` is
the quick way: it leaves the encoders as they are and takes minutes; tune when you have hundreds of
scores and an hour, or a GPU.

The experts of a preset are tuned one after the other, and the tuned scorer is their mean. First a
head is fitted on the encoder as it is, on your scale. Then random crops, mirrored and turned but
never resized, teach the encoder to score with it; so do distortions of known order (ladders).
Ctrl-C and SIGTERM save a checkpoint after the step; the same command goes on where it was, and ends
with the same weights. RUN gets, for each expert, content/ and quality/ with config.json,
history.csv, validation.csv, checkpoints/, best/, start/, curves.png and report.html; and at the end
preset/.

--set precision=bfloat16 computes with 16 bits where machines are fast at it. --set fits=False crops
photos at their own size instead of the scorer's working size. All GPUs of the machine are used;
with TF_CONFIG, as TensorFlow documents it, all machines of the cluster, which share RUN."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    from reiqa_tf.tuning.shipped_configs import DEFAULT, shipped_configs

    parser = terminal.add_parser(
        subparsers, "tune", run, "Train encoders and head on photos with scores.", _EXAMPLES
    )
    parser.add_argument(
        "scores", nargs="?", metavar="scores.csv", help="the photos and their scores"
    )
    parser.add_argument("--out", required=True, metavar="RUN", help="folder of the run")
    parser.add_argument(
        "--preset",
        default=DEFAULT_PRESET,
        metavar="NAME",
        help="whose encoders are tuned: a folder or a shipped preset (default: %(default)s)",
    )
    training_flags.add_config_flags(parser, shipped_configs(), DEFAULT, "optimizer.rate=1e-4")
    parser.add_argument(
        "--pairs", metavar="pairs.csv", help="pairs of photos that people compared: better,worse"
    )
    training_flags.add_score_flags(parser)
    training_flags.add_replicas_flag(parser)
    add_export_flag(parser)
    cache_flags.add_cache_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Tunes, prints what came of it, and returns the exit code."""
    from absl import logging

    from reiqa_tf.presets.folders import preset_folder
    from reiqa_tf.tuning.config import load_config, override
    from reiqa_tf.tuning.pairs import read_pairs

    # Here, so that an error is told before all else starts.
    config = training_flags.config_of(arguments, load_config, override)
    scored = None
    if arguments.scores is not None:
        scored = training_flags.scored_photos_of(arguments, arguments.scores)
    elif arguments.pairs is None:
        raise ReiqaError("expected scores.csv, or --pairs pairs.csv, or both. Received: neither")
    preset_folder(arguments.preset)
    if arguments.pairs is not None:
        read_pairs(arguments.pairs)
    if arguments.tensorboard:
        require_extra("tensorboard", "--tensorboard")
    strategy = start_tensorflow(lambda: training_flags.strategy_of(arguments))
    logging.set_verbosity(logging.WARNING)
    from reiqa_tf.cli.training_progress import TrainingProgress
    from reiqa_tf.tuning.tune import tune

    with contextlib.closing(TrainingProgress()) as display:
        result = tune(
            scored,
            arguments.out,
            arguments.preset,
            config,
            pairs=arguments.pairs,
            tensorboard=arguments.tensorboard,
            cache=cache_flags.cache_of(arguments),
            strategy=strategy,
            display=display,
            progress=terminal.show_progress,
        )

    def finish() -> None:
        _print_summary(result)
        # Of pairs alone there is no interval, which an exported file would have to know.
        if result.agreement is not None:
            export_at_once(arguments, result.folder / "preset")

    return training_flags.report(result, finish)


def _print_summary(result: Tuned) -> None:
    rows = [
        (
            f"{'photos' if result.photos else 'pairs'} to learn from, held out",
            f"{result.photos or result.pairs:,}, {result.held_out:,}",
        ),
        ("steps", f"{result.step:,} of {result.steps:,}"),
    ]
    for name, expert in result.experts.items():
        measure = "SRCC" if result.photos else "pairs in order"
        rows.append((f"{measure}, {name} expert frozen", f"{expert.validations[0].value:.3f}"))
        if expert.best is not None:
            tuned = f"{expert.best.value:.3f} (step {expert.best.step})"
            rows.append((f"{measure}, {name} expert tuned", tuned))
    if result.agreement is not None:
        low, high = result.agreement.intervals["srcc"]
        tuned = f"{result.agreement.srcc:.3f} ({low:.3f} to {high:.3f})"
        rows.append(("SRCC, tuned scorer, held-out photos", tuned))
    folder = result.folder
    terminal.print_table(
        None,
        [("tuned scorer", "left"), ("value", "right")],
        rows,
        caption=f"saved in {folder}/preset: reiqa score PHOTOS --preset {folder}/preset\n"
        f"What the run was like: {', '.join(f'{folder}/{n}/report.html' for n in result.experts)}",
    )
