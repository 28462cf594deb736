"""Explain photos: what computes it, and how it is opened."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from reiqa_tf.backend import import_tensorflow
from reiqa_tf.errors import ReiqaError
from reiqa_tf.explanation.diagnosis import Diagnosis, load_probe
from reiqa_tf.explanation.explanation import Explanation
from reiqa_tf.explanation.faults import FAMILY_NAMES
from reiqa_tf.image.reading import MAX_PIXELS, ImageError, photo_name, read_image
from reiqa_tf.presets import DEFAULT
from reiqa_tf.progress import Progress, silent
from reiqa_tf.runtimes.contract import DISTANCE, SCORE, SPREAD
from reiqa_tf.runtimes.errors import ArtifactError
from reiqa_tf.runtimes.explained import DIAGNOSIS, MAPS, PARTS, ExplainedOutputs
from reiqa_tf.runtimes.onnx_scorer import OnnxScorer
from reiqa_tf.runtimes.opening import open_fastest
from reiqa_tf.scoring.calibration import Calibration
from reiqa_tf.scoring.reading_ahead import ahead
from reiqa_tf.scoring.scorer import PhotoSource
from reiqa_tf.typing import PathLike

RUNTIMES = ("auto", "keras", "onnx")
"""What may compute explanations."""

_OUTPUTS = (SCORE, SPREAD, DISTANCE, PARTS, MAPS, DIAGNOSIS)
_DEPTH = 4  # photos that are read before they are asked for


class ExplainingError(ReiqaError):
    """A runtime that cannot explain. The message says why, and the way out."""


@dataclasses.dataclass(frozen=True)
class Explained:
    """What became of one photo.

    Attributes:
        index: place of the photo in the list.
        explanation: why it has its score; None where there is a problem.
        problem: why there is none, or None.
    """

    index: int
    explanation: Explanation | None = None
    problem: ReiqaError | None = None


@dataclasses.dataclass(frozen=True)
class Explainer:
    """Explains photos; `open_explainer` makes one.

    Attributes:
        runtime: what computes: `keras` or `onnx`.
        working_size: side in pixels of the square that larger photos are shrunk to, or None.
        calibration: what the scores mean.
        about: what the outputs are.
        compute: function from uint8 `(1, H, W, 3)` to the outputs, arrays by name.

    Example:
    ```python
    from reiqa_tf.explanation.explainer import open_explainer

    explainer = open_explainer()
    print(explainer.explain("photo.jpg").diagnosis.text)
    ```
    """

    runtime: str
    working_size: int | None
    calibration: Calibration
    about: ExplainedOutputs
    compute: Callable[[np.ndarray], dict[str, np.ndarray]]

    # What an album asks of whatever scores its photos.
    has_head = True
    higher_is_better = True

    @property
    def score_range(self) -> tuple[float, float]:
        """`(low, high)`, the scale of the scores."""
        return self.calibration.score_range

    @property
    def coverage(self) -> float:
        """Share of held-out photos whose score lay within the interval."""
        return self.calibration.coverage

    def explain(self, photo: PhotoSource, *, max_pixels: int = MAX_PIXELS) -> Explanation:
        """Explains the score of one photo.

        Args:
            photo: path, bytes of a file, array or `PIL.Image`, as `read_image` takes them.
            max_pixels: most pixels that a photo's file may have; see `read_image`.

        Returns:
            `Explanation`.

        Raises:
            ImageError: if the photo cannot be read.
        """
        picture = read_image(photo, self.working_size, max_pixels=max_pixels)
        return self.explain_picture(picture, photo_name(photo))

    def explain_many(
        self,
        photos: Sequence[PhotoSource],
        progress: Progress = silent,
        *,
        max_pixels: int = MAX_PIXELS,
    ) -> Iterator[Explained]:
        """Explains the scores of many photos, in memory that does not grow with their number.

        Args:
            photos: as in `explain`.
            progress: shows how far the work is.
            max_pixels: as in `explain`.

        Yields:
            one `Explained` for each photo, in the order of the list.
        """

        def read(index: int) -> tuple[str, np.ndarray] | ImageError:
            try:
                photo = photos[index]
                picture = read_image(photo, self.working_size, max_pixels=max_pixels)
                return photo_name(photo), picture
            except ImageError as problem:
                return problem

        found = progress(ahead(read, len(photos), _DEPTH), "explaining", len(photos))
        for index, entry in enumerate(found):
            if isinstance(entry, ImageError):
                yield Explained(index, problem=entry)
                continue
            name, picture = entry
            try:
                yield Explained(index, self.explain_picture(picture, name))
            except ArtifactError as problem:
                yield Explained(index, problem=ImageError(f"{name}: {problem}"))

    def explain_picture(self, picture: np.ndarray, name: str) -> Explanation:
        """Explains the score of a picture as the experts see it.

        Args:
            picture: uint8 array `(H, W, 3)`, RGB.
            name: what it is called.

        Returns:
            `Explanation`.
        """
        outputs = {key: values[0] for key, values in self.compute(picture[None]).items()}
        (score,) = self.calibration.judge([outputs[SCORE]], [outputs[SPREAD]], [outputs[DISTANCE]])
        probabilities, amounts = outputs[DIAGNOSIS].T
        about = self.about
        return Explanation(
            name=name,
            score=score,
            score_range=self.calibration.score_range,
            average=about.average_score,
            parts=dict(zip(about.parts, map(float, outputs[PARTS]), strict=True)),
            maps=dict(zip(about.maps, outputs[MAPS], strict=True)),
            diagnosis=Diagnosis.of(probabilities, amounts, np.array(about.thresholds)),
            picture=picture,
        )


def open_explainer(
    preset: PathLike = DEFAULT, runtime: str = "auto", threads: int | None = None
) -> Explainer:
    """Opens what explains a preset's scores.

    Args:
        preset: a folder, or the name of a preset that the package ships.
        runtime: `onnx` for the ONNX file of the preset, if it was exported with what explains its
            scores; `keras`, which needs TensorFlow and the preset's diagnosis; `auto` for ONNX
            where that can, else Keras.
        threads: number of threads that share the work on a photo; None takes all cores. Keras
            takes TensorFlow's own setting.

    Returns:
        `Explainer`.

    Raises:
        ValueError: if there is no such runtime.
        PresetError: if there is no such preset.
        MissingHeadError: if it has no head.
        ExplainingError: if ONNX was asked for and the preset's file explains nothing.
        DiagnosisError: if the preset has no diagnosis.
        MissingExtraError: if Keras is needed, and TensorFlow is not installed.
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"runtime: expected one of {', '.join(RUNTIMES)}. Received: {runtime!r}")
    if runtime != "keras":
        scorer, problems = open_fastest(preset, threads, runtimes=("onnx",))
        if isinstance(scorer, OnnxScorer) and (found := _of_artifact(scorer)) is not None:
            return found
        if runtime == "onnx":
            reason = f" ({problems[0]})" if problems else ""
            raise ExplainingError(
                f"{preset}: has no ONNX file that explains its scores{reason}. Make one: reiqa "
                f"export --preset {preset} --format onnx, after reiqa fit-diagnosis"
            )
    probe = load_probe(preset)
    import_tensorflow(f"{preset}: has no ONNX file that explains its scores, and Keras")
    from reiqa_tf.explanation.graph import about_outputs, compiled_outputs
    from reiqa_tf.models.scorer import load_preset

    loaded = load_preset(preset)
    calibration = loaded.fitted_head().calibration
    about, compute = about_outputs(loaded, probe), compiled_outputs(loaded, probe)
    return Explainer("keras", loaded.working_size, calibration, about, compute)


