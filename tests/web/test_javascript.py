"""What the page computes by itself, in Node, against Python."""

import json
import pathlib
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

import reiqa_tf.albums
from reiqa_tf.explanation.diagnosis import Diagnosis
from reiqa_tf.explanation.drawing import color_limit, colors_of, if_everywhere
from reiqa_tf.explanation.faults import FAMILIES, FAMILY_NAMES
from reiqa_tf.image.reading import read_image, size_to_fit
from reiqa_tf.presets import DEFAULT
from reiqa_tf.runtimes.opening import open_artifact
from reiqa_tf.scoring.calibration import WORDS
from reiqa_tf.web.server import PAGE

ALBUMS = pathlib.Path(reiqa_tf.albums.__file__).parent

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")

BEGIN = f"""\
import fs from "node:fs";
import {{ judge, readContract, WORDS }} from "{PAGE.as_uri()}/contract.js";
import {{ diagnose, mapColors }} from "{PAGE.as_uri()}/diagnosis.js";
import {{ copyRows, shrinkColumns, shrinkRows, sizeToFit, weightsOf }}
  from "{PAGE.as_uri()}/resizing.js";
const given = JSON.parse(fs.readFileSync(0));
const show = (value) => console.log(JSON.stringify(value));
"""


def run(code, given):
    """What a script shows of what it is given."""
    result = subprocess.run(
        ["node", "--input-type=module", "--eval", BEGIN + code],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


SHRINK = """
const pixels = fs.readFileSync(given.file);
const { width, height, side } = given;
const [shorter, lower] = sizeToFit(width, height, side);
let narrow = new Uint8Array(3 * shorter * height);
if (shorter === width) copyRows(pixels, narrow, 0);
else {
  const table = weightsOf(width, shorter);
  const half = Math.floor(height / 2); // in two bands, as of large photos
  shrinkRows(pixels, width, half, table, narrow, 0);
  const rest = pixels.subarray(4 * width * half);
  shrinkRows(rest, width, height - half, table, narrow, 3 * shorter * half);
}
if (lower !== height) narrow = shrinkColumns(narrow, shorter, weightsOf(height, lower));
fs.writeFileSync(given.file, narrow);
show([shorter, lower]);
"""


@pytest.mark.parametrize(
    ("width", "height", "side"),
    [
        (768, 512, 512),
        (512, 768, 512),
        (1537, 1023, 512),
        (2000, 333, 320),
        (97, 1201, 512),
        (513, 512, 512),
        (300, 200, 512),
    ],
)
def test_photos_are_shrunk_as_pillow_does(width, height, side, photo, tmp_path):
    picture = Image.fromarray(photo).resize((width, height), Image.Resampling.BICUBIC)
    image = np.asarray(picture).copy()
    noise = np.random.default_rng(0).integers(0, 256, image.shape, np.uint8)
    image[: height // 2] = noise[: height // 2]  # every level and sharp edges
    file = tmp_path / "pixels"
    opaque = np.full((height, width, 1), 255, np.uint8)
    np.concatenate([image, opaque], -1).tofile(file)
    size = run(SHRINK, {"file": str(file), "width": width, "height": height, "side": side})
    assert tuple(size) == size_to_fit(width, height, side)
    expected = read_image(image, side)
    received = np.fromfile(file, np.uint8).reshape(expected.shape)
    np.testing.assert_array_equal(received, expected)  # one level is allowed


def test_sizes_are_those_of_python():
    sizes = np.random.default_rng(1).integers(1, 9000, (500, 2)).tolist()
    code = "show(given.map(([width, height]) => sizeToFit(width, height, 512)));"
    assert run(code, sizes) == [list(size_to_fit(*size, 512)) for size in sizes]


def test_numbers_mean_what_they_mean_in_python():
    scorer = open_artifact(DEFAULT, "onnx")
    random = np.random.default_rng(2)
    calibration = scorer.contract.fitted_head()
    low, high = calibration.score_range
    reach = high - low
    scores = [low - 0.3 * reach, low, high, high + 0.4 * reach, *calibration.percentiles]
    scores += random.uniform(low - 0.1 * reach, high + 0.1 * reach, 300).tolist()
    spreads = random.uniform(0, 0.2 * reach, len(scores)).tolist()
    distances = random.uniform(0, 2 * calibration.distance_limit, len(scores)).tolist()
    code = """
const contract = readContract(fs.readFileSync(given.model));
const found = given.numbers.map((three) => judge(contract, ...three));
show({ contract, found, words: WORDS });
"""
    numbers = list(zip(scores, spreads, distances, strict=True))
    shown = run(code, {"model": str(scorer.path), "numbers": numbers})
    assert shown["contract"]["preset"] == scorer.contract.preset
    assert shown["contract"]["workingSize"] == scorer.working_size
    assert shown["contract"]["coverage"] == scorer.coverage
    assert tuple(shown["words"]) == WORDS
    for score, found in zip(
        calibration.judge(scores, spreads, distances), shown["found"], strict=True
    ):
        assert WORDS[found["word"]] == score.word
        assert found["familiar"] is score.familiar
        for name in ("low", "high", "percentile"):
            assert found[name] == pytest.approx(getattr(score, name), abs=1e-9)


def test_a_file_that_is_no_model_is_refused():
    code = """
const tried = given.map((bytes) => {
  try { return readContract(Uint8Array.from(bytes)); } catch (error) { return error.message; }
});
show(tried);
"""
    texts = run(code, [[], [0xFF] * 40, list(b"<!doctype html><html>")])
    assert all(isinstance(text, str) for text in texts)


def test_faults_are_said_as_in_python():
    random = np.random.default_rng(3)
    count = len(FAMILIES)
    thresholds = random.uniform(0.3, 0.9, count)
    probabilities = random.uniform(0, 1, (60, count)).astype(np.float32).astype(np.float64)
    amounts = np.exp(random.normal(0, 2, (60, count))) + 0.01
    signs = np.where([family.is_signed for family in FAMILIES], -1.0, 1.0)
    amounts[::2] *= signs
    probabilities[0] = 0
    code = "show(given.numbers.map((numbers) => diagnose(given, numbers)));"
    shown = run(
        code,
        {
            "families": FAMILY_NAMES,
            "thresholds": thresholds.tolist(),
            "numbers": np.stack([probabilities, amounts], -1).reshape(60, -1).tolist(),
        },
    )
    for row, amount, found in zip(probabilities, amounts, shown, strict=True):
        expected = Diagnosis.of(row, amount, thresholds)
        assert found["text"] == expected.text
        assert found["fault"] == ("" if expected.main is None else expected.main.family)


def test_maps_have_the_colours_of_python():
    points = np.random.default_rng(4).normal(0, 1e-4, (32, 32)).astype(np.float32)
    code = """
const { colors, side, limit } = mapColors(Float32Array.from(given));
show({ colors: [...colors], side, limit });
"""
    shown = run(code, points.ravel().tolist())
    values = if_everywhere(points)
    limit = color_limit(values)
    assert shown["limit"] == pytest.approx(limit)
    expected = colors_of(values, limit).astype(int).ravel()
    assert shown["side"] == 32
    assert np.abs(np.array(shown["colors"]) - expected).max() <= 1


def test_every_script_of_the_page_can_be_parsed():
    for path in [*PAGE.glob("*.js"), *ALBUMS.glob("*.js")]:
        command = ["node", "--check", "--input-type=module"]
        subprocess.run(command, input=path.read_bytes(), check=True, timeout=60)
