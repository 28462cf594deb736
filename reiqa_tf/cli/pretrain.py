"""`reiqa pretrain`: an encoder of your own, from photos without scores."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reiqa_tf.cli import terminal, training_flags
from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.extras import require_extra

if TYPE_CHECKING:
    from reiqa_tf.pretraining.config import PretrainConfig
    from reiqa_tf.pretraining.pretrain import Pretrained
    from reiqa_tf.typing import PathLike

_EXAMPLES = """\
  reiqa pretrain photos/ --config smoke --out run                   does it work? about a minute
  reiqa pretrain photos/ --config quality_lite0 --out run           one machine
  reiqa pretrain photos/ --config quality_lite0 --out run --probe scores.csv --tensorboard
  reiqa pretrain photos/ --out run --set batch_size=16 --set schedule.epochs=10
  reiqa pretrain photos/ --config quality_resnet50 --plan --replicas 8 --set batch_size=640
                                                                    what would it need?
  reiqa fit scores.csv --preset run/preset --out my_preset          a head on what was trained
  reiqa pretrain packed --out s3://bucket/run                       a million photos, on a store
  TF_CONFIG='{"cluster": ...}' reiqa pretrain ...                   on each of several machines

photos is a folder, a pack (`reiqa pack --help`), a pattern, or a CSV file with a column `image`
(rows of the split `train`, if there is a column `split`). Ctrl-C and SIGTERM save a checkpoint
after the step; the same command goes on where it was, and ends with the same weights. A second
Ctrl-C ends the run at once. RUN gets config.json, history.csv, views.png, checkpoints/,
curves.png, report.html and at the end preset/. With reiqa_tf[remote] both may be addresses on an
object store; RUN is then copied there after each checkpoint, and goes on from there. All GPUs of
the machine are used; with TF_CONFIG, as TensorFlow documents it, all machines of the cluster,
which must share the folder of the run; a signal to one of them stops all after the same step.

--set precision=bfloat16 computes with 16 bits where machines are fast at it; weights, optimizer,
queue and loss stay at 32. --set parts=8 works a batch off in eight parts, for small memories: the
gradient is that of the whole batch, but for batch normalisation, whose statistics are each part's
own (of all parts and replicas the keys are shuffled among them).

--plan begins nothing and needs no GPU. It counts on the graphs of the step how much memory each GPU
needs for what, which batches fit into 24, 40 and 80 GB in how many parts, what the host holds, and
steps and epochs; with --pairs-per-second also hours, and the cores that prepare pairs fast enough.
How many pairs a core prepares is measured for ten seconds, after a minute in which the distortions
are compiled, or told with --pairs-per-core."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    from reiqa_tf.pretraining.shipped_configs import DEFAULT, shipped_configs

    parser = terminal.add_parser(
        subparsers, "pretrain", run, "Train an encoder on photos without scores.", _EXAMPLES
    )
    parser.add_argument("photos", metavar="PHOTOS", help="the photos to learn from")
    parser.add_argument("--out", metavar="RUN", help="folder of the run; --plan needs none")
    training_flags.add_config_flags(parser, shipped_configs(), DEFAULT, "optimizer.rate=0.3")
    parser.add_argument(
        "--probe",
        metavar="scores.csv",
        help="scored photos, on which the SRCC of a ridge on the features is measured meanwhile",
    )
    parser.add_argument(
        "--probe-every",
        type=int,
        default=1,
        metavar="N",
        help="epochs between two measurements of --probe and of --retrieval (default: %(default)s)",
    )
    parser.add_argument(
        "--retrieval",
        metavar="PHOTOS",
        help="photos that are not trained on: distort them in every way, and measure meanwhile how "
        "often the nearest neighbour has the same distortion, and the same level of it",
    )
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="also write RUN/tensorboard: curves and views (pip install 'reiqa_tf[tensorboard]')",
    )
    parser.add_argument(
        "--cache", metavar="FOLDER", help="keep decoded photos there, 3 bytes a pixel"
    )
    training_flags.add_replicas_flag(parser)
    parser.add_argument(
        "--plan",
        action="store_true",
        help="only say what the run needs, on --replicas GPUs, which need not be here",
    )
    parser.add_argument(
        "--pairs-per-core",
        type=float,
        metavar="N",
        help="with --plan: pairs that a core prepares in a second (default: measured here)",
    )
    parser.add_argument(
        "--pairs-per-second",
        type=float,
        metavar="N",
        help="with --plan: pairs that all GPUs together learn from in a second",
    )


