"""Reading photos: every format and mode that a camera, a phone or a scanner writes."""

import io
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from reiqa_tf.image.containers import split
from reiqa_tf.image.decoding import decode_jpeg
from reiqa_tf.image.reading import (
    MINIMUM_SIDE,
    REDUCTIONS,
    SPARE,
    ImageError,
    open_image,
    read_image,
    reduction,
    size_to_fit,
)

CASES = pathlib.Path(__file__).parents[1] / "cases"


def _saved(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def crop(photo):
    return photo[100:181, 200:323]  # 81 x 123: both odd, and not alike


def test_a_jpeg_decodes_as_pillow_does_here_and_in_the_graph(photo):
    for subsampling in (0, 2):
        contents = _saved(Image.fromarray(photo), "JPEG", quality=83, subsampling=subsampling)
        expected = np.asarray(Image.open(io.BytesIO(contents)))
        np.testing.assert_array_equal(read_image(contents), expected)
        np.testing.assert_array_equal(decode_jpeg(contents), expected)
        in_data = tf.data.Dataset.from_tensors(contents).map(decode_jpeg)
        np.testing.assert_array_equal(next(in_data.as_numpy_iterator()), expected)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats_come_back_exactly(crop, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    np.testing.assert_array_equal(read_image(_saved(Image.fromarray(crop), kind, **options)), crop)


def test_of_an_animation_the_first_frame_is_read(crop):
    frames = [Image.fromarray(crop).quantize(64), Image.fromarray(255 - crop).quantize(64)]
    contents = _saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_image(contents), np.asarray(frames[0].convert("RGB")))


@pytest.mark.parametrize(
    ("orientation", "undo"),
    [
        (1, lambda x: x),
        (2, lambda x: x[:, ::-1]),
        (3, lambda x: x[::-1, ::-1]),
        (4, lambda x: x[::-1]),
        (5, lambda x: x.transpose(1, 0, 2)),
        (6, lambda x: np.rot90(x, -1)),
        (7, lambda x: np.rot90(x, 2).transpose(1, 0, 2)),
        (8, lambda x: np.rot90(x, 1)),
    ],
)
def test_exif_orientation_is_applied(crop, orientation, undo):
    exif = Image.Exif()
    exif[0x0112] = orientation
    contents = _saved(Image.fromarray(crop), "PNG", exif=exif)
    np.testing.assert_array_equal(read_image(contents), undo(crop))


def test_grey_becomes_three_equal_channels(crop):
    grey = crop[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=-1)
    np.testing.assert_array_equal(read_image(_saved(Image.fromarray(grey), "PNG")), expected)


def test_sixteen_bit_grey_is_scaled_to_eight_bits(crop):
    # 255 becomes 65535, as 257 a level; 100 more or less is under half a level.
    deep = np.clip(crop[..., 0].astype(int) * 257 - 100, 0, 65535).astype(np.uint16)
    for kind in ("PNG", "TIFF"):
        read = read_image(_saved(Image.fromarray(deep), kind))
        np.testing.assert_array_equal(read[..., 0], crop[..., 0])


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_show_white(crop, mode):
    alpha = np.zeros(crop.shape[:2], np.uint8)
    alpha[:, :60] = 255
    alpha[:, 60:70] = 51  # a fifth
    picture = Image.fromarray(crop).convert("L" if mode == "LA" else "RGB")
    colours = np.asarray(picture.convert("RGB")).astype(float)
    picture.putalpha(Image.fromarray(alpha))
    share = alpha[..., None] / 255
    expected = share * colours + (1 - share) * 255
    read = read_image(_saved(picture, "PNG")).astype(float)
    np.testing.assert_allclose(read, expected, atol=1)
    np.testing.assert_array_equal(read[:, :60], colours[:, :60])
    assert (read[:, 70:] == 255).all()


def test_a_palette_with_a_transparent_colour_shows_white_there(crop):
    picture = Image.fromarray(crop).quantize(16)
    contents = _saved(picture, "PNG", transparency=3)
    read = read_image(contents)
    transparent = np.asarray(picture) == 3
    assert transparent.any()
    assert (read[transparent] == 255).all()
    np.testing.assert_array_equal(
        read[~transparent], np.asarray(picture.convert("RGB"))[~transparent]
    )


def test_cmyk_becomes_rgb_by_pillows_rule(crop):
    contents = _saved(Image.fromarray(crop).convert("CMYK"), "JPEG", quality=95)
    expected = np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"))
    np.testing.assert_array_equal(read_image(contents), expected)


def test_a_large_photo_is_shrunk_to_fit_and_a_small_one_is_left_alone(photo):
    contents = _saved(Image.fromarray(photo), "PNG")
    shrunk = read_image(contents, fit=300)
    expected = Image.fromarray(photo).resize((300, 200), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(shrunk, np.asarray(expected))
    np.testing.assert_array_equal(read_image(contents, fit=768), photo)


def test_a_tall_photo_is_shrunk_as_in_every_version_of_pillow(photo):
    tall = photo[:, 100:220]  # 512 x 120, which Pillow 13 shrinks rows first
    columns_first = Image.fromarray(tall).resize((47, 512), Image.Resampling.BICUBIC)
    expected = columns_first.resize((47, 200), Image.Resampling.BICUBIC)
    contents = _saved(Image.fromarray(tall), "PNG")
    np.testing.assert_array_equal(read_image(contents, fit=200), np.asarray(expected))


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((4000, 3000), 512, (512, 384)),
        ((3000, 4000), 512, (384, 512)),
        ((1000, 333), 500, (500, 167)),  # 166.5, halves go up
        ((512, 512), 512, (512, 512)),
        ((100, 50), 512, (100, 50)),
        ((40000, 3), 400, (400, 1)),
    ],
)
def test_size_to_fit_keeps_the_aspect_ratio_and_never_enlarges(size, side, expected):
    assert size_to_fit(*size, side) == expected


