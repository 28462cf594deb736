"""What cannot be is refused in one line before TensorFlow starts, which takes seconds."""

import importlib

import pytest

from reiqa_tf.cli.main import COMMANDS
from reiqa_tf.extras import is_installed


class TensorFlowStartsError(Exception):
    """What a command raises here when it goes on."""


@pytest.fixture
def place(tmp_path, scored_photos, preset, monkeypatch):
    """A folder to work in, in which TensorFlow does not start."""

    def start(*_):
        raise TensorFlowStartsError

    for command in COMMANDS:
        module = importlib.import_module(f"reiqa_tf.cli.{command}")
        if hasattr(module, "start_tensorflow"):
            monkeypatch.setattr(module, "start_tensorflow", start)
    (tmp_path / "scores.csv").write_text(scored_photos.read_text())
    for photo in scored_photos.parent.glob("*.png"):
        (tmp_path / photo.name).symlink_to(photo)
    (tmp_path / "preset").symlink_to(preset)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    monkeypatch.chdir(tmp_path)
    return tmp_path


_PRESET = "neither a folder nor the name of a shipped preset"
_MISSING = "no such file"
_IN_THE_WAY = "a folder with other things in it"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("fit scores.csv --out new --preset reiqa_lite", _PRESET),
        ("fit scores.csv --out new --content reiqa_lite", _PRESET),
        ("fit gone.csv --out new", _MISSING),
        ("fit scores.csv --out full", _IN_THE_WAY),
        ("fit scores.csv --out new --strengths 9 1", "expected 0 < LOW < HIGH"),
        ("evaluate scores.csv --preset reiqa_lite", _PRESET),
        ("evaluate gone.csv", _MISSING),
        ("evaluate scores.csv --split tset", "tset"),
        ("benchmark --database csv=scores.csv --out new --preset reiqa_lite", _PRESET),
        ("benchmark --database csv=scores.csv --out new --baseline sharp", "a baseline out of"),
        ("benchmark --database csv=gone.csv --out new", _MISSING),
        ("benchmark --database csv=scores.csv --out new --shard 2-5", "expected K/N"),
        ("benchmark --database csv=scores.csv --out new --splits 0", "at least 1"),
        ("sensitivity gone --out new", _MISSING),
        ("sensitivity . --out new --preset reiqa_lite", _PRESET),
        ("sensitivity . --out new --limit 0", "at least 1 photo"),
        ("sensitivity . --out new --seed -1", "a seed from 0"),
        pytest.param(
            "beam-score --input *.png --output new.parquet --preset reiqa_lite",
            _PRESET,
            marks=pytest.mark.skipif(not is_installed("apache_beam"), reason="needs Apache Beam"),
        ),
        ("convert --out new", "Received: none"),
        ("convert --quality gone.pth --out new", _MISSING),
        ("convert --quality scores.csv --out full", _IN_THE_WAY),
        ("export --preset reiqa_lite --out new", _PRESET),
        ("export --preset preset --format coreml", "expected some of saved_model"),
        ("export --preset preset --format tflite --precision int4", "expected some of float32"),
        ("export --preset preset --format tflite --size 31", "pixels from 32 up"),
        ("export --preset preset --format tflite --scores gone.csv", _MISSING),
        ("export --preset preset --format tflite --photos gone", _MISSING),
        ("export --preset preset --format tflite --calibration gone", _MISSING),
        ("export --preset preset --format tflite --out full", _IN_THE_WAY),
        ("export --format tflite", "Say where its exports go"),
        ("verify full", "manifest.json"),
        ("distort gone.jpg --out new.png", _MISSING),
        ("distort 0.png --out new.txt", "ends with .png, .jpg or .webp"),
        ("distort 0.png --out new.png --level 2", "add --name"),
        ("views gone.jpg --out new.png", _MISSING),
        ("views 0.png --out new", "ends with .png, .jpg or .webp"),
        ("pretrain . --out new --config smok", "Did you mean smoke?"),
        ("pretrain . --out new --config smoke --set precision=float8", "precision"),
        ("pretrain gone --out new --config smoke", _MISSING),
        ("pretrain . --out new --config smoke --probe gone.csv", _MISSING),
        ("pretrain . --out new --config smoke --retrieval gone", _MISSING),
    ],
)
def test_what_cannot_be_is_refused_before_tensorflow_starts(reiqa, place, command, message):
    refused = reiqa(*command.split())
    assert refused.code == 1
    assert message in refused.err
    assert refused.err.startswith("reiqa: ")
    assert refused.err.count("\n") == 1
    assert not (place / "new").exists()


@pytest.mark.parametrize(
    "command",
    [
        "fit scores.csv --out new",
        "evaluate scores.csv",
        "benchmark --database csv=scores.csv --out new",
        "sensitivity . --out new",
        "export --preset preset --format tflite --out new",
        "distort 0.png --out new.png",
        "views 0.png --out new.png",
        "pretrain . --out new --config smoke",
    ],
)
def test_what_can_be_goes_on(reiqa, place, command):
    with pytest.raises(TensorFlowStartsError):
        reiqa(*command.split())


@pytest.mark.parametrize("level", ["0", "6"])
def test_people_count_levels_from_1_to_5(reiqa, place, level):
    refused = reiqa("distort", "0.png", "--out", "new.png", "--name", "jpeg", "--level", level)
    assert refused.code == 2
    assert "1, 2, 3, 4, 5" in refused.err
