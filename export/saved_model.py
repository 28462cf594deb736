"""SavedModel for TensorFlow Serving: versioned, with warm-up requests and configuration files."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence

import tensorflow as tf

from reiqa_tf.errors import ReiqaError
from reiqa_tf.explanation.diagnosis import Probe
from reiqa_tf.export.folding import FoldedScorer
from reiqa_tf.export.quiet import quiet
from reiqa_tf.export.serving import Outputs, bytes_function
from reiqa_tf.image.reading import read_image
from reiqa_tf.image.scaling import to_unit_range
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.runtimes.contract import FEATURES, IMAGE_BYTES, IMAGES, output_names
from reiqa_tf.runtimes.explained import EXPLAIN, EXPLAINED
from reiqa_tf.typing import PathLike, Tensor

SIGNATURES = ("serving_default", "images", "features")
"""Names of the signatures; they never change."""

MODELS_FILE = "models.config"
BATCHING_FILE = "batching.config"
WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"

_WARM_UP_SIDE = 256
"""Side in pixels of the square that the warm-up photo of the pixel signatures fits into."""

_BATCHING = """\
# For tensorflow_model_server --enable_batching --batching_parameters_file=THIS.
# Requests are split into single photos, which the threads work on side by side, and never merged:
# photos of different sizes cannot share a tensor, and a photo that cannot be read fails the
# request that it came with and no other.
max_batch_size { value: 256 }               # photos in the largest request
enable_large_batch_splitting { value: true }
max_execution_batch_size { value: 1 }
batch_timeout_micros { value: 0 }
num_batch_threads { value: 4 }              # set it to the number of cores
max_enqueued_batches { value: 1024 }        # beyond it requests are refused at once
"""


class ServingError(ReiqaError):
    """A SavedModel that cannot be made. The message says why and what to do."""


def write_saved_model(
    scorer: ReIQAScorer,
    folder: PathLike,
    name: str,
    photos: Sequence[bytes],
    version: int = 1,
    probe: Probe | None = None,
) -> None:
    """Writes a SavedModel for TensorFlow Serving and the files that go with it.

    In `folder`: `<name>/<version>/` with the model and its warm-up requests, `models.config` and
    `batching.config`. Signatures, which return `score` (or `features`, without a head) alone:

    - `serving_default`: `image_bytes`, strings `(N,)`, JPEG or PNG of any sizes. Photos larger
      than the scorer's working size are shrunk to it, as `reiqa score` does.
    - `images`: `images`, uint8 RGB `(N, H, W, 3)`, scored at the size they have.
    - `features`: `images` -> `features`, float32 `(N, feature_count)`.
    - `explain`, with a diagnosis: `images` -> `score`, `map` `(N, 32, 32)` and `diagnosis`
      `(N, 9, 2)`; see `reiqa_tf.runtimes.explained`.

    Args:
        scorer: a built `ReIQAScorer`.
        folder: where to write; made if need be.
        name: name of the model, part of its address on the server.
        photos: the bytes of some JPEG or PNG photos, one or more, which become the warm-up
            requests.
        version: version of the model, from 1 up.
        probe: the diagnosis of the preset, for a model that explains scores, or None.

    Raises:
        ServingError: if there are no photos, the extra `export` is not installed, or the files
            cannot be written.

    Example:
    ```text
    write_saved_model(scorer, "served", "quality", [pathlib.Path("photo.jpg").read_bytes()])
    ```
    """
    if not photos:
        raise ServingError(
            "photos: expected one or more JPEG or PNG files, of which the warm-up requests are "
            "made. Received: none; if photos were sampled for them, none of those can be read. "
            "Give others (--photos)."
        )
    warm_up = list(_warm_up_requests(name, photos))
    folded = FoldedScorer(scorer, probe)
    first, *_ = output_names(scorer)
    pictures = tf.TensorSpec((None, None, None, 3), tf.uint8, name=IMAGES)

    def from_images(images: Tensor) -> Outputs:
        return {first: folded.compute(to_unit_range(images))[first]}

    def features(images: Tensor) -> Outputs:
        return {FEATURES: folded.compute(to_unit_range(images))[FEATURES]}

    def explained(images: Tensor) -> Outputs:
        outputs = folded.compute(to_unit_range(images))
        return {name: outputs[name] for name in EXPLAINED}

    endpoints = (
        bytes_function(scorer, folded.compute),
        tf.function(from_images, input_signature=[pictures], autograph=False),
        tf.function(features, input_signature=[pictures], autograph=False),
    )
    target = pathlib.Path(folder) / name / str(version)
    signatures = dict(zip(SIGNATURES, endpoints, strict=True))
    if probe is not None:
        signatures[EXPLAIN] = tf.function(explained, input_signature=[pictures], autograph=False)
    try:
        with quiet():
            tf.saved_model.save(folded, target, signatures=signatures)
        (target / WARM_UP_FILE).parent.mkdir()
        with tf.io.TFRecordWriter(str(target / WARM_UP_FILE)) as file:
            for request in warm_up:
                file.write(request)
    except tf.errors.OpError as error:  # how TensorFlow says that a disk is full
        raise ServingError(f"{target}: cannot be written ({error.message}).") from error
    (pathlib.Path(folder) / MODELS_FILE).write_text(_models_config(name, version))
    (pathlib.Path(folder) / BATCHING_FILE).write_text(_BATCHING)


def _warm_up_requests(name: str, photos: Sequence[bytes]) -> Iterator[bytes]:
    """Serialised requests like those to come: photos as files, then pixels for the others."""
    try:
        from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
    except ImportError:
        raise ServingError(
            "a SavedModel for TensorFlow Serving needs the package tensorflow-serving-api for its "
            "warm-up requests. Install it: pip install 'reiqa_tf[export]'"
        ) from None
    pixels = read_image(photos[0], fit=_WARM_UP_SIDE)[None]
    served, *others = SIGNATURES
    inputs: list[tuple[str, str, Tensor]] = [(served, IMAGE_BYTES, [photo]) for photo in photos]
    inputs += [(signature, IMAGES, pixels) for signature in others]
    for signature, argument, value in inputs:
        log = PredictionLog()
        request = log.predict_log.request
        request.model_spec.name = name
        request.model_spec.signature_name = signature
        request.inputs[argument].CopyFrom(tf.make_tensor_proto(value))
        yield log.SerializeToString()


def _models_config(name: str, version: int) -> str:
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    config = ModelServerConfig()
    model = config.model_config_list.config.add(
        name=name, base_path=f"/models/{name}", model_platform="tensorflow"
    )
    model.model_version_policy.specific.versions.append(version)
    model.version_labels["stable"] = version
    text: str = text_format.MessageToString(config)
    return text
