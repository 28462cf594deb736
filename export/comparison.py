"""What exporting and verifying return: artifacts beside Keras, and whether all is well."""

from __future__ import annotations

import dataclasses
import pathlib

from reiqa_tf.errors import ReiqaError
from reiqa_tf.export.measurements import Measurements
from reiqa_tf.typing import Size


@dataclasses.dataclass(frozen=True)
class ComparedArtifact:
    """One artifact: what it is, what was measured of it, and what is wrong with it.

    Attributes:
        path: where it is.
        format: such as `onnx`.
        precision: such as `float32`.
        size: `(height, width)` of the pictures that it takes, or None for any.
        byte_count: how large it is; of a folder, all its files.
        measured: its `Measurements`; all None if it was not opened.
        tolerance: largest difference from Keras that is allowed, as a share of the score's range;
            None where the rank correlation alone counts.
        srcc_tolerance: largest change of SRCC that is allowed; None if it is not known.
        complaints: what is wrong, a line each; empty if all is well.
        gpu_obstacles: what keeps a phone's GPU from running it whole; None of formats that no phone
            runs on its GPU, and of artifacts that were not opened.
    """

    path: pathlib.Path
    format: str
    precision: str
    size: Size | None
    byte_count: int
    measured: Measurements
    tolerance: float | None
    srcc_tolerance: float | None
    complaints: tuple[str, ...]
    gpu_obstacles: tuple[str, ...] | None = None

    @property
    def is_gpu_ready(self) -> bool | None:
        """Whether LiteRT's GPU delegate can run it whole, by its operators and shapes."""
        return None if self.gpu_obstacles is None else not self.gpu_obstacles

    @property
    def name(self) -> str:
        """Its name in the folder."""
        return self.path.name

    @property
    def verdict(self) -> str:
        """In a word: `pass`, `fail`, or `unknown` without Keras's outputs."""
        if self.complaints:
            return "fail"
        return "pass" if self.measured.difference else "unknown"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The artifacts of a folder beside Keras.

    Attributes:
        folder: the folder.
        preset: name of the preset that they were made of.
        remark: what they were compared with.
        artifacts: a `ComparedArtifact` for each.
        scored_photos: number of photos with people's scores that were asked for.
        problems: why some of those could not be read.
    """

    folder: pathlib.Path
    preset: str
    remark: str
    artifacts: tuple[ComparedArtifact, ...]
    scored_photos: int
    problems: tuple[ReiqaError, ...]

    @property
    def complaints(self) -> list[str]:
        """What is wrong with the artifacts, a line each."""
        return [line for artifact in self.artifacts for line in artifact.complaints]

    @property
    def not_compared(self) -> list[str]:
        """Names of the artifacts whose difference from Keras is not known."""
        return [artifact.name for artifact in self.artifacts if not artifact.measured.difference]

    @property
    def is_sound(self) -> bool:
        """Whether all was compared, all is as near Keras as it should be, all photos were read."""
        return not (self.complaints or self.not_compared or self.problems)
