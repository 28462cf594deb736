"""Lists of scored photos: what is read, what is mirrored, and what is refused with its line."""

import os
import pathlib

import numpy as np
import pytest

from reiqa_tf.data.scored_photos import (
    ScoredPhotosError,
    read_photo_list,
    read_scored_photos,
    require_photos,
)

_PLAIN = "image,mos\na.jpg,1\nsub/b.jpg,4.5\n"
_FULL = """image,mos,split,group,remark
a.jpg,10,train,x,nice
b.jpg,20,val,x,
c.jpg,40,test,y,"commas, too"
"""


def _read(tmp_path, text, **options):
    path = tmp_path / "scores.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_scored_photos(path, **options)


def test_paths_are_relative_to_the_file_and_the_range_is_that_of_the_scores(tmp_path):
    scored = _read(tmp_path, _PLAIN)
    assert scored.paths == [str(tmp_path / "a.jpg"), str(tmp_path / "sub/b.jpg")]
    np.testing.assert_array_equal(scored.scores, [1, 4.5])
    assert scored.score_range == (1, 4.5)
    assert scored.splits is None
    assert scored.groups is None


def test_splits_and_groups_go_with_their_rows(tmp_path):
    scored = _read(tmp_path, _FULL, score_range=(0, 100))
    kept = scored.split("train", "test")
    assert [path[-5:] for path in kept.paths] == ["a.jpg", "c.jpg"]
    np.testing.assert_array_equal(kept.scores, [10, 40])
    np.testing.assert_array_equal(kept.groups, ["x", "y"])
    assert kept.score_range == (0, 100)
    assert len(scored.rows([2])) == 1


def test_dmos_is_mirrored_once_within_its_range(tmp_path):
    scored = _read(tmp_path, _FULL, score_range=(0, 100), lower_is_better=True)
    np.testing.assert_array_equal(scored.scores, [90, 80, 60])
    assert scored.score_range == (0, 100)


def test_a_photo_with_two_scores_is_named_with_both_and_their_lines(tmp_path):
    with pytest.raises(
        ScoredPhotosError, match=r"lines 2 and 4: \./a\.jpg has two scores, 1 and 2"
    ):
        _read(tmp_path, "image,mos\na.jpg,1\nb.jpg,3\n./a.jpg,2\n")
    twice = "image,mos\na.jpg,1\nb.jpg,3\na.jpg,2\nb.jpg,4\n"
    with pytest.raises(ScoredPhotosError, match=r"2 such rows.*the mean, where people voted"):
        _read(tmp_path, twice)


def test_a_photo_that_is_listed_twice_with_one_score_is_read(tmp_path):
    assert len(_read(tmp_path, "image,mos\na.jpg,1\na.jpg,1\nb.jpg,2\n")) == 3


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_spreadsheets_write_semicolons_tabs_and_a_byte_order_mark(tmp_path, separator):
    text = "\ufeff" + _PLAIN.replace(",", separator).replace("image", "Image")
    np.testing.assert_array_equal(_read(tmp_path, text).scores, [1, 4.5])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,score\na.jpg,1\n", "no column 'mos'"),
        ("images,mos\na.jpg,1\n", r"no column 'image'.*Did you mean to name 'images' so"),
        ("image,mos\n", "a header and no rows"),
        ("", "no column 'image'"),
        ("image,mos\na.jpg,good\n", r"line 2: expected a number as mos\. Received: 'good'"),
        ("image,mos\na.jpg,1\nb.jpg,nan\n", "line 3: expected a number"),
        ("image,mos\na.jpg,inf\n", "line 2: expected a number"),
        ("image,mos\na.jpg\n", "line 2: expected a number"),
        ("image,mos\n,1\n", "line 2: no image"),
        ("image,mos,split\na.jpg,1,dev\n", "line 2: expected one of train, val, test"),
        (b"image,mos\n\xff\xfe.jpg,1\n", "not a CSV file in UTF-8"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, text, message):
    with pytest.raises(ScoredPhotosError, match=message) as refusal:
        _read(tmp_path, text)
    assert str(tmp_path / "scores.csv") in str(refusal.value)


def test_scores_outside_the_stated_range_are_refused(tmp_path):
    with pytest.raises(
        ScoredPhotosError, match=r"line 3: the score 4\.5 lies outside the range 0 to 4"
    ):
        _read(tmp_path, _PLAIN, score_range=(0, 4))


def test_a_missing_file_and_a_missing_split_are_named(tmp_path):
    with pytest.raises(ScoredPhotosError, match=r"gone\.csv: no such file"):
        read_scored_photos(tmp_path / "gone.csv")
    with pytest.raises(ScoredPhotosError, match="no column `split`"):
        _read(tmp_path, _PLAIN).split("test")
    with pytest.raises(ScoredPhotosError, match="no row of test"):
        _read(tmp_path, _FULL.replace("test", "train")).split("test")


@pytest.mark.parametrize(
    "written",
    [
        "Photos\\Deep\\A.jpg",
        "photos/deep/a.JPG",
        ".\\photos\\DEEP\\a.jpg",
        "PHOTOS/other/../Deep/A.JPG",
        "Photos/Deep/A.jpg",
    ],
)
def test_a_path_in_windows_manner_or_other_capitals_means_the_file_that_is_there(tmp_path, written):
    for name in ("Photos/Deep/A.jpg", "Photos/other/b.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "scores.csv").write_text(f"image,mos\n{written},1\n")
    (path,) = read_scored_photos(tmp_path / "scores.csv").paths
    assert pathlib.Path(path).resolve() == tmp_path / "Photos/Deep/A.jpg"
    assert read_photo_list(tmp_path / "scores.csv") == [path]


def test_a_path_that_can_mean_two_files_or_none_stays_as_it_is_written(tmp_path):
    for name in ("a.jpg", "A.JPG", "caf\N{LATIN SMALL LETTER E WITH ACUTE}.jpg"):
        (tmp_path / name).touch()
    rows = ["A.jpg", "a.jpg", "b.jpg", "C:\\photos\\a.jpg", "deep\\a.jpg", "CAFE\u0301.jpg"]
    (tmp_path / "scores.csv").write_text("image,mos\n" + "".join(f"{row},1\n" for row in rows))
    paths = read_scored_photos(tmp_path / "scores.csv").paths
    assert paths[:5] == [str(tmp_path / row) for row in rows[:5]]
    assert os.path.exists(paths[5])


def test_missing_photos_are_named_before_there_are_too_few(tmp_path):
    (tmp_path / "0.jpg").touch()
    lines = "".join(f"{n}.jpg,{n}\n" for n in range(6))
    (tmp_path / "scores.csv").write_text(f"image,mos\n{lines}")
    scored = read_scored_photos(tmp_path / "scores.csv")
    expected = r"5 of 6 photos are missing: .*/1.jpg, .*/2.jpg, .*/3.jpg, \.\.\.; exp"
    with pytest.raises(ScoredPhotosError, match=expected):
        require_photos(scored, 2)
    require_photos(scored, 1)
    require_photos(scored.rows([0]), 5)
