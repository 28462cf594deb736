"""The command as people's systems run it: names, pipes, encodings. Each run is a new process."""

import csv
import io
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

CASES = pathlib.Path(__file__).parents[1] / "cases"
LATIN = b"caf\xe9.jpg"
SUNSET = "sunset \N{SUNRISE OVER MOUNTAINS}.jpg"


def reiqa(*arguments, stdin=b"", **environment):
    command = "import reiqa_tf.cli.main as main; main.run()"
    return subprocess.run(
        [sys.executable, "-c", command, *arguments],
        input=stdin,
        capture_output=True,
        env={**os.environ, **environment},
        timeout=300,
        check=False,
    )


@pytest.fixture
def odd_names(tmp_path):
    for name in (LATIN, os.fsencode(SUNSET), b"line\nbreak.jpg"):
        shutil.copy(CASES / "plain.jpg", os.path.join(os.fsencode(tmp_path), name))
    return tmp_path


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("cp1252", {"caf\\udce9.jpg", "sunset \\U0001f304.jpg", "line\nbreak.jpg"}),
        ("utf-8:strict", {"caf\\udce9.jpg", SUNSET, "line\nbreak.jpg"}),
        ("ascii", {"caf\\udce9.jpg", "sunset \\U0001f304.jpg", "line\nbreak.jpg"}),
        ("utf-8:surrogateescape", {os.fsdecode(LATIN), SUNSET, "line\nbreak.jpg"}),
    ],
)
@pytest.mark.parametrize("form", ["csv", "table"])
def test_every_name_is_printed_whatever_the_terminal_can_show(odd_names, encoding, expected, form):
    result = reiqa("score", odd_names, "--format", form, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert result.returncode == 0, result.stderr
    text = result.stdout.decode(encoding.split(":")[0], "surrogateescape")
    if form == "table":
        assert all(name in text for name in expected - {"line\nbreak.jpg"})
        return
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {os.path.basename(row["photo"]) for row in rows} == expected
    assert all(0 < float(row["score"]) < 1 for row in rows)


@pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"\0"])
def test_lists_that_find_writes_are_read_whatever_the_encoding(odd_names, separator):
    folder = os.fsencode(odd_names)
    listed = [os.path.join(folder, LATIN), os.path.join(folder, os.fsencode(SUNSET))]
    result = reiqa(
        "score", "-", "--format", "jsonl", stdin=separator.join([*listed, b""]), PYTHONUTF8="1"
    )
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 2


def test_standard_input_that_is_neither_a_photo_nor_a_list_is_one_problem():
    for stdin, reason in (
        (b"\x01\x02damaged\nbytes\n" * 50, b"not a picture that can be read"),
        (b"", b"no photo and no path on standard input"),
    ):
        result = reiqa("score", "-", stdin=stdin)
        assert result.returncode == 1
        assert reason in result.stderr
        assert len(result.stderr.splitlines()) == 2


def test_links_that_lead_back_give_each_photo_once(tmp_path):
    (tmp_path / "loop/a").mkdir(parents=True)
    shutil.copy(CASES / "plain.jpg", tmp_path / "loop/a/1.jpg")
    (tmp_path / "loop/a/up").symlink_to("..")
    (tmp_path / "loop/a/up2").symlink_to("..")
    (tmp_path / "loop/notes.txt").touch()
    result = reiqa("score", tmp_path / "loop", "--format", "csv")
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr == b"reiqa: 1 other file left out: 1 .txt\n"


@pytest.mark.parametrize("command", [["presets"], ["presets", "content_lite0_biq2021", "--json"]])
def test_a_full_disk_is_one_line(command):
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-c", "import reiqa_tf.cli.main as main; main.run()", *command],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.returncode == 1
    assert result.stderr == (
        "reiqa: standard output: cannot be written (No space left on device).\n"
    )


@pytest.mark.parametrize("command", [["--help"], ["presets"], ["score", str(CASES / "plain.jpg")]])
def test_a_command_whose_reader_has_gone_ends_in_silence(command):
    source, sink = os.pipe()
    os.close(source)
    result = subprocess.run(
        [sys.executable, "-c", "import reiqa_tf.cli.main as main; main.run()", *command],
        stdout=sink,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(sink)
    assert (result.returncode, result.stderr) in ((141, ""), (0, ""))
