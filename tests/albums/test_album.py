"""An album: photos with their scores in order, groups of alike ones, tables."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

import reiqa_tf
from reiqa_tf.albums.album import score_album
from reiqa_tf.albums.thumbnails import thumbnail_side
from reiqa_tf.files import OutputError
from tests.albums.conftest import START, names

ALL = [
    "burst0.jpg",
    "burst1.jpg",
    "burst2.jpg",
    "lighthouse small.jpg",
    "lighthouse.jpg",
    "motor <b>&bikes.png",
]


def test_an_album_has_the_scores_that_a_scorer_gives(album, holiday):
    assert names(album.photos) == ALL
    scorer = reiqa_tf.open_scorer("content_lite0_biq2021", "onnx")
    for photo in album.photos:
        assert photo.score == scorer.score(photo.path)
        assert photo.name == photo.path == str(holiday / names([photo])[0])


def test_what_cannot_be_read_is_named_and_what_is_left_out_is_counted(album, holiday):
    (problem,) = album.problems
    assert str(problem).startswith(f"{holiday}/broken.jpg: ")
    assert album.left_out == "1 other file left out: 1 .txt"


def test_photos_are_sorted_by_score_and_name(album):
    best = album.sorted("best")
    scores = [float(photo.score) for photo in best]
    assert scores == sorted(scores, reverse=True)
    assert album.sorted("worst") == best[::-1]
    assert names(album.sorted("name", best)) == ALL
    with pytest.raises(ValueError, match="expected one of best, worst, name"):
        album.sorted("score")


def test_bursts_and_copies_are_groups_with_the_best_first(album):
    groups = [set(names(group.photos)) for group in album.groups]
    assert groups == [
        {"burst0.jpg", "burst1.jpg", "burst2.jpg"},
        {"lighthouse.jpg", "lighthouse small.jpg"},
    ]
    for group in album.groups:
        assert group.best.score == max(photo.score for photo in group.photos)
    assert album.groups[0].photos[-1].name.endswith("burst1.jpg")  # the blurred one
    kept = names(album.best_of_groups())
    assert len(kept) == 3
    assert "motor <b>&bikes.png" in kept
    assert "burst1.jpg" not in kept


def test_the_time_of_a_photo_is_that_of_its_camera(album):
    taken = {names([photo])[0]: photo.taken for photo in album.photos}
    assert (taken["burst2.jpg"] - START).total_seconds() == 4
    assert taken["motor <b>&bikes.png"] is None


def test_photos_below_a_limit_are_those_with_less(album):
    limit = float(album.sorted("worst")[2].score)
    below = album.below(limit)
    assert len(below) == 2
    assert all(photo.score < limit for photo in below)


def test_thumbnails_are_small_and_hold_nothing_but_pixels(album):
    side = thumbnail_side(len(album.photos))
    for photo in album.photos:
        small = Image.open(io.BytesIO(photo.thumbnail.contents))
        assert f"image/{small.format.lower()}" == photo.thumbnail.kind
        assert max(small.size) <= side
        assert not small.getexif()


def test_many_photos_have_smaller_thumbnails():
    assert [thumbnail_side(count) for count in (1, 1000, 1001, 5000)] == [400, 400, 320, 240]


def test_pictures_in_memory_are_scored_without_a_path(photo):
    album = score_album([photo[:200, :200]], "content_lite0_biq2021", "onnx", thumbnails=False)
    (only,) = album.photos
    assert only.name == "picture in memory"
    assert (only.path, only.taken, only.thumbnail) == (None, None, None)
    (kept,) = album.save_sidecars()
    assert "no file" in str(kept)


def test_a_table_is_what_its_ending_says(album, tmp_path):
    for kind in ("csv", "json", "jsonl"):
        album.save_table(tmp_path / f"scores.{kind}")
    document = json.loads((tmp_path / "scores.json").read_text())
    lines = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert document["scores"] == lines
    assert document["left_out"] == album.left_out
    assert len(document["problems"]) == 1
    with open(tmp_path / "scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, line, photo in zip(rows, lines, album.photos, strict=True):
        assert line["score"] == float(photo.score)
        assert line["word"] == photo.score.word
        assert row["photo"] == line["photo"] == photo.name
        assert row["score"] == f"{photo.score:.4f}"
        np.testing.assert_allclose(float(row["low"]), line["low"], atol=5e-5)
        assert row["best_of_group"] == str(line["best_of_group"])
    assert [line["group"] for line in lines] == [1, 1, 1, 2, 2, None]
    with pytest.raises(ValueError, match=r"expected a name that ends with \.csv, \.json, \.jsonl"):
        album.save_table(tmp_path / "scores.xlsx")


def test_no_file_is_replaced_unasked(album, tmp_path):
    path = tmp_path / "scores.csv"
    album.save_table(path)
    for save in (album.save_table, album.save_page):
        with pytest.raises(OutputError, match="exists"):
            save(path)
    album.save_table(path, album.sorted("best")[:1], overwrite=True)
    assert len(path.read_text().splitlines()) == 2
