"""What an artifact says about itself: its names, as they are written and as they are read."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from reiqa_tf.runtimes.errors import ArtifactError
from reiqa_tf.runtimes.explained import ExplainedOutputs
from reiqa_tf.runtimes.input_form import InputForm, InputFormError
from reiqa_tf.scoring.calibration import PERCENTILE_COUNT, Calibration
from reiqa_tf.scoring.score import MissingHeadError
from reiqa_tf.typing import PathLike
from reiqa_tf.version import __version__

if TYPE_CHECKING:
    from reiqa_tf.models.scorer import ReIQAScorer

IMAGES = "images"
"""Name of the input: uint8 RGB `(N, H, W, 3)`, as decoded, nothing subtracted or divided."""

IMAGE_BYTES = "image_bytes"
"""Name of the input that takes whole files: strings `(N,)`, JPEG or PNG."""

SCORE = "score"
"""Name of the output with the scores: float32 `(N,)`, higher is better."""

SPREAD = "spread"
"""Name of the output that says how far off scores may be: float32 `(N,)`; see `LinearHead`."""

DISTANCE = "distance"
"""Name of the output that says how unfamiliar photos are: float32 `(N,)`; see `LinearHead`."""

FEATURES = "features"
"""Name of the only output of encoders without a head: float32 `(N, F)`."""

CONTRACT_FILE = "contract.json"
"""Name of the entry with the contract in the archive at the end of a `.tflite` file."""

_OUTPUTS = ((SCORE, SPREAD, DISTANCE), (FEATURES,))

Entries: TypeAlias = dict[str, str | int | float | bool]
"""A contract as it is stored: flat, from names to texts, numbers and booleans."""


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _number(value: Any) -> bool:
    # True is no number here, nor are NaN, infinities and whole numbers beyond those of floats.
    return type(value) in (int, float) and -1e30 < value < 1e30


def _rising_numbers(value: Any) -> bool:
    if not _text(value):
        return False
    try:
        numbers = _numbers(value)
    except ValueError:
        return False
    rising = all(a <= b for a, b in itertools.pairwise(numbers))
    return len(numbers) == PERCENTILE_COUNT and rising and all(map(_number, numbers))


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in text.split())


def _size(value: Any) -> bool:
    return type(value) is int and 32 <= value <= 2**15


@dataclasses.dataclass(frozen=True)
class _Entry:
    """What an entry must be, in words and as a test."""

    expected: str
    is_right: Callable[[Any], bool]


_OF_ALL = {
    "preset": _Entry("a name", _text),
    "weights_sha256": _Entry("a hexadecimal digest", _text),
    "outputs": _Entry(
        "score,spread,distance or features",
        lambda value: _text(value) and tuple(value.split(",")) in _OUTPUTS,
    ),
    "working_size": _Entry(
        "32 to 32,768 px, or nothing", lambda value: value is None or _size(value)
    ),
}
_OF_HEADS = {
    "score_low": _Entry("a number", _number),
    "score_high": _Entry("a number", _number),
    "higher_is_better": _Entry("true", lambda value: value is True),
    "expected_slope": _Entry("a number", _number),
    "expected_offset": _Entry("a number", _number),
    "interval": _Entry("a number from 0 up", lambda value: _number(value) and value >= 0),
    "coverage": _Entry("between 0 and 1", lambda value: _number(value) and 0 < value < 1),
    "percentiles": _Entry(
        f"{PERCENTILE_COUNT} rising numbers, separated by blanks", _rising_numbers
    ),
    "distance_limit": _Entry("a number", _number),
}


@dataclasses.dataclass(frozen=True)
class Contract:
    """What one needs beside an artifact's graph to score photos with it.

    Attributes:
        preset: name of the preset that it was made of.
        weights_sha256: hexadecimal SHA-256 of that preset's weights.
        outputs: names of the graph's outputs, in their order.
        working_size: side in pixels of the square that larger photos are shrunk to, or None.
        head: what the scores mean; None of encoders without a head.
        feature_count: number of features of a photo, where it is known.
        producer: what made the artifact, and its version.
        description: what the preset is, if it says so.
        license: under which terms it may be used, if it says so.
        explained: what its outputs are that explain scores; None where it has none.
        input: in which form it takes a picture at a time; None where it takes batches of upright
            uint8 RGB, or whole files.

    Example:
    ```python
    import reiqa_tf

    contract = reiqa_tf.open_scorer("content_lite0_biq2021", "onnx").contract
    print(contract.working_size, contract.head.score_range, contract.license)
    ```
    """

    preset: str
    weights_sha256: str
    outputs: tuple[str, ...]
    working_size: int | None
    head: Calibration | None = None
    feature_count: int | None = None
    producer: str = f"reiqa_tf {__version__}"
    description: str | None = None
    license: str | None = None
    explained: ExplainedOutputs | None = None
    input: InputForm | None = None

    def fitted_head(self) -> Calibration:
        """What the scores mean.

        Raises:
            MissingHeadError: if there is no head.
        """
        if self.head is None:
            raise MissingHeadError
        return self.head

    @classmethod
    def of(
        cls,
        scorer: ReIQAScorer,
        preset_name: str,
        weights_sha256: str,
        about: Mapping[str, Any] | None = None,
        explained: ExplainedOutputs | None = None,
    ) -> Contract:
        """What an artifact made of a scorer says about itself.

        Args:
            scorer: a built `ReIQAScorer`.
            preset_name: name of its preset.
            weights_sha256: hexadecimal SHA-256 of the preset's `model.weights.h5`.
            about: the preset's metadata, of which `description` and `license` are taken, or None.
            explained: of artifacts that explain scores, what their outputs for it are.

        Returns:
            `Contract`.

        Raises:
            ArtifactError: if interval and familiarity are unknown.

        Example:
        ```python
        import reiqa_tf
        from reiqa_tf.runtimes.contract import Contract

        scorer = reiqa_tf.load_preset("content_lite0_biq2021")
        print(Contract.of(scorer, "content_lite0_biq2021", "0" * 64).entries())
        ```
        """
        head = scorer.head
        if head is not None and not head.calibration.measured:
            raise ArtifactError(
                f"{preset_name}: expected a scorer whose intervals were measured. Received one "
                "that was trained since: reiqa_tf.recalibrate(scorer, 'held_out.csv') first."
            )
        known = about or {}
        return cls(
            preset=preset_name,
            weights_sha256=weights_sha256,
            outputs=output_names(scorer),
            working_size=scorer.working_size,
            head=None if head is None else head.calibration,
            feature_count=scorer.feature_count,
            description=_stated(known.get("description")),
            license=_stated(known.get("license")),
            explained=explained,
        )

    def entries(self) -> Entries:
        """The contract as it is stored.

        In ONNX `metadata_props` (each value as JSON), in the archive at the end of a TFLite file
        and in `manifest.json`.

        Returns:
            flat dictionary:

            - `producer`, `preset`, `weights_sha256`, and `description` and `license` if known;
            - `outputs`: names of the outputs, separated by commas;
            - `feature_count`;
            - `working_size`; missing where photos are taken as they are;
            - with a head also what its `Calibration` says: `score_low`, `score_high` (the scale),
              `higher_is_better`, `expected_slope`, `expected_offset`, `interval`, `coverage`,
              `percentiles` (separated by blanks) and `distance_limit`;
            - of artifacts that explain scores, what `ExplainedOutputs` says;
            - of artifacts that take one picture at a time: `batch_size`, and its form, `pixels`
              and `rotation`; see `InputForm`.
        """
        stored: dict[str, str | int | float | bool | None] = {
            "producer": self.producer,
            "preset": self.preset,
            "weights_sha256": self.weights_sha256,
            "description": self.description,
            "license": self.license,
            "outputs": ",".join(self.outputs),
            "feature_count": self.feature_count,
            "working_size": self.working_size,
        }
        if self.head is not None:
            low, high = self.head.score_range
            stored |= {
                "score_low": low,
                "score_high": high,
                "higher_is_better": True,
                "expected_slope": self.head.expected[0],
                "expected_offset": self.head.expected[1],
                "interval": self.head.interval,
                "coverage": self.head.coverage,
                "percentiles": " ".join(map(repr, self.head.percentiles)),
                "distance_limit": self.head.distance_limit,
            }
        if self.explained is not None:
            stored |= self.explained.entries()
        if self.input is not None:
            stored |= self.input.entries()
        return {name: value for name, value in stored.items() if value is not None}

    @classmethod
    def read(cls, entries: Mapping[str, Any], path: PathLike) -> Contract:
        """Checks what was found in a file.

        Args:
            entries: what `Contract.entries` returned; further names are left alone.
            path: the file, for messages.

        Returns:
            `Contract`.

        Raises:
            ArtifactError: if an entry is missing or absurd.
        """
        with_head = entries.get("outputs") != FEATURES
        for name, entry in {**_OF_ALL, **(_OF_HEADS if with_head else {})}.items():
            if not entry.is_right(entries.get(name)):
                raise ArtifactError(
                    f"{path}: its entry {name} should be {entry.expected}. Received: "
                    f"{entries.get(name)!r}. Export the preset again: reiqa export --preset PRESET"
                )
        count = entries.get("feature_count")
        try:
            form = InputForm.read(entries, path)
        except InputFormError as error:
            raise ArtifactError(f"{error}. Export the preset again.") from None
        return cls(
            preset=entries["preset"],
            weights_sha256=entries["weights_sha256"],
            outputs=tuple(entries["outputs"].split(",")),
            working_size=entries.get("working_size"),
            head=_read_head(entries, path) if with_head else None,
            # Nothing is computed with these, so they may be missing.
            feature_count=count if type(count) is int else None,
            producer=str(entries.get("producer", "unknown")),
            description=_stated(entries.get("description")),
            license=_stated(entries.get("license")),
            explained=ExplainedOutputs.read(entries),
            input=form,
        )


def output_names(scorer: ReIQAScorer) -> tuple[str, ...]:
    """Names of what an artifact of a scorer returns.

    Args:
        scorer: a `ReIQAScorer`.

    Returns:
        tuple of names, in the order of the artifact's outputs.
    """
    return (FEATURES,) if scorer.head is None else (SCORE, SPREAD, DISTANCE)


def _stated(value: Any) -> str | None:
    return str(value) if value else None


def _read_head(entries: Mapping[str, Any], path: PathLike) -> Calibration:
    low, high = entries["score_low"], entries["score_high"]
    if not low < high:
        raise ArtifactError(
            f"{path}: a scale from {low} to {high}. "
            "Export the preset again: reiqa export --preset PRESET"
        )
    return Calibration(
        score_range=(float(low), float(high)),
        percentiles=_numbers(entries["percentiles"]),
        interval=entries["interval"],
        expected=(entries["expected_slope"], entries["expected_offset"]),
        coverage=entries["coverage"],
        distance_limit=entries["distance_limit"],
    )
