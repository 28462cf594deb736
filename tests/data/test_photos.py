"""Finding photos by files, folders and patterns."""

import os

import pytest
from PIL import Image

from reiqa_tf.data.photos import FoundPhotos, find_photos, left_out_line, search_photos
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


def _tree(top, names, contents=b""):
    for name in names:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)


@pytest.mark.parametrize("links", [1, 2, 6])
def test_links_that_lead_back_are_walked_once(tmp_path, links):
    _tree(tmp_path, ["a/1.jpg", "a/b/2.jpg"])
    for number in range(links):
        (tmp_path / f"a/up{number}").symlink_to("..")
        (tmp_path / f"a/b/up{number}").symlink_to("../..")
    expected = [str(tmp_path / "a/1.jpg"), str(tmp_path / "a/b/2.jpg")]
    assert find_photos(tmp_path) == expected
    assert find_photos(f"{tmp_path}/**/*.jpg") == expected
    assert find_photos(f"{tmp_path}/**") == expected


def test_a_photo_that_links_reach_twice_is_listed_once_by_its_own_path(tmp_path):
    _tree(tmp_path, ["photos/b/1.jpg", "photos/z.jpg", "outside/2.jpg"])
    (tmp_path / "photos/a").symlink_to("b")
    (tmp_path / "photos/a.jpg").symlink_to("z.jpg")
    (tmp_path / "photos/c").symlink_to("../outside")
    (tmp_path / "photos/d").symlink_to("../outside")
    (tmp_path / "photos/round").symlink_to("round")
    (tmp_path / "photos/gone.jpg").symlink_to("nowhere.jpg")
    found = search_photos(tmp_path / "photos")
    names = ["b/1.jpg", "c/2.jpg", "gone.jpg", "z.jpg"]
    assert found.photos == [str(tmp_path / "photos" / name) for name in names]
    assert find_photos(f"{tmp_path}/photos/*/1.jpg") == [str(tmp_path / "photos/b/1.jpg")]
    assert find_photos(f"{tmp_path}/photos/a") == [str(tmp_path / "photos/a/1.jpg")]


def test_pictures_are_found_by_their_bytes_and_by_the_names_that_phones_give(tmp_path, photo):
    picture = Image.fromarray(photo[:40, :50])
    for name, kind in (("no_ending", "PNG"), ("x.dat", "JPEG"), ("y.bin", "BMP"), ("z", "WEBP")):
        picture.save(tmp_path / name, kind)
    _tree(tmp_path, ["1.jfif", "2.pjpeg", "3.HEIC", "4.avif", "5.jxl", "6.hif"])
    _tree(tmp_path, ["list.txt"], b"BMW/1.jpg\nBMW/2.jpg\nand further photos\n")
    _tree(tmp_path, ["raw.dng", "raw.NEF", "raw.cr2"], b"II*\0" + bytes(100))
    found = search_photos(tmp_path)
    assert [path.rsplit("/", 1)[1] for path in found.photos] == [
        *("1.jfif", "2.pjpeg", "3.HEIC", "4.avif", "5.jxl", "6.hif"),
        *("no_ending", "x.dat", "y.bin", "z"),
    ]
    assert found.left_out == {".txt": 1, ".dng": 1, ".nef": 1, ".cr2": 1}


def test_what_macos_writes_beside_files_and_dot_folders_are_passed_over(tmp_path):
    _tree(tmp_path, ["1.jpg", "deep/2.jpg"])
    _tree(tmp_path, ["._1.jpg", "deep/._2.jpg", "__MACOSX/._1.jpg", "__MACOSX/deep/1.jpg"])
    _tree(tmp_path, [".thumbnails/1.jpg", ".git/a.jpg", ".DS_Store"])
    found = search_photos(tmp_path)
    assert found == FoundPhotos([str(tmp_path / "1.jpg"), str(tmp_path / "deep/2.jpg")])
    assert find_photos(f"{tmp_path}/**/*.jpg") == found.photos


def test_what_is_left_out_is_counted_by_its_endings(tmp_path):
    _tree(tmp_path, ["1.jpg", *(f"{n}.txt" for n in range(9)), *(f"{n}.MP4" for n in range(3))])
    assert left_out_line([search_photos(tmp_path)]) == "12 other files left out: 9 .txt, 3 .mp4"
    _tree(tmp_path, ["deep/README", "b.a", "b.b", "b.c", "b.d"])
    line = left_out_line([search_photos(tmp_path), search_photos(tmp_path / "1.jpg")])
    assert line == (
        "17 other files left out: 9 .txt, 3 .mp4, 1 without an ending, 1 .a, 1 .b, 2 of other kinds"
    )
    assert left_out_line([]) == ""
    (tmp_path / "1.jpg").unlink()
    with pytest.raises(ImageError, match=r"no photos in this folder.* 17 other files left out"):
        find_photos(tmp_path)


def test_pipes_are_not_opened_and_closed_folders_are_named(tmp_path, monkeypatch):
    _tree(tmp_path, ["1.jpg", "closed/2.jpg"])
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.jpg")
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("closed"):
            raise PermissionError
        return scandir(folder)

    monkeypatch.setattr("os.scandir", refuse)
    found = search_photos(tmp_path)
    assert found.photos == [str(tmp_path / "1.jpg")]
    assert left_out_line([found]) == (
        "2 other files left out: 1 without an ending, 1 .jpg; folders that cannot be opened: "
        f"{tmp_path}/closed"
    )


def test_patterns_and_folders_keep_the_way_in_which_they_were_written(tmp_path, monkeypatch):
    _tree(tmp_path, ["photos/1.jpg", "photos/deep/2.jpg"])
    monkeypatch.chdir(tmp_path)
    assert find_photos("photos/") == ["photos/1.jpg", "photos/deep/2.jpg"]
    assert find_photos("./photos/**/*.jpg") == ["./photos/1.jpg", "./photos/deep/2.jpg"]
    assert find_photos("**/*.jpg") == ["photos/1.jpg", "photos/deep/2.jpg"]
    assert find_photos("photos/**/**/*.jpg") == ["photos/1.jpg", "photos/deep/2.jpg"]


def test_a_name_in_any_encoding_is_found(tmp_path):
    name = os.path.join(os.fsencode(tmp_path), b"caf\xe9.jpg")
    with open(name, "wb"):
        pass
    assert find_photos(tmp_path) == [os.fsdecode(name)]
    assert find_photos(f"{tmp_path}/c*.jpg") == [os.fsdecode(name)]
