"""HEIC, AVIF and JPEG XL: read upright, or named with the line that installs their reader."""

import configparser
import importlib
import io
import pathlib

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from reiqa_tf.data.photos import find_photos
from reiqa_tf.image import formats
from reiqa_tf.image.reading import ImageError, read_image

EXTRAS = {"HEIF": "heif", "JXL": "jxl"}
SAVED = {"HEIF": {"quality": 95}, "AVIF": {"quality": 95}, "JXL": {"lossless": True}}


def _photo_file(photo, kind, orientation=None):
    pillow_heif.register_heif_opener()
    importlib.import_module("pillow_jxl")
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    file = io.BytesIO()
    options = {"exif": exif.tobytes()} if orientation else {}
    Image.fromarray(photo[100:260, 300:540]).save(file, kind, **SAVED[kind], **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", SAVED)
def test_a_photo_of_a_phone_is_read_upright(photo, kind):
    upright = photo[100:260, 300:540].astype(int)
    contents = _photo_file(photo, kind)
    assert formats.format_of(contents).name == kind
    image = read_image(contents)
    assert image.shape == upright.shape
    assert np.abs(image.astype(int) - upright).mean() < 3


@pytest.mark.parametrize("kind", SAVED)
def test_a_turned_photo_is_shown_as_its_own_format_says(photo, kind):
    contents = _photo_file(photo, kind, orientation=6)
    turned = np.rot90(photo[100:260, 300:540], -1).astype(int)
    with formats.format_of(contents).open(contents) as picture:
        size = picture.size
    image = read_image(contents)
    # Writers turn EXIF's word into the format's own (HEIC) or keep it (AVIF); either way a viewer
    # shows the photo upright. JPEG XL's header alone counts, and this writer leaves it plain.
    if kind == "JXL":
        assert image.shape[:2] == size[::-1]
    else:
        assert image.shape == turned.shape
        assert np.abs(image.astype(int) - turned).mean() < 3


@pytest.mark.parametrize("kind", EXTRAS)
def test_without_its_reader_a_photo_is_found_and_named_with_the_line_that_installs_it(
    photo, kind, tmp_path, monkeypatch
):
    path = tmp_path / f"photo{formats.FORMATS[formats.NAMES.index(kind)].extensions[0]}"
    path.write_bytes(_photo_file(photo, kind))
    load = importlib.import_module

    def without_reader(name, *arguments):
        if name in ("pillow_heif", "pillow_jxl"):
            raise ImportError(name)
        return load(name, *arguments)

    monkeypatch.setattr(importlib, "import_module", without_reader)
    assert find_photos(tmp_path) == [str(path)]
    line = rf"{path.name}: a {kind} picture.* pip install 'reiqa_tf\[{EXTRAS[kind]}\]'"
    with pytest.raises(ImageError, match=line):
        read_image(path)


def test_every_extra_of_the_formats_is_one_of_the_package():
    setup = configparser.ConfigParser()
    setup.read(pathlib.Path(__file__).parents[2] / "setup.cfg")
    extras = {row.name: row.extra for row in formats.FORMATS if row.extra}
    assert extras == EXTRAS
    for extra in extras.values():
        assert setup["options.extras_require"][extra]
        assert extra in setup["options.extras_require"]["test"]
