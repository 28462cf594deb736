"""Kotlin, Swift and Python say the same of camera frames: same functions, same factors."""

import pathlib
import re

import numpy as np
import pytest

from reiqa_tf.image import camera_frames

ROOT = pathlib.Path(__file__).parents[2]
KOTLIN = "examples/android/app/src/main/java/org/reiqa/camera/CameraFrame.kt"
SWIFT = "examples/ios/Sources/ReiqaCamera/CameraFrame.swift"
MIRRORED = ("upright_picture", "frame_to_picture", "ycbcr_to_rgb", "shrink", "turn")


def in_camel_case(name):
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


@pytest.mark.parametrize("name", [KOTLIN, SWIFT])
def test_the_functions_are_there_under_their_names(name):
    source = (ROOT / name).read_text()
    for function in MIRRORED:
        assert callable(getattr(camera_frames, function))
        assert re.search(rf"\bfunc? {in_camel_case(function)}\(", source), function
        assert re.search(r"\bmiddle\(", source)


@pytest.mark.parametrize("name", [KOTLIN, SWIFT])
def test_the_factors_are_the_same(name):
    encodings = re.findall(
        r"(?:static let )?(\w+)\s*(?:= ColorEncoding)?\(\s*((?:(?:\w+: )?\b\d+\b,?\s*){6})\)",
        (ROOT / name).read_text(),
    )
    found = {
        in_camel_case(label.lower()) if label.isupper() else label: tuple(
            map(int, re.findall(r"\b\d+\b", numbers))
        )
        for label, numbers in encodings
    }
    expected = {
        in_camel_case(label): tuple(vars(encoding).values())
        for label, encoding in camera_frames.ENCODINGS.items()
    }
    assert {label.lower(): numbers for label, numbers in found.items()} == {
        label.lower().replace("_", ""): numbers for label, numbers in expected.items()
    }


def test_the_swift_test_expects_what_python_computes():
    source = (ROOT / "examples/ios/Tests/ReiqaCameraTests/CameraFrameTests.swift").read_text()
    numbers = source.rpartition("expected: [UInt8] = [")[2].partition("]")[0]
    height, width = 12, 16
    luma = 37 * np.arange(height * width)
    chroma = 53 * np.arange(height * width // 2) + 11
    samples = np.concatenate([luma, chroma]).astype(np.uint8)
    frame = camera_frames.CameraFrame.nv21(samples, height, width)
    expected = camera_frames.upright_picture(frame, 90, 4, 3)
    assert [int(number) for number in numbers.split(",")] == expected.ravel().tolist()
