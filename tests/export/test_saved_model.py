"""SavedModel: the signatures, the errors, the bytes, and what lies beside it for the server."""

import base64
import concurrent.futures
import http.server
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictResponse
from tensorflow_serving.apis.prediction_service_pb2_grpc import (
    PredictionServiceServicer,
    add_PredictionServiceServicer_to_server,
)

from reiqa_tf.export.saved_model import ServingError, write_saved_model
from tests.export.conftest import keras_scores
from tests.small_models import small_scorer

DOCS = pathlib.Path(__file__).parents[2] / "docs/guides/serving"
LIBRARIES = [
    pathlib.Path(tf.sysconfig.get_lib()) / name
    for name in ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")
]
COMPILER = shutil.which(os.environ.get("CC", "cc"))


@pytest.fixture(scope="module")
def signatures(served):
    return tf.saved_model.load(served / "quality/7").signatures


def test_files_of_mixed_sizes_and_kinds_score_as_keras_scores_them(signatures, small, files):
    received = signatures["serving_default"](image_bytes=tf.constant(files))
    assert list(received) == ["score"]
    np.testing.assert_allclose(received["score"], keras_scores(small, files), rtol=1e-5)


def test_pixels_give_scores_and_features_as_keras_does(signatures, small, photo):
    images = np.stack([photo[:70, :90], photo[100:170, 200:290]])
    received = signatures["images"](images=images)
    assert list(received) == ["score"]
    np.testing.assert_allclose(received["score"], small(images), rtol=1e-5)
    features = signatures["features"](images=images)
    assert list(features) == ["features"]
    np.testing.assert_allclose(features["features"], small.features(images), rtol=1e-4, atol=1e-5)


def test_an_empty_request_returns_nothing(signatures):
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


@pytest.mark.slow
def test_encoders_alone_return_features_of_files(files, tmp_path):
    scorer = small_scorer(head=None, quality=None)
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
        outputs = signature(**{name: tf.constant(value) for name, value in inputs.items()})
        assert np.isfinite(next(iter(outputs.values()))).all()
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


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "score_photo"
    folder = LIBRARIES[0].parent
    command = [
        COMPILER,
        DOCS / "score_photo.c",
        "-o",
        path,
        "-Wall",
        "-Werror",
        f"-I{folder / 'include'}",
    ]
    subprocess.run([*command, *LIBRARIES, f"-Wl,-rpath,{folder}"], check=True)
    return path


def tensor_names(model):
    """Names of the tensors of `serving_default`, as the SavedModel says them."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel.FromString((model / "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    return signature.inputs["image_bytes"].name, signature.outputs["score"].name


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or COMPILER is None or not all(path.exists() for path in LIBRARIES),
    reason="needs a C compiler and the libraries of TensorFlow's wheel for Linux",
)
def test_without_python_bytes_in_and_keras_score_out_and_a_bad_photo_fails_its_own_request(
    program, served, small, files, tmp_path
):
    paths = []
    for i, contents in enumerate([files[0], files[1][:-300], *files[1:], b"GIF89a"]):
        paths.append(tmp_path / str(i))
        paths[-1].write_bytes(contents)
    model = served / "quality/7"
    for name in tensor_names(model):  # the names that the program's own example gives
        assert f" {name.removesuffix(':0')} " in (DOCS / "score_photo.c").read_text()
    result = subprocess.run(
        [program, model, *tensor_names(model), *paths],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    scores = [float(line) for line in result.stdout.split()]
    assert scores == pytest.approx(list(keras_scores(small, files)), rel=1e-5)
    complaints = [line for line in result.stderr.splitlines() if line.startswith(str(tmp_path))]
    assert result.returncode == 1
    assert len(complaints) == 2
    assert f"{paths[1]}: " in complaints[0]
    assert "PNG data that cannot be decoded, damaged or truncated" in complaints[0]
    assert "expected a JPEG or a PNG; received a GIF" in complaints[1]


@pytest.fixture(scope="module")
def client():
    specification = importlib.util.spec_from_file_location("client", DOCS / "client.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_client_example_scores_over_rest(client, signatures, small, files):
    class Handler(http.server.BaseHTTPRequestHandler):
        """What TensorFlow Serving returns over REST, for one model."""

        def do_POST(self):
            assert self.path == "/v1/models/quality:predict"
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            contents = [base64.b64decode(entry["b64"]) for entry in body["instances"]]
            try:
                outputs = signatures["serving_default"](image_bytes=tf.constant(contents))
                code, document = 200, {"predictions": outputs["score"].numpy().tolist()}
            except tf.errors.InvalidArgumentError as error:
                code, document = 400, {"error": error.message}
            self.send_response(code)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("localhost", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        scores = client.score_by_rest("localhost", server.server_port, "quality", files)
        with pytest.raises(SystemExit, match="received a GIF"):
            client.score_by_rest("localhost", server.server_port, "quality", [b"GIF89a"])
        server.shutdown()
    assert scores == pytest.approx(list(keras_scores(small, files)), rel=1e-5)


def test_the_client_example_scores_over_grpc(client, signatures, small, files):
    class Servicer(PredictionServiceServicer):
        def Predict(self, request, context):  # noqa: N802
            assert request.model_spec.name == "quality"
            contents = tf.constant(tf.make_ndarray(request.inputs["image_bytes"]))
            response = PredictResponse()
            try:
                scores = signatures["serving_default"](image_bytes=contents)["score"].numpy()
            except tf.errors.InvalidArgumentError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
            # As the server does it: values, not packed bytes.
            response.outputs["score"].dtype = 1
            response.outputs["score"].float_val.extend(scores)
            return response

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    add_PredictionServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        scores = client.score_by_grpc("localhost", port, "quality", files)
        with pytest.raises(SystemExit, match="received a GIF"):
            client.score_by_grpc("localhost", port, "quality", [b"GIF89a"])
    finally:
        server.stop(None)
    assert scores == pytest.approx(list(keras_scores(small, files)), rel=1e-5)


def test_without_the_package_of_the_server_the_way_out_is_named(
    small, files, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis.prediction_log_pb2", None)
    with pytest.raises(ServingError, match=r"pip install 'reiqa_tf\[export\]'"):
        write_saved_model(small, tmp_path, "quality", files)
    assert not any(tmp_path.iterdir())


def test_without_photos_for_the_warm_up_requests_the_way_out_is_named(small, tmp_path):
    with pytest.raises(ServingError, match=r"warm-up requests .* Received: none.*--photos"):
        write_saved_model(small, tmp_path, "quality", [])
    assert not any(tmp_path.iterdir())
