"""What a consumer of an artifact must know beside its graph, as one flat dictionary."""

from reiqa_tf.version import __version__

IMAGES = "images"
"""Name of the input: uint8 RGB `(N, H, W, 3)`, as decoded, nothing subtracted or divided."""

IMAGE_BYTES = "image_bytes"
"""Name of the input that takes whole files: strings `(N,)`, JPEG or PNG."""

SCORE = "score"
"""Name of the output with the scores: float32 `(N,)`, higher is better."""

DISTANCE = "distance"
"""Name of the output that says how unfamiliar photos are: float32 `(N,)`; see `LinearHead`."""

FEATURES = "features"
"""Name of the output of a preset without a head: float32 `(N, feature_count)`."""


def output_names(scorer):
    """Names of what an artifact of a scorer answers.

    Args:
        scorer: a `ReIQAScorer`.

    Returns:
        tuple of names, in the order of the artifact's outputs.
    """
    return (FEATURES,) if scorer.head is None else (SCORE, DISTANCE)


def contract(scorer, preset_name, weights_sha256, about=None):
    """Says what a consumer needs to use an artifact without the preset that it was made of.

    The dictionary stands in ONNX `metadata_props` and in the TFLite metadata (each value as JSON)
    and in `manifest.json`.

    Args:
        scorer: a built `ReIQAScorer`.
        preset_name: name of its preset.
        weights_sha256: hexadecimal SHA-256 of the preset's `model.weights.h5`.
        about: the preset's metadata, of which `description` and `license` are taken, or None.

    Returns:
        flat dictionary from names to texts, numbers and booleans:

        - `producer`, `preset`, `weights_sha256`, and `description` and `license` if known;
        - `outputs`: names of the outputs, separated by commas;
        - `feature_count`;
        - `working_size`: side in pixels of the square into which larger photos are shrunk before
          they are scored; missing where photos are taken as they are;
        - with a head also `score_low`, `score_high` (the scale), `higher_is_better`, `margin` (half
          the interval around a score), `coverage` (of that interval) and `distance_limit` (above
          it a photo is unfamiliar).

    Example:
    ```python
    metadata = read_metadata("content_lite0_biq2021")
    known = contract(scorer, "content_lite0_biq2021", metadata["sha256"]["model.weights.h5"])
    known["score_high"]  # 1.0
    ```
    """
    about = about or {}
    known = {
        "producer": f"reiqa_tf {__version__}",
        "preset": preset_name,
        "weights_sha256": weights_sha256,
        **{key: str(about[key]) for key in ("description", "license") if about.get(key)},
        "outputs": ",".join(output_names(scorer)),
        "feature_count": scorer.feature_count,
    }
    if scorer.working_size is not None:
        known["working_size"] = scorer.working_size
    if scorer.head is not None:
        low, high = scorer.head.score_range
        known.update(
            score_low=low,
            score_high=high,
            higher_is_better=scorer.higher_is_better,
            margin=scorer.head.margin,
            coverage=scorer.head.coverage,
            distance_limit=scorer.head.distance_limit,
        )
    return known
