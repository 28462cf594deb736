"""The fastest runtime that computes a preset's features here."""

from __future__ import annotations

from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.runtimes.errors import MissingFeaturesError
from reiqa_tf.runtimes.onnx_scorer import OnnxScorer
from reiqa_tf.runtimes.opening import open_fastest
from reiqa_tf.scoring.features import FeatureScorer
from reiqa_tf.typing import PathLike


def fastest_features(preset: PathLike | ReIQAScorer, encoders: ReIQAScorer) -> FeatureScorer:
    """Opens what computes a preset's features fastest: its ONNX file, or else Keras.

    Both give the same features within 2e-5 of their length, so that one cache serves both.

    Args:
        preset: whose features are asked for: a folder, the name of a shipped preset, or a scorer,
            which has no file.
        encoders: the preset's scorer, with or without its head.

    Returns:
        a scorer of features. Keras where there is no ONNX file of these weights that gives
        features, where onnxruntime is not installed, and where Keras computes in less than float32.

    Example:
    ```python
    import reiqa_tf
    from reiqa_tf.fitting.fast_features import fastest_features
    from reiqa_tf.scoring.features import feature_table

    preset = "content_lite0_biq2021"
    fastest = fastest_features(preset, reiqa_tf.load_preset(preset))
    features, _ = feature_table(fastest, ["photo.jpg"])
    ```
    """
    if isinstance(preset, ReIQAScorer) or not _is_float32(encoders):
        return encoders
    found, _ = open_fastest(preset, runtimes=("onnx",))
    if not isinstance(found, OnnxScorer) or found.working_size != encoders.working_size:
        return encoders
    try:
        count = found.feature_count
    except MissingFeaturesError:
        return encoders
    return found if count == encoders.feature_count else encoders


def _is_float32(scorer: ReIQAScorer) -> bool:
    return all(expert.backbone.compute_dtype == "float32" for expert in scorer.experts().values())
