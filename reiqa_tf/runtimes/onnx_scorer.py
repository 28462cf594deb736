"""A `.onnx` file in onnxruntime."""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reiqa_tf.image.reading import MAX_PIXELS, MINIMUM_SIDE
from reiqa_tf.progress import Progress, silent
from reiqa_tf.runtimes.artifact_scorer import DEPTH, ArtifactScorer, Finish, Read, as_levels
from reiqa_tf.runtimes.contract import FEATURES, IMAGES, Contract
from reiqa_tf.runtimes.errors import ArtifactError, MissingFeaturesError, MissingRuntimeError
from reiqa_tf.runtimes.explained import EXPLAINING
from reiqa_tf.runtimes.kept_sessions import WORTH_KEEPING, open_kept
from reiqa_tf.runtimes.manifest import artifact_digest, read_artifact
from reiqa_tf.runtimes.native_head import HEAD, NATIVE_SIZE, NativeHead
from reiqa_tf.scoring.native_size import native_features
from reiqa_tf.scoring.reading_ahead import ahead
from reiqa_tf.scoring.score import Score
from reiqa_tf.scoring.scorer import Outcome, PhotoSource
from reiqa_tf.typing import PathLike

if TYPE_CHECKING:
    from reiqa_tf.scoring.features import ComputeFeatures

_FATAL = 4  # onnxruntime's level of its log; what is less than fatal is raised as well

_AT_A_TIME = 4
"""Photos that are computed side by side at most: their maps are in memory at a time."""

_MANY = 16
"""Photos of a list from which on a second session pays: it is opened in the time of some ten."""