def _of_artifact(scorer: OnnxScorer) -> Explainer | None:
    about = scorer.contract.explained
    if about is None or about.families != FAMILY_NAMES or not scorer.has_outputs(_OUTPUTS):
        return None
    return Explainer(
        runtime="onnx",
        working_size=scorer.working_size,
        calibration=scorer.contract.fitted_head(),
        about=about,
        compute=lambda images: scorer.run_for(images, _OUTPUTS),
    )


def explain(
    photo: PhotoSource,
    preset: PathLike = DEFAULT,
    runtime: str = "auto",
    *,
    max_pixels: int = MAX_PIXELS,
) -> Explanation:
    """Explains the score of one photo; for more, `open_explainer` opens the preset once.

    Args:
        photo: path, bytes of a file, array or `PIL.Image`, as `read_image` takes them.
        preset: as in `open_explainer`.
        runtime: as in `open_explainer`.
        max_pixels: most pixels that a photo's file may have; see `read_image`.

    Returns:
        `Explanation`: the score, which parts and places it is the sum of, and a diagnosis.

    Raises:
        ImageError: if the photo cannot be read.
        ReiqaError: as in `open_explainer`.

    Example:
    ```python
    import reiqa_tf

    why = reiqa_tf.explain("photo.jpg")
    print(float(why.score), why.average, why.parts_by("expert", "size"))
    print(why.diagnosis.text)
    ```
    """
    return open_explainer(preset, runtime).explain(photo, max_pixels=max_pixels)
