"""What the scorers of exported files share: photos in, scores out, no Keras."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from reiqa_tf.image.reading import MAX_PIXELS, ImageError, photo_name, read_image
from reiqa_tf.image.shapes import BATCH, require_batch
from reiqa_tf.progress import Progress, silent
from reiqa_tf.runtimes.contract import DISTANCE, SCORE, SPREAD, Contract
from reiqa_tf.runtimes.errors import ArtifactError
from reiqa_tf.scoring.reading_ahead import ahead
from reiqa_tf.scoring.score import Score
from reiqa_tf.scoring.scorer import Outcome, PhotoSource
from reiqa_tf.typing import PathLike

DEPTH = 4
"""Photos that are read before they are asked for."""

_Computed: TypeAlias = tuple[Score | None, np.ndarray | None]
"""What was computed of a photo: its score and its features."""

Read: TypeAlias = Callable[[int], "np.ndarray | ImageError"]
"""Function from the number of a photo to its picture, or why there is none."""

Finish: TypeAlias = Callable[[int, "np.ndarray | ImageError"], Outcome]
"""Function from such a number, and what was read, to what became of it."""


class ArtifactScorer(abc.ABC):
    """A `Scorer` made of an exported file.

    Args:
        path: the file. If a `manifest.json` stands beside it, the file must be as that says.
        threads: number of threads; None takes all cores. They share the work on a photo.

    Raises:
        ValueError: if `threads` is no such number.
        MissingRuntimeError: if the runtime's package is not installed.
        ArtifactError: if the file is missing, damaged or foreign.
    """

    runtime: str
    """Name of the runtime; given by each class below."""

    higher_is_better = True

    def __init__(self, path: PathLike, threads: int | None = None) -> None:
        if threads is not None and not (isinstance(threads, int) and threads >= 1):
            raise ValueError(f"threads: expected 1 or more, or None. Received: {threads!r}")
        self.path = path
        self.threads = threads
        self.contract = self._open()

    @property
    def working_size(self) -> int | None:
        """Side in pixels of the square that larger photos are shrunk to, or None."""
        return self.contract.working_size

    @property
    def has_head(self) -> bool:
        """Whether there is a head, so that there are scores, not features alone."""
        return self.contract.head is not None

    @property
    def score_range(self) -> tuple[float, float]:
        """`(low, high)`, the scale of the scores."""
        return self.contract.fitted_head().score_range

    @property
    def coverage(self) -> float:
        """Share of held-out photos whose score lay within the interval."""
        return self.contract.fitted_head().coverage

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Runs the graph on a batch of photos.

        Args:
            images: uint8 array `(N, H, W, 3)`, RGB.

        Returns:
            dictionary from the names of `contract.outputs` to float32 arrays: `score` and
            `distance` `(N,)`, or `features` `(N, F)` of encoders without a head.

        Raises:
            ValueError: if the images are something else.
            ArtifactError: if the file takes other sizes alone, or the runtime fails.
        """
        return self.run_for(images, self.contract.outputs)

    def run_for(self, images: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """As `run`, for some of the outputs that the file has beside those of the contract.

        Args:
            images: as in `run`.
            names: of outputs.

        Returns:
            dictionary from these names to arrays.

        Raises:
            ValueError: as `run`.
            ArtifactError: likewise.
        """
        return self._compute(as_levels(images), names)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Scores a batch of pictures, as numbers alone.

        Args:
            images: as in `run`.

        Returns:
            float32 array `(N,)`.

        Raises:
            MissingHeadError: if the scorer has no head.
        """
        self.contract.fitted_head()
        return self.run(images)[SCORE]

    def judge(self, images: np.ndarray) -> list[Score]:
        """Scores a batch of pictures, with interval and familiarity.

        Args:
            images: as in `run`.

        Returns:
            list of N `Score`.

        Raises:
            MissingHeadError: if the scorer has no head.
        """
        return self._scores(self.run(images))

    def _scores(self, outputs: dict[str, np.ndarray]) -> list[Score]:
        calibration = self.contract.fitted_head()
        return calibration.judge(*(outputs[name] for name in (SCORE, SPREAD, DISTANCE)))

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
        self.contract.fitted_head()
        return self.judge(read_image(photo, self.working_size, max_pixels=max_pixels)[None])[0]

    def score_many(
        self,
        photos: Sequence[PhotoSource],
        progress: Progress = silent,
        *,
        max_pixels: int = MAX_PIXELS,
    ) -> Iterator[Outcome]:
        """Scores many photos, in memory that does not grow with their number.

        Photos are not batched, which would cost more: onnxruntime took 50 ms of one core for a
        photo of 384 x 512 px alone and 62 to 72 ms in batches of four.

        Args:
            photos: paths of the photos, bytes of their files, arrays or pictures; see `read_image`.
            progress: shows how far the work is.
            max_pixels: most pixels that a photo's file may have; see `read_image`.

        Returns:
            iterator over one `Outcome` for each photo, in the order of the list.

        Raises:
            MissingHeadError: if the scorer has no head.

        Example:
        ```python
        import reiqa_tf

        scorer = reiqa_tf.open_scorer("content_lite0_biq2021")
        for outcome in scorer.score_many(["photo.jpg"]):
            print(outcome.index, outcome.problem or outcome.score)
        ```
        """
        self.contract.fitted_head()
        return self._outcomes(photos, progress, max_pixels, self._judged)

    def _outcomes(
        self,
        photos: Sequence[PhotoSource],
        progress: Progress,
        max_pixels: int,
        compute: Callable[[np.ndarray], _Computed],
    ) -> Iterator[Outcome]:
        def read(index: int) -> np.ndarray | ImageError:
            try:
                return read_image(photos[index], self.working_size, max_pixels=max_pixels)
            except ImageError as problem:
                return problem

        def computed(index: int, image: np.ndarray | ImageError) -> Outcome:
            if isinstance(image, ImageError):
                return Outcome(index, problem=image)
            try:
                return Outcome(index, *compute(image))
            except ArtifactError as problem:
                name = photo_name(photos[index])
                return Outcome(index, problem=ImageError(f"{name}: {problem}"))

        return progress(self._each(read, computed, len(photos)), "scoring", len(photos))

    def _each(self, read: Read, computed: Finish, count: int) -> Iterator[Outcome]:
        """Computes one photo after the other, while threads read those to come."""
        for index, image in enumerate(ahead(read, count, DEPTH)):
            yield computed(index, image)

    def _judged(self, image: np.ndarray) -> _Computed:
        return self.judge(image[None])[0], None

    @abc.abstractmethod
    def _open(self) -> Contract:
        """Opens the file and returns its `Contract`."""

    @abc.abstractmethod
    def _compute(self, images: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """What `run_for` returns, for images that were checked."""


def as_levels(images: np.ndarray) -> np.ndarray:
    """Refuses what is no batch of pictures.

    Args:
        images: uint8 array `(N, H, W, 3)`, or what can be made one without a change.

    Returns:
        the array.

    Raises:
        ValueError: if the images are something else.
    """
    try:
        images = np.asarray(images)
    except ValueError:  # a list of pictures of several sizes
        require_batch(images)
        raise
    require_batch(images)
    if images.dtype != np.uint8 or not images.size:
        raise ValueError(
            f"images: {BATCH}, uint8 levels 0 to 255. Received: {images.dtype} {images.shape}."
        )
    return images
