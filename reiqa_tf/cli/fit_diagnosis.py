"""`reiqa fit-diagnosis`: teach a preset to tell what is wrong with photos."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from reiqa_tf.cli import cache_flags, terminal
from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.errors import ReiqaError

if TYPE_CHECKING:
    from reiqa_tf.fitting.diagnosis_report import DiagnosisReport

_EXAMPLES = """\
  reiqa fit-diagnosis good_photos/ --preset my_preset
  reiqa fit-diagnosis scores.csv --preset my_preset --unseen kodak/ --report told.json

Good photos are given faults of known kind and amount: blur, motion, noise, compression, exposure,
colour, sharpening, resizing and blocks, every fourth picture two of them. A linear probe on the
preset's features learns to tell them, how sure it is, and how much of each there is; it gives an
alarm in few of the good photos. It is stored in the preset as diagnosis.npz, with the mean features
of the photos: the average photo, which explanations begin at. Export the preset anew afterwards, so
that its ONNX file explains scores too.

Of a CSV file with scores the best fifth of the rows that are no test rows are the good photos.
--unseen names other good photos, on which the diagnosis is measured."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers,
        "fit-diagnosis",
        run,
        "Teach a preset to tell what is wrong with photos.",
        _EXAMPLES,
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTO|FOLDER|PATTERN|CSV", help="good photos")
    parser.add_argument(
        "--preset", required=True, metavar="FOLDER", help="folder of the preset to teach"
    )
    parser.add_argument(
        "--unseen", nargs="+", metavar="PHOTO", help="other good photos, to measure it on"
    )
    parser.add_argument("--report", metavar="FILE.json", help="write what was measured")
    parser.add_argument(
        "--count",
        type=int,
        default=3600,
        metavar="N",
        help="pictures with faults to learn from (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of faults (default: 0)")
    parser.add_argument("--overwrite", action="store_true", help="replace the file of --report")
    cache_flags.add_cache_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Learns, measures, stores and returns the exit code."""
    from reiqa_tf.files import check_new_file, written_whole
    from reiqa_tf.presets.folders import read_metadata, shipped_presets

    read_metadata(arguments.preset)
    if arguments.preset in shipped_presets():
        raise ReiqaError(
            f"--preset {arguments.preset}: is a shipped preset, which stays as it is. Name a folder"
        )
    if arguments.report:
        check_new_file(arguments.report, arguments.overwrite)
    start_tensorflow()
    from reiqa_tf.fitting.fit_diagnosis import fit_diagnosis

    sources = arguments.photos[0] if len(arguments.photos) == 1 else arguments.photos
    with terminal.says_on_interrupt(cache_flags.KEPT):
        fitted = fit_diagnosis(
            sources,
            arguments.preset,
            unseen=arguments.unseen,
            count=arguments.count,
            seed=arguments.seed,
            cache=cache_flags.cache_of(arguments),
            progress=terminal.show_progress,
        )
    if fitted.report is not None:
        _print_report(fitted.report)
        if arguments.report:
            with written_whole(arguments.report) as scratch:
                scratch.write_text(json.dumps(fitted.report, indent=2) + "\n")
    print(fitted.path)
    terminal.report_failures(fitted.problems, len(fitted.problems))
    return 0


def _print_report(report: DiagnosisReport) -> None:
    columns = ["fault", "pictures", "found", *map(str, range(1, 6)), "with another", "precision"]
    columns += ["surest", "amount off by"]
    rows = [
        [
            family["family"],
            str(family["count"]),
            _percent(family["recall"]),
            *map(_percent, family["recall_by_level"]),
            _percent(family["recall_of_two"]),
            _percent(family["precision"]),
            _percent(family["main"]),
            f"{family['amount_error']:.1f} %"
            if family["family"] == "exposure"
            else _percent(family["amount_error"]),
        ]
        for family in report["families"]
    ]
    terminal.print_table(
        "Faults told in photos that were not seen",
        [(columns[0], "left"), *((heading, "right") for heading in columns[1:])],
        rows,
        caption=f"1 to 5: levels. False alarms in {_percent(report['false_alarms'])} of "
        f"{report['clean']} good photos; of {report['two']} pictures with two faults both are "
        f"found in {_percent(report['both_found'])}, one or both in "
        f"{_percent(report['one_found'])}",
    )
    terminal.print_table(
        "Precision by level",
        [("fault", "left"), *((str(level), "right") for level in range(1, 6))],
        [
            [family["family"], *map(_percent, family["precision_by_level"])]
            for family in report["families"]
        ],
        caption="of the pictures in which it is found, those that have it at this level; false "
        "claims are shared out among levels",
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"
