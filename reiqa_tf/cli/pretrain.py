"""`reiqa pretrain`: an encoder of your own, from photos without scores."""

import contextlib
import sys

from reiqa_tf.cli import terminal
from reiqa_tf.cli.startup import start_tensorflow

_EXAMPLES = """\
  reiqa pretrain photos/ --config smoke --out run                   does it work? a minute
  reiqa pretrain photos/ --config quality_lite0 --out run           one machine
  reiqa pretrain photos/ --config quality_lite0 --out run --probe scores.csv --tensorboard
  reiqa pretrain photos/ --out run --set batch_size=16 --set schedule.epochs=10
  reiqa fit scores.csv --preset run/preset --out my_preset          a head on what was trained
  TF_CONFIG='{"cluster": ...}' reiqa pretrain ...                   on each of several machines

photos is a folder, a pattern, or a CSV file with a column `image` (rows of the split `train`, if
there is a column `split`). Ctrl-C and SIGTERM save a checkpoint; the same command goes on where it
was, and ends with the same weights. RUN gets config.json, history.csv, views.png, checkpoints/,
curves.png, report.html and at the end preset/. All GPUs of the machine are used; with TF_CONFIG, as
TensorFlow documents it, all machines of the cluster, which must share the folder of the run; a
signal to one of them stops all after the same step.

--set precision=bfloat16 computes with 16 bits where machines are fast at it; weights, optimizer,
queue and loss stay at 32. --set parts=8 works a batch off in eight parts, for small memories: the
gradient is that of the whole batch, but for batch normalisation, whose statistics are each part's
own (of all parts and replicas the keys are shuffled among them)."""


def add_parser(subparsers):
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "pretrain", run, "Train an encoder on photos without scores.", _EXAMPLES
    )
    parser.add_argument("photos", metavar="PHOTOS", help="the photos to learn from")
    parser.add_argument("--out", required=True, metavar="RUN", help="folder of the run")
    parser.add_argument(
        "--config",
        default="quality_lite0",
        metavar="NAME",
        help="a shipped configuration (quality_resnet50, content_resnet50, quality_lite0, "
        "quality_lite0_biq2021, quality_lite0_small, content_lite0, smoke) or a Python file of "
        "yours (default: %(default)s)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a number of the configuration, such as optimizer.rate=0.3; may be repeated",
    )
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
    parser.add_argument(
        "--replicas",
        type=int,
        metavar="N",
        help="GPUs of this machine to use, or parts of its CPU (default: all GPUs, or the CPU)",
    )


def run(arguments):
    """Trains, draws the curves and answers the exit code."""
    import pathlib

    from absl import logging

    from reiqa_tf.cli.main import INTERRUPTED
    from reiqa_tf.pretraining.config import load_config, override

    config = load_config(arguments.config)
    for setting in arguments.set:
        config = override(config, setting)

    strategy = start_tensorflow(lambda: _strategy(arguments.replicas))
    # With several replicas TensorFlow tells of every collective operation that it traces.
    logging.set_verbosity(logging.WARNING)
    from reiqa_tf.cli.training_progress import TrainingProgress
    from reiqa_tf.data.photos import find_photos
    from reiqa_tf.data.scored_photos import read_scored_photos
    from reiqa_tf.pretraining.from_config import make_pipeline
    from reiqa_tf.pretraining.history import plot_history
    from reiqa_tf.pretraining.loop import pretrain
    from reiqa_tf.pretraining.pipelines import training_photos
    from reiqa_tf.pretraining.probe import LinearProbe, read_probes
    from reiqa_tf.pretraining.replicas import worker_count, worker_index
    from reiqa_tf.pretraining.report import write_report
    from reiqa_tf.pretraining.retrieval import RetrievalProbe, read_retrievals
    from reiqa_tf.pretraining.tensor_board import TensorBoardLog
    from reiqa_tf.pretraining.views_picture import ViewsPicture

    worker = worker_index(strategy)
    folder = pathlib.Path(arguments.out)
    pipeline = make_pipeline(
        config,
        training_photos(arguments.photos),
        worker=worker,
        workers=worker_count(strategy),
        cache=arguments.cache,
    )
    steps = config.schedule.epochs * pipeline.steps_per_epoch
    progress = TrainingProgress(steps, config.schedule.epochs)
    callbacks = []
    if worker == 0:
        callbacks += [progress, ViewsPicture(folder)]
        if arguments.probe:
            scored = read_scored_photos(arguments.probe)
            callbacks.append(LinearProbe(config, scored, folder, arguments.probe_every))
        if arguments.retrieval:
            held_out = find_photos(arguments.retrieval)
            callbacks.append(RetrievalProbe(config, held_out, folder, arguments.probe_every))
        if arguments.tensorboard:  # last, because it writes what the others measure
            callbacks.append(TensorBoardLog(folder / "tensorboard", pipeline.steps_per_epoch))
    with contextlib.closing(progress):
        result = pretrain(config, pipeline, folder, strategy, callbacks)
    if worker == 0:
        terminal.report_failures(list(pipeline.skipped.values()), len(pipeline.photos))
        if result.step:
            measured = (
                read_probes(folder / "probe.csv"),
                read_retrievals(folder / "retrieval.json"),
            )
            plot_history(folder / "history.csv", folder / "curves.png", *measured)
            write_report(folder)
    if result.interrupted:
        print(
            f"reiqa: stopped after step {result.step} of {result.steps}, which is saved in "
            f"{folder}; the same command goes on",
            file=sys.stderr,
        )
        return INTERRUPTED
    if worker == 0:
        _print_summary(config, result, folder)
    return 0


def _strategy(replicas):
    from reiqa_tf.pretraining.strategy import make_strategy

    return make_strategy(replicas)


def _print_summary(config, result, folder):
    from reiqa_tf.pretraining.history import read_history
    from reiqa_tf.pretraining.probe import read_probes
    from reiqa_tf.pretraining.retrieval import read_retrievals

    columns = read_history(folder / "history.csv")
    newest = slice(-max(1, len(columns["loss"]) // config.schedule.epochs), None)
    rows = [
        ("steps", f"{result.step}"),
        ("loss, last epoch", f"{columns['loss'][newest].mean():.3f}"),
        ("top-1 contrastive accuracy, last epoch", f"{columns['accuracy'][newest].mean():.1%}"),
    ]
    probes = read_probes(folder / "probe.csv")
    if probes:
        rows.append(("SRCC of the probe, untrained", f"{probes[0][1]:.3f}"))
        rows.append(("SRCC of the probe, trained", f"{probes[-1][1]:.3f}"))
    retrievals = read_retrievals(folder / "retrieval.json")
    if retrievals:
        for kind in ("distortion", "level"):
            chance = f"(chance {retrievals[0][f'{kind}_chance']:.1%})"
            for state, row in (("untrained", retrievals[0]), ("trained", retrievals[-1])):
                rows.append((f"retrieval of {kind}, {state}", f"{row[kind]:.1%} {chance}"))
    terminal.print_table(
        None,
        [(f"{config.expert}-aware encoder", "left"), ("value", "right")],
        rows,
        caption=f"saved in {folder}/preset; a head for it:\n"
        f"reiqa fit scores.csv --preset {folder}/preset --out NEW\n"
        f"What the run was like: {folder}/report.html",
    )
