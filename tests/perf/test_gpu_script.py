"""`perf/gpu.sh`: what it runs with GPUs and without, by a Python that tells."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]

# Says how many GPUs there are, and otherwise what it was called with and which GPUs it may see.
PYTHON = """#!/bin/sh
case "$*" in
  *list_physical_devices*) echo "$GPUS" ;;
  *) echo "called: $* [$CUDA_VISIBLE_DEVICES]" ;;
esac
case "$*" in *"$FAILS"*) exit 3 ;; esac
"""


@pytest.fixture
def run(tmp_path):
    """Runs the script with programs that tell; returns how it ended, and its report."""
    programs = tmp_path / "environment" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "reiqa"):
        (programs / name).write_text(PYTHON)
        (programs / name).chmod(0o755)

    def run(gpus, fails="nothing fails"):
        report = tmp_path / "report.md"
        places = {"ENVIRONMENT": str(programs.parent), "REPORT": str(report)}
        ended = subprocess.run(
            [ROOT / "perf" / "gpu.sh"],
            env={**os.environ, **places, "GPUS": str(gpus), "FAILS": fails},
            capture_output=True,
            text=True,
        )
        return ended, report.read_text()

    return run


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a script for Linux")


def test_without_a_gpu_it_works_in_miniature_and_says_so_last(run):
    ended, report = run(gpus=0)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("gpu.sh: no GPU was found")
    for part in ("## Machine", "## Tests", "## A step in miniature", "## A plan in miniature"):
        assert part in report
    assert "--device GPU" not in report


def test_with_gpus_all_are_shown_to_the_tests_and_one_report_is_asked_for(run):
    ended, report = run(gpus=2)
    assert ended.returncode == 0, ended.stderr
    assert "2 GPUs; please send in" in ended.stdout
    assert "-m gpu -p no:cacheprovider tests/gpu [0,1]" in report
    assert report.count("perf/pretraining.py step --device GPU") == 8  # told, and called
    assert "--replicas 2 --set batch_size=128" in report


def test_a_part_that_fails_leaves_the_others_and_is_told(run):
    ended, report = run(gpus=1, fails="-m gpu")
    assert ended.returncode == 1
    assert "something failed" in ended.stderr
    assert "(ended with exit code 3)" in report
    assert "## Plan of the published run" in report