def run(arguments: argparse.Namespace) -> int:
    """Trains, prints what came of it, and returns the exit code."""
    from absl import logging

    from reiqa_tf.data.photos import find_photos
    from reiqa_tf.data.scored_photos import read_scored_photos
    from reiqa_tf.pretraining.config import ConfigError, load_config, override
    from reiqa_tf.pretraining.training_photos import training_photos

    # Here, so that an error is told before all else starts.
    config = training_flags.config_of(arguments, load_config, override)
    if arguments.out is None and not arguments.plan:
        raise ConfigError(
            "--out: expected a folder for the run; without one there is --plan alone."
        )
    photos = training_photos(arguments.photos)
    if arguments.plan:
        _plan(arguments, config, photos)
        return 0
    probe = None if arguments.probe is None else read_scored_photos(arguments.probe)
    retrieval = None if arguments.retrieval is None else find_photos(arguments.retrieval)
    if arguments.tensorboard:
        require_extra("tensorboard", "--tensorboard")
    strategy = start_tensorflow(lambda: training_flags.strategy_of(arguments))
    # With several replicas TensorFlow tells of every collective operation that it traces.
    logging.set_verbosity(logging.WARNING)
    from reiqa_tf.cli.training_progress import TrainingProgress
    from reiqa_tf.pretraining.pretrain import pretrain

    with contextlib.closing(TrainingProgress()) as display:
        result = pretrain(
            photos,
            arguments.out,
            config,
            probe=probe,
            retrieval=retrieval,
            probe_every=arguments.probe_every,
            tensorboard=arguments.tensorboard,
            cache=arguments.cache,
            strategy=strategy,
            display=display,
        )
    return training_flags.report(result, lambda: _print_summary(result))


def _plan(
    arguments: argparse.Namespace, config: PretrainConfig, photos: Sequence[PathLike]
) -> None:
    """Prints what a run would need."""
    start_tensorflow()
    import tensorflow as tf

    from reiqa_tf.cli.pretrain_plan import print_plan
    from reiqa_tf.pretraining.plan import plan_pretraining

    here = len(tf.config.list_physical_devices("GPU"))
    plan = plan_pretraining(
        photos,
        config,
        replicas=arguments.replicas if arguments.replicas is not None else max(1, here),
        pairs_per_core=arguments.pairs_per_core,
        pairs_per_second=arguments.pairs_per_second,
    )
    print_plan(plan, arguments.config)


def _print_summary(result: Pretrained) -> None:
    rows = [
        ("steps", f"{result.step}"),
        ("loss, last epoch", f"{result.loss:.3f}"),
        ("top-1 contrastive accuracy, last epoch", f"{result.accuracy:.1%}"),
    ]
    if result.probes:
        rows.append(("SRCC of the probe, untrained", f"{result.probes[0].srcc:.3f}"))
        rows.append(("SRCC of the probe, trained", f"{result.probes[-1].srcc:.3f}"))
    measured = [("untrained", row) for row in result.retrievals[:1]]
    measured += [("trained", row) for row in result.retrievals[-1:]]
    for state, row in measured:
        chance = f"(chance {row['distortion_chance']:.1%})"
        rows.append((f"retrieval of distortion, {state}", f"{row['distortion']:.1%} {chance}"))
    for state, row in measured:
        chance = f"(chance {row['level_chance']:.1%})"
        rows.append((f"retrieval of level, {state}", f"{row['level']:.1%} {chance}"))
    folder = result.folder
    terminal.print_table(
        None,
        [(f"{result.config.expert}-aware encoder", "left"), ("value", "right")],
        rows,
        caption=f"saved in {folder}/preset; a head for it:\n"
        f"reiqa fit scores.csv --preset {folder}/preset --out NEW\n"
        f"What the run was like: {folder}/report.html",
    )
