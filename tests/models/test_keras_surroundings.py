"""Keras set up in other ways than ours: data format, backend, new processes, pictures as floats."""

import itertools
import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from reiqa_tf import backend
from reiqa_tf.models.resnet import ResNetBackbone
from tests.small_models import small_scorer


def python(code, *arguments, **environment):
    """Runs code in a new process."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory, photo):
    """A scorer and a ResNet as `.keras` files and as a preset, pictures, and what they give."""
    folder = tmp_path_factory.mktemp("saved")
    scorer = small_scorer()
    resnet = ResNetBackbone(blocks=(1, 1), width=8)
    resnet.build((None, None, None, 3))
    scorer.save(folder / "scorer.keras")
    scorer.save_to_preset(folder / "preset")
    resnet.save(folder / "resnet.keras")
    images = np.stack([photo[:72, :96], photo[200:272, 300:396]])
    np.save(folder / "images.npy", images)
    maps = resnet(np.float32(images / 255))["stage2"]
    expected = {"scorer": np.asarray(scorer(images)), "resnet": np.mean(maps, (1, 2, 3))}
    return folder, expected


LOAD = """
import sys, os
ORDER
folder = sys.argv[1]
images = np.load(folder + "/images.npy")
scorer = keras.saving.load_model(folder + "/scorer.keras")
assert type(scorer) is reiqa_tf.ReIQAScorer, type(scorer)
resnet = keras.saving.load_model(folder + "/resnet.keras")
print(keras.config.image_data_format())
print(*np.asarray(scorer(images)).tolist())
print(*np.mean(resnet(np.float32(images / 255))["stage2"], (1, 2, 3)).tolist())
print(*reiqa_tf.load_preset(folder + "/preset").predict(images, verbose=0).tolist())
"""


@pytest.mark.parametrize(
    ("order", "data_format"),
    [
        ("import reiqa_tf\nimport numpy as np, keras", "channels_first"),
        ("import numpy as np, keras\nimport reiqa_tf", "channels_last"),
    ],
)
@pytest.mark.slow  # a process each
def test_keras_files_load_in_a_new_process_whatever_keras_json_says(
    saved, tmp_path, order, data_format
):
    folder, expected = saved
    (tmp_path / ".keras").mkdir()
    settings = {"floatx": "float32", "backend": "tensorflow", "image_data_format": data_format}
    (tmp_path / ".keras/keras.json").write_text(json.dumps(settings))
    result = python(LOAD.replace("ORDER", order), folder, HOME=str(tmp_path))
    assert result.returncode == 0, result.stderr[-2000:]
    lines = result.stdout.splitlines()
    assert lines[0] == data_format
    for line, name in zip(lines[1:], ("scorer", "resnet", "scorer"), strict=True):
        np.testing.assert_allclose(np.float64(line.split()), expected[name], rtol=1e-5)


def test_importing_the_package_imports_no_keras_and_names_every_class_that_is_saved():
    code = "import sys, reiqa_tf; print({'keras', 'tensorflow', 'numpy'} & set(sys.modules))"
    assert python(code).stdout == "set()\n"
    root = pathlib.Path(backend.__file__).parent
    named = set()
    for path in root.rglob("*.py"):
        lines = path.read_text().splitlines()
        for above, line in itertools.pairwise(lines):
            if above == "@storable" or above.startswith("@keras.saving.register_keras_ser"):
                module = ".".join(path.relative_to(root.parent).with_suffix("").parts)
                named.add((line.removeprefix("class ").split("(")[0], module))
    assert set(backend.SAVED_CLASSES.items()) == named


@pytest.mark.parametrize("setting", ["environment", "keras.json"])
@pytest.mark.parametrize("name", ["torch", "jax"])
def test_another_backend_is_refused_in_one_line(tmp_path, setting, name):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras/keras.json").write_text(json.dumps({"backend": name}))
    environment = {"HOME": str(tmp_path)} if setting == "keras.json" else {"KERAS_BACKEND": name}
    code = (
        "import sys, reiqa_tf.cli.main as main\n"
        "sys.argv = ['reiqa', 'score', 'tests/cases/plain.jpg', '--runtime', 'keras']\n"
        "main.run()"
    )
    result = python(code, **environment)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert f"the backend '{name}'" in line
    assert "KERAS_BACKEND=tensorflow" in line
    code = "import reiqa_tf\ntry: reiqa_tf.load_preset\nexcept reiqa_tf.ReiqaError as e: print(e)"
    assert f"the backend '{name}'" in python(code, **environment).stdout
    light = code.replace("load_preset", "open_scorer('reiqa_lite0_biq2021').runtime")
    assert python(light, **environment).stdout == ""


def test_the_backend_that_runs_counts_more_than_what_is_set(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    backend.require_tensorflow()
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(backend.BackendError, match="is loaded with the backend 'torch'"):
        backend.require_tensorflow()


def test_floats_above_one_are_refused_with_a_hint(scorer, photo):
    images = np.float32(photo[None, :64, :96])
    for call in (scorer, scorer.predict, scorer.judge, scorer.features):
        with pytest.raises(ValueError, match=r"float32 up to 2\d\d. Divide by 255"):
            call(images)
    expected = np.asarray(scorer(photo[None, :64, :96]))
    np.testing.assert_allclose(scorer(images / 255), expected, rtol=1e-5)
    np.testing.assert_allclose(scorer.predict(images / 255, verbose=0), expected, rtol=1e-4)
    assert scorer.judge(images / 255)[0] == pytest.approx(expected[0], rel=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        "load_preset",
        pytest.param("ReIQAScorer", marks=pytest.mark.slow),
        pytest.param("fit", marks=pytest.mark.slow),
    ],
)
def test_a_public_name_brings_tensorflow_without_its_remarks(name):
    code = f"import reiqa_tf, sys\nreiqa_tf.{name}\nassert 'tensorflow' in sys.modules"
    result = python(code, TF_CPP_MIN_LOG_LEVEL="0")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.slow  # a process that starts TensorFlow
def test_the_first_use_of_a_device_brings_no_remarks(monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    result = python("import reiqa_tf\nreiqa_tf.load_preset\nimport tensorflow\ntensorflow.zeros(1)")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
