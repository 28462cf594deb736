"""A folder as people have them: photos, a burst, a copy, a damaged file and a text."""

import datetime

import pytest
from PIL import ExifTags, Image, ImageFilter

from reiqa_tf.albums.album import score_album

START = datetime.datetime(2026, 7, 1, 12, 0, 0)


def save(picture, path, seconds=None):
    exif = Image.Exif()
    if seconds is not None:
        exif[ExifTags.Base.Make] = "a camera"
        time = START + datetime.timedelta(seconds=seconds)
        inner = exif.get_ifd(ExifTags.IFD.Exif)
        inner[ExifTags.Base.DateTimeOriginal] = time.strftime("%Y:%m:%d %H:%M:%S")
    picture.save(path, exif=exif, quality=92)


@pytest.fixture(scope="session")
def holiday(photos_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("albums") / "holiday"
    folder.mkdir()
    birds, lighthouse = (
        Image.open(photos_folder / f"kodim{number}.png").convert("RGB") for number in (23, 19)
    )
    # A burst: the camera moves a little, one is blurred.
    for number, (x, y) in enumerate([(0, 0), (18, 10), (30, 24)]):
        frame = birds.crop((x, y, x + 720, y + 480))
        if number == 1:
            frame = frame.filter(ImageFilter.GaussianBlur(4))
        save(frame, folder / f"burst{number}.jpg", seconds=2 * number)
    save(lighthouse, folder / "lighthouse.jpg", seconds=3)
    save(lighthouse.resize((256, 384)), folder / "lighthouse small.jpg")
    Image.open(photos_folder / "kodim05.png").save(folder / "motor <b>&bikes.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (folder / "notes.txt").write_text("sunny")
    return folder


@pytest.fixture(scope="session")
def album(holiday):
    return score_album(holiday, "content_lite0_biq2021", "onnx")


def names(photos):
    return [photo.name.rpartition("/")[2] for photo in photos]
