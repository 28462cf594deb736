"""The README's commands and examples, run as they stand."""

import os
import pathlib
import re
import shlex
import shutil

import pytest

from reiqa_tf.cli.main import main, parse
from tests.newcomer import write_files

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def _blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def _commands():
    """Command lines that begin with `reiqa`, without their comments, in order."""
    for block in _blocks("bash"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] == "reiqa":
                yield words


@pytest.fixture(scope="module")
def folder(photo, tmp_path_factory):
    """The files that the README's examples name."""
    folder = tmp_path_factory.mktemp("newcomer")
    write_files(folder, photo)
    return folder


def test_the_two_first_commands_are_those_of_make():
    first = dict(re.findall(r"<!-- (\w+) -->\n```bash\n(.*?)\n```", README, re.DOTALL))
    makefile = (ROOT / "Makefile").read_text()
    assert set(first) == {"score", "test"}
    assert "reiqa score tests/photos" in first["score"]
    assert "$(BIN)/reiqa score tests/photos" in makefile
    assert first["test"].endswith(".venv/bin/pytest -n 2 --dist loadfile")
    assert "$(BIN)/pytest -n 2 --dist loadfile\n" in makefile


# The files of one are not to be had here, exporting and tuning the shipped preset take minutes, and
# compiling 26 distortions half of one. tests/export and tests/tuning have these with small models;
# tests/cli/test_convert.py, test_pictures.py, test_pretrain.py and test_sensitivity.py the others.
ELSEWHERE = {"convert", "distort", "export", "pretrain", "sensitivity", "tune", "verify", "views"}


@pytest.mark.slow  # fits a head and computes pictures that are no photos; `.ci/run docs` runs it
def test_the_commands_run_one_after_the_other(folder, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    commands = list(_commands())
    assert len(commands) >= 10
    for words in commands:
        if ">" in words:
            words = words[: words.index(">")]
        arguments = parse(words)
        if words[1] in ELSEWHERE:
            continue
        if words[1] == "fit":  # exporting takes longer than all else, and is run elsewhere
            arguments = parse([*words, "--no-export"])
        assert main(arguments) == 0, words
    capsys.readouterr()
    assert {"my_preset", "result.json", "scatter.png", "features.npz"} <= set(os.listdir(folder))


# Examples that wait for compiling, of all 26 distortions and of gradients of EfficientNet, or fit a
# head: `.ci/run docs` runs them.
COMPILED = ("QualityViews", "scorer.fit(", "reiqa_tf.fit(")


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(
            block,
            id=block.splitlines()[-1],
            marks=pytest.mark.slow if any(name in block for name in COMPILED) else (),
        )
        for block in _blocks("python")
    ],
)
def test_a_python_example_runs(block, folder, tmp_path, monkeypatch):
    shutil.copytree(folder, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    exec(compile(block, "README.md", "exec"), {"__name__": "example"})  # noqa: S102


def test_the_pictures_and_files_that_it_names_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_the_layout_that_it_draws_is_the_one_on_disk():
    (layout,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    drawn = set(re.findall(r"^  (\w+)(?:/|\.py)", layout, re.MULTILINE))
    files = (ROOT / "reiqa_tf").iterdir()
    rooms = {p.stem for p in files if not p.name.startswith("_") and p.suffix != ".typed"}
    assert drawn == rooms - {"errors", "version"}
