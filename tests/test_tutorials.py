"""The notebooks of docs/tutorials: small as they are stored, and run from first to last cell."""

import json
import pathlib

import pytest

NOTEBOOKS = sorted((pathlib.Path(__file__).parents[1] / "docs" / "tutorials").glob("*.ipynb"))

# Seconds that a cell may take, far more than any does.
CELL = 600


def test_there_are_four():
    assert len(NOTEBOOKS) == 4


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_with_small_outputs_and_nothing_that_changes(path):
    assert path.stat().st_size < 300_000
    for cell in json.loads(path.read_text())["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert cell["execution_count"] is None
            assert not [part for part in cell["outputs"] if part["output_type"] == "error"]


@pytest.mark.slow  # minutes: `.ci/run docs` runs them
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    pytest.importorskip("nbclient", reason="needs pip install '.[notebooks]'")
    from docs.run_tutorials import run

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    book = run(path, timeout=CELL)
    assert all(cell.get("execution_count", 1) for cell in book.cells)
