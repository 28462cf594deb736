"""`reiqa score`: photos in, scores out."""

import csv
import io
import json
import sys

from reiqa_tf import presets
from reiqa_tf.cli import terminal
from reiqa_tf.cli.startup import start_tensorflow

_EXAMPLES = """\
  reiqa score photo.jpg
  reiqa score holiday/ 'more/**/*.png' --sort score        the worst first
  reiqa score holiday/ --format csv > scores.csv
  reiqa score photo.jpg --native-size                      fine detail of a large photo counts
  reiqa score holiday/ --features features.npz             for models of your own
  find . -name '*.jpg' | reiqa score -                     paths on standard input
  reiqa score - < photo.jpg                                or a photo itself

Scores have the range and direction of the preset (higher is better). The interval covers the
score that people would give with the stated probability; `unfamiliar` marks photos unlike those
that the preset was fitted on. Photos that cannot be read are named at the end, and the exit code
is 1; the rest is scored."""

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


def run(arguments):
    """Scores the photos and answers the exit code."""
    start_tensorflow()
    from reiqa_tf.models.presets import load_preset
    from reiqa_tf.scoring.features import compute_features

    names, photos, problems = _find(arguments.photos)
    asked = len(photos) + len(problems)
    if not photos:
        terminal.report_failures(problems, asked)
        return 1
    scorer = load_preset(arguments.preset)
    if not arguments.features:
        scorer.fitted_head()  # or the error that says how to get one
    rows, table = {}, {}
    try:
        outcomes = compute_features(scorer, photos, native_size=arguments.native_size)
        for outcome in terminal.progress("scoring", len(photos))(outcomes):
            if outcome.problem is not None:
                problems.append(outcome.problem)
                continue
            if arguments.features:
                table[outcome.index] = outcome.features
            if scorer.head is not None:
                score = scorer.judge(outcome.features[None])[0]
                rows[outcome.index] = _row(names[outcome.index], score)
    finally:
        # After Ctrl-C too: what was scored is not lost.
        scored = [rows[index] for index in sorted(rows)]
        if arguments.sort:
            scored.sort(key=_SORT_KEYS[arguments.sort])
        if scorer.head is not None:
            _PRINTERS[arguments.format](scored, problems, scorer, arguments)
        if arguments.features and table:
            _write_features(arguments.features, names, table)
        terminal.report_failures(problems, asked)
    return 1 if problems else 0


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
            (f"{scorer.head.coverage:.0%} interval", "right"),
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
        caption=f"{arguments.preset}: {low:g} to {high:g}, higher is better; {size}",
    )


def _print_json(rows, problems, scorer, arguments):
    document = {
        "preset": arguments.preset,
        "score_range": list(scorer.score_range),
        "higher_is_better": scorer.higher_is_better,
        "coverage": scorer.head.coverage,
        "native_size": arguments.native_size,
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
