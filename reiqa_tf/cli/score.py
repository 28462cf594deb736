"""`reiqa score`: photos in, scores out."""

import csv
import io
import json
import sys

from reiqa_tf import presets
from reiqa_tf.cli import terminal
from reiqa_tf.cli.startup import silenced, start_tensorflow
from reiqa_tf.errors import ReiqaError

_EXAMPLES = """\
  reiqa score photo.jpg
  reiqa score holiday/ 'more/**/*.png' --sort score        the worst first
  reiqa score holiday/ --format csv > scores.csv
  reiqa score photo.jpg --native-size                      fine detail of a large photo counts
  reiqa score holiday/ --features features.npz             for models of your own
  reiqa score holiday/ --runtime keras                     with TensorFlow, even if it starts slowly
  find . -name '*.jpg' | reiqa score -                     paths on standard input
  reiqa score - < photo.jpg                                or a photo itself

Scores have the range and direction of the preset (higher is better). The interval covers the
score that people would give with the stated probability; `unfamiliar` marks photos unlike those
that the preset was fitted on. Photos that cannot be read are named at the end, and the exit code
is 1; the rest is scored.

What `reiqa export` made of a preset is scored without TensorFlow, which starts many times faster
and gives the same scores; the shipped preset was exported to ONNX. `--runtime auto` takes such an
artifact if its runtime is installed (pip install 'reiqa_tf[onnx]' or 'reiqa_tf[tflite]') and it
was made of the weights that the preset has, and otherwise Keras, as --features and --native-size
always do."""


class NeedsKerasError(ReiqaError):
    """An option that no light runtime has."""


_SORT_KEYS = {
    "score": lambda row: row["score"],
    "-score": lambda row: -row["score"],
    "photo": lambda row: row["photo"],
}


def add_parser(subparsers):
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "score", run, "Score photos: files, folders, patterns.", _EXAMPLES
    )
    parser.add_argument(
        "photos",
        nargs="+",
        metavar="PHOTO|FOLDER|PATTERN|-",
        help="what to score; folders are searched with their subfolders",
    )
    parser.add_argument(
        "--preset",
        default=presets.DEFAULT,
        help="a folder or the name of a shipped preset (default: %(default)s)",
    )
    parser.add_argument(
        "--format", choices=("table", "json", "jsonl", "csv"), default="table", help="of the output"
    )
    parser.add_argument(
        "--sort",
        choices=tuple(_SORT_KEYS),
        help="worst first (score), best first (-score; write --sort=-score) or by name (photo); "
        "default: as given",
    )
    parser.add_argument(
        "--features",
        metavar="FILE.npz",
        help="also write the features: arrays `photos` (N,) and `features` (N, F)",
    )
    parser.add_argument(
        "--native-size",
        action="store_true",
        help="score photos as they are, large ones in tiles, instead of at the preset's working "
        "size",
    )
    parser.add_argument(
        "--runtime",
        choices=("auto", "onnx", "tflite", "keras"),
        default="auto",
        help="what computes the scores (default: %(default)s, the fastest that there is)",
    )


def run(arguments):
    """Scores the photos and returns the exit code."""
    from reiqa_tf.scoring.score import MissingHeadError

    names, photos, problems = _find(arguments.photos)
    asked = len(photos) + len(problems)
    if not photos:
        terminal.report_failures(problems, asked)
        return 1
    scorer = _open(arguments)
    if not (arguments.features or scorer.has_head):
        raise MissingHeadError
    rows, table = {}, {}
    try:
        for outcome in _outcomes(scorer, photos, arguments):
            if outcome.problem is not None:
                problems.append(outcome.problem)
                continue
            if arguments.features:
                table[outcome.index] = outcome.features
            if outcome.score is not None:
                rows[outcome.index] = _row(names[outcome.index], outcome.score)
    finally:
        # After Ctrl-C too: what was scored is not lost.
        scored = [rows[index] for index in sorted(rows)]
        if arguments.sort:
            scored.sort(key=_SORT_KEYS[arguments.sort])
        if scorer.has_head:
            _PRINTERS[arguments.format](scored, problems, scorer, arguments)
        if arguments.features and table:
            _write_features(arguments.features, names, table)
        terminal.report_failures(problems, asked)
    return 1 if problems else 0


