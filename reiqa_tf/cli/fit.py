"""`reiqa fit`: a head for your own photos and scores."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from reiqa_tf import presets
from reiqa_tf.cli import cache_flags, regression_flags, terminal
from reiqa_tf.cli.export_flag import add_export_flag, export_at_once
from reiqa_tf.cli.startup import start_tensorflow
from reiqa_tf.fitting import defaults

if TYPE_CHECKING:
    from reiqa_tf.fitting.head_comparison import HeadComparison

_EXAMPLES = """\
  reiqa fit scores.csv --out my_preset
  reiqa fit scores.csv --range 0 100 --out my_preset
  reiqa fit dmos.csv --lower-is-better --out my_preset
  reiqa fit scores.csv --content A --quality B --out my_preset    one expert of each preset
  reiqa fit scores.csv --ladders 690 --out my_preset              scores that fall with distortions
  reiqa score photo.jpg --preset my_preset

scores.csv has a header line and the columns `image` (a path relative to the file) and `mos`;
optionally `split` (train, val, test) and `group` (photos that belong together). The strength of
the regulariser is chosen on the rows of `val`, or in five folds. Test rows are not fitted on: at
the end the preset's own head and yours are compared on them (without any, on held-out photos).
Features are kept in a cache: after Ctrl-C, the same command goes on where it was. The preset gets
its ONNX file at once, where the extra `export` is installed.

With --ladders the head also sees photos of yours at the five levels of a distortion each, and
learns that scores fall from level to level: without them it may like grain or ringing that no
photo of yours has. It costs the features of six pictures a ladder; 690 is 30 of each distortion."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "fit", run, "Fit a head on photos that you have scores for.", _EXAMPLES
    )
    parser.add_argument("scores", metavar="scores.csv", help="the scored photos")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="the preset to make")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a preset that is there already"
    )
    add_export_flag(parser)
    parser.add_argument(
        "--preset",
        default=presets.DEFAULT,
        help="whose encoders are taken: a folder or the name of a shipped preset "
        "(default: %(default)s)",
    )
    parser.add_argument("--content", metavar="PRESET", help="take the content expert of this one")
    parser.add_argument("--quality", metavar="PRESET", help="take the quality expert of this one")
    parser.add_argument(
        "--range",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="of the scores (default: the lowest and the highest in the file)",
    )
    parser.add_argument(
        "--lower-is-better", action="store_true", help="the scores are DMOS: mirror them"
    )
    parser.add_argument(
        "--working-size",
        type=int,
        metavar="PX",
        help="bring larger photos into a square of this side (default: that of the preset)",
    )
    regression_flags.add_regression_flags(parser)
    parser.add_argument(
        "--shrink-to",
        choices=defaults.SHRINK_TO,
        default=defaults.SHRINK_TO[0],
        help="what few photos leave a ridge near: the preset's own head, where held-out photos "
        "profit from it, or zero, as it should be if that head was fitted on some of these photos "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--weigh-parts",
        action="store_true",
        help="let experts, sizes and kinds of pooling count as held-out photos profit from it; "
        "minutes for 5,000 photos, and worth it with a thousand and more",
    )
    parser.add_argument(
        "--ladders",
        type=int,
        default=0,
        metavar="N",
        help="photos that are shown at the levels of a distortion or a degradation each, or turned "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--ladder-weight",
        type=float,
        default=defaults.LADDER_WEIGHT,
        metavar="W",
        help="of a step of a ladder beside a scored photo (default: %(default)g)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of the choice of ladders and of their distortions (default: %(default)s)",
    )
    parser.add_argument(
        "--half-precision",
        action="store_true",
        help="store the encoders as float16, and fit the head on what that makes of the features",
    )
    parser.add_argument("--description", help="a line about the preset, for its metadata")
    parser.add_argument("--data", help="a line about the photos, for its metadata")
    parser.add_argument("--license", help="of the preset, for its metadata")
    cache_flags.add_cache_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Fits the head, saves the preset and returns the exit code."""
    from reiqa_tf.data.scored_photos import read_scored_photos
    from reiqa_tf.presets.folders import check_writable, read_metadata

    for preset in (arguments.preset, arguments.content, arguments.quality):
        if preset is not None:
            read_metadata(preset)
    check_writable(arguments.out, arguments.overwrite)
    regression = regression_flags.regression_of(arguments)
    scored = read_scored_photos(arguments.scores, arguments.range, arguments.lower_is_better)
    start_tensorflow()
    from reiqa_tf.fitting.fit import fit

    about = {name: getattr(arguments, name) for name in ("description", "data", "license")}
    cache = cache_flags.cache_of(arguments)
    with terminal.says_on_interrupt(cache_flags.KEPT if cache else ""):
        result = fit(
            scored,
            arguments.out,
            arguments.preset,
            overwrite=arguments.overwrite,
            content=arguments.content,
            quality=arguments.quality,
            working_size=arguments.working_size,
            regression=regression,
            shrink_to=arguments.shrink_to,
            weighs_parts=arguments.weigh_parts,
            ladders=arguments.ladders,
            ladder_weight=arguments.ladder_weight,
            seed=arguments.seed,
            half_precision=arguments.half_precision,
            about={name: text for name, text in about.items() if text},
            cache=cache,
            progress=terminal.show_progress,
        )
    record = result.record
    shrunk = " towards the preset's own head" if record.shrunk_to == defaults.PRESET else ""
    terminal.print_agreement(
        "held-out photos",
        result.agreement,
        f"{record.photos} photos, {record.regressor} strength {record.strength:.3g}{shrunk}"
        f"{' (the range was widened to its limit)' if record.strength_at_edge else ''}"
        f"; saved in {arguments.out}",
    )
    if result.comparison is not None:
        _print_comparison(result.comparison)
    terminal.report_failures(result.problems, record.photos + len(result.problems))
    terminal.report_failures(result.ladder_problems, record.ladders, "ladders could not be made")
    export_at_once(arguments, arguments.out)
    return 1 if result.problems or result.ladder_problems else 0


def _print_comparison(found: HeadComparison) -> None:
    kind = "test" if found.rows == "test" else "held-out"
    print(
        f"preset's own head against yours, on {found.photos} {kind} photos: "
        f"SRCC {found.preset_srcc:.4f} against {found.srcc:.4f}, "
        f"a difference of {found.difference:+.4f} "
        f"(95% interval {found.low:+.4f} to {found.high:+.4f}): {found.verdict}"
    )
