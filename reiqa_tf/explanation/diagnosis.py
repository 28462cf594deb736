"""What is wrong with a photo, told by a linear probe on the features of an expert."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import pathlib
import zipfile

import numpy as np

from reiqa_tf.errors import ReiqaError
from reiqa_tf.explanation.faults import FAMILIES, FAMILY_NAMES, Family
from reiqa_tf.presets.folders import METADATA_FILE, preset_folder, read_metadata
from reiqa_tf.typing import PathLike

DIAGNOSIS_FILE = "diagnosis.npz"
"""Name of the file in a preset's folder that holds a `Probe`."""

NO_FAULT = "no fault found"
"""What is said of a photo in which nothing was found."""

_LARGEST_LOGIT = 30.0


class DiagnosisError(ReiqaError):
    """A preset without a diagnosis, or with one that cannot be used. The message says which."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """One kind of fault, whether a photo has it or not.

    Attributes:
        family: its name, out of `FAMILY_NAMES`.
        probability: that the photo has it, 0 to 1.
        amount: how much of it, if it is there, in the unit of the family.
        unit: that unit.
        is_found: whether the probability is above the family's threshold, which few clean photos
            reach.
        text: the fault in words, such as `blur, about 1.6 px`.
    """

    family: str
    probability: float
    amount: float
    unit: str
    is_found: bool
    text: str


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a photo.

    Attributes:
        faults: a `Fault` of each family, the surest first: those that were found, by how far
            their probability is above their threshold, then the others.
    """

    faults: tuple[Fault, ...]

    @classmethod
    def of(
        cls, probabilities: np.ndarray, amounts: np.ndarray, thresholds: np.ndarray
    ) -> Diagnosis:
        """Puts numbers into words.

        Args:
            probabilities: `(K,)`, of `FAMILIES`.
            amounts: `(K,)`, likewise.
            thresholds: `(K,)`, probabilities from which on a fault counts as found.

        Returns:
            `Diagnosis`.
        """
        margins = _logit(probabilities) - _logit(thresholds)
        return cls(
            tuple(
                _fault(FAMILIES[i], float(probabilities[i]), float(amounts[i]), margins[i] >= 0)
                for i in np.argsort(-margins, kind="stable")
            )
        )

    @property
    def found(self) -> tuple[Fault, ...]:
        """The faults that were found, the surest first."""
        return tuple(fault for fault in self.faults if fault.is_found)

    @property
    def main(self) -> Fault | None:
        """The surest fault, or None if nothing was found."""
        return self.found[0] if self.found else None

    @property
    def text(self) -> str:
        """The diagnosis in a line, such as `blur, about 1.6 px; noise, about 12 of 255 levels`."""
        return "; ".join(fault.text for fault in self.found) or NO_FAULT


def _fault(family: Family, probability: float, amount: float, is_found: bool) -> Fault:
    return Fault(family.name, probability, amount, family.unit, bool(is_found), family.said(amount))


def _logit(probabilities: np.ndarray) -> np.ndarray:
    inside = np.clip(np.asarray(probabilities, np.float64), 1e-9, 1 - 1e-9)
    logits: np.ndarray = np.log(inside) - np.log1p(-inside)
    return logits


