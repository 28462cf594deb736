"""The scorer: a content expert, a quality expert, and one linear head over both."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from reiqa_tf.image.reading import MAX_PIXELS, read_image
from reiqa_tf.image.scaling import require_unit_range
from reiqa_tf.image.shapes import require_batch
from reiqa_tf.models import efficientnet_lite, resnet  # noqa: F401  presets may name them
from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.head import LinearHead
from reiqa_tf.models.inference import compiled
from reiqa_tf.presets.folders import PresetError
from reiqa_tf.presets.storage import load_model, save_model, storable
from reiqa_tf.progress import Progress, silent
from reiqa_tf.scoring.cache import FeatureCache
from reiqa_tf.scoring.calibration import Calibration
from reiqa_tf.scoring.features import ComputeFeatures, compute_features, compute_native_features
from reiqa_tf.scoring.native_size import FeatureBlock, in_turn, native_features
from reiqa_tf.scoring.score import MissingHeadError, Score
from reiqa_tf.scoring.scorer import Outcome, PhotoSource
from reiqa_tf.typing import PathLike, Shape, Tensor


@storable
class ReIQAScorer(keras.Model):
    """Judges photos without a reference.

    `scorer(images)` computes scores, `scorer.features(images)` the features they are made of:
    those of the content expert, then those of the quality expert.

    Args:
        content: the content-aware `ReIQAEncoder`, or None.
        quality: the quality-aware `ReIQAEncoder`, or None; one of the two must be given.
        head: the `LinearHead`, or None for encoders that wait for `reiqa fit`.
        working_size: side in pixels of the square that photos were brought into when the head was
            fitted. Larger photos are shrunk to it before they are scored, smaller ones are never
            enlarged. None takes every photo as it is, as the paper does.
        name: name of the model.
        **kwargs: further arguments of `keras.Model`.

    Raises:
        ValueError: if both experts are None, or one is no `ReIQAEncoder`.

    Example:
    ```python
    import numpy as np
    from reiqa_tf import ReIQAScorer, read_image

    scorer = ReIQAScorer.from_preset("content_lite0_biq2021")
    scorer.score("photo.jpg")  # such as Score(0.61, low=0.37, high=0.85, familiar=True)
    images = np.stack([read_image("photo.jpg", fit=64)])
    scorer.predict(images)  # (N,) scores of a batch, uint8 or floats in [0, 1]

    scorer.compile(optimizer="adam", loss="mse")  # fine-tune on your own photos
    scorer.fit(images, np.array([0.7]))
    ```

    Reference:
        Saha, Mishra, Bovik, Re-IQA: Unsupervised Learning for Image Quality Assessment in the
        Wild, CVPR 2023 (arXiv 2304.00451).
    """

    higher_is_better = True
    runtime = "keras"

    def __init__(
        self,
        content: ReIQAEncoder | None = None,
        quality: ReIQAEncoder | None = None,
        head: LinearHead | None = None,
        working_size: int | None = None,
        name: str = "scorer",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, autocast=False, **kwargs)
        for expert, encoder in (("content", content), ("quality", quality)):
            if encoder is not None and not isinstance(encoder, ReIQAEncoder):
                raise ValueError(
                    f"{expert}: expected a ReIQAEncoder or None. Received: {encoder!r}"
                )
        if content is None and quality is None:
            raise ValueError("expected a content or a quality encoder, or both. Received: neither")
        if head is not None and not isinstance(head, LinearHead):
            raise ValueError(f"head: expected a LinearHead or None. Received: {head!r}")
        if working_size is not None and not (isinstance(working_size, int) and working_size >= 32):
            raise ValueError(
                "working_size: expected pixels, a whole number from 32 up, or None. "
                f"Received: {working_size!r}"
            )
        self.content = content
        self.quality = quality
        self.head = head
        self.working_size = working_size

    # A method, not a property: Keras saves what it finds among the values of a model's attributes.
    def experts(self) -> dict[str, ReIQAEncoder]:
        """The encoders by name, in the order of their features."""
        both = {"content": self.content, "quality": self.quality}
        return {name: encoder for name, encoder in both.items() if encoder is not None}

    @property
    def feature_count(self) -> int:
        """Number of features of one photo."""
        return sum(encoder.feature_count for encoder in self.experts().values())

    @property
    def feature_blocks(self) -> tuple[FeatureBlock, ...]:
        """What the features are, in their order; see `reiqa_tf.scoring.native_size`."""
        experts = self.experts().values()
        return tuple(block for encoder in experts for block in encoder.feature_blocks)

    @property
    def feature_order(self) -> dict[str, list[int]]:
        """What stands where among the features: `{expert: [first, past the last]}`."""
        order, start = {}, 0
        for name, encoder in self.experts().items():
            order[name] = [start, start + encoder.feature_count]
            start += encoder.feature_count
        return order

    @property
    def has_head(self) -> bool:
        """Whether there is a head, so that there are scores, not features alone."""
        return self.head is not None

    @property
    def score_range(self) -> tuple[float, float]:
        """`(low, high)`, the scale of the scores; see `LinearHead`."""
        return self.fitted_head().score_range

    @property
    def coverage(self) -> float:
        """Share of held-out photos whose score lay within the interval; see `LinearHead`."""
        return self.fitted_head().coverage

    def build(self, input_shape: Shape) -> None:
        """Creates the weights for images of `input_shape`, `(N, H, W, 3)`."""
        for encoder in self.experts().values():
            if not encoder.built:
                encoder.build(input_shape)
        if self.head is not None and not self.head.built:
            self.head.build((None, self.feature_count))

    def __call__(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        """`call`, after a look at the images: their shape, and the values of a NumPy array."""
        require_batch(images)
        require_unit_range(images)
        return super().__call__(images, *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Keras's `predict`, after a look at the images as in `__call__`."""
        require_batch(x)
        require_unit_range(x)
        return super().predict(x, *args, **kwargs)

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Keras's `fit`, after which interval and familiarity are unknown.

        They were measured with the weights as they were. `reiqa_tf.recalibrate` measures them anew
        on photos that were not trained on.
        """
        try:
            return super().fit(*args, **kwargs)
        finally:  # an interrupted fit has moved the weights, too
            self._forget_calibration()

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Keras's `train_on_batch`, after which interval and familiarity are unknown; see `fit`."""
        try:
            return super().train_on_batch(*args, **kwargs)
        finally:
            self._forget_calibration()

    def _forget_calibration(self) -> None:
        if self.head is not None:
            self.head.calibration = Calibration.unknown(self.head.score_range)

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Computes the scores of a batch of photos.

        Args:
            images: `(N, H, W, 3)`, RGB, floats in [0, 1] or integer levels 0 to 255.
            training: whether batch normalisation uses the statistics of the batch.

        Returns:
            float32 tensor `(N,)`; higher is better.

        Raises:
            MissingHeadError: if the scorer has no head.
        """
        return self.fitted_head()(self.features(images, training=training))

    def features(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Computes the features of a batch of photos: content, then quality.

        Args:
            images: as in `call`.
            training: as in `call`.

        Returns:
            float32 tensor `(N, feature_count)`.

        Raises:
            ValueError: if the images have another shape, or are floats above 1.
        """
        require_batch(images)
        require_unit_range(images)
        return ops.concatenate(
            [encoder(images, training=training) for encoder in self.experts().values()], axis=-1
        )

    def judge_features(self, features: np.ndarray) -> list[Score]:
        """Scores, with interval and familiarity, from features.

        Args:
            features: array `(N, feature_count)`.

        Returns:
            list of N `Score`.

        Raises:
            MissingHeadError: if the scorer has no head.
        """
        head = self.fitted_head()
        return head.calibration.judge(
            *(
                ops.convert_to_numpy(numbers)
                for numbers in (head(features), head.spread(features), head.distance(features))
            )
        )

    def judge(self, images: np.ndarray) -> list[Score]:
        """Scores a batch of pictures, with interval and familiarity.

        Args:
            images: as in `call`.

        Returns:
            list of N `Score`.

        Raises:
            MissingHeadError: if the scorer has no head.
            ValueError: if the images are floats above 1.
        """
        self.fitted_head()
        return self.judge_features(self.features(images, training=False))

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
        """
        self.fitted_head()
        if native_size:
            return self.judge_features(self.native_features(photo, max_pixels=max_pixels)[None])[0]
        return self.judge(read_image(photo, self.working_size, max_pixels=max_pixels)[None])[0]

    def score_many(
        self,
        photos: Sequence[PhotoSource],
        progress: Progress = silent,
        native_size: bool = False,
        cache: FeatureCache | None = None,
        *,
        max_pixels: int = MAX_PIXELS,
    ) -> Iterator[Outcome]:
        """Scores many photos, in memory that does not grow with their number.

        Photos of one size are computed together; weights that change meanwhile are not looked at.

        Args:
            photos: paths of the photos, bytes of their files, arrays or pictures; see `read_image`.
            progress: shows how far the work is.
            native_size: as in `score`.
            cache: an open `FeatureCache`, or None. Features at native size are not cached.
            max_pixels: most pixels that a photo's file may have; see `read_image`.

        Returns:
            iterator over one `Outcome` with score and features for each photo, in the order in
            which they are finished.

        Raises:
            MissingHeadError: if the scorer has no head.

        Example:
        ```python
        import reiqa_tf

        scorer = reiqa_tf.load_preset("content_lite0_biq2021")
        for outcome in scorer.score_many(["photo.jpg"]):
            print(outcome.index, outcome.problem or outcome.score)
        ```
        """
        self.fitted_head()
        outcomes = (
            compute_native_features(self, photos, max_pixels)
            if native_size
            else compute_features(self, photos, cache, max_pixels=max_pixels)
        )
        return map(self._with_score, progress(outcomes, "scoring", len(photos)))

    def _with_score(self, outcome: Outcome) -> Outcome:
        if outcome.features is None:
            return outcome
        score = self.judge_features(outcome.features[None])[0]
        return dataclasses.replace(outcome, score=score)

    def compile_features(self) -> ComputeFeatures:
        """Compiles `features` for inference; see `reiqa_tf.models.inference.compiled`."""
        return compiled(self)

    def native_features(
        self,
        photo: PhotoSource,
        compute: ComputeFeatures | None = None,
        *,
        max_pixels: int = MAX_PIXELS,
    ) -> np.ndarray:
        """Features of a photo at its own size; see `reiqa_tf.scoring.native_size`.

        Args:
            photo: path, bytes of a file, array or `PIL.Image`, as `read_image` takes them.
            compute: function from uint8 `(1, H, W, 3)` to features `(1, feature_count)`; the
                default is `features`.
            max_pixels: most pixels that a photo's file may have; see `read_image`.

        Returns:
            float32 array `(feature_count,)`.

        Raises:
            ImageError: if the photo cannot be read.
        """
        compute = self.features if compute is None else compute
        return native_features(photo, in_turn(compute), self.feature_blocks, max_pixels)

    @classmethod
    def from_preset(cls, preset: PathLike, dtype: str | None = None) -> ReIQAScorer:
        """Loads a scorer from a preset; see `load_preset`."""
        return load_preset(preset, dtype)

    def save_to_preset(self, folder: PathLike, half_precision: bool = False, **about: Any) -> None:
        """Saves the scorer as a preset; see `save_preset`."""
        save_preset(self, folder, half_precision, **about)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this scorer again."""
        parts = {"content": self.content, "quality": self.quality, "head": self.head}
        return {
            **super().get_config(),
            **{
                name: None if part is None else keras.saving.serialize_keras_object(part)
                for name, part in parts.items()
            },
            "working_size": self.working_size,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ReIQAScorer:
        """Makes a scorer from what `get_config` returned."""
        fitted = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("content", "quality", "head")
            if config[name] is not None
        }
        return cls(**{**config, **fitted})

    def fitted_head(self) -> LinearHead:
        """The head.

        Raises:
            MissingHeadError: if there is none.
        """
        if self.head is None:
            raise MissingHeadError
        return self.head


