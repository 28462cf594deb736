"""`reiqa pretrain`: a run from photos to a preset that the other commands take."""

import contextlib
import csv
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from reiqa_tf.cli.main import main, parse
from reiqa_tf.training.history import read_history
from tests.workers import cluster

ROOT = pathlib.Path(__file__).parents[2]

CONTENT = """
import dataclasses
from reiqa_tf.pretraining import config

def get_config():
    smoke = config.load_config("smoke")
    return dataclasses.replace(smoke, pairs=config.ContentPairs(patch=32))
"""


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """A configuration of one's own: smoke, with pairs whose graph is traced in a moment."""
    path = tmp_path_factory.mktemp("config") / "content.py"
    path.write_text(CONTENT)
    return path


@pytest.fixture(scope="module")
def finished(photos_folder, scored_photos, content, tmp_path_factory):
    """A finished run with a probe; its folder."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    command = ["reiqa", "pretrain", photos_folder, "--config", content, "--out", folder]
    command += ["--probe", scored_photos, "--set", "optimizer.rate=0.3", "--tensorboard"]
    assert main(parse(list(map(str, command)))) == 0
    return folder


def test_a_run_leaves_configuration_history_curves_and_preset(finished):
    kept = json.loads((finished / "config.json").read_text())
    assert kept["config"]["optimizer"]["rate"] == 0.3
    assert kept["photos"]["count"] == 3
    columns = read_history(finished / "history.csv")
    np.testing.assert_array_equal(columns["step"], [1, 2])
    assert (columns["pairs_per_second"] > 0).all()
    for name in ("curves.png", "views.png"):
        assert (finished / name).read_bytes().startswith(b"\x89PNG")
    assert "SRCC of the probe" in (finished / "report.html").read_text()
    assert list((finished / "tensorboard").glob("events.*"))
    about = json.loads((finished / "preset" / "metadata.json").read_text())
    assert (about["expert"], about["network"]) == ("content", "query")


def test_the_probe_measures_before_the_first_step_and_after_epochs(finished):
    with open(finished / "probe.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [0, 1, 2]
    assert all(-1 <= float(row["srcc"]) <= 1 for row in rows)


def test_a_finished_run_says_where_its_preset_is(reiqa, finished, photos_folder, content):
    again = reiqa(
        "pretrain", photos_folder, "--config", content, "--out", finished,
        "--set", "optimizer.rate=0.3",
    )  # fmt: skip
    assert again.code == 0, again.err
    assert f"saved in {finished}/preset" in again.out
    assert "SRCC of the probe, untrained" in again.out


@pytest.mark.slow  # what they take is what `small_scorer().save_to_preset` makes, too
def test_fit_and_score_take_the_preset(reiqa, finished, scored_photos, photos_folder, tmp_path):
    fitted = reiqa(
        "fit", scored_photos, "--preset", finished / "preset", "--out", tmp_path / "mine",
        "--no-cache", "--no-export",
    )  # fmt: skip
    assert fitted.code == 0, fitted.err
    scored = reiqa("score", photos_folder / "kodim05.png", "--preset", tmp_path / "mine")
    assert scored.code == 0, scored.err
    assert "kodim05.png" in scored.out


def test_another_setting_in_the_same_folder_is_refused(reiqa, finished, photos_folder, content):
    other = reiqa("pretrain", photos_folder, "--config", content, "--out", finished)
    assert other.code == 1
    assert "config.optimizer.rate: 0.3 and 0.6" in other.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "quality_lit0"], "Did you mean quality_lite0?"),
        (["--config", "smoke", "--set", "optimizer.rat=1"], "Did you mean rate?"),
        (["--config", "smoke", "--set", "batch_size=1.5"], "expected a whole number"),
        (["--config", "smoke", "--set", "batch_size=4"], "at most as many as there are photos, 3"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(
    reiqa, photos_folder, tmp_path, arguments, message
):
    result = reiqa("pretrain", photos_folder, "--out", tmp_path / "run", *arguments)
    assert result.code == 1
    assert message in result.err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_smoke_runs_from_photos_to_preset(reiqa, photos_folder, tmp_path):
    run = tmp_path / "run"
    result = reiqa(
        "pretrain", photos_folder, "--config", "smoke", "--out", run, "--retrieval", photos_folder
    )
    assert result.code == 0, result.err
    rows = json.loads((run / "retrieval.json").read_text())
    assert [row["step"] for row in rows] == [0, 1, 2]
    assert rows[-1]["distortion"] > rows[-1]["distortion_chance"]
    assert "retrieval of distortion, trained" in result.out
    assert "same distortion" in (run / "report.html").read_text()
    assert json.loads((run / "preset" / "metadata.json").read_text())["expert"] == "quality"


def _start(photos, config, run, *more, **environment):
    program = "from reiqa_tf.cli.main import run; run()"
    command = [sys.executable, "-c", program, "pretrain", photos, "--config", config, "--out", run]
    command += ["--set", "contrast.synchronized=True", "--set", "parts=1", *more]
    return subprocess.Popen(
        list(map(str, command)),
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_the_command_trains_on_two_workers_and_keeps_their_chatter_to_itself(
    photos_folder, content, tmp_path
):
    workers = [
        _start(photos_folder, content, tmp_path / "run", TF_CONFIG=task) for task in cluster(2)
    ]
    for process in workers:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
        assert "all_reduce" not in said
    assert (tmp_path / "run" / "preset").is_dir()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")
def test_a_terminal_sees_a_bar_that_fits_into_it(photos_folder, content, tmp_path):
    import fcntl
    import struct
    import termios

    width = 50
    terminal, end = os.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    program = "from reiqa_tf.cli.main import run; run()"
    command = [sys.executable, "-c", program, "pretrain", photos_folder, "--config", content]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    environment.pop("COLUMNS", None)
    process = subprocess.Popen(
        list(map(str, [*command, "--out", tmp_path / "run"])),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=end,
    )
    os.close(end)
    seen = b""
    with contextlib.suppress(OSError):  # how Linux says that nobody writes any more
        while part := os.read(terminal, 4096):
            seen += part
    os.close(terminal)
    assert process.wait() == 0
    pictures = re.sub(r"\x1b\[[?\d;]*[A-Za-z]|\r", "\n", seen.decode()).splitlines()
    assert max(map(len, pictures)) <= width
    shown = " ".join("".join(pictures).split())
    for words in ("preparing the first step", "2/2", "left 0:00:00", "loss "):
        assert words in shown, shown[-400:]


def test_help_teaches(reiqa):
    shown = reiqa("pretrain", "--help")
    assert shown.code == 0
    for words in (
        "--set precision=bfloat16",
        "--set parts=8",
        "Ctrl-C",
        "quality_lite0_small",
        "TF_CONFIG",
        "report.html",
        "reiqa_tf[tensorboard]",
        "reiqa fit scores.csv --preset",
        "--plan begins nothing and needs no GPU",
        "--pairs-per-core",
    ):
        assert words in shown.out
