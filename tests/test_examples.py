"""The Python examples of all docstrings, run as they stand.

Each has a folder of its own with the files of tests/newcomer.py and shares nothing with the others
but the process: so an example says all that it takes.
"""

import ast
import pathlib
import re
import shutil

import pytest

from tests.newcomer import write_files

ROOT = pathlib.Path(__file__).parents[1]
SOURCES = {
    "reiqa_tf": "reiqa_tf",
    "configs": "reiqa_tf.configs",
    "export": "reiqa_tf.export",
    "web": "reiqa_tf.web",
}

# Two minutes together, most of which go into compiling: `.ci/run docs` runs them.
pytestmark = pytest.mark.slow


def _documented(node, name):
    """Names and nodes of all that may have a docstring, found without importing anything."""
    yield name, node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            yield from _documented(child, f"{name}.{child.name}")


def _examples():
    for folder, package in SOURCES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            module = ".".join((package, *parts)).removesuffix(".__init__")
            for name, node in _documented(ast.parse(path.read_text()), module):
                docstring = ast.get_docstring(node) or ""
                blocks = list(re.finditer(r"```python\n(.*?)```", docstring, re.DOTALL))
                for number, block in enumerate(blocks, start=1):
                    title = name if len(blocks) == 1 else f"{name}:{number}"
                    line = node.body[0].lineno + docstring[: block.start(1)].count("\n")
                    yield pytest.param(path, line, block[1], id=title)


@pytest.fixture(scope="module")
def files(photo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("newcomer")
    write_files(folder, photo)
    return folder


@pytest.mark.parametrize(("path", "line", "example"), [*_examples()])
def test_an_example_runs(path, line, example, files, tmp_path, monkeypatch):
    shutil.copytree(files, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # Blank lines before it, so that what fails is shown where it stands.
    code = compile("\n" * (line - 1) + example, path, "exec")
    exec(code, {"__name__": "example"})  # noqa: S102
