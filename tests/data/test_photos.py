"""Finding photos by files, folders and patterns."""

import pytest

from reiqa_tf.data.photos import find_photos
from reiqa_tf.image.reading import ImageError


@pytest.fixture
def folder(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt", "deep/down/c.webp", "deep/d.jpeg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path


def test_a_folder_is_searched_with_its_subfolders_for_photos_alone(folder):
    found = find_photos(folder)
    expected = ["a.png", "b.JPG", "deep/d.jpeg", "deep/down/c.webp"]
    assert found == [str(folder / name) for name in expected]


def test_a_file_is_taken_whatever_its_name(folder):
    assert find_photos(folder / "notes.txt") == [str(folder / "notes.txt")]


def test_a_pattern_may_cross_folders_and_stands_for_files_alone(folder):
    assert find_photos(f"{folder}/**/*.j*") == [str(folder / "deep/d.jpeg")]
    assert find_photos(f"{folder}/*") == [str(folder / n) for n in ("a.png", "b.JPG", "notes.txt")]


def test_a_file_whose_name_looks_like_a_pattern_is_found(tmp_path):
    odd = tmp_path / "photo[1].jpg"
    odd.write_bytes(b"")
    assert find_photos(odd) == [str(odd)]


def test_an_empty_folder_an_empty_pattern_and_a_missing_file_are_refused_by_name(tmp_path):
    with pytest.raises(ImageError, match="no photos in this folder"):
        find_photos(tmp_path)
    with pytest.raises(ImageError, match="no file matches"):
        find_photos(f"{tmp_path}/*.jpg")
    with pytest.raises(ImageError, match=r"gone\.jpg: no such file"):
        find_photos(tmp_path / "gone.jpg")
