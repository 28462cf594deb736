"""Photos of all sizes and sources, in every runtime: scored, or refused in one line."""

import io
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import reiqa_tf
from reiqa_tf.image.reading import ImageError, open_image, read_image

CASES = pathlib.Path(__file__).parents[1] / "cases"
PRESET = "reiqa_lite0_biq2021"


@pytest.fixture(scope="module", params=["onnx", "keras"])
def any_scorer(request):
    return reiqa_tf.open_scorer(PRESET, request.param)


def test_a_photo_too_narrow_once_shrunk_is_one_problem_and_the_run_goes_on(any_scorer):
    names = ["plain.jpg", "long_40x15000.jpg", "plain.png", "long_40x20000.jpg"]
    outcomes = {o.index: o for o in any_scorer.score_many([CASES / name for name in names])}
    for index, name in enumerate(names):
        if name.startswith("long"):
            assert "too small once shrunk" in str(outcomes[index].problem)
            assert name in str(outcomes[index].problem)
            assert "\n" not in str(outcomes[index].problem)
        else:
            assert 0 < outcomes[index].score < 1


def test_paths_bytes_arrays_and_pictures_have_one_score(any_scorer):
    path = CASES / "plain.jpg"
    image = read_image(path)
    sources = [path, str(path), path.read_bytes(), image, Image.fromarray(image), image / 255]
    expected = any_scorer.score(path)
    for source in sources:
        assert any_scorer.score(source) == pytest.approx(expected, rel=1e-5)
    for outcome in any_scorer.score_many([*sources, np.full((40, 40, 3), 2.0)]):
        if outcome.index < len(sources):
            assert outcome.score == pytest.approx(expected, rel=1e-5)
        else:
            assert "floats from 2 to 2" in str(outcome.problem)


def test_the_limit_on_pixels_holds_in_every_runtime(any_scorer):
    path = CASES / "plain.jpg"
    with pytest.raises(ImageError, match="--max-pixels"):
        any_scorer.score(path, max_pixels=1000)
    (outcome,) = any_scorer.score_many([path], max_pixels=1000)
    assert "the limit of 1,000" in str(outcome.problem)
    if any_scorer.runtime == "keras":
        with pytest.raises(ImageError, match="the limit of 1,000"):
            any_scorer.score(path, native_size=True, max_pixels=1000)


MEASURE = """
import re, sys, time
import reiqa_tf
scorer = reiqa_tf.open_scorer(sys.argv[2], "onnx")
started = time.process_time()
score = scorer.score(sys.argv[1])
seconds = time.process_time() - started
# Not getrusage, whose peak begins with that of the process that started this one.
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())
print(float(score), seconds, int(peak[1]) / 2**20)
"""


@pytest.mark.slow
def test_a_flat_progressive_jpeg_of_200_megapixels_takes_little(tmp_path):
    path = tmp_path / "flat.jpg"
    Image.new("RGB", (16320, 12240), (90, 120, 60)).save(path, progressive=True)
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, path, PRESET], capture_output=True, text=True, check=True
    )
    score, seconds, gibibytes = map(float, result.stdout.split())
    assert 0 <= score <= 1
    # Measured: 0.7 GiB and 1.0 s.
    assert gibibytes < 1.5
    assert seconds < 10


def test_the_command_takes_a_limit_and_names_what_is_above(tmp_path):
    code = "import reiqa_tf.cli.main as main; main.run()"
    arguments = ["score", CASES / "plain.jpg", CASES / "long_40x15000.jpg", "--format", "json"]
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--max-pixels", "100000"],
        capture_output=True,
        text=True,
        check=False,
    )
    document = json.loads(result.stdout)
    assert len(document["scores"]) == 1
    (problem,) = document["problems"]
    assert "too small once shrunk" in problem
    bad = subprocess.run(
        [sys.executable, "-c", code, *arguments[:2], "--max-pixels", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert bad.returncode == 2
    assert "--max-pixels" in bad.stderr


@pytest.mark.slow
def test_photos_of_twelve_megapixels_score_as_from_their_whole_pixels(photos_folder):
    scorer = reiqa_tf.open_scorer(PRESET, "onnx")
    generator = np.random.default_rng(0)
    for number, path in enumerate(sorted(photos_folder.glob("*.png"))):
        picture = open_image(path).resize((4000, 3000), Image.Resampling.LANCZOS)
        noise = 4 * generator.standard_normal((3000, 4000, 3), np.float32)
        levels = np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(levels).save(file, "JPEG", quality=90, subsampling=2 * (number % 2))
        whole = scorer.score(open_image(file.getvalue()))
        # Of 24 photos the worst change was 0.0031: python perf/decoding.py
        assert scorer.score(file.getvalue()) == pytest.approx(whole, abs=0.005)
