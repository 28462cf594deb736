"""The graph functions that are exported: uint8 pictures in, named outputs out."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from reiqa_tf.explanation.diagnosis import Probe
from reiqa_tf.explanation.graph import explained_outputs
from reiqa_tf.image.scaling import to_unit_range
from reiqa_tf.image.served_decoding import decode_served_photo
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.runtimes.contract import (
    DISTANCE,
    FEATURES,
    IMAGE_BYTES,
    IMAGES,
    SCORE,
    SPREAD,
    output_names,
)
from reiqa_tf.runtimes.input_form import InputForm
from reiqa_tf.typing import Size, Tensor

Outputs: TypeAlias = dict[str, Tensor]
"""What a graph returns: tensors by the names of `reiqa_tf.runtimes.contract`."""

GraphFunction: TypeAlias = Any
"""A `tf.function` with one signature, from a tensor to `Outputs`; TensorFlow has no type for it."""


def contract_outputs(scorer: ReIQAScorer, images: Tensor) -> Outputs:
    """What every artifact computes from pictures.

    Args:
        scorer: a built `ReIQAScorer`.
        images: uint8 tensor `(N, H, W, 3)`, RGB.

    Returns:
        dictionary from the names of `output_names` to float32 tensors: `score`, `spread` and
        `distance` `(N,)`, or `features` `(N, feature_count)` of a scorer without a head.
    """
    known = all_outputs(scorer, images)
    return {name: known[name] for name in output_names(scorer)}


def all_outputs(scorer: ReIQAScorer, images: Tensor) -> Outputs:
    """As `contract_outputs`, with the features in any case.

    Args:
        scorer: a built `ReIQAScorer`.
        images: `(N, H, W, 3)`, RGB, uint8 or floats in [0, 1].

    Returns:
        dictionary of float32 tensors: `features`, and with a head `score`, `spread` and
        `distance`.
    """
    features = scorer.features(images, training=False)
    known = {FEATURES: features}
    if scorer.head is not None:
        known[SCORE] = scorer.head(features)
        known[SPREAD] = scorer.head.spread(features)
        known[DISTANCE] = scorer.head.distance(features)
    return known


def explaining(probe: Probe | None) -> Callable[[ReIQAScorer, Tensor], Outputs]:
    """What computes all outputs of an artifact that explains scores, if there is a diagnosis.

    Args:
        probe: the diagnosis of the scorer's preset, or None.

    Returns:
        function as `all_outputs`, which is what it is without a diagnosis.
    """
    if probe is None:
        return all_outputs
    return functools.partial(explained_outputs, probe=probe)


def folded_function(
    scorer: ReIQAScorer,
    size: Size | None = None,
    batch_size: int | None = None,
    compute: Callable[[ReIQAScorer, Tensor], Outputs] = contract_outputs,
    form: InputForm | None = None,
) -> GraphFunction:
    """Makes the graph function that the TFLite and ONNX converters take.

    The weights are constants of its graph, so that the converters fold batch normalisation into
    the convolutions. Later changes of the scorer's weights do not reach it.

    Args:
        scorer: a built `ReIQAScorer`.
        size: `(height, width)` in pixels, or None for any size.
        batch_size: number of pictures, or None for any.
        compute: `contract_outputs`, `all_outputs` or what `explaining` returned.
        form: in which form it takes pictures; None for upright uint8 RGB.

    Returns:
        `tf.function` with one signature, from `images`, uint8 `(batch_size, *size, 3)` or as
        `form` says, to what `compute` returns.

    Example:
    ```python
    import reiqa_tf
    from reiqa_tf.export.serving import folded_function

    scorer = reiqa_tf.load_preset("content_lite0_biq2021")
    image = reiqa_tf.read_image("photo.jpg", fit=64)
    print(folded_function(scorer)(image[None])["score"])
    ```
    """
    weights = [(variable, keras.ops.convert_to_numpy(variable)) for variable in scorer.variables]
    form = form or InputForm()
    lying = (None, None) if size is None else form.lying(size)
    shape = (batch_size, *lying, form.channels)
    signature = [tf.TensorSpec(shape, form.dtype, name=IMAGES)]

    @tf.function(input_signature=signature, autograph=False)
    def folded(images: Tensor) -> Outputs:
        constants = [(variable, tf.constant(array)) for variable, array in weights]
        with keras.StatelessScope(state_mapping=constants):
            return compute(scorer, _upright(images, form))

    return folded


def _upright(images: Tensor, form: InputForm) -> Tensor:
    """Pictures in a form as upright RGB: as they are, or floats in [0, 1]."""
    if form == InputForm():
        return images
    # Floats, because the GPUs of phones cut and turn nothing else.
    pictures = to_unit_range(images)[:, :, :, :3]
    if form.rotation in (90, 270):
        pictures = tf.transpose(pictures, (0, 2, 1, 3))
    for axis in {90: (2,), 180: (1, 2), 270: (1,)}.get(form.rotation, ()):
        pictures = _mirrored(pictures, axis)
    return pictures


def _mirrored(pictures: tf.Tensor, axis: int) -> tf.Tensor:
    """Pictures with an axis the other way round, by an operator that GPUs have, if they can."""
    length = pictures.shape[axis]
    if length is None:
        return tf.reverse(pictures, (axis,))
    return tf.gather(pictures, tf.range(length - 1, -1, -1), axis=axis)


def bytes_function(scorer: ReIQAScorer, compute: Callable[[Tensor], Outputs]) -> GraphFunction:
    """Makes the graph function that takes whole files of mixed sizes.

    Photo by photo: decoded, turned upright, shrunk to the scorer's working size if larger, scored.
    Photos of different sizes cannot share a tensor, and padding them would change their scores.

    Args:
        scorer: a built `ReIQAScorer`.
        compute: graph function from float pictures `(1, H, W, 3)` to a
            dictionary as of `all_outputs`.

    Returns:
        `tf.function` with one signature, from `image_bytes`, strings `(N,)`, to the first of
        `output_names` alone, `(N,)` or `(N, feature_count)`.
    """
    name = output_names(scorer)[0]
    shape = (scorer.feature_count,) if scorer.head is None else ()
    signature = [tf.TensorSpec((None,), tf.string, name=IMAGE_BYTES)]

    @tf.function(input_signature=signature, autograph=False)
    def from_bytes(image_bytes: Tensor) -> Outputs:
        def compute_row(entry: tuple[Tensor, Tensor]) -> Tensor:
            index, contents = entry
            label = tf.strings.join([IMAGE_BYTES, "[", tf.strings.as_string(index), "]"])
            photo = decode_served_photo(contents, label, scorer.working_size)
            return tf.ensure_shape(compute(photo[tf.newaxis])[name][0], shape)

        entries = (tf.range(tf.size(image_bytes)), image_bytes)
        # One after the other: each photo is spread over all cores as it is.
        rows = tf.map_fn(
            compute_row,
            entries,
            fn_output_signature=tf.TensorSpec(shape, tf.float32),
            parallel_iterations=1,
        )
        return {name: rows}

    return from_bytes
