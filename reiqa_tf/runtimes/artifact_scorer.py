"""What the scorers of all light runtimes share: photos in, scores out, no Keras."""

import abc

import numpy as np

from reiqa_tf.image.reading import read_image
from reiqa_tf.runtimes.contract import DISTANCE, SCORE
from reiqa_tf.score import MissingHeadError, with_intervals


class ArtifactScorer(abc.ABC):
    """A scorer made of an exported file; it answers what `ReIQAScorer` does.

    Args:
        path: the file. If a `manifest.json` stands beside it, the file must be as that says.
        threads: number of threads that share the work on a photo; None takes all cores.

    Raises:
        ValueError: if `threads` is no such number.
        MissingRuntimeError: if the runtime's package is not installed.
        ArtifactError: if the file is missing, damaged or foreign.
    """

    runtime: str
    """Name of the runtime; given by each class below."""

    higher_is_better = True

    def __init__(self, path, threads=None):
        if threads is not None and not (isinstance(threads, int) and threads >= 1):
            raise ValueError(f"threads: expected 1 or more, or None. Received: {threads!r}")
        self.path = path
        self.threads = threads
        self.contract = self._open()

    @property
    def working_size(self):
        """Side in pixels of the square that larger photos are shrunk to, or None."""
        return self.contract.working_size

    @property
    def has_head(self):
        """Whether the scorer answers scores, not features alone."""
        return self.contract.score_range is not None

    @property
    def score_range(self):
        """`(low, high)`, the scale of the scores."""
        return self._with_head().score_range

    @property
    def coverage(self):
        """Share of held-out photos whose score lay within the interval."""
        return self._with_head().coverage

    def run(self, images):
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
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or not images.size:
            raise ValueError(
                "images: expected levels 0 to 255, uint8 (N, H, W, 3). "
                f"Received: {images.dtype} {images.shape}"
            )
        return self._run(images)

    def predict(self, images):
        """Scores a batch of photos.

        Args:
            images: as in `run`.

        Returns:
            float32 array `(N,)`.

        Raises:
            MissingHeadError: if the scorer has no head.
        """
        self._with_head()
        return self.run(images)[SCORE]

    def judge(self, answers):
        """Scores, with interval and familiarity, from what `run` answered.

        Args:
            answers: dictionary with `score` and `distance`.

        Returns:
            list of N `Score`.

        Raises:
            MissingHeadError: if the scorer has no head.
        """
        contract = self._with_head()
        return with_intervals(
            answers[SCORE],
            answers[DISTANCE],
            contract.score_range,
            contract.margin,
            contract.distance_limit,
        )

    def score_file(self, path):
        """Scores one photo.

        Args:
            path: path of the photo, or its bytes.

        Returns:
            `Score`.

        Raises:
            ImageError: if the photo cannot be read.
            MissingHeadError: if the scorer has no head.
        """
        self._with_head()
        return self.judge(self.run(read_image(path, fit=self.working_size)[None]))[0]

    @abc.abstractmethod
    def _open(self):
        """Opens the file and answers its `Contract`."""

    @abc.abstractmethod
    def _run(self, images):
        """What `run` answers, for images that were checked."""

    def _with_head(self):
        if not self.has_head:
            raise MissingHeadError
        return self.contract
