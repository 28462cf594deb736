"""`reiqa verify`: are exported artifacts still what they were, and as near Keras as stated?"""

import sys

from reiqa_tf.cli import terminal
from reiqa_tf.cli.export import add_comparison_flags, photos_of, print_artifacts
from reiqa_tf.cli.startup import start_tensorflow

_EXAMPLES = """\
  reiqa verify exported
  reiqa verify exported --preset my_preset         against this preset, computed again
  reiqa verify exported --scores scores.csv        SRCC on this machine as well

Every file is compared with its SHA-256 in manifest.json, and each artifact is opened in its own
runtime, compared with Keras and timed. Keras's answers are computed from the preset where it is
given or shipped; otherwise those that the manifest holds are taken, if the pictures are the same.
Files that are missing, damaged or new are named; the exit code is 1 if anything is wrong."""


def add_parser(subparsers):
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "verify", run, "Check exported artifacts again.", _EXAMPLES
    )
    parser.add_argument("folder", metavar="DIR", help="the folder that `reiqa export` made")
    parser.add_argument(
        "--preset", help="the preset that it was made of (default: the shipped one of that name)"
    )
    add_comparison_flags(parser)


def run(arguments):
    """Verifies the artifacts and answers the exit code."""
    start_tensorflow()
    from reiqa_tf.export.manifest import read_manifest
    from reiqa_tf.export.measuring import Reference
    from reiqa_tf.export.parity import shipped_photos
    from reiqa_tf.export.verification import preset_scorer, verify
    from reiqa_tf.presets.folders import PresetError

    manifest = read_manifest(arguments.folder)
    scorer, remark = preset_scorer(manifest, arguments.preset)
    photos, scored = photos_of(arguments)
    if scored is not None and scorer is None:
        raise PresetError(
            f"{manifest['preset']} is no shipped preset, and SRCC is compared with that of Keras. "
            "Give the preset: --preset"
        )
    known = next(iter(manifest["artifacts"].values()))["contract"]
    reference = Reference(
        photos or shipped_photos(),
        known.get("working_size"),
        scorer,
        stored=manifest["reference"],
        scored=scored,
        progress=terminal.progress,
    )
    verdicts = list(verify(arguments.folder, manifest, reference))
    print_artifacts(
        {verdict.name: verdict.entry for verdict in verdicts},
        f"{arguments.folder}: {manifest['preset']}, {remark}",
    )
    complaints = [each for verdict in verdicts for each in verdict.complaints]
    for complaint in complaints:
        print(f"reiqa: {complaint}", file=sys.stderr)
    not_compared = [verdict.name for verdict in verdicts if not verdict.entry["difference"]]
    if not_compared and not complaints:
        print(
            f"reiqa: {', '.join(not_compared)}: whole, but not compared with Keras. Give the "
            "preset (--preset) or the photos of the export (--photos)",
            file=sys.stderr,
        )
    terminal.report_failures(reference.problems, 0 if scored is None else len(scored))
    return 1 if complaints or not_compared or reference.problems else 0