def load_preset(preset: PathLike, dtype: str | None = None) -> ReIQAScorer:
    """Loads a scorer.

    Args:
        preset: a folder written by `save_preset`, or the name of a preset that the package ships
            (`./name` is a folder of that name).
        dtype: dtype policy of the backbones, such as `"mixed_bfloat16"`. None takes the one that
            `keras.config.set_dtype_policy` set, or if that is float32, the one that they were saved
            with. Scaling, pooling and the head are computed in float32 anyway.

    Returns:
        `ReIQAScorer`, built, with its weights.

    Raises:
        PresetError: if there is no such preset, or if it is damaged or names foreign classes.

    Example:
    ```python
    import reiqa_tf

    scorer = reiqa_tf.load_preset("content_lite0_biq2021")
    half = reiqa_tf.load_preset("content_lite0_biq2021", dtype="mixed_bfloat16")
    ```
    """
    scorer = load_model(preset, dtype)
    if not isinstance(scorer, ReIQAScorer):
        raise PresetError(f"{preset}: expected a ReIQAScorer. Received: {type(scorer).__name__}")
    return scorer


def save_preset(
    scorer: ReIQAScorer,
    folder: PathLike,
    half_precision: bool = False,
    **about: Any,
) -> None:
    """Saves a scorer as a preset, whole or not at all.

    Args:
        scorer: a built `ReIQAScorer`.
        folder: the folder to make. An older preset in its place is replaced; any other folder
            that is not empty is refused.
        half_precision: whether the encoders' weights are stored as float16, which halves the
            file. (They are computed with in float32 either way; the head is always stored in
            float32.)
        **about: further entries of `metadata.json`, anything JSON can hold, such as
            `description`, `data`, `metrics`, `license`.

    Raises:
        PresetError: if `folder` is in the way, or cannot be written.

    Example:
    ```python
    import reiqa_tf

    scorer = reiqa_tf.load_preset("content_lite0_biq2021")
    reiqa_tf.save_preset(scorer, "my_preset", data="my photos", license="CC-BY-4.0")
    ```
    """
    save_model(scorer, folder, half_precision, about)
