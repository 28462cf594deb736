"""How the photos of a benchmark are split unless a person says otherwise.

Plain Python, so that a command can show it in its help before anything heavy is imported.
"""

from __future__ import annotations

import dataclasses

from reiqa_tf.typing import PathLike


@dataclasses.dataclass(frozen=True)
class Splitting:
    """How photos are split into training, validation and test.

    Args:
        count: number of splits that are drawn; ten are the protocol of the Re-IQA paper and most
            others.
        seed: of the draws.
        official: take the split that a database comes with, once, where it has one. Some databases
            are always taken so, as their papers do.
        folder: take the splits that another benchmark wrote into its folder `splits`, or None.
    """

    count: int = 10
    seed: int = 0
    official: bool = False
    folder: PathLike | None = None
