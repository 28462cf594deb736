"""Makes what a trained preset is to be compared with: its encoders with other weights.

    python perf/controls.py --preset reiqa_lite0_biq2021 --out controls
    reiqa benchmark --database csv=scores.csv --preset reiqa_lite0_biq2021 \
        --preset controls/untrained --preset controls/random --ablation --out judged

`untrained` has the weights that the quality expert's training began with, those of the content
expert's backbone; `random` has random weights in both experts. Neither has a head: the benchmark
fits one on every split.
"""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING

from reiqa_tf import presets
from reiqa_tf.cli.startup import start_tensorflow

if TYPE_CHECKING:
    from reiqa_tf.models.scorer import ReIQAScorer

SEED = 0


def untrained(scorer: ReIQAScorer) -> ReIQAScorer:
    """The same scorer, its quality expert with the weights of the content expert's backbone."""
    made = _copy(scorer)
    content = scorer.experts()["content"]
    made.experts()["quality"].backbone.begin_as(content.backbone)
    made.experts()["content"].set_weights(content.get_weights())
    return made


def random(scorer: ReIQAScorer) -> ReIQAScorer:
    """The same scorer with random weights."""
    import keras

    keras.utils.set_random_seed(SEED)
    return _copy(scorer)


def _copy(scorer: ReIQAScorer) -> ReIQAScorer:
    from reiqa_tf.models.encoder import ReIQAEncoder
    from reiqa_tf.models.scorer import ReIQAScorer

    experts = {
        name: ReIQAEncoder.from_config(expert.get_config())
        for name, expert in scorer.experts().items()
    }
    made = ReIQAScorer(**experts, working_size=scorer.working_size)
    made.build((None, None, None, 3))
    return made


def main() -> None:
    """Makes them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default=presets.DEFAULT, help="(default: %(default)s)")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="folder for the two")
    arguments = parser.parse_args()
    start_tensorflow()
    from reiqa_tf.errors import ReiqaError
    from reiqa_tf.models.scorer import load_preset

    scorer = load_preset(arguments.preset)
    if set(scorer.experts()) != {"content", "quality"}:
        raise ReiqaError(f"{arguments.preset}: expected a preset with both experts.")
    for make in (untrained, random):
        folder = arguments.out / make.__name__
        make(scorer).save_to_preset(folder, half_precision=True)
        print(folder)


if __name__ == "__main__":
    main()
