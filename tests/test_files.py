"""Files are written whole, and paths are looked at before the work for them begins."""

import pytest

from reiqa_tf.files import OutputError, check_new_file


def test_a_path_that_can_be_written_passes_and_nothing_is_left(tmp_path):
    check_new_file(tmp_path / "scores.csv")
    check_new_file(tmp_path / "deep" / "down" / "scores.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_exists_is_replaced_only_if_that_was_asked_for(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("mine")
    with pytest.raises(OutputError, match=r"exists.*--overwrite"):
        check_new_file(path)
    check_new_file(path, overwrite=True)
    assert path.read_text() == "mine"


def test_what_is_in_the_way_is_named(tmp_path):
    with pytest.raises(OutputError, match="a folder of that name"):
        check_new_file(tmp_path, overwrite=True)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        check_new_file(tmp_path / "file" / "scores.csv")
    with pytest.raises(OutputError, match=r"/proc/scores\.csv: cannot be written"):
        check_new_file("/proc/scores.csv")
