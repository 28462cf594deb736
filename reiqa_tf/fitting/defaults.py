"""How heads are fitted unless a person says otherwise.

Plain Python, so that commands can show these numbers in their help before anything heavy is
imported.
"""

RIDGE, ELASTIC_NET = "ridge", "elastic-net"

KINDS = (RIDGE, ELASTIC_NET)
"""The regressors by the names that commands and reports give them; the first is the default."""

STRENGTH_RANGE = (1e-3, 1e3)
"""The weakest and the strongest regulariser that are tried at first: those of the Re-IQA authors'
evaluation. Where the best is at an end, the range is widened on that side."""

STRENGTH_LIMITS = (1e-6, 1e9)
"""How far it is widened at most. Ours: at the first nothing is left of the penalty but rounding, at
the second nothing of what the photos say."""

STRENGTH_COUNT = 100
"""How many are tried between them, evenly on a logarithmic scale; theirs too."""

PRESET, ZERO = "preset", "zero"

SHRINK_TO = (PRESET, ZERO)
"""What heads may shrink towards: the preset's own head where that is better on held-out photos, or
nothing; the first is the default."""

SCALE_FLOOR = 0.3
"""Share of the median deviation below which no feature's own deviation counts. Ours: without it a
channel that no fitted photo had made fire gave one test photo the score -2.7 (docs/results.md)."""

LADDER_WEIGHT = 0.2
"""How much a step of a ladder counts beside a scored photo. Ours: see docs/trials.md."""
