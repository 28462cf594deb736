"""Scores of many photos from a light runtime: read ahead in threads, judged one by one."""

import dataclasses

from reiqa_tf.image.reading import ImageError, read_image
from reiqa_tf.runtimes.errors import ArtifactError
from reiqa_tf.score import Score
from reiqa_tf.scoring.reading_ahead import ahead

_DEPTH = 4  # photos that are read before they are asked for


@dataclasses.dataclass(frozen=True)
class Judged:
    """What became of one photo: its score, or the reason why there is none.

    Attributes:
        index: place of the photo in the list.
        score: `Score`, or None.
        problem: the `ImageError`, or None.
    """

    index: int
    score: Score | None = None
    problem: ImageError | None = None


def compute_scores(scorer, photos):
    """Scores many photos, in memory that does not grow with their number.

    Photos are not batched, which would cost more: onnxruntime took 50 ms of one core for a photo
    of 384 x 512 px alone and 62 to 72 ms in batches of four.

    Args:
        scorer: an `OnnxScorer` or `LiteRTScorer`.
        photos: list of paths, or of the photos' bytes.

    Yields:
        one `Judged` for each photo, in the order of the list.

    Raises:
        MissingHeadError: if the scorer has no head.

    Example:
    ```python
    for judged in compute_scores(OnnxScorer("model.onnx"), ["a.jpg", "b.png"]):
        print(judged.index, judged.problem or judged.score)
    ```
    """

    def read(index):
        try:
            return read_image(photos[index], fit=scorer.working_size)
        except ImageError as problem:
            return problem

    for index, image in enumerate(ahead(read, len(photos), _DEPTH)):
        if isinstance(image, ImageError):
            yield Judged(index, problem=image)
        else:
            yield _judge(scorer, index, image, photos[index])


def _judge(scorer, index, image, photo):
    try:
        return Judged(index, scorer.judge(scorer.run(image[None]))[0])
    except ArtifactError as problem:
        name = "picture in memory" if isinstance(photo, bytes) else photo
        return Judged(index, problem=ImageError(f"{name}: {problem}"))
