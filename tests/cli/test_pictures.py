"""`reiqa distort` and `reiqa views`: the pictures they write and what they say otherwise."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.cli.main import main, parse
from reiqa_tf.distortions import distort
from reiqa_tf.image.reading import read_image
from reiqa_tf.pretraining.quality_views import QualityViews


def run(*arguments):
    return main(parse(["reiqa", *map(str, arguments)]))


@pytest.fixture(scope="module")
def small(tmp_path_factory, photos_folder):
    path = tmp_path_factory.mktemp("photo") / "small.png"
    Image.open(photos_folder / "kodim05.png").crop((100, 100, 277, 260)).save(path)
    return path


def test_one_level_of_one_distortion_is_written_at_full_size(small, tmp_path):
    out = tmp_path / "noisy.png"
    options = "--name", "gaussian_noise", "--level", 4, "--seed", 4  # counted from 1 by people
    assert run("distort", small, "--out", out, *options) == 0
    expected = distort(read_image(small), "gaussian_noise", 3, (4, 0)).numpy()
    np.testing.assert_array_equal(read_image(out), np.rint(255 * expected))


def test_a_distortion_is_drawn_at_its_five_levels(small, tmp_path):
    out = tmp_path / "levels.png"
    assert run("distort", small, "--out", out, "--name", "darken", "--side", 96) == 0
    sheet = read_image(out)
    photo = read_image(small, fit=96)
    height, width = photo.shape[:2]
    for level in range(5):
        left = 8 + level * (width + 8)
        tile = sheet[54 : 54 + height, left : left + width]
        np.testing.assert_array_equal(tile, np.rint(255 * distort(photo, "darken", level).numpy()))


@pytest.mark.slow  # compiles the whole bank
def test_the_gallery_shows_all_26(small, tmp_path):
    out = tmp_path / "gallery.jpg"
    assert run("distort", small, "--out", out, "--side", 48) == 0
    assert read_image(out).shape == (36 + 13 * (43 + 44), 2 * (5 * 56 + 8), 3)


@pytest.mark.slow  # compiles the whole bank
def test_views_show_the_pairs_of_the_seed(small, tmp_path):
    out = tmp_path / "views.png"
    assert run("views", small, "--out", out, "--patch", 48, "--seed", 2) == 0
    sheet = read_image(out)
    queries, keys = QualityViews(48)(read_image(small), (2, 0))
    for tile, expected in (
        (sheet[54:102, 8:56], queries[0]),
        (sheet[54:102, 64:112], keys[0]),
        (sheet[54:102, 120:168], queries[1]),
    ):
        np.testing.assert_array_equal(tile, expected)
    assert run("views", small, "--out", out, "--kind", "content", "--patch", 48) == 0


@pytest.mark.parametrize(
    "command",
    [
        ("distort", "--name", "jpeg", "--level", 2),
        pytest.param(("views", "--kind", "content"), marks=pytest.mark.slow),
    ],
)
def test_tensorflow_keeps_its_remarks_to_itself(small, tmp_path, command):
    name, *options = map(str, command)
    out = tmp_path / "picture.png"
    command = [sys.executable, "-c", "from reiqa_tf.cli.main import run; run()"]
    arguments = [name, str(small), "--out", str(out), *options]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--name", "blur"), "Expected one of the distortions"),
        (("--level", "2"), "add --name"),
    ],
)
def test_what_cannot_be_drawn_is_said(small, tmp_path, capsys, arguments, message):
    assert run("distort", small, "--out", tmp_path / "out.png", *arguments) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


def test_a_name_without_a_picture_format_is_refused(small, tmp_path, capsys):
    assert run("distort", small, "--out", tmp_path / "out.xyz", "--name", "darken") == 1
    assert "ends with .png, .jpg or .webp" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_odd_patch_is_refused(small, tmp_path, capsys):
    assert run("views", small, "--out", tmp_path / "out.png", "--patch", 51) == 1
    assert "even side" in capsys.readouterr().err
