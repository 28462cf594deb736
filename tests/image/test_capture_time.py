"""When a photo was taken, read from files that Pillow and pillow-heif write."""

import datetime
import io

import pytest
from PIL import ExifTags, Image

from reiqa_tf.image.capture_time import capture_time

NOON = datetime.datetime(2026, 7, 1, 12, 0, 5)


def contents(kind="JPEG", time="2026:07:01 12:00:05", fraction=None):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "a camera"
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    if time is not None:
        inner[ExifTags.Base.DateTimeOriginal] = time
    if fraction is not None:
        inner[ExifTags.Base.SubsecTimeOriginal] = fraction
    file = io.BytesIO()
    Image.new("RGB", (40, 40)).save(file, kind, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_time_is_read_from_every_format_that_says_it(kind):
    assert capture_time(contents(kind)) == NOON


def test_the_time_of_a_photo_of_a_phone_is_read():
    pytest.importorskip("pillow_heif").register_heif_opener()
    assert capture_time(contents("HEIF")) == NOON


@pytest.mark.parametrize(
    ("fraction", "microseconds"),
    [("5", 500000), ("048", 48000), ("0480001", 48000), ("12 ", 120000), ("x", 0), ("", 0)],
)
def test_fractions_of_a_second_count(fraction, microseconds):
    assert capture_time(contents(fraction=fraction)) == NOON.replace(microsecond=microseconds)


@pytest.mark.parametrize("time", [None, "", "    :  :     :  :  ", "0000:00:00 00:00:00", "noon"])
def test_a_time_that_says_nothing_is_none(time):
    assert capture_time(contents(time=time)) is None


def test_damaged_files_have_no_time():
    whole = contents()
    assert capture_time(b"") is None
    assert capture_time(b"not a picture") is None
    for end in range(4, len(whole), 7):
        assert capture_time(whole[:end]) in (None, NOON)
        capture_time(whole[:end] + bytes(20) + whole[end + 20 :])
