"""The table of baselines: scorers without a network, to compare with.

Nothing heavy is imported here, so that help texts can show the table; `baselines` has the
functions.
"""

from typing import NamedTuple


class Baseline(NamedTuple):
    """A scorer without a network.

    Attributes:
        function: name of the function in `baselines`.
        package: what it needs beside ours, or None.
    """

    function: str
    package: str | None


BASELINES = {
    "sharpness": Baseline("sharpness", None),
    "entropy": Baseline("entropy", None),
    "brisque": Baseline("brisque", "brisque"),
}
"""The baselines by the names that people call them."""