def test_a_jpeg_stays_so_many_times_larger_than_it_is_to_become():
    for longer in range(40, int(8 * SPARE * 40) + 50):
        times = reduction(longer // 2, longer, 40)
        assert times in (1, *REDUCTIONS)
        assert times == 1 or longer / times >= SPARE * 40
        assert times == 8 or longer < 2 * times * SPARE * 40
    assert (reduction(4032, 3024, 512), reduction(3000, 4000, 512)) == (2, 2)


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("fit", [160, 80])
def test_a_jpeg_decoded_at_reduced_scale_is_next_to_the_whole_one_shrunk(photo, subsampling, fit):
    large = Image.fromarray(photo).resize((1200, 800), Image.Resampling.BICUBIC)
    contents = _saved(large, "JPEG", quality=90, subsampling=subsampling)
    assert reduction(1200, 800, fit) == 320 // fit
    difference = read_image(open_image(contents), fit).astype(float) - read_image(contents, fit)
    assert np.abs(difference).mean() < 0.6
    assert abs(difference.mean()) < 0.1


def test_every_jpeg_but_those_coded_without_loss_can_be_decoded_at_reduced_scale(crop):
    for name in ("plain.jpg", "jpeg_arithmetic_progressive.jpg", "jpeg_cmyk_adobe.jpg"):
        assert split((CASES / name).read_bytes()).is_reducible
    assert not split((CASES / "jpeg_lossless.jpg").read_bytes()).is_reducible
    assert not split(_saved(Image.fromarray(crop), "PNG")).is_reducible


def test_open_image_gives_the_same_pixels_as_read_image(crop):
    contents = _saved(Image.fromarray(crop), "PNG")
    np.testing.assert_array_equal(np.asarray(open_image(contents)), read_image(contents))


def _truncated(crop, kind):
    contents = _saved(Image.fromarray(crop), kind)
    return contents[: len(contents) * 2 // 3]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _: b"", "an empty file"),
        (lambda _: b"hello, I am a text", "not a picture"),
        (lambda crop: _truncated(crop, "JPEG"), "truncated"),
        (lambda crop: _truncated(crop, "PNG"), "truncated"),
        (lambda crop: _truncated(crop, "BMP"), "truncated"),
        (lambda crop: _saved(Image.fromarray(crop[:1, :1]), "PNG"), "received 1 x 1 px"),
        (lambda crop: _saved(Image.fromarray(crop[:31, :60]), "PNG"), "received 60 x 31 px"),
        (
            lambda crop: _saved(Image.fromarray(crop[..., 0].astype(np.float32)), "TIFF"),
            "floating-point",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_by_name_with_a_reason(crop, tmp_path, make, reason):
    path = tmp_path / "odd.jpg"
    path.write_bytes(make(crop))
    with pytest.raises(ImageError, match=reason) as refusal:
        read_image(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.jpg: no such file"):
        read_image(tmp_path / "gone.jpg")
    with pytest.raises(ImageError, match="a folder"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="null"):
        read_image("a\0b.jpg")


def test_a_decompression_bomb_is_refused_before_it_is_decoded():
    # A PNG header of 50,000 x 50,000 px over a few bytes of data.
    small = _saved(Image.new("RGB", (64, 64)), "PNG")
    import struct
    import zlib

    header = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    bomb = small[:8] + struct.pack(">I", 13) + header
    bomb += struct.pack(">I", zlib.crc32(header)) + small[33:]
    with pytest.raises(ImageError, match=r"2,500,000,000 pixels, .*the limit of 268,435,456"):
        read_image(bomb)


def test_the_smallest_photo_that_is_read_has_the_stated_side(crop):
    contents = _saved(Image.fromarray(crop[:MINIMUM_SIDE, :MINIMUM_SIDE]), "PNG")
    assert read_image(contents).shape == (MINIMUM_SIDE, MINIMUM_SIDE, 3)
