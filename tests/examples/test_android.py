"""The Android project: its sources compile, and frames become the same bytes as in Python.

There is no Android here: `android_stubs` declares what the sources use of it, and of CameraX and
LiteRT, and does nothing. Needs a Kotlin compiler (`apt-get install kotlin`) and Java.
"""

import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.image.camera_frames import ENCODINGS, TURNS, CameraFrame, Plane, upright_picture

ROOT = pathlib.Path(__file__).parents[2]
PROJECT = ROOT / "examples" / "android"
SOURCES = PROJECT / "app" / "src" / "main" / "java" / "org" / "reiqa" / "camera"
HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def jar(tmp_path_factory):
    """All sources, compiled with the stubs and the program that converts frames."""
    for tool in ("kotlinc", "java"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: apt-get install kotlin")
    path = tmp_path_factory.mktemp("kotlin") / "app.jar"
    sources = [*SOURCES.glob("*.kt"), *(HERE / "android_stubs").glob("*.kt"), HERE]
    compiled = subprocess.run(
        ["kotlinc", *map(str, sources), "-include-runtime", "-d", str(path)],
        capture_output=True,
        text=True,
    )
    assert compiled.returncode == 0, compiled.stderr
    # What remains may be said by the compiler's own Java of itself.
    assert "warning: " not in compiled.stderr.replace("VM warning: ", ""), compiled.stderr
    return path


def frame_in_memory(photo, luma_stride, chroma_stride):
    """NV21 with gaps at the ends of rows: the frame, and its bytes as a file holds them."""
    height, width, _ = photo.shape
    bands = [np.asarray(band) for band in Image.fromarray(photo).convert("YCbCr").split()]
    luma = np.full((height, luma_stride), 77, np.uint8)
    luma[:, :width] = bands[0]
    blue, red = (np.asarray(Image.fromarray(band).reduce(2)) for band in bands[1:])
    chroma = np.full((len(blue), chroma_stride), 99, np.uint8)
    chroma[:, 0 : 2 * blue.shape[1] : 2] = red
    chroma[:, 1 : 2 * blue.shape[1] : 2] = blue
    frame = CameraFrame(
        height,
        width,
        Plane(luma.ravel(), luma_stride),
        Plane(chroma.ravel()[1:], chroma_stride, 2),
        Plane(chroma.ravel(), chroma_stride, 2),
    )
    return frame, luma.tobytes() + chroma.tobytes()


@pytest.mark.parametrize(
    ("size", "degrees", "picture", "encoding"),
    [
        *(((480, 640), degrees, (256, 192), "jfif") for degrees in TURNS),
        *(((300, 401), 90, (211, 190), encoding) for encoding in ENCODINGS),
        ((301, 399), 0, (280, 300), "jfif"),  # chroma is enlarged
    ],
)
def test_kotlin_makes_the_same_bytes_of_a_frame(
    jar, photo, tmp_path, size, degrees, picture, encoding
):
    height, width = size
    strides = (width + 13, 2 * ((width + 1) // 2) + 8)
    frame, contents = frame_in_memory(photo[:height, :width], *strides)
    (tmp_path / "frame").write_bytes(contents)
    numbers = map(str, (height, width, *strides, degrees, *picture))
    program = ["java", "-cp", str(jar), "org.reiqa.camera.ConvertFrameKt"]
    subprocess.run(
        [*program, tmp_path / "frame", tmp_path / "rgb", *numbers, encoding.upper()], check=True
    )
    received = np.frombuffer((tmp_path / "rgb").read_bytes(), np.uint8).reshape(*picture, 3)
    expected = upright_picture(frame, degrees, *picture, encoding)
    np.testing.assert_array_equal(received, expected)


def test_the_project_names_what_the_sources_import():
    """Each import of a library has its artifact in the build file."""
    build = (PROJECT / "app" / "build.gradle.kts").read_text()
    artifacts = {
        "androidx.activity": "androidx.activity:activity-ktx",
        "androidx.camera.core": "androidx.camera:camera-camera2",
        "androidx.camera.lifecycle": "androidx.camera:camera-lifecycle",
        "androidx.camera.view": "androidx.camera:camera-view",
        "androidx.core": "androidx.core:core-ktx",
        "androidx.exifinterface": "androidx.exifinterface:exifinterface",
        "org.tensorflow.lite": "com.google.ai.edge.litert:litert:1",
    }
    for path in SOURCES.glob("*.kt"):
        for name in re.findall(
            r"^import ((?:androidx|org\.tensorflow)\S+)", path.read_text(), re.M
        ):
            (artifact,) = (known for prefix, known in artifacts.items() if name.startswith(prefix))
            assert artifact in build, name
