"""SavedModel: the signatures, the errors, the bytes, and what lies beside it for the server."""

import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.export.saved_model import write_saved_model
from reiqa_tf.testing.models import small_scorer
from tests.export.conftest import keras_scores


@pytest.fixture(scope="module")
def signatures(served):
    return tf.saved_model.load(served / "quality/7").signatures


def test_files_of_mixed_sizes_and_kinds_score_as_keras_scores_them(signatures, small, files):
    received = signatures["serving_default"](image_bytes=tf.constant(files))
    assert list(received) == ["score"]
    np.testing.assert_allclose(received["score"], keras_scores(small, files), rtol=1e-5)


def test_pixels_score_and_answer_features_as_keras_does(signatures, small, photo):
    images = np.stack([photo[:70, :90], photo[100:170, 200:290]])
    received = signatures["images"](images=images)
    assert list(received) == ["score"]
    np.testing.assert_allclose(received["score"], small(images), rtol=1e-5)
    features = signatures["features"](images=images)
    assert list(features) == ["features"]
    np.testing.assert_allclose(features["features"], small.features(images), rtol=1e-4, atol=1e-5)


def test_an_empty_request_is_answered_with_nothing(signatures):
    received = signatures["serving_default"](image_bytes=tf.constant([], tf.string))
    assert received["score"].shape == (0,)


def test_names_types_and_shapes_are_those_of_the_contract(signatures):
    default = signatures["serving_default"]
    (entry,) = default.structured_input_signature[1].values()
    assert (entry.name, entry.dtype, entry.shape.as_list()) == ("image_bytes", tf.string, [None])
    assert default.structured_outputs["score"].shape.as_list() == [None]
    for name in ("images", "features"):
        (entry,) = signatures[name].structured_input_signature[1].values()
        assert (entry.name, entry.dtype) == ("images", tf.uint8)
        assert entry.shape.as_list() == [None, None, None, 3]
    assert set(signatures) == {"serving_default", "images", "features"}


def test_a_wrong_photo_fails_its_request_and_is_named(signatures, files):
    with pytest.raises(tf.errors.InvalidArgumentError) as refusal:
        signatures["serving_default"](image_bytes=tf.constant([files[0], files[1], b"hello"]))
    assert "image_bytes[2] (5 bytes): expected a JPEG or a PNG" in str(refusal.value)
    with pytest.raises(tf.errors.InvalidArgumentError) as refusal:
        signatures["serving_default"](image_bytes=tf.constant([files[0], files[2][:-500]]))
    assert "image_bytes[1]" in str(refusal.value)
    assert "damaged or truncated" in str(refusal.value)


def test_encoders_alone_answer_features_of_files(files, tmp_path):
    scorer = small_scorer(head=None)
    write_saved_model(scorer, tmp_path, "encoders", files[:1])
    signatures = tf.saved_model.load(tmp_path / "encoders/1").signatures
    received = signatures["serving_default"](image_bytes=tf.constant(files[:1]))
    assert list(received) == ["features"]
    assert received["features"].shape == (1, scorer.feature_count)


def test_each_weight_is_stored_once(served, small):
    (data,) = (served / "quality/7/variables").glob("variables.data*")
    weights = sum(4 * int(np.prod(variable.shape)) for variable in small.variables)
    assert data.stat().st_size < 1.3 * weights  # these few weights stand beside many names


def test_warm_up_requests_are_the_photos_as_files_and_pixels_for_the_other_signatures(
    served, files, signatures
):
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    path = served / "quality/7/assets.extra/tf_serving_warmup_requests"
    logs = [
        PredictionLog.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))
    ]
    requests = [log.predict_log.request for log in logs]
    assert len(requests) == len(files) + 2 <= 1000
    for request in requests:
        assert request.model_spec.name == "quality"
        signature = signatures[request.model_spec.signature_name]
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        answer = signature(**{name: tf.constant(value) for name, value in inputs.items()})
        assert np.isfinite(next(iter(answer.values()))).all()
    sent = [request.inputs["image_bytes"].string_val for request in requests[: len(files)]]
    assert [contents for (contents,) in sent] == files


def test_the_server_configuration_names_model_version_and_label(served):
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    config = text_format.Parse((served / "models.config").read_text(), ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == (
        "quality",
        "/models/quality",
        "tensorflow",
    )
    assert list(model.model_version_policy.specific.versions) == [7]
    assert dict(model.version_labels) == {"stable": 7}
    batching = (served / "batching.config").read_text()
    assert "max_execution_batch_size { value: 1 }" in batching
    assert "pad" not in batching.replace("padding", "")
