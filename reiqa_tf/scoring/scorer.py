"""What every scorer is, whatever computes its scores: Keras, onnxruntime or LiteRT."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias

import numpy as np
from PIL import Image

from reiqa_tf.errors import ReiqaError
from reiqa_tf.image.reading import MAX_PIXELS
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.score import Score
from reiqa_tf.typing import PathLike

PhotoSource: TypeAlias = PathLike | bytes | np.ndarray | Image.Image
"""A photo as `read_image` takes it: the path of its file, the bytes of the file, or a picture."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one photo: what was computed of it, or the reason why there is nothing.

    Attributes:
        index: place of the photo in the list.
        score: its `Score`; None where there is a problem, or where features alone were asked for.
        features: float32 array `(F,)`; None where there is a problem, or from a runtime that gives
            scores alone.
        problem: why there is neither, or None.
    """

    index: int
    score: Score | None = None
    features: np.ndarray | None = None
    problem: ReiqaError | None = None


class Scorer(Protocol):
    """Scores photos; `ReIQAScorer`, `OnnxScorer` and `LiteRTScorer` do, and give equal scores.

    Example:
    ```python
    import reiqa_tf

    scorer = reiqa_tf.open_scorer("content_lite0_biq2021")
    print(scorer.runtime, scorer.score("photo.jpg"))
    ```
    """

    @property
    def runtime(self) -> str:
        """What computes the scores: `keras`, `onnx` or `tflite`."""
        ...

    @property
    def higher_is_better(self) -> bool:
        """True: scores rise with quality."""
        ...

    @property
    def working_size(self) -> int | None:
        """Side in pixels of the square that larger photos are shrunk to, or None."""
        ...

    @property
    def has_head(self) -> bool:
        """Whether there is a head, so that there are scores."""
        ...

    @property
    def score_range(self) -> tuple[float, float]:
        """`(low, high)`, the scale of the scores."""
        ...

    @property
    def coverage(self) -> float:
        """Share of held-out photos whose score lay within the interval."""
        ...

    def judge(self, images: np.ndarray) -> list[Score]:
        """Scores a batch of pictures, with interval and familiarity.

        Args:
            images: uint8 array `(N, H, W, 3)`, RGB, as `read_image` gives them.

        Returns:
            list of N `Score`.

        Raises:
            MissingHeadError: if the scorer has no head.
        """
        ...

    def score(self, photo: PhotoSource, *, max_pixels: int = MAX_PIXELS) -> Score:
        """Scores one photo.

        Args:
            photo: path, bytes of a file, array or `PIL.Image`, as `read_image` takes them.
            max_pixels: most pixels that a photo's file may have; see `read_image`.

        Returns:
            `Score`.

        Raises:
            ImageError: if the photo cannot be read.
            MissingHeadError: if the scorer has no head.
        """
        ...

    def score_many(
        self,
        photos: Sequence[PhotoSource],
        progress: Progress = silent,
        *,
        max_pixels: int = MAX_PIXELS,
    ) -> Iterator[Outcome]:
        """Scores many photos, in memory that does not grow with their number.

        Args:
            photos: paths of the photos, bytes of their files, arrays or pictures; see `read_image`.
            progress: shows how far the work is.
            max_pixels: most pixels that a photo's file may have; see `read_image`.

        Returns:
            iterator over one `Outcome` for each photo, in the order in which they are finished.

        Raises:
            MissingHeadError: if the scorer has no head.
        """
        ...
