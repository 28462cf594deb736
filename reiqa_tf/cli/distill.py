"""`reiqa distill`: a small scorer, for phones, that scores as a large one does."""

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
    from reiqa_tf.data.scored_photos import ScoredPhotos
    from reiqa_tf.distillation.distill import Distilled

_EXAMPLES = """\
  reiqa distill scores.csv --out run                      photos with scores: teacher and people
  reiqa distill holiday/ --out run                        photos that nobody scored: the teacher
  reiqa distill scores.csv --teacher my_preset --out run  a teacher of yours
  reiqa distill scores.csv --out run --set schedule.epochs=3 --set distorted=1
  reiqa export --preset run/preset --out phone --format tflite

The teacher judges each photo and some distorted versions of it, once, and what it says is kept in
RUN/lessons (0.25 MB a picture at 288 px). The student, one small network at one size, begins with
the teacher's early layers and learns to say what the teacher says, and people where scores.csv has
their scores (image, mos; split and group as in `reiqa tune`). Rows of val, or a fifth of the
groups, are held out: they say after every epoch how well the student agrees, which epoch is kept,
and at the end how wide intervals are. Rows of test are left alone. Without scores the student can
score once `reiqa_tf.recalibrate` has seen 20 photos that people scored. The teacher should not have
learned from the held-out photos: it would tell the student of their scores, and figures and
intervals would flatter both. Fit one on the other rows: reiqa fit others.csv --shrink-to zero.

Ctrl-C and SIGTERM save a checkpoint after the step; the same command goes on where it was, and ends
with the same weights. RUN gets lessons/, start/, config.json, history.csv, validation.csv,
checkpoints/, best/, curves.png and report.html; and at the end preset/.

--student names a configuration or a Python file of yours: which network, at which size. All GPUs of
the machine are used; with TF_CONFIG, as TensorFlow documents it, all machines of the cluster."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    from reiqa_tf.distillation.shipped_configs import DEFAULT, shipped_configs

    parser = terminal.add_parser(
        subparsers, "distill", run, "Teach a small scorer what a large one says.", _EXAMPLES
    )
    parser.add_argument(
        "photos", nargs="+", metavar="PHOTOS", help="scores.csv, or photos, folders, patterns"
    )
    parser.add_argument("--out", required=True, metavar="RUN", help="folder of the run")
    parser.add_argument(
        "--teacher",
        default=DEFAULT_PRESET,
        metavar="NAME",
        help="who teaches: a folder or a shipped preset with a head (default: %(default)s)",
    )
    training_flags.add_config_flags(
        parser, shipped_configs(), DEFAULT, "optimizer.rate=1e-4", "--student"
    )
    training_flags.add_score_flags(parser)
    training_flags.add_replicas_flag(parser)
    add_export_flag(parser)
    cache_flags.add_cache_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Distills, prints what came of it, and returns the exit code."""
    from absl import logging

    from reiqa_tf.distillation.config import load_config, override
    from reiqa_tf.presets.folders import preset_folder

    # Here, so that an error is told before all else starts.
    config = training_flags.config_of(arguments, load_config, override)
    photos = _photos(arguments)
    preset_folder(arguments.teacher)
    if arguments.tensorboard:
        require_extra("tensorboard", "--tensorboard")
    strategy = start_tensorflow(lambda: training_flags.strategy_of(arguments))
    logging.set_verbosity(logging.WARNING)
    from reiqa_tf.cli.training_progress import TrainingProgress
    from reiqa_tf.distillation.distill import distill

    with contextlib.closing(TrainingProgress()) as display:
        result = distill(
            photos,
            arguments.out,
            arguments.teacher,
            config,
            tensorboard=arguments.tensorboard,
            cache=cache_flags.cache_of(arguments),
            strategy=strategy,
            display=display,
            progress=terminal.show_progress,
        )

    def finish() -> None:
        _print_summary(result)
        # Without people's scores there is no interval, which an exported file would have to know.
        if result.teacher_agreement is not None:
            export_at_once(arguments, result.folder / "preset")

    return training_flags.report(result, finish)


def _photos(arguments: argparse.Namespace) -> ScoredPhotos | list[str]:
    """The scored photos, or the paths of photos that nobody scored."""
    from reiqa_tf.data.photos import find_photos

    lists = [name for name in arguments.photos if name.lower().endswith(".csv")]
    if not lists:
        return [path for source in arguments.photos for path in find_photos(source)]
    if len(arguments.photos) > 1:
        raise ReiqaError(
            f"expected one scores.csv, or photos. Received: {', '.join(arguments.photos)}"
        )
    return training_flags.scored_photos_of(arguments, lists[0])


def _print_summary(result: Distilled) -> None:
    rows = [
        ("photos to learn from, held out", f"{result.photos:,}, {result.held_out:,}"),
        ("pictures that the teacher judged", f"{result.lessons:,}"),
        ("steps", f"{result.step:,} of {result.steps:,}"),
        ("SRCC, student untaught", f"{result.validations[0].value:.3f}"),
    ]
    whose = "people" if result.teacher_agreement is not None else "the teacher"
    if result.agreement is not None and result.best is not None:
        low, high = result.agreement.intervals["srcc"]
        rows.append(
            (
                f"SRCC with {whose}, student (step {result.best.step})",
                f"{result.agreement.srcc:.3f} ({low:.3f} to {high:.3f})",
            )
        )
    if result.teacher_agreement is not None:
        rows.append(("SRCC with people, teacher", f"{result.teacher_agreement.srcc:.3f}"))
    folder = result.folder
    terminal.print_table(
        None,
        [("student", "left"), ("value", "right")],
        rows,
        caption=f"saved in {folder}/preset: reiqa score PHOTOS --preset {folder}/preset\n"
        f"What the run was like: {folder}/report.html. A teacher that has learned from the "
        "held-out photos itself makes these figures too good: see `reiqa distill --help`.",
    )
