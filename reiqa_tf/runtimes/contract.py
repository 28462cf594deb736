"""What an artifact says about itself, read and checked; `reiqa_tf.export.contract` writes it."""

import dataclasses

from reiqa_tf.runtimes.errors import ArtifactError

SCORE = "score"
"""Name of the output with the scores: float32 `(N,)`."""

DISTANCE = "distance"
"""Name of the output that says how unfamiliar photos are: float32 `(N,)`."""

FEATURES = "features"
"""Name of the only output of encoders without a head: float32 `(N, F)`."""

_OUTPUTS = ((SCORE, DISTANCE), (FEATURES,))


def _text(value):
    return isinstance(value, str) and bool(value)


def _number(value):
    # True is no number here, nor are NaN, infinities and whole numbers beyond those of floats.
    return type(value) in (int, float) and -1e30 < value < 1e30


def _size(value):
    return type(value) is int and 32 <= value <= 2**15


# Entry: what it must be, the test of that, and whether encoders without a head have it as well.
_ENTRIES = {
    "preset": ("a name", _text, True),
    "weights_sha256": ("a hexadecimal digest", _text, True),
    "outputs": (
        "score,distance or features",
        lambda value: _text(value) and tuple(value.split(",")) in _OUTPUTS,
        True,
    ),
    "working_size": ("32 to 32,768 px, or nothing", lambda v: v is None or _size(v), True),
    "score_low": ("a number", _number, False),
    "score_high": ("a number", _number, False),
    "higher_is_better": ("true", lambda value: value is True, False),
    "margin": ("a number from 0 up", lambda value: _number(value) and value >= 0, False),
    "coverage": ("between 0 and 1", lambda value: _number(value) and 0 < value < 1, False),
    "distance_limit": ("above 0", lambda value: _number(value) and value > 0, False),
}


@dataclasses.dataclass(frozen=True)
class Contract:
    """What one needs beside an artifact's graph to judge photos with it.

    Attributes:
        preset: name of the preset that it was made of.
        weights_sha256: SHA-256 of that preset's weights.
        outputs: names of the graph's outputs.
        working_size: side in pixels of the square that larger photos are shrunk to, or None.
        score_range: `(low, high)`, the scale; None without a head, like all that follow.
        margin: half the width of the interval around a score.
        coverage: share of held-out photos whose score lay within it.
        distance_limit: distance above which a photo counts as unfamiliar.
    """

    preset: str
    weights_sha256: str
    outputs: tuple
    working_size: int | None
    score_range: tuple | None = None
    margin: float | None = None
    coverage: float | None = None
    distance_limit: float | None = None

    @classmethod
    def read(cls, entries, path):
        """Checks what was found in a file.

        Args:
            entries: dictionary from the names that `reiqa_tf.export.contract` writes to values;
                further names are left alone.
            path: the file, for messages.

        Returns:
            `Contract`.

        Raises:
            ArtifactError: if an entry is missing or absurd.
        """
        with_head = entries.get("outputs") != FEATURES
        for name, (expected, is_right, always) in _ENTRIES.items():
            if (always or with_head) and not is_right(entries.get(name)):
                raise ArtifactError(
                    f"{path}: its entry {name} should be {expected}. Received: "
                    f"{entries.get(name)!r}. Export the preset again: reiqa export --preset PRESET"
                )
        if with_head and not entries["score_low"] < entries["score_high"]:
            raise ArtifactError(
                f"{path}: a scale from {entries['score_low']} to {entries['score_high']}. "
                "Export the preset again: reiqa export --preset PRESET"
            )
        return cls(
            preset=entries["preset"],
            weights_sha256=entries["weights_sha256"],
            outputs=tuple(entries["outputs"].split(",")),
            working_size=entries.get("working_size"),
            **(
                {
                    "score_range": (float(entries["score_low"]), float(entries["score_high"])),
                    "margin": float(entries["margin"]),
                    "coverage": float(entries["coverage"]),
                    "distance_limit": float(entries["distance_limit"]),
                }
                if with_head
                else {}
            ),
        )
