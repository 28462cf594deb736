"""The rehearsal of a run on millions runs, on fewer."""

import pathlib
import re
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "perf" / "millions.py"


@pytest.mark.slow  # three processes that start TensorFlow
def test_a_run_begins_and_goes_on_where_the_seed_says(photos_folder, tmp_path):
    options = ["--photos", "1500", "--folder", tmp_path]
    printed = subprocess.run(
        [sys.executable, SCRIPT, photos_folder, *options],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "1,500 hard links made" in printed
    assert re.search(r"^ +1,000 +1,500 +more$", printed, re.MULTILINE)
    assert "its photos are those of the order" in printed
    assert not list(tmp_path.iterdir())
