"""Runs the notebooks and stores what they print: `python docs/run_tutorials.py [NAME ...]`.

Needs `pip install '.[test,notebooks]'`. Pictures are stored as JPEG alone, so that a notebook stays
small; nothing else that changes from run to run is stored.
"""

from __future__ import annotations

import os
import pathlib
import sys
import tempfile
import time

import nbformat
from nbclient import NotebookClient

TUTORIALS = pathlib.Path(__file__).parent / "tutorials"


def run(path: pathlib.Path, timeout: float | None = None) -> nbformat.NotebookNode:
    """Runs a notebook in a new folder.

    Args:
        path: of the notebook; it stays as it is.
        timeout: seconds that a cell may take; None waits.

    Returns:
        the notebook with its outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails.
    """
    book = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(book, timeout=timeout, resources=resources).execute()
    return book


def lean(book: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Leaves out of a notebook what nobody reads: remarks on stderr, numbers of cells, PNG."""
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in book.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.execution_count = None
            printed = [part for part in cell.outputs if part.get("name") == "stdout"]
            shown = [part for part in cell.outputs if part.output_type != "stream"]
            if printed:  # in as many pieces as there were moments
                printed[0].text = "".join(part.text for part in printed)
            cell.outputs = [*printed[:1], *shown]
            for part in shown:
                if "execution_count" in part:
                    part.execution_count = None
                if "image/jpeg" in part.get("data", {}):
                    part.data = {"image/jpeg": part.data["image/jpeg"]}
    return book


def main() -> None:
    """Runs the notebooks that are named, or all."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    names = sys.argv[1:] or sorted(path.stem for path in TUTORIALS.glob("*.ipynb"))
    for name in names:
        path = TUTORIALS / f"{name}.ipynb"
        begun = time.perf_counter()
        nbformat.write(lean(run(path)), path)
        print(f"{name}: {time.perf_counter() - begun:.0f} s, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
