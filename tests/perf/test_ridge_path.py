"""The benchmark of the ridge path runs, and both sides of it agree."""

import pathlib
import re
import subprocess
import sys

SCRIPT = pathlib.Path(__file__).parents[2] / "perf" / "ridge_path.py"


def test_ridge_path_benchmark_prints_times_and_an_agreement_within_a_millionth():
    small = ["--rows", "200", "--columns", "150", "--splits", "2", "--fits", "3"]
    printed = subprocess.run(
        [sys.executable, SCRIPT, *small], capture_output=True, text=True, check=True
    ).stdout
    assert "200 ridge fits on 200 x 150 features" in printed
    difference = re.search(r"largest difference.*?(\d\.\de-\d+)", printed, re.DOTALL)
    assert float(difference[1]) < 1e-6
