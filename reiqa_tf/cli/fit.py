"""`reiqa fit`: a head for your own photos and scores."""

import contextlib
import sys

from reiqa_tf import presets
from reiqa_tf.cli import regression_flags, terminal
from reiqa_tf.cli.startup import start_tensorflow

_EXAMPLES = """\
  reiqa fit scores.csv --out my_preset
  reiqa fit scores.csv --range 0 100 --out my_preset
  reiqa fit dmos.csv --lower-is-better --out my_preset
  reiqa fit scores.csv --content A --quality B --out my_preset    one expert of each preset
  reiqa fit scores.csv --ladders 690 --out my_preset              scores that fall with distortions
  reiqa score photo.jpg --preset my_preset

scores.csv has a header line and the columns `image` (a path relative to the file) and `mos`;
optionally `split` (train, val, test) and `group` (photos that belong together). Test rows are
left alone. The strength of the regulariser is chosen on the rows of `val`, or in five folds.
Features are kept in a cache: after Ctrl-C, the same command goes on where it was.

With --ladders the head also sees photos of yours at the five levels of a distortion each, and
learns that scores fall from level to level: without them it may like grain or ringing that no
photo of yours has. It costs the features of six pictures a ladder; 690 is 30 of each distortion."""


def add_parser(subparsers):
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "fit", run, "Fit a head on photos that you have scores for.", _EXAMPLES
    )
    parser.add_argument("scores", metavar="scores.csv", help="the scored photos")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="the preset to make")
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
    regression_flags.add_to(parser)
    parser.add_argument(
        "--ladders",
        type=int,
        default=0,
        metavar="N",
        help="photos that are shown at the levels of a distortion each (default: %(default)s)",
    )
    parser.add_argument(
        "--ladder-weight",
        type=float,
        default=0.2,
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
    add_cache_flags(parser)


def add_cache_flags(parser):
    """Adds the flags that say where features are kept; `reiqa evaluate` has them too."""
    parser.add_argument("--cache", metavar="FILE", help="keep features in this file")
    parser.add_argument("--no-cache", action="store_true", help="keep no features")


def run(arguments):
    """Fits the head, saves the preset and answers the exit code."""
    start_tensorflow()
    from reiqa_tf.data.scored_photos import read_scored_photos
    from reiqa_tf.evaluation.agreement import evaluate
    from reiqa_tf.fitting.fit_head import fit_head
    from reiqa_tf.fitting.regression import REGRESSORS
    from reiqa_tf.presets.storage import check_writable, round_to_half

    check_writable(arguments.out)
    scored = read_scored_photos(
        arguments.scores,
        score_range=arguments.range,
        lower_is_better=arguments.lower_is_better,
    )
    if scored.splits is not None:
        scored = scored.split("train", "val")
    scorer, sources = _encoders(arguments)
    if arguments.half_precision:
        round_to_half(scorer)
    _check_numbers(arguments)
    scale_floor = regression_flags.scale_floor_of(arguments)
    with open_cache(scorer, arguments) as cache:
        features, scored, problems = features_of(scorer, scored, cache)
        steps, ladder_problems = _ladder_steps(scorer, scored, arguments, cache)
    regressor = REGRESSORS[arguments.regressor](
        strengths=regression_flags.strengths_of(arguments), scale_floor=scale_floor
    )
    fitted = fit_head(scorer, features, scored, regressor, steps)
    seen = fitted.held_out == fitted.held_out  # not NaN
    groups = None if scored.groups is None else scored.groups[seen]
    held_out = evaluate(scored.scores[seen], fitted.held_out[seen], groups=groups)
    about = {name: getattr(arguments, name) for name in ("description", "data", "license")}
    fitted.scorer.save_to_preset(
        arguments.out,
        half_precision=arguments.half_precision,
        **{name: text for name, text in about.items() if text},
        sources=sources,
        metrics={"held_out": held_out},
        fit={
            "photos": len(scored),
            "regressor": arguments.regressor,
            "strength": fitted.strength,
            "strength_at_edge": fitted.at_edge,
            "scale_floor": scale_floor,
            "ladders": arguments.ladders,
            "ladder_weight": arguments.ladder_weight,
            "seed": arguments.seed,
        },
    )
    terminal.print_table(
        None,
        [("held-out photos", "left"), ("value", "right"), ("95% interval", "right")],
        agreement_rows(held_out),
        caption=f"{len(scored)} photos, {arguments.regressor} strength {fitted.strength:.3g}"
        f"{' (at an end of those tried: widen --strengths)' if fitted.at_edge else ''}"
        f"; saved in {arguments.out}",
    )
    terminal.report_failures(problems, len(scored) + len(problems))
    terminal.report_failures(ladder_problems, arguments.ladders, "ladders could not be made")
    return 1 if problems or ladder_problems else 0


def features_of(scorer, scored, cache):
    """Features of scored photos, through the cache.

    Args:
        scorer: the `ReIQAScorer`.
        scored: the `ScoredPhotos`.
        cache: what `open_cache` gave.

    Returns:
        features, the scored photos that could be read, and the problems of the others.
    """
    from reiqa_tf.scoring.features import feature_table

    features, problems = feature_table(
        scorer,
        scored.paths,
        progress=terminal.progress("features", len(scored)),
        cache=cache,
    )
    readable = [index for index in range(len(scored)) if index not in problems]
    return features[readable], scored.rows(readable), list(problems.values())


@contextlib.contextmanager
def open_cache(scorer, arguments):
    """The cache that the flags of `add_cache_flags` ask for, or None, while a context lasts.

    On Ctrl-C it says that what was computed is kept.

    Args:
        scorer: the `ReIQAScorer` whose features it keeps.
        arguments: parsed arguments with those flags.
    """
    from reiqa_tf.presets.storage import encoders_fingerprint
    from reiqa_tf.scoring.cache import FeatureCache, default_cache_file

    if arguments.no_cache:
        yield None
        return
    file = arguments.cache or default_cache_file()
    with FeatureCache(file, encoders_fingerprint(scorer)) as cache:
        try:
            yield cache
        except KeyboardInterrupt:
            print("features so far are kept; run the same command again", file=sys.stderr)
            raise


def _check_numbers(arguments):
    from reiqa_tf.errors import ReiqaError

    if arguments.ladders < 0 or arguments.seed < 0:
        raise ReiqaError("--ladders, --seed: expected a number from 0.")
    if arguments.ladders and arguments.regressor != "ridge":
        raise ReiqaError("--ladders: expected --regressor ridge; an elastic net takes none.")
    if not 0 < arguments.ladder_weight < float("inf"):
        raise ReiqaError(
            "--ladder-weight: expected a finite number above 0. "
            f"Received: {arguments.ladder_weight:g}"
        )


def _ladder_steps(scorer, scored, arguments, cache):
    """The steps that `--ladders` asks for, and the problems of those that could not be made."""
    if not arguments.ladders:
        return None, []
    from reiqa_tf.fitting.ladders import choose_ladders, ladder_steps

    ladders = choose_ladders(len(scored), arguments.ladders, arguments.seed)
    return ladder_steps(
        scorer,
        scored,
        ladders,
        weight=arguments.ladder_weight,
        cache=cache,
        progress=terminal.progress("ladders", len(ladders)),
    )


def agreement_rows(result):
    """Rows of a table from what `reiqa_tf.evaluation.agreement.evaluate` answered."""
    return [
        (name, f"{result[name]:.4f}", "{:.4f} to {:.4f}".format(*ends))
        for name, ends in result["intervals"].items()
    ]


def _encoders(arguments):
    """A scorer without a head, made of the experts that were asked for, and where they are from."""
    from reiqa_tf.errors import ReiqaError
    from reiqa_tf.models.scorer import ReIQAScorer, load_preset
    from reiqa_tf.presets.folders import read_metadata

    if not (arguments.content or arguments.quality):
        base = load_preset(arguments.preset)
        experts, working_size = base.experts(), base.working_size
        sources = read_metadata(arguments.preset).get("sources")
    else:
        experts, sources, working_size = {}, {}, None
        for expert in ("content", "quality"):
            preset = getattr(arguments, expert)
            if preset is None:
                continue
            base = load_preset(preset)
            about = read_metadata(preset)
            known = (about.get("sources") or {}).get(expert)
            sources[expert] = known or {"pretraining": about.get("pretraining")}
            if expert not in base.experts():
                raise ReiqaError(
                    f"{preset}: expected a preset with a {expert} expert. It has none."
                )
            experts[expert] = base.experts()[expert]
            working_size = working_size or base.working_size
    if arguments.working_size is not None:
        working_size = arguments.working_size
    scorer = ReIQAScorer(**experts, working_size=working_size)
    scorer.build((None, None, None, 3))
    return scorer, sources