class OnnxScorer(ArtifactScorer):
    """Scores photos with an exported `.onnx` file, without TensorFlow.

    Args:
        path: the file, as `reiqa export --format onnx` writes it. If its `manifest.json` stands
            beside it, the file must be as that says.
        threads: number of threads; None takes all cores. They share the work on a photo, and of
            many photos each has some for itself.
        keep: whether to keep the graph as onnxruntime has prepared it in the user's cache folder,
            so that the next process opens it sooner; see `kept_sessions`.

    Raises:
        MissingRuntimeError: if onnxruntime is not installed.
        ArtifactError: if the file is missing, damaged or foreign.

    Example:
    ```python
    import numpy as np
    from reiqa_tf import OnnxScorer, read_image
    from reiqa_tf.presets.folders import preset_folder

    scorer = OnnxScorer(preset_folder("content_lite0_biq2021") / "exports" / "model.onnx")
    scorer.score("photo.jpg")  # such as Score(0.61, low=0.37, high=0.85, familiar=True)
    images = np.stack([read_image("photo.jpg", fit=128)])
    scorer.predict(images)  # (N,) scores of uint8 (N, H, W, 3)
    scorer.features(images)  # (N, F), what the scores are made of
    ```
    """

    runtime = "onnx"

    def __init__(self, path: PathLike, threads: int | None = None, keep: bool = False) -> None:
        self._keep = keep
        self._at_a_time = 1
        super().__init__(path, threads)

    def _open(self) -> Contract:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingRuntimeError(
                f"onnxruntime cannot be imported ({error}). Install it: pip install onnxruntime"
            ) from None
        try:
            self._session = self._new_session()
            entries = _from_json(self._session.get_modelmeta().custom_metadata_map)
            # Names that are no text are refused here as well.
            outputs = {tensor.name: tensor.shape for tensor in self._session.get_outputs()}
            inputs = [
                (tensor.name, tensor.type, len(tensor.shape))
                for tensor in self._session.get_inputs()
            ]
        except ArtifactError:
            raise
        except Exception as error:  # any type: onnxruntime's own derive from Exception alone
            raise ArtifactError(
                f"{self.path}: not a model that onnxruntime {onnxruntime.__version__} can load "
                f"({_in_a_line(error)})."
            ) from None
        contract = Contract.read(entries, self.path)
        # Older versions wrote no features beside the scores.
        may_be = {*contract.outputs, FEATURES, HEAD, *EXPLAINING}
        known = set(contract.outputs) <= set(outputs) <= may_be
        if not known or inputs != [(IMAGES, "tensor(uint8)", 4)]:
            raise ArtifactError(
                f"{self.path}: expected the input images, uint8 (N, H, W, 3), and the outputs "
                f"{', '.join(contract.outputs)}. Received: {inputs} and {sorted(outputs)}"
            )
        self._outputs = frozenset(outputs)
        self._native: NativeHead | None = None
        self._feature_count = int(outputs[FEATURES][-1]) if FEATURES in outputs else None
        native = NativeHead.read(entries.get(NATIVE_SIZE))
        is_whole = HEAD in outputs or contract.head is None
        if native is not None and native.feature_count == self._feature_count and is_whole:
            self._native = native
        return contract

    def _new_session(self) -> Any:
        return self._begin_kept() if self._keep else self._begin(self._contents())

    @functools.cached_property
    def _beside(self) -> OnnxScorer:
        """This scorer with fewer threads for a photo, for several photos at a time.

        The problem: threads that share a photo wait for each other at each of its hundreds of
        operators. On two cores, photos of a core each came 1.2 times as fast (perf/runtimes.py);
        their scores are the same to the last bit.
        """
        cores = self.threads or os.cpu_count() or 1
        if cores == 1:
            return self
        beside = copy.copy(self)
        beside._at_a_time = min(_AT_A_TIME, cores)
        beside.threads = cores // beside._at_a_time
        beside._session = beside._new_session()
        return beside

    def _contents(self) -> bytes:
        return read_artifact(self.path)

    def _begin_kept(self) -> Any:
        import onnxruntime

        digest = artifact_digest(self.path)
        if digest is None or os.path.getsize(self.path) < WORTH_KEEPING:
            return self._begin(self._contents())
        return open_kept(f"{digest[:32]}-{onnxruntime.__version__}", self._contents, self._begin)

    def _begin(
        self, source: bytes | str, optimized_path: PathLike | None = None, is_prepared: bool = False
    ) -> Any:
        """A session of a file's bytes, or of a path; see `open_kept`."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = _FATAL
        options.intra_op_num_threads = self.threads or 0
        # Idle threads would wait in circles: on a busy machine up to 1.8 times the processor time,
        # and no photo sooner.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if optimized_path is not None:
            options.optimized_model_filepath = os.fspath(optimized_path)
        if is_prepared:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])

    @property
    def feature_count(self) -> int:
        """Number of features of one photo.

        Raises:
            MissingFeaturesError: if the file is of an older version, which gave scores alone.
        """
        if self._feature_count is None:
            raise MissingFeaturesError(
                f"{self.path}: gives scores alone. To have features as well, export the preset "
                f"again: reiqa export --preset {self.contract.preset} --format onnx"
            )
        return self._feature_count

    def features(self, images: np.ndarray) -> np.ndarray:
        """Computes the features of a batch of photos; it takes as long as their scores do.

        Args:
            images: uint8 array `(N, H, W, 3)`, RGB.

        Returns:
            float32 array `(N, feature_count)`, as `ReIQAScorer.features` computes them.

        Raises:
            ValueError: if the images are something else.
            MissingFeaturesError: as `feature_count`.
            ArtifactError: if the runtime fails.
        """
        return self.compile_features()(images)

    def require_native_size(self) -> NativeHead:
        """What is needed to score photos at their own size.

        Raises:
            MissingFeaturesError: if the file is of an older version.
        """
        if self._native is None:
            raise MissingFeaturesError(
                f"{self.path}: takes photos at the working size alone. For their own size, export "
                f"the preset again: reiqa export --preset {self.contract.preset} --format onnx"
            )
        return self._native

    def native_features(
        self,
        photo: PhotoSource,
        compute: ComputeFeatures | None = None,  # noqa: ARG002
        *,
        max_pixels: int = MAX_PIXELS,
    ) -> np.ndarray:
        """Features of a photo at its own size; see `reiqa_tf.scoring.native_size`.

        Args:
            photo: path, bytes of a file, array or `PIL.Image`, as `read_image` takes them.
            compute: as of a scorer that compiles; there is nothing to compile here.
            max_pixels: most pixels that a photo's file may have; see `read_image`.

        Returns:
            float32 array `(feature_count,)`.

        Raises:
            ImageError: if the photo cannot be read.
            MissingFeaturesError: if the file is of an older version.
            ArtifactError: if the runtime fails.
        """
        native = self.require_native_size()
        return native_features(photo, self._features_of_each, native.blocks, max_pixels)

    def _features_of_each(
        self, picture: Callable[[int], np.ndarray], count: int
    ) -> Iterator[np.ndarray]:
        return (row[FEATURES][0] for row in self._run_each(picture, count, [FEATURES]))

    def judge_features(self, features: np.ndarray) -> list[Score]:
        """Scores, with interval and familiarity, from features.

        Args:
            features: array `(N, feature_count)`.

        Returns:
            list of N `Score`.

        Raises:
            MissingHeadError: if the scorer has no head.
            MissingFeaturesError: if the file is of an older version.
        """
        calibration = self.contract.fitted_head()
        return calibration.judge(*self.require_native_size().judge(features, self._kernels))

    @functools.cached_property
    def _kernels(self) -> np.ndarray:
        # Constants of the graph; what is computed beside is of the smallest picture.
        smallest = np.zeros((1, MINIMUM_SIDE, MINIMUM_SIDE, 3), np.uint8)
        return self._compute(smallest, [HEAD])[HEAD]

    def score(
        self, photo: PhotoSource, native_size: bool = False, *, max_pixels: int = MAX_PIXELS
    ) -> Score:
        """Scores one photo.

        Args:
            photo: path, bytes of a file, array or `PIL.Image`, as `read_image` takes them.
            native_size: whether the photo is scored as it is, cut into tiles where it is large,
                instead of being brought to `working_size` first.
            max_pixels: most pixels that a photo's file may have; see `read_image`.

        Returns:
            `Score`.

        Raises:
            ImageError: if the photo cannot be read.
            MissingHeadError: if the scorer has no head.
            MissingFeaturesError: at native size, if the file is of an older version.
        """
        self.contract.fitted_head()
        if native_size:
            return self.judge_features(self.native_features(photo, max_pixels=max_pixels)[None])[0]
        return super().score(photo, max_pixels=max_pixels)

    def score_many(
        self,
        photos: Sequence[PhotoSource],
        progress: Progress = silent,
        with_features: bool = False,
        native_size: bool = False,
        *,
        max_pixels: int = MAX_PIXELS,
    ) -> Iterator[Outcome]:
        """Scores many photos, in memory that does not grow with their number.

        Args:
            photos: paths of the photos, bytes of their files, arrays or pictures; see `read_image`.
            progress: shows how far the work is.
            with_features: whether outcomes have the features as well; of encoders without a head
                they have nothing else.
            native_size: as in `score`.
            max_pixels: most pixels that a photo's file may have; see `read_image`.

        Returns:
            iterator over one `Outcome` for each photo, in the order of the list.

        Raises:
            MissingHeadError: if scores alone are asked for and the scorer has no head.
            MissingFeaturesError: as `feature_count`.
        """
        if native_size:
            self.require_native_size()
            if not with_features:
                self.contract.fitted_head()
            from reiqa_tf.scoring.features import compute_native_features

            outcomes = compute_native_features(self, photos, max_pixels)
            return map(self._with_score, progress(outcomes, "scoring", len(photos)))
        scorer = self._beside if len(photos) >= _MANY else self
        if not with_features:
            self.contract.fitted_head()
            return scorer._outcomes(photos, progress, max_pixels, scorer._judged)
        _ = self.feature_count
        return scorer._outcomes(photos, progress, max_pixels, scorer._with_features)

    def _each(self, read: Read, computed: Finish, count: int) -> Iterator[Outcome]:
        if self._at_a_time == 1:
            return super()._each(read, computed, count)
        return ahead(lambda index: computed(index, read(index)), count, DEPTH, self._at_a_time)

    def _with_score(self, outcome: Outcome) -> Outcome:
        if outcome.features is None or not self.has_head:
            return outcome
        score = self.judge_features(outcome.features[None])[0]
        return dataclasses.replace(outcome, score=score)

    def _with_features(self, image: np.ndarray) -> tuple[Score | None, np.ndarray]:
        names = list(dict.fromkeys((*self.contract.outputs, FEATURES)))
        outputs = self._compute(image[None], names)
        score = self._scores(outputs)[0] if self.has_head else None
        return score, outputs[FEATURES][0]

    def compile_features(self) -> ComputeFeatures:
        """Checks that there are features; nothing is left to compile.

        Returns:
            function from uint8 `(N, H, W, 3)` to a float32 array `(N, feature_count)`.

        Raises:
            MissingFeaturesError: as `feature_count`.
        """
        _ = self.feature_count
        return lambda images: self._compute(as_levels(images), [FEATURES])[FEATURES]

    def has_outputs(self, names: Sequence[str]) -> bool:
        """Whether the file has all of these outputs.

        Args:
            names: of outputs.
        """
        return self._outputs.issuperset(names)

    def _compute(self, images: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        if len(images) == 1:
            return self._run(images, names)
        # A photo alone costs less than its share of a batch, and several go side by side.
        rows = list(self._run_each(images.__getitem__, len(images), names))
        return {name: np.concatenate([row[name] for row in rows]) for name in names}

    def _run_each(
        self, picture: Callable[[int], np.ndarray], count: int, names: Sequence[str]
    ) -> Iterator[dict[str, np.ndarray]]:
        """Outputs of pictures by number, side by side where there are several."""
        scorer = self._beside if count > 1 else self

        def run(number: int) -> dict[str, np.ndarray]:
            return scorer._run(picture(number)[None], names)

        return ahead(run, count, DEPTH, scorer._at_a_time)

    def _run(self, images: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        try:
            return dict(zip(names, self._session.run(list(names), {IMAGES: images}), strict=True))
        except Exception as error:  # as above
            raise ArtifactError(
                f"{self.path}: fails for pictures of the shape {images.shape} "
                f"({_in_a_line(error)})."
            ) from None


def _from_json(texts: Mapping[str, str]) -> dict[str, Any]:
    """The values that are JSON; others' entries may be anything and are left out."""
    values = {}
    for name, text in texts.items():
        try:
            values[name] = json.loads(text)
        except (ValueError, RecursionError):
            continue
    return values


def _in_a_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
