"""The commands and examples of README.md and of the site's pages, run as they stand."""

import os
import pathlib
import re
import shlex
import shutil

import pytest

from reiqa_tf.cli.main import main, parse
from tests.newcomer import write_files

ROOT = pathlib.Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
TOP = [*sorted(ROOT.glob("*.md")), *PAGES[1:]]


def _name(page):
    return str(page.relative_to(ROOT))


def _blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def _commands(block):
    """Command lines that begin with `reiqa`, without their comments, in order."""
    for line in block.splitlines():
        if line.startswith("reiqa "):
            words = shlex.split(line, comments=True)
            yield words[: words.index(">")] if ">" in words else words


@pytest.fixture(scope="module")
def folder(photo, tmp_path_factory):
    """The files that the examples name."""
    folder = tmp_path_factory.mktemp("newcomer")
    write_files(folder, photo)
    return folder


@pytest.fixture
def here(folder, tmp_path, monkeypatch):
    """A copy of them to run something in."""
    shutil.copytree(folder, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "here"


def test_the_readme_is_one_screen():
    assert len(README.read_text().splitlines()) <= 120


def test_the_two_first_commands_are_those_of_make():
    first = dict(re.findall(r"<!-- (\w+) -->\n```bash\n(.*?)\n```", README.read_text(), re.DOTALL))
    makefile = (ROOT / "Makefile").read_text()
    assert set(first) == {"score", "test"}
    assert "reiqa score tests/photos" in first["score"]
    assert "$(BIN)/reiqa score tests/photos" in makefile
    assert first["test"].endswith(".venv/bin/pytest -n 2 --dist loadfile")
    assert "$(BIN)/pytest -n 2 --dist loadfile\n" in makefile


# The files of one are not to be had here, exporting and tuning the shipped preset take minutes, and
# compiling 26 distortions half of one. tests/export, tests/tuning, tests/distillation and
# tests/explanation have these with small models; tests/cli/test_convert.py, test_pictures.py,
# test_pretrain.py and test_sensitivity.py the others. `web` serves until it is interrupted:
# tests/web.
ELSEWHERE = {
    "convert", "distill", "distort", "export", "fit-diagnosis", "pretrain", "sensitivity", "tune",
    "verify", "views", "web",
}  # fmt: skip

BELOW = 3  # exit code of `reiqa score --below`, where a photo scores less

# What the commands of a page leave behind.
LEFT = {
    "README.md": {"why.png", "holiday.html", "my_preset"},
    "docs/guides/explain.md": {"why.html", "faults.html"},
    "docs/guides/fit.md": {"my_preset", "result.json", "scatter.png"},
    "docs/guides/folders.md": {"holiday.html", "scored.csv", "best.html", "best.csv"},
    "docs/guides/millions.md": {"packed"},
    "docs/guides/score.md": {"features.npz", "scored.csv"},
}

WITH_COMMANDS = [page for page in PAGES if any(map(list, map(_commands, _blocks(page, "bash"))))]


@pytest.mark.slow  # fits a head and computes pictures that are no photos; `.ci/run docs` runs it
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=_name)
def test_the_commands_of_a_page_run_one_after_the_other(page, here, capsys):
    made_elsewhere = set()
    for words in (words for block in _blocks(page, "bash") for words in _commands(block)):
        arguments = parse(words)
        if words[1] in ELSEWHERE:
            made_elsewhere.add(getattr(arguments, "out", None))
            continue
        preset = getattr(arguments, "preset", None)
        if isinstance(preset, str) and preset.split("/")[0] in made_elsewhere:
            continue
        if words[1] == "fit":  # exporting takes longer than all else, and is run elsewhere
            arguments = parse([*words, "--no-export"])
        assert main(arguments) in ((0, BELOW) if "--below" in words else (0,)), words
    capsys.readouterr()
    assert set(os.listdir(here)) >= LEFT.get(_name(page), set())


def test_most_pages_have_commands():
    assert len(WITH_COMMANDS) >= 10
    assert set(LEFT) <= set(map(_name, WITH_COMMANDS))


# Examples that wait for compiling, of distortions, of Keras's loop and of gradients, or fit a head;
# those of the site's pages are slow together. `.ci/run docs` runs them.
COMPILED = ("QualityViews", "scorer.predict(", "scorer.fit(", "reiqa_tf.fit(")
TUNES = ("reiqa_tf.tune(", "reiqa_tf.distill(")  # minutes: tests/tuning, tests/distillation


def _examples():
    for page in PAGES:
        for number, block in enumerate(_blocks(page, "python"), 1):
            if not any(name in block for name in TUNES):
                slow = page != README or any(name in block for name in COMPILED)
                marks = pytest.mark.slow if slow else ()
                yield pytest.param(page, block, id=f"{_name(page)}:{number}", marks=marks)


@pytest.mark.parametrize(("page", "block"), [*_examples()])
def test_a_python_example_runs(page, block, here):
    exec(compile(block, page, "exec"), {"__name__": "example"})  # noqa: S102


# Made when the site is built: docs/hooks.py.
MADE = {"reference/index.md", "contributing.md", "changelog.md", "release.md", "try/app/index.html"}


@pytest.mark.parametrize("page", TOP, ids=_name)
def test_the_pictures_and_files_that_a_page_names_exist(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        file = (page.parent / target).resolve()
        if not target.startswith("http") and file not in {ROOT / "docs" / name for name in MADE}:
            assert file.exists(), target


def test_the_layout_that_is_drawn_is_the_one_on_disk():
    (layout,) = _blocks(ROOT / "CONTRIBUTING.md", "text")
    drawn = set(re.findall(r"^  (\w+)(?:/|\.py)", layout, re.MULTILINE))
    files = (ROOT / "reiqa_tf").iterdir()
    rooms = {p.stem for p in files if not p.name.startswith("_") and p.suffix != ".typed"}
    assert drawn == rooms - {"errors", "version"}
