"""Five hundred damaged picture files: each is read, or refused by name in one line."""

import io

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.image.reading import ImageError, read_image

# What a damaged file makes Pillow warn about is not what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def _whole_files(photo):
    colour = Image.fromarray(photo[100:164, 200:280])
    clear = colour.copy()
    clear.putalpha(128)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a description"
    kinds = [
        (colour, "JPEG", {"quality": 90, "exif": exif}),
        (colour, "JPEG", {"progressive": True}),
        (colour.convert("CMYK"), "JPEG", {}),
        (colour, "PNG", {"exif": exif}),
        (clear, "PNG", {}),
        (colour.quantize(16), "PNG", {"transparency": 2}),
        (Image.fromarray(photo[:64, :80, 0].astype(np.uint16) * 257), "PNG", {}),
        (colour, "WEBP", {"quality": 80}),
        (clear, "WEBP", {"lossless": True}),
        (colour, "BMP", {}),
        (colour.quantize(64), "GIF", {"save_all": True, "append_images": [colour.quantize(8)]}),
        (colour, "TIFF", {"compression": "tiff_lzw"}),
        (colour, "TIFF", {"compression": "jpeg"}),
    ]
    files = []
    for picture, kind, options in kinds:
        file = io.BytesIO()
        picture.save(file, kind, **options)
        files.append(file.getvalue())
    return files


def _damaged(files, generator):
    contents = bytearray(files[generator.integers(len(files))])
    for _ in range(generator.integers(1, 5)):
        if not contents:
            break
        # Every second blow falls on the first bytes, where sizes and offsets stand.
        reach = len(contents) if generator.integers(2) else min(200, len(contents))
        place = int(generator.integers(reach))
        match generator.integers(6):
            case 0:
                contents[place] ^= 1 << int(generator.integers(8))
            case 1:
                contents[place : place + 4] = generator.bytes(4)
            case 2:
                contents[place : place + 4] = b"\xff\xff\xff\x7f"
            case 3:
                del contents[max(place, 1) :]
            case 4:
                del contents[place : place + int(generator.integers(1, 60))]
            case 5:
                other = files[generator.integers(len(files))]
                start = int(generator.integers(len(other)))
                contents[place:place] = other[start : start + 100]
    return bytes(contents)


def test_whole_files_of_every_kind_are_read(photo):
    for contents in _whole_files(photo):
        assert sorted(read_image(contents).shape) == [3, 64, 80]


def test_five_hundred_damaged_files_are_read_or_refused_by_name_in_one_line(photo, tmp_path):
    files = _whole_files(photo)
    generator = np.random.default_rng(2026)
    refused = 0
    for i in range(500):
        path = tmp_path / f"damaged{i}"
        path.write_bytes(_damaged(files, generator))
        try:
            image = read_image(path, fit=512)
        except ImageError as refusal:
            message = str(refusal)
            assert str(path) in message
            assert "\n" not in message
            refused += 1
        else:
            assert image.dtype == np.uint8
            assert image.ndim == 3
            assert image.shape[2] == 3
            assert max(image.shape) <= 512
    assert 100 < refused < 450  # both ways were taken
