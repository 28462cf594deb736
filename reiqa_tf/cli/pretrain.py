"""`reiqa pretrain`: an encoder of your own, from photos without scores."""

import sys

from reiqa_tf.cli import terminal
from reiqa_tf.cli.startup import start_tensorflow

_EXAMPLES = """\
  reiqa pretrain photos/ --config smoke --out run                   does it work? a minute
  reiqa pretrain photos/ --config quality_lite0 --out run           one machine
  reiqa pretrain photos/ --config quality_lite0 --out run --probe scores.csv
  reiqa pretrain photos/ --out run --set batch_size=16 --set schedule.epochs=10
  reiqa fit scores.csv --preset run/preset --out my_preset          a head on what was trained
  TF_CONFIG='{"cluster": ...}' reiqa pretrain ...                   on each of several machines

photos is a folder, a pattern, or a CSV file with a column `image` (rows of the split `train`, if
there is a column `split`). Ctrl-C and SIGTERM save a checkpoint; the same command goes on where it
was, and ends with the same weights. RUN gets config.json, history.csv, curves.png, checkpoints/ and
at the end preset/. All GPUs of the machine are used; with TF_CONFIG, as TensorFlow documents it,
all machines of the cluster, which must share the folder of the run."""


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
        "quality_lite0_small, content_lite0, smoke) or a Python file of yours (default: "
        "%(default)s)",
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
        "--probe-every", type=int, default=1, metavar="N", help="epochs (default: %(default)s)"
    )
    parser.add_argument(
        "--retrieval",
        metavar="PHOTOS",
        help="photos that are not trained on: distort them in every way, and measure before and "
        "after the run how often the nearest neighbour is distorted alike",
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
    from reiqa_tf.config import load_config, override

    config = load_config(arguments.config)
    for setting in arguments.set:
        config = override(config, setting)

    strategy = start_tensorflow(lambda: _strategy(arguments.replicas))
    # With several replicas TensorFlow tells of every collective operation that it traces.
    logging.set_verbosity(logging.WARNING)
    from reiqa_tf.contrastive.replicas import worker_count, worker_index
    from reiqa_tf.data.manifests import read_manifest
    from reiqa_tf.data.photos import find_photos
    from reiqa_tf.data.pipelines import training_photos
    from reiqa_tf.training.from_config import make_pipeline
    from reiqa_tf.training.history import plot_history
    from reiqa_tf.training.pretrain import pretrain
    from reiqa_tf.training.probe import LinearProbe, read_probes
    from reiqa_tf.training.retrieval import RetrievalProbe

    worker = worker_index(strategy)
    folder = pathlib.Path(arguments.out)
    pipeline = make_pipeline(
        config,
        training_photos(arguments.photos),
        worker=worker,
        workers=worker_count(strategy),
        cache=arguments.cache,
    )
    callbacks = []
    if worker == 0:
        if arguments.probe:
            manifest = read_manifest(arguments.probe)
            callbacks.append(LinearProbe(config, manifest, folder, arguments.probe_every))
        if arguments.retrieval:
            held_out = find_photos(arguments.retrieval)
            callbacks.append(RetrievalProbe(config, held_out, folder))
        callbacks.append(_progress(config.schedule.epochs * pipeline.steps_per_epoch, pipeline))
    result = pretrain(config, pipeline, folder, strategy, callbacks)
    if worker == 0:
        terminal.report_failures(list(pipeline.skipped.values()), len(pipeline.photos))
        plot_history(
            folder / "history.csv", folder / "curves.png", read_probes(folder / "probe.csv")
        )
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
    from reiqa_tf.training.strategy import make_strategy

    return make_strategy(replicas)


def _progress(steps, pipeline):
    """A Keras callback that shows how the run goes, on stderr and only where that is a terminal."""
    import time

    import keras
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    class ShownProgress(keras.callbacks.Callback):
        """The bar, and what the newest steps were like: means over about the last twenty."""

        def on_train_begin(self, logs=None):  # noqa: ARG002 -- Keras's signature
            console = Console(stderr=True)
            self.bar = Progress(
                TextColumn("epoch {task.fields[epoch]}"),
                BarColumn(),
                TextColumn("{task.completed}/{task.total}  {task.fields[figures]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(elapsed_when_finished=False),
                console=console,
                disable=not console.is_terminal,
            )
            done = int(self.model.optimizer.iterations.numpy())
            self.task = self.bar.add_task(
                "", total=steps, completed=done, epoch="-", figures="compiling"
            )
            self.means, self.before, self.probe = {}, None, ""
            self.bar.start()

        def on_epoch_begin(self, epoch, logs=None):  # noqa: ARG002
            self.bar.update(self.task, epoch=epoch + 1)

        def on_train_batch_end(self, batch, logs=None):  # noqa: ARG002
            now = time.perf_counter()
            if self.before is not None:  # the first step compiles
                pairs = pipeline.batch_size * pipeline.views.pairs
                logs = {**logs, "speed": pairs / (now - self.before)}
            self.before = now
            for name, value in logs.items():
                self.means[name] = 0.95 * self.means.get(name, value) + 0.05 * value
            figures = "loss {loss:.3f}  top-1 {accuracy:.1%}  rate ".format(**self.means)
            figures += f"{logs['learning_rate']:.3g}  {self.means.get('speed', 0):.0f} pairs/s"
            self.bar.update(self.task, advance=1, figures=figures + self.probe)

        def on_epoch_end(self, epoch, logs=None):  # noqa: ARG002
            if "probe_srcc" in (logs or {}):
                self.probe = f"  SRCC {logs['probe_srcc']:.3f}"
            self.before = None  # the probe's time is not the step's

        def on_train_end(self, logs=None):  # noqa: ARG002
            self.bar.stop()

    return ShownProgress()


def _print_summary(config, result, folder):
    from reiqa_tf.training.history import read_history
    from reiqa_tf.training.probe import read_probes
    from reiqa_tf.training.retrieval import read_retrievals

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
    for state, measured in read_retrievals(folder / "retrieval.json").items():
        for kind in ("distortion", "level"):
            figures = f"{measured[kind]:.1%} (chance {measured[f'{kind}_chance']:.1%})"
            rows.append((f"retrieval of {kind}, {state}", figures))
    terminal.print_table(
        None,
        [(f"{config.expert}-aware encoder", "left"), ("value", "right")],
        rows,
        caption=f"saved in {folder}/preset; a head for it: "
        f"reiqa fit scores.csv --preset {folder}/preset --out NEW",
    )
