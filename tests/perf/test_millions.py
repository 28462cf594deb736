"""The rehearsal of a run on millions, on fewer."""

import importlib.util
import pathlib

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "perf" / "millions.py"


@pytest.mark.slow  # compiles a pipeline twice
def test_a_run_begins_and_goes_on_where_the_seed_says(photos_folder, tmp_path):
    spec = importlib.util.spec_from_file_location("millions", SCRIPT)
    millions = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(millions)
    millions.link(photos_folder, tmp_path / "photos", 1500)
    begun = millions.begin(str(tmp_path / "photos"))
    assert begun["photos"] == 1500
    assert 0 < begun["listed"] < begun["first batch"]
    # It raises if the photos are not those of the order, or the order no permutation of the seed.
    assert millions.resume(str(tmp_path / "photos"))["step"] == 1125
