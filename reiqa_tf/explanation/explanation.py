"""Why a photo has its score, as numbers: what `reiqa_tf.explain` returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from reiqa_tf.explanation.diagnosis import Diagnosis
from reiqa_tf.scoring.parts import MapName, PartName
from reiqa_tf.scoring.score import Score
from reiqa_tf.typing import PathLike


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation:
    """Why a photo has its score.

    Everything is in points of the score, against the average photo: `average` plus the sum of
    `parts` is the score, and so is `average` plus the sum of all `maps`.

    Attributes:
        name: what the photo is called.
        score: its `Score`.
        score_range: `(low, high)`, the scale.
        average: score of the average photo.
        parts: points that a part of the features adds, by its `PartName`.
        maps: points that each place adds, float32 `(32, 32)` by `MapName`: rows go down, columns
            go right. Those of means are exact; deviations are spread by their derivative.
        diagnosis: what is wrong with the photo.
        picture: uint8 `(H, W, 3)`, as the experts saw it at full size.

    Example:
    ```python
    import reiqa_tf

    why = reiqa_tf.explain("photo.jpg")
    print(why.diagnosis.text)
    row, column = divmod(why.map().argmin(), 32)  # the place that costs most
    why.save("why.png")
    ```
    """

    name: str
    score: Score
    score_range: tuple[float, float]
    average: float
    parts: Mapping[PartName, float]
    maps: Mapping[MapName, np.ndarray]
    diagnosis: Diagnosis
    picture: np.ndarray

    def map(
        self, expert: str | None = None, size: str | None = None, kind: str | None = None
    ) -> np.ndarray:
        """The map of an expert, a size or a kind, or of everything.

        Args:
            expert: `content` or `quality`; both, if None.
            size: `full` or `half`; both, if None.
            kind: `means`, `deviations` or `center`; all, if None.

        Returns:
            float32 array `(32, 32)`, in points of the score.

        Raises:
            ValueError: if there is no such map.
        """
        wanted = (expert, size, kind)
        chosen = [
            found
            for name, found in self.maps.items()
            if all(want in (None, part) for want, part in zip(wanted, name, strict=True))
        ]
        if not chosen:
            there = ", ".join(" ".join(name) for name in self.maps)
            raise ValueError(f"map: expected one of {there}. Received: {wanted}")
        total: np.ndarray = np.sum(chosen, axis=0)
        return total

    def parts_by(self, *fields: str) -> dict[tuple[str, ...], float]:
        """Adds parts up.

        Args:
            *fields: out of `expert`, `size`, `stage` and `kind`: what to tell apart.

        Returns:
            dictionary from values of these fields to points, in the order of the features.
        """
        sums: dict[tuple[str, ...], float] = {}
        for name, points in self.parts.items():
            key = tuple(getattr(name, field) for field in fields)
            sums[key] = sums.get(key, 0.0) + points
        return sums

    def as_dictionary(self) -> dict[str, Any]:
        """All of it but the picture, as JSON can hold it."""
        score = self.score
        return {
            "photo": self.name,
            "score": float(score),
            "low": score.low,
            "high": score.high,
            "word": score.word,
            "percentile": score.percentile,
            "familiar": score.familiar,
            "score_range": list(self.score_range),
            "average": self.average,
            "parts": [{**name._asdict(), "points": points} for name, points in self.parts.items()],
            "map": _rounded(self.map()),
            "maps": [
                {**name._asdict(), "points": _rounded(found)} for name, found in self.maps.items()
            ],
            "diagnosis": {
                "text": self.diagnosis.text,
                "faults": [dataclasses.asdict(fault) for fault in self.diagnosis.faults],
            },
        }

    def save(self, path: PathLike, *, overwrite: bool = False) -> None:
        """Writes the explanation to a file.

        Args:
            path: of the file; its ending says what it becomes: a picture (`.png`, `.jpg`,
                `.webp`), a page to look at (`.html`), or numbers (`.json`).
            overwrite: whether it may replace a file.

        Raises:
            ValueError: if the ending is another one.
            OutputError: if the file exists, or cannot be written.
        """
        from reiqa_tf.explanation.saving import save

        save(self, path, overwrite=overwrite)


def _rounded(points: np.ndarray) -> list[list[float]]:
    return [[round(float(value), 7) for value in row] for row in points]