def _open(arguments):
    """The scorer that the arguments ask for."""
    from reiqa_tf.runtimes.opening import open_artifact, open_fastest

    needs_keras = arguments.features or arguments.native_size
    if needs_keras and arguments.runtime not in ("auto", "keras"):
        raise NeedsKerasError(
            f"--runtime {arguments.runtime} gives scores of photos at the working size alone. "
            "For --features and --native-size take --runtime keras, or none"
        )
    if not needs_keras and arguments.runtime != "keras":
        with silenced():  # LiteRT tells what it is about to do
            if arguments.runtime != "auto":
                return open_artifact(arguments.preset, arguments.runtime)
            scorer, problems = open_fastest(arguments.preset)
        for problem in problems:
            print(f"reiqa: {problem}\nreiqa: going on without it", file=sys.stderr)
        if scorer is not None:
            return scorer
    start_tensorflow()
    from reiqa_tf.models.scorer import load_preset

    return load_preset(arguments.preset)


def _outcomes(scorer, photos, arguments):
    if scorer.runtime != "keras":
        return scorer.score_many(photos, terminal.show_progress)
    if scorer.has_head:
        return scorer.score_many(photos, terminal.show_progress, arguments.native_size)
    from reiqa_tf.scoring.features import compute_features

    outcomes = compute_features(scorer, photos, native_size=arguments.native_size)
    return terminal.show_progress(outcomes, "features", len(photos))


def _find(sources):
    """Names and photos (paths, or bytes from standard input), and what could not be found."""
    from reiqa_tf.data.photos import find_photos
    from reiqa_tf.image.reading import ImageError

    names, photos, problems = [], [], []
    for source in sources:
        if source == "-":
            contents = sys.stdin.buffer.read()
            try:
                listed = [line.strip() for line in contents.decode().splitlines() if line.strip()]
            except UnicodeDecodeError:
                names.append("-")
                photos.append(contents)
                continue
        else:
            listed = [source]
        for each in listed:
            try:
                found = find_photos(each)
            except ImageError as problem:
                problems.append(problem)
                continue
            names += found
            photos += found
    return names, photos, problems


def _row(name, score):
    return {
        "photo": name,
        "score": float(score),
        "low": score.low,
        "high": score.high,
        "familiar": score.familiar,
    }


def _print_table(rows, problems, scorer, arguments):  # noqa: ARG001
    if not rows:
        return
    low, high = scorer.score_range
    size = "native size" if arguments.native_size else f"at most {scorer.working_size} px"
    terminal.print_table(
        None,
        [
            ("photo", "left"),
            ("score", "right"),
            (f"{scorer.coverage:.0%} interval", "right"),
            ("", "left"),
        ],
        [
            (
                row["photo"],
                f"{row['score']:.4g}",
                f"{row['low']:.3g} to {row['high']:.3g}",
                "" if row["familiar"] else "unfamiliar",
            )
            for row in rows
        ],
        caption=f"{arguments.preset}: {low:g} to {high:g}, higher is better; {size}; "
        f"{scorer.runtime}",
    )


def _print_json(rows, problems, scorer, arguments):
    document = {
        "preset": arguments.preset,
        "score_range": list(scorer.score_range),
        "higher_is_better": scorer.higher_is_better,
        "coverage": scorer.coverage,
        "native_size": arguments.native_size,
        "runtime": scorer.runtime,
        "scores": rows,
        "problems": [str(problem) for problem in problems],
    }
    print(json.dumps(document, indent=2))


def _print_json_lines(rows, problems, scorer, arguments):  # noqa: ARG001
    for row in rows:
        print(json.dumps(row))


def _print_csv(rows, problems, scorer, arguments):  # noqa: ARG001
    text = io.StringIO()
    writer = csv.DictWriter(text, ["photo", "score", "low", "high", "familiar"])
    writer.writeheader()
    writer.writerows(rows)
    sys.stdout.write(text.getvalue())


_PRINTERS = {
    "table": _print_table,
    "json": _print_json,
    "jsonl": _print_json_lines,
    "csv": _print_csv,
}


def _write_features(path, names, table):
    import numpy as np

    from reiqa_tf.files import written_whole

    order = sorted(table)
    with written_whole(path) as scratch, open(scratch, "wb") as file:
        np.savez(
            file,
            photos=np.array([names[index] for index in order]),
            features=np.stack([table[index] for index in order]),
        )