@dataclasses.dataclass(frozen=True, eq=False)
class Probe:
    """Linear functions of features that tell faults, and what the average photo looks like.

    Attributes:
        kernel: float32 array `(F, 2 K)`: columns for the log odds of the K families, then for
            their amounts. Rows of features that are not looked at are zero.
        bias: float32 array `(2 K,)`.
        thresholds: float array `(K,)`, probabilities from which on a fault counts as found.
        average: float32 array `(F,)`, the mean features of the photos that it was learnt with.
        limits: float array `(2, K)`, lowest and highest amount that was learnt; no other is told.
    """

    kernel: np.ndarray
    bias: np.ndarray
    thresholds: np.ndarray
    average: np.ndarray
    limits: np.ndarray

    def diagnose(self, features: np.ndarray) -> list[Diagnosis]:
        """Diagnoses photos from their features.

        Args:
            features: array `(N, F)`.

        Returns:
            list of N `Diagnosis`.
        """
        probabilities, amounts = self.numbers(features)
        return [
            Diagnosis.of(row, amount, self.thresholds)
            for row, amount in zip(probabilities, amounts, strict=True)
        ]

    def numbers(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities and amounts of faults.

        Args:
            features: array `(N, F)`.

        Returns:
            pair of arrays `(N, K)`: probabilities, and amounts in the units of `FAMILIES`.
        """
        raw = np.asarray(features, np.float32) @ self.kernel + self.bias
        logits, amounts = np.split(raw.astype(np.float64), 2, axis=1)
        probabilities = 1 / (1 + np.exp(-np.clip(logits, -_LARGEST_LOGIT, _LARGEST_LOGIT)))
        low, high = (as_learnt(limits) for limits in self.limits)
        return probabilities, as_told(np.clip(amounts, low, high))

    def save(self, path: PathLike) -> None:
        """Writes the probe to a file; kernels as float16 and a scale for each column."""
        scales = np.maximum(np.abs(self.kernel).max(axis=0), 1e-30).astype(np.float32)
        rows = np.flatnonzero(np.abs(self.kernel).any(axis=1))
        first, end = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
        with open(path, "wb") as file:
            np.savez_compressed(
                file,
                kernel=(self.kernel[first:end] / scales).astype(np.float16),
                first=np.int64(first),
                scales=scales,
                bias=self.bias.astype(np.float32),
                thresholds=self.thresholds.astype(np.float64),
                average=self.average.astype(np.float32),
                limits=self.limits.astype(np.float64),
                families=np.array(FAMILY_NAMES),
            )

    @classmethod
    def read(cls, path: PathLike) -> Probe:
        """Reads what `save` wrote.

        Args:
            path: of the file.

        Returns:
            `Probe`.

        Raises:
            DiagnosisError: if it cannot be read, or is something else.
        """
        try:
            return cls._of(pathlib.Path(path).read_bytes())
        except OSError as error:
            raise DiagnosisError(f"{path}: cannot be read ({error.strerror}).") from None
        except (ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
            raise DiagnosisError(
                f"{path}: expected a diagnosis of this version ({error}). Make it again: "
                "reiqa fit-diagnosis PHOTOS --preset PRESET"
            ) from None

    @classmethod
    def _of(cls, contents: bytes) -> Probe:
        with np.load(io.BytesIO(contents), allow_pickle=False) as stored:
            if tuple(stored["families"].tolist()) != FAMILY_NAMES:
                raise ValueError(f"families {', '.join(stored['families'].tolist())}")
            average, part, first = stored["average"], stored["kernel"], int(stored["first"])
            kernel = np.zeros((len(average), 2 * len(FAMILIES)), np.float32)
            kernel[first : first + len(part)] = part.astype(np.float32) * stored["scales"]
            return cls(kernel, stored["bias"], stored["thresholds"], average, stored["limits"])


_SIGNED = np.array([family.is_signed for family in FAMILIES])


def as_learnt(amounts: np.ndarray) -> np.ndarray:
    """Amounts `(..., K)` on the scale on which they are learnt: logarithms, if not signed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(_SIGNED, amounts, np.log(np.where(_SIGNED, 1.0, amounts)))


def as_told(learnt: np.ndarray) -> np.ndarray:
    """Amounts `(..., K)` in their units, from the scales of `as_learnt`."""
    return np.where(_SIGNED, learnt, np.exp(np.where(_SIGNED, 0.0, learnt)))


def load_probe(preset: PathLike) -> Probe:
    """Reads the diagnosis of a preset.

    Args:
        preset: a folder, or the name of a preset that the package ships.

    Returns:
        `Probe`.

    Raises:
        PresetError: if there is no such preset.
        DiagnosisError: if it has no diagnosis, or one that is damaged.

    Example:
    ```python
    from reiqa_tf.explanation.diagnosis import load_probe

    probe = load_probe("reiqa_lite0_biq2021")
    print(probe.kernel.shape)
    ```
    """
    path = preset_folder(preset) / DIAGNOSIS_FILE
    if not path.is_file():
        raise DiagnosisError(
            f"{preset}: has no diagnosis, which also holds what the average photo is. Learn one "
            f"from some hundred good photos: reiqa fit-diagnosis PHOTOS --preset {preset}"
        )
    expected = read_metadata(preset)["sha256"].get(DIAGNOSIS_FILE)
    received = hashlib.sha256(path.read_bytes()).hexdigest()
    if received != expected:
        raise DiagnosisError(
            f"{path}: damaged or changed. Expected the SHA-256 {expected} of {METADATA_FILE}, "
            f"received {received}. Get a whole copy of the preset."
        )
    return Probe.read(path)
