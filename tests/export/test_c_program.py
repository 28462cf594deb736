"""A SavedModel in a program without Python: what a server does with it."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest
import tensorflow as tf

from tests.export.conftest import keras_scores

SOURCE = pathlib.Path(__file__).parents[2] / "docs/serving/score_photo.c"
LIBRARIES = [
    pathlib.Path(tf.sysconfig.get_lib()) / name
    for name in ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")
]
COMPILER = shutil.which(os.environ.get("CC", "cc"))

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or COMPILER is None or not all(path.exists() for path in LIBRARIES),
    reason="needs a C compiler and the libraries of TensorFlow's wheel for Linux",
)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "score_photo"
    folder = LIBRARIES[0].parent
    command = [COMPILER, SOURCE, "-o", path, "-Wall", "-Werror", f"-I{folder / 'include'}"]
    subprocess.run([*command, *LIBRARIES, f"-Wl,-rpath,{folder}"], check=True)
    return path


def tensor_names(model):
    """Names of the tensors of `serving_default`, as the SavedModel says them."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel.FromString((model / "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    return signature.inputs["image_bytes"].name, signature.outputs["score"].name


def test_bytes_in_and_keras_score_out_and_a_bad_photo_fails_its_own_request(
    program, served, small, files, tmp_path
):
    paths = []
    for i, contents in enumerate([files[0], files[1][:-300], *files[1:], b"GIF89a"]):
        paths.append(tmp_path / str(i))
        paths[-1].write_bytes(contents)
    model = served / "quality/7"
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
