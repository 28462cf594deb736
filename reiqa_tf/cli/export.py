"""`reiqa export`: a preset in, artifacts for servers, phones and browsers out, each measured."""

import contextlib
import pathlib
import signal
import sys

from reiqa_tf import presets
from reiqa_tf.cli import terminal
from reiqa_tf.cli.startup import start_tensorflow

_EXAMPLES = """\
  reiqa export --format onnx --out exported
  reiqa export --format saved_model,tflite,onnx --scores scores.csv --out exported
  reiqa export --format tflite --precision float16,full_integer --size 224,384x512 --out phone
  reiqa export --preset my_preset                  into my_preset/exports, where `score` looks
  reiqa verify exported                            later, on another machine

saved_model  a folder for TensorFlow Serving: files or pixels in, scores out (docs/serving)
tflite       phones and browsers: uint8 pixels in; fixed sizes (--size) for GPUs and NPUs
onnx         everywhere else: uint8 pixels in, any size

Every artifact is opened in its own runtime and compared with Keras on 50 pictures cut from real
photos; with --scores also by its rank correlation with people. Beside the artifacts stands
manifest.json with all of it. The exit code is 1 if one is farther from Keras than it should be:
float32 1e-4 of the score's range, float16 1e-3, SRCC 0.0005, 0.001, and 0.005 where weights are
integers. Artifacts appear together at the end or not at all."""


def add_parser(subparsers):
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "export", run, "Export a preset for servers, phones and browsers.", _EXAMPLES
    )
    parser.add_argument(
        "--preset",
        default=presets.DEFAULT,
        help="a folder or the name of a shipped preset (default: %(default)s)",
    )
    parser.add_argument(
        "--format",
        default="tflite,onnx",
        help="out of saved_model, tflite, onnx, separated by commas (default: %(default)s)",
    )
    parser.add_argument(
        "--precision",
        default="float32",
        help="out of float32, float16, dynamic_range, full_integer; each format is made in those "
        "that it has (default: %(default)s)",
    )
    parser.add_argument(
        "--size",
        help="sizes of the tflite files: 512, 384x512 (height x width), any, separated by commas "
        "(default: any, and the preset's working size for full_integer)",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="the folder to make (default: exports in the preset's folder)",
    )
    add_comparison_flags(parser)
    parser.add_argument(
        "--calibration",
        metavar="DIR",
        help="photos that full_integer is calibrated on (default: some of Kodak's)",
    )
    parser.add_argument(
        "--model-version",
        type=int,
        default=1,
        metavar="N",
        help="version of the saved_model on a server (default: %(default)s)",
    )


def add_comparison_flags(parser):
    """Adds the flags that say what artifacts are compared on."""
    parser.add_argument(
        "--scores",
        metavar="scores.csv",
        help="scored photos (see `reiqa fit --help`): SRCC of Keras and of each artifact",
    )
    parser.add_argument("--split", help="take the rows of this split of --scores only")
    parser.add_argument(
        "--photos",
        metavar="DIR",
        help="photos that pictures are cut from (default: those of --scores, or some of Kodak's)",
    )


def run(arguments):
    """Exports the preset and answers the exit code."""
    start_tensorflow()
    from reiqa_tf.export.exporting import default_folder, export, outside_tolerance
    from reiqa_tf.export.formats import FormatError, choose, parse_sizes
    from reiqa_tf.models.scorer import load_preset
    from reiqa_tf.presets.folders import read_metadata

    folder = arguments.out
    if folder is None:
        if not pathlib.Path(arguments.preset).is_dir():
            raise FormatError(
                f"{arguments.preset} is a shipped preset. Say where its exports go: --out DIR"
            )
        folder = default_folder(arguments.preset)
    if arguments.model_version < 1:
        raise FormatError(
            f"--model-version: expected 1 or more. Received: {arguments.model_version}"
        )
    metadata = read_metadata(arguments.preset)
    precisions = arguments.precision.split(",")
    if arguments.size:
        sizes = parse_sizes(arguments.size)
    else:
        sizes = [None]
        if "full_integer" in precisions and metadata.get("working_size"):
            sizes.append((metadata["working_size"],) * 2)
    chosen = choose(arguments.format.split(","), precisions, sizes)
    photos, scored = photos_of(arguments)
    calibration = None
    if arguments.calibration:
        from reiqa_tf.data.photos import find_photos

        calibration = find_photos(arguments.calibration)
    name = pathlib.Path(arguments.preset).resolve().name
    with _stopping_on_termination():
        entries, problems = export(
            load_preset(arguments.preset),
            metadata,
            name,
            folder,
            chosen,
            photos=photos,
            calibration=calibration,
            scored=scored,
            model_version=arguments.model_version,
            progress=terminal.progress,
        )
    print_artifacts(entries, f"{folder}: {name}, compared with Keras")
    complaints = [
        f"{name}: {each}" for name, entry in entries.items() for each in outside_tolerance(entry)
    ]
    for complaint in complaints:
        print(f"reiqa: {complaint}", file=sys.stderr)
    terminal.report_failures(problems, 0 if scored is None else len(scored))
    return 1 if complaints or problems else 0


def photos_of(arguments):
    """The photos to compare on and the scored photos that the flags ask for; each may be None."""
    scored = photos = None
    if arguments.scores:
        from reiqa_tf.data.scored_photos import read_manifest

        scored = read_manifest(arguments.scores)
        if arguments.split:
            scored = scored.split(arguments.split)
        photos = scored.paths
    if arguments.photos:
        from reiqa_tf.data.photos import find_photos

        photos = find_photos(arguments.photos)
    return photos, scored


def print_artifacts(entries, caption):
    """Prints the table of artifacts and what was measured of them."""
    terminal.print_table(
        None,
        [
            ("artifact", "left"),
            ("MB", "right"),
            ("worst difference", "right"),
            ("mean", "right"),
            ("SRCC of Keras", "right"),
            ("of the artifact", "right"),
            ("ms, 1 thread", "right"),
            ("2 threads", "right"),
        ],
        [_cells(name, entry) for name, entry in entries.items()],
        caption=caption,
    )


def _cells(name, entry):
    apart, ranks, latency = (entry.get(key) for key in ("difference", "srcc", "latency"))
    return (
        name,
        f"{entry['bytes'] / 1e6:.1f}",
        *((f"{apart[key]:.1e}" for key in ("worst", "mean")) if apart else ("", "")),
        *((f"{ranks[key]:.4f}" for key in ("keras", "artifact")) if ranks else ("", "")),
        *((f"{latency['milliseconds'][key]:.0f}" for key in "12") if latency else ("", "")),
    )


@contextlib.contextmanager
def _stopping_on_termination():
    """Lets SIGTERM end the command as Ctrl-C does: with nothing half-made left behind."""
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
